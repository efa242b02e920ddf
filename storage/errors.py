"""The root of Twofold's exceptions and those that storage raises.

The whole tree is drawn in `bot/errors.py`. The root lives here because imports
run one way, `cogs → bot → storage`.
"""

from __future__ import annotations


class TwofoldError(Exception):
    """A fault that can be told to a person in one sentence.

    `user_message` says what is wrong and what to do; it never holds a secret, a
    text of another exception, or which model is on which side. `retryable` tells
    whether the same call may succeed later without anyone changing anything.
    """

    retryable: bool = False

    def __init__(self, user_message: str) -> None:
        super().__init__(user_message)
        self.user_message = user_message


class StorageError(TwofoldError):
    """The database cannot be opened, read or written."""


class DatabaseTooNew(StorageError):
    """The file was written by a newer Twofold; it is left untouched."""


class DatabaseBusy(StorageError):
    """Another process holds the write lock for longer than the busy timeout."""

    retryable = True


class DatabaseTaken(StorageError):
    """Another Twofold works on it, or on the same shards of it."""


class DatabaseUnreachable(StorageError):
    """The database's server does not answer, or not any more."""

    retryable = True
