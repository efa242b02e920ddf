"""Ids as they leave the database: keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING, Self

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_FILE = "export.key"
KEY_BYTES = 32
DIGITS = 16


class Pseudonyms:
    """HMAC-SHA256 of an id under a secret key, cut to 16 hex digits.

    Without the key nobody can tell an id from its hash by trying all ids there are, which
    a plain hash of Discord's would allow. `linkable` is whether other exports use the key.
    """

    def __init__(self, key: bytes, *, linkable: bool) -> None:
        self._key = key
        self._hash = hmac.new(key, digestmod=hashlib.sha256)
        self._members: dict[int, str] = {}
        self.linkable = linkable

    @classmethod
    def unlinkable(cls) -> Self:
        """Use a new key and keep it nowhere: nothing joins with what was hashed before."""
        return cls(secrets.token_bytes(KEY_BYTES), linkable=False)

    @classmethod
    def kept_in(cls, home: Path) -> Self:
        """Use the key in the data folder, which is made at the first call.

        Raises ConfigError where it cannot be read or made, or is no key.
        """
        path = home / KEY_FILE
        try:
            _make(path)
            key = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"The key for ids in exports, {path}, cannot be read or made "
                f"({error.strerror}). Make it and its folder readable and writable."
            ) from None
        if len(key) < KEY_BYTES:
            raise ConfigError(
                f"The key for ids in exports, {path}, is too short. Restore it from a backup. To "
                "begin anew, delete it, and erased.jsonl with all backups of the database, which "
                "would bring back who is in it; later exports cannot be joined with earlier ones."
            )
        return cls(key, linkable=True)

    def __reduce__(self) -> tuple[Callable[[bytes], Pseudonyms], tuple[bytes]]:
        """How another process of the same export gets them."""
        return partial(Pseudonyms, linkable=self.linkable), (self._key,)

    @property
    def mark(self) -> str | None:
        """The same for all hashes under one key, which it does not tell; None for a lone use."""
        return self.of("key", 0) if self.linkable else None

    def within(self, guild_id: int) -> Pseudonyms:
        """Those of one guild's own exports, which cannot be joined with what others have."""
        keyed = self._hash.copy()
        keyed.update(f"within:{guild_id}".encode())
        return Pseudonyms(keyed.digest(), linkable=self.linkable)

    def of(self, what: str, number: int) -> str:
        """The hash of an id; `what` keeps a battle and a voter of one number apart."""
        keyed = self._hash.copy()
        keyed.update(f"{what}:{number}".encode())
        return keyed.hexdigest()[:DIGITS]

    def of_member(self, member_id: int) -> str:
        """The hash of a person's id, who may come again and again."""
        if member_id not in self._members:
            self._members[member_id] = self.of("voter", member_id)
        return self._members[member_id]


def _make(path: Path) -> None:
    """Write a new key for its owner alone, unless there is one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
