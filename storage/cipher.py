"""How a SQLite file is opened: as it is, or by SQLCipher where there is a key.

SQLCipher is SQLite that encrypts each page on its way to the disk, in the file, its log of writes
and its journal. Its module has the names of `sqlite3`, and errors of its own under them.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from typing import TYPE_CHECKING, Any, cast

from storage.errors import StorageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from pydantic import SecretStr

_RAW = re.compile(r"[0-9A-Fa-f]{64}")
_PLAIN = b"SQLite format 3\0"
"""How every file begins that is not encrypted."""


def require_raw(key: SecretStr) -> SecretStr:
    """Return a key that is 256 bits and no passphrase; raises ValueError for any other."""
    if not _RAW.fullmatch(key.get_secret_value()):
        raise ValueError("a key is 64 hexadecimal digits; `openssl rand -hex 32` makes one")
    return key


def module(key: SecretStr | None) -> ModuleType:
    """The driver that opens a file with this key. Raises StorageError where it is not here."""
    if key is None:
        return sqlite3
    try:
        from sqlcipher3 import dbapi2  # noqa: PLC0415 - an extra
    except ImportError:
        raise StorageError(
            "TWOFOLD_DATABASE_KEY needs SQLCipher, which is not here: "
            "`pip install 'twofold[encrypted]'` brings it."
        ) from None
    return cast("ModuleType", dbapi2)


def connect(*arguments: Any, key: SecretStr | None, **options: Any) -> sqlite3.Connection:  # noqa: ANN401
    """Open a file as `sqlite3.connect` does. A wrong key is noticed by the first statement."""
    connection: sqlite3.Connection = module(key).connect(*arguments, **options)
    if key is not None:
        # Else it writes to standard error what is raised and told in a sentence anyway.
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{require_raw(key).get_secret_value()}'\"")
        connection.execute("PRAGMA temp_store = MEMORY")  # such files would not be encrypted
    return connection


def faults() -> tuple[type[Exception], ...]:
    """What either driver raises."""
    loaded = sys.modules.get("sqlcipher3.dbapi2")
    return (sqlite3.Error, loaded.Error) if loaded else (sqlite3.Error,)


def of_cipher(fault: BaseException | None) -> bool:
    """Whether a fault is one of a file that was opened with a key."""
    return isinstance(fault, faults()) and not isinstance(fault, sqlite3.Error)


def is_plain(file: Path) -> bool:
    """Whether a file is a database that needs no key. Raises OSError."""
    with file.open("rb") as opened:
        return opened.read(len(_PLAIN)) == _PLAIN
