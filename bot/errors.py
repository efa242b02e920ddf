"""Every fault that Twofold knows, each with one sentence for the person it reaches.

TwofoldError                  user_message, retryable
├── StorageError              (storage/errors.py)
│   ├── DatabaseTooNew
│   ├── DatabaseBusy          retryable
│   ├── DatabaseTaken         another Twofold works on it
│   └── DatabaseUnreachable   its server does not answer; retryable
├── ConfigError               a setting is missing or wrong; names key and source
├── ModelError                weights cannot be had
│   ├── ModelNameError        the source is not written as one
│   ├── ModelNotFound         nothing has that name or version
│   ├── ModelCorrupt          the hash is not the expected one, or the file is unreadable
│   ├── ModelUnreachable      no network; retryable
│   └── NoRoom                disk or memory is too small
├── EngineError               a completion could not be made
│   ├── EngineBusy            the queue is full; retryable
│   │   └── LineFull          one server has its share of the line already; retryable
│   ├── EngineTimeout         the deadline passed; retryable
│   ├── EngineUnavailable     it failed on the way, another sample may come through; retryable
│   │   └── EngineUnreachable no server answers, after all attempts; retryable
│   │       └── EngineAstray  one answers, with what is no answer; retryable
│   ├── PromptTooLong         the model cannot read that much
│   └── EngineRefused         the far side will never take this request (key, model, arguments)
├── BattleError               a battle cannot be opened
│   ├── BudgetUsedUp          what the models may cost in a day is spent
│   └── LimitReached          too many in the last minute; retryable
├── ConsentError              the text that was agreed to is not known
└── VoteRefused               this vote does not count
"""

from __future__ import annotations

from storage.errors import (
    DatabaseBusy,
    DatabaseTaken,
    DatabaseTooNew,
    DatabaseUnreachable,
    StorageError,
    TwofoldError,
)

__all__ = [
    "BattleError",
    "BudgetUsedUp",
    "ConfigError",
    "ConsentError",
    "DatabaseBusy",
    "DatabaseTaken",
    "DatabaseTooNew",
    "DatabaseUnreachable",
    "EngineAstray",
    "EngineBusy",
    "EngineError",
    "EngineRefused",
    "EngineTimeout",
    "EngineUnavailable",
    "EngineUnreachable",
    "LimitReached",
    "LineFull",
    "ModelCorrupt",
    "ModelError",
    "ModelNameError",
    "ModelNotFound",
    "ModelUnreachable",
    "NoRoom",
    "PromptTooLong",
    "StorageError",
    "TwofoldError",
    "VoteRefused",
]


class ConfigError(TwofoldError):
    """A setting is missing or wrong; the message names the key and where it came from."""


class ModelError(TwofoldError):
    """A model's weights cannot be had."""


class ModelNameError(ModelError):
    """The model is not named by a known source."""


class ModelNotFound(ModelError):
    """No package, repository or folder has that name or version."""


class ModelCorrupt(ModelError):
    """The downloaded file is not the expected one, or cannot be read."""


class ModelUnreachable(ModelError):
    """The place that has the weights cannot be reached."""

    retryable = True


class NoRoom(ModelError):
    """The disk or the memory is too small."""


class EngineError(TwofoldError):
    """A completion could not be made."""


class EngineBusy(EngineError):
    """The engine's queue is full."""

    retryable = True


class LineFull(EngineBusy):
    """As many wait from one server as may; others are still let in."""


class EngineTimeout(EngineError):
    """The completion did not end before its deadline."""

    retryable = True


class EngineUnavailable(EngineError):
    """The model failed on the way to an answer; another sample may come through."""

    retryable = True


class EngineUnreachable(EngineUnavailable):
    """The far side refuses connections or fails for now; it was tried more than once.

    `after` is in how many seconds it wants to be asked again, where it said so.
    """

    after: float | None = None


class EngineAstray(EngineUnreachable):
    """The far side is there, and what it says is no answer; it was tried more than once."""


class PromptTooLong(EngineError):
    """The prompt and the answer together are more than the model can hold."""


class EngineRefused(EngineError):
    """The far side will never take this request: key, model name or arguments are wrong."""


class BattleError(TwofoldError):
    """A battle cannot be opened."""


class BudgetUsedUp(BattleError):
    """What the models may cost in a day is spent, and none that costs nothing is left."""

    def __init__(self) -> None:
        super().__init__(
            "What the models may cost in a day is used up. Ask again tomorrow; the day begins at "
            "midnight UTC."
        )


class LimitReached(BattleError):
    """Too many battles in the last minute; `news` is true once a minute, so as not to nag."""

    retryable = True

    def __init__(self, user_message: str, *, news: bool) -> None:
        super().__init__(user_message)
        self.news = news


class ConsentError(TwofoldError):
    """A consent cannot be stored: its text is not known here."""


class VoteRefused(TwofoldError):
    """This vote cannot be cast."""
