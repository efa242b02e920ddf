"""The database: opened once, with a store for each concern."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError, InvalidRequestError

from storage import server
from storage.arena import ArenaStore
from storage.ballots import BallotStore
from storage.battles import BattleStore
from storage.census import CensusStore
from storage.contenders import ContenderStore
from storage.digests import DigestStore
from storage.erasure import ErasureStore
from storage.errors import StorageError
from storage.exports import ExportStore
from storage.faults import damaged, read_only, told_plainly
from storage.guilds import GuildStore
from storage.heard import HeardStore
from storage.imports import ImportStore
from storage.members import MemberStore
from storage.people import PeopleStore
from storage.presence import Presence
from storage.retention import RetentionStore
from storage.seen import SeenStore
from storage.sightings import SightingStore
from storage.simulations import SimulationStore
from storage.spending import SpendingStore
from storage.timing import unheard
from storage.transactions import Transactions, create_brief, create_engine
from storage.tunings import TuningStore
from storage.upgrade import downgrade, refuse_foreign_file, require_current, upgrade
from storage.voted import VotedStore
from storage.votes import VoteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic import SecretStr
    from sqlalchemy.ext.asyncio import AsyncEngine

    from storage.timing import Timed

_SQLITE = "sqlite+aiosqlite"
_DRIVERS = {"sqlite": _SQLITE, **dict.fromkeys(server.NAMES, server.DRIVER)}

_SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


class Database:
    """An open database. Made by `open`; everything else hangs off its stores."""

    def __init__(self, transactions: Transactions) -> None:
        self.battles = BattleStore(transactions)
        self.ballots = BallotStore(transactions)
        self.votes = VoteStore(transactions)
        self.voted = VotedStore(transactions)
        self.seen = SeenStore(transactions)
        self.sightings = SightingStore(transactions)
        self.guilds = GuildStore(transactions)
        self.heard = HeardStore(transactions)
        self.members = MemberStore(transactions)
        self.people = PeopleStore(transactions)
        self.retention = RetentionStore(transactions)
        self.erasure = ErasureStore(transactions)
        self.contenders = ContenderStore(transactions)
        self.exports = ExportStore(transactions)
        self.imports = ImportStore(transactions)
        self.census = CensusStore(transactions)
        self.arena = ArenaStore(transactions)
        self.simulations = SimulationStore(transactions)
        self.digests = DigestStore(transactions)
        self.spending = SpendingStore(transactions)
        self.tunings = TuningStore(transactions)
        self._transactions = transactions

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        key: SecretStr | None = None,
        durable: bool = True,
        only_read: bool = False,
        timed: Timed = unheard,
    ) -> AsyncIterator[Self]:
        """Open the database at an SQLAlchemy URL, create it if need be, migrate it to head.

        `database_url` makes such a URL of a path. With a `key`, a file is encrypted, or is made
        so; a server has no use for one. What is written is on the disk at the end of
        its transaction, unless it need not be `durable`: a loss of power may then take the last
        of it, and nothing that was there before. Where it is `only_read`, it is neither migrated
        nor written, and may be locked. `timed` hears of each transaction. Raises DatabaseTooNew,
        with the file untouched, for one written by a newer program; DatabaseBusy when another
        process keeps it locked; StorageError when it cannot be opened, written or understood,
        and for one that is `only_read` and was left by an older program.
        """
        address = _parsed(url)
        place = _place(address)
        presence = Presence(Path(place) if address.drivername == _SQLITE else None)
        if address.drivername == _SQLITE:
            await asyncio.to_thread(_make_ready, Path(place), key=key, create=not only_read)
        transactions = Transactions(
            _engine(address, place, key=key, durable=durable, only_read=only_read),
            place=place,
            brief=create_brief(address, key=key, durable=durable, only_read=only_read),
            timed=timed,
            presence=presence,
        )
        begun = transactions.read() if only_read else transactions.write()
        try:
            async with begun as connection:
                await connection.run_sync(require_current if only_read else upgrade, place)
            presence.note()
            yield cls(transactions)
        finally:
            await transactions.dispose()

    @property
    def place(self) -> str:
        """What the database is called: the path of its file, or its name and its server's."""
        return self._transactions.place

    async def revision(self) -> str:
        """Name the last migration that the database went through, such as `0001`."""
        number = text("SELECT version_num FROM alembic_version")
        async with self._transactions.read() as connection:
            return str(await connection.scalar(number))

    async def go_back(self, revision: str) -> None:
        """Make it as an older Twofold left it; nobody may use it meanwhile, or afterwards here.

        Raises StorageError where that cannot be.
        """
        async with self._transactions.write() as connection:
            await connection.run_sync(downgrade, revision, self.place)

    async def size(self) -> int:
        """Return how many bytes the database has, without SQLite's log of writes."""
        async with self._transactions.read() as connection:
            asked = _SIZES[connection.dialect.name]
            return int(await connection.scalar(text(asked)) or 0)

    async def ping(self) -> None:
        """Read something; raises StorageError when the database does not answer."""
        await self.revision()

    async def require_sound(self) -> None:
        """Read all of it once; raises StorageError where it is damaged. A server does so itself."""
        if await self._transactions.damaged():
            raise damaged(self._transactions.place)


def database_url(value: str | Path) -> str:
    """Make the SQLAlchemy URL of a database named by a path or by a URL.

    A path, `~` included, becomes `sqlite+aiosqlite:///PATH`; `sqlite:` and `postgresql:` get
    their drivers; any other URL stays as it is. Raises StorageError where nobody has the home
    folder that a path begins with.
    """
    name = str(value)
    for backend, driver in _DRIVERS.items():
        if name.startswith(f"{backend}://"):
            return f"{driver}{name.removeprefix(backend)}"
    if "://" in name:
        return name
    try:
        path = Path(name).expanduser()
    except RuntimeError:
        raise StorageError(
            f"Nobody here has the home folder that the path of the database, {name}, begins with. "
            "Write the whole path."
        ) from None
    return URL.create(_SQLITE, database=str(path)).render_as_string(hide_password=False)


def file_of(url: str) -> Path | None:
    """Find the file that a URL of `database_url` names; None where a server has the database.

    Raises StorageError where it is no URL.
    """
    address = _parsed(url)
    return Path(_file(address)) if address.drivername == _SQLITE else None


def was_cut_off(url: str) -> bool:
    """Whether a file is open elsewhere, or whoever had it open did not come to close it.

    SQLite empties its log of writes into the file at a good end. As `file_of` raises.
    """
    file = file_of(url)
    log = file and file.with_name(f"{file.name}-wal")
    return bool(log and log.exists() and log.stat().st_size)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # What cannot be read may hold a password all the same.
        raise StorageError("TWOFOLD_DATABASE is neither a path nor a database URL.") from None


def _engine(
    address: URL, place: str, *, key: SecretStr | None, durable: bool, only_read: bool
) -> AsyncEngine:
    try:
        return create_engine(address, place, key=key, durable=durable, only_read=only_read)
    except ImportError as fault:
        if address.drivername == server.DRIVER:
            raise server.missing() from fault
        raise _no_driver(place) from fault
    except (ArgumentError, InvalidRequestError) as fault:
        raise _no_driver(place) from fault


def _no_driver(place: str) -> StorageError:
    return StorageError(
        f"There is no driver for the database {place}; set TWOFOLD_DATABASE to a path, "
        "or to a URL that begins with postgresql://."
    )


def _place(address: URL) -> str:
    return _file(address) if address.drivername == _SQLITE else server.named(address)


def _file(address: URL) -> str:
    name = address.database
    if not name or name.startswith((":memory:", "file:")):
        raise StorageError("TWOFOLD_DATABASE must name a file: votes are kept on disk.")
    return name


def _make_ready(path: Path, *, key: SecretStr | None, create: bool) -> None:
    """What is made here is for its owner alone; SQLite's other files take after the first."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as fault:
        raise StorageError(
            f"The folder of the database {path} cannot be used; create it and make it "
            "writable, or set TWOFOLD_DATABASE to another path."
        ) from fault
    with told_plainly(str(path)):
        refuse_foreign_file(path, key)
    if create:
        # SQLite would find out only once it has made its other files, as unfit as the first.
        if path.exists() and not os.access(path, os.W_OK):
            raise read_only(str(path))
        with suppress(OSError):  # that it is there, or what SQLite tells of in a moment
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
