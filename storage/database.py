"""The database: opened once, with a store for each concern."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import ArgumentError, InvalidRequestError

from storage.arena import ArenaStore
from storage.ballots import BallotStore
from storage.battles import BattleStore
from storage.census import CensusStore
from storage.contenders import ContenderStore
from storage.digests import DigestStore
from storage.erasure import ErasureStore
from storage.errors import StorageError
from storage.exports import ExportStore
from storage.guilds import GuildStore
from storage.imports import ImportStore
from storage.members import MemberStore
from storage.people import PeopleStore
from storage.retention import RetentionStore
from storage.seen import SeenStore
from storage.sightings import SightingStore
from storage.simulations import SimulationStore
from storage.transactions import Transactions, create_brief, create_engine, told_plainly
from storage.upgrade import refuse_foreign_file, require_current, upgrade
from storage.voted import VotedStore
from storage.votes import VoteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncEngine

_SQLITE = "sqlite+aiosqlite"


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
        self._transactions = transactions

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, durable: bool = True, only_read: bool = False
    ) -> AsyncIterator[Self]:
        """Open the database at an SQLAlchemy URL, create it if need be, migrate it to head.

        `database_url` makes such a URL of a path. What is written is on the disk at the end of
        its transaction, unless it need not be `durable`: a loss of power may then take the last
        of it, and nothing that was there before. Where it is `only_read`, it is neither migrated
        nor written, and may be locked. Raises DatabaseTooNew, with the file untouched, for one
        written by a newer program; DatabaseBusy when another process keeps it locked;
        StorageError when it cannot be opened, written or understood, and for one that is
        `only_read` and was left by an older program.
        """
        address = _parsed(url)
        place = address.render_as_string(hide_password=True)
        if address.drivername == _SQLITE:
            place = _file(address)
            await asyncio.to_thread(_make_ready, Path(place))
        transactions = Transactions(
            _engine(address, place, durable=durable, only_read=only_read),
            place=place,
            brief=create_brief(address, durable=durable, only_read=only_read),
        )
        begun = transactions.read() if only_read else transactions.write()
        try:
            async with begun as connection:
                await connection.run_sync(require_current if only_read else upgrade, place)
            yield cls(transactions)
        finally:
            await transactions.dispose()

    async def revision(self) -> str:
        """Name the last migration that the database went through, such as `0001`."""
        number = text("SELECT version_num FROM alembic_version")
        async with self._transactions.read() as connection:
            return str(await connection.scalar(number))

    async def ping(self) -> None:
        """Read something; raises StorageError when the database does not answer."""
        await self.revision()


def database_url(value: str | Path) -> str:
    """Make the SQLAlchemy URL of a database named by a path or by a URL.

    A path, `~` included, becomes `sqlite+aiosqlite:///PATH`; `sqlite:` gets its driver;
    any other URL stays as it is.
    """
    name = str(value)
    if name.startswith("sqlite://"):
        return name.replace("sqlite://", f"{_SQLITE}://", 1)
    if "://" in name:
        return name
    path = Path(name).expanduser()
    return URL.create(_SQLITE, database=str(path)).render_as_string(hide_password=False)


def file_of(url: str) -> Path | None:
    """Find the file that a URL of `database_url` names; None where a server has the database.

    Raises StorageError where it is no URL.
    """
    address = _parsed(url)
    return Path(_file(address)) if address.drivername == _SQLITE else None


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as fault:
        raise StorageError("TWOFOLD_DATABASE is neither a path nor a database URL.") from fault


def _engine(address: URL, place: str, **how: bool) -> AsyncEngine:
    try:
        return create_engine(address, **how)
    except (ArgumentError, InvalidRequestError, ImportError) as fault:
        raise StorageError(
            f"There is no driver for the database {place}; install one, "
            "or set TWOFOLD_DATABASE to a path."
        ) from fault


def _file(address: URL) -> str:
    name = address.database
    if not name or name.startswith((":memory:", "file:")):
        raise StorageError("TWOFOLD_DATABASE must name a file: votes are kept on disk.")
    return name


def _make_ready(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise StorageError(
            f"The folder of the database {path} cannot be used; create it and make it "
            "writable, or set TWOFOLD_DATABASE to another path."
        ) from fault
    with told_plainly(str(path)):
        refuse_foreign_file(path)
