"""A collection: a database of its own with what others collected, and never anything else."""

from __future__ import annotations

import hashlib
import re
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.alone import alone
from bot.dataset.importing.parts import Hashes, slug_of
from bot.dataset.importing.read import rows
from bot.dataset.importing.skips import Skip, Skipped
from bot.dataset.importing.survey import survey, understood
from bot.dataset.splits import prompt_key
from bot.errors import ConfigError
from bot.insight.topics import topic_of
from bot.languages import Languages
from storage.database import Database, database_url
from storage.records import (
    Consent,
    Contender,
    ImportedAnswer,
    ImportedBattle,
    ImportedVote,
    Kind,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import (
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )
    from datetime import datetime
    from pathlib import Path

    from pydantic import SecretStr

    from bot.config import Config
    from bot.dataset.importing.parts import Ballot, Found
    from bot.dataset.importing.survey import Survey
    from storage.records import SeenVote

FOLDER = "imports"
PASSES = 3
"""How often every file is read: for its hash, to look through it, and to store it."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be imported: the collection, its terms, and how texts and names are taken.

    `base` names base models, as the files or as Twofold call them; others are instruct models.
    `language` tells that of a text, where it is sure.
    """

    name: str
    files: Sequence[Path]
    licence: str
    base: frozenset[str]
    redact: Callable[[str], str]
    at: datetime
    language: Callable[[str], str | None] = field(default_factory=lambda: Languages().sure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import came to.

    `rows` are those that were read, `skips` why some of them were left. Of the battles in the
    others, `battles` are new, with `votes`, and `known` were there before.
    """

    rows: int
    battles: int
    votes: int
    known: int
    skips: Counter[Skip]


def url_of(config: Config, name: str) -> str:
    """The URL of a collection's database. Raises ConfigError where there is none of that name."""
    there = [path.stem for path in collections(config)]
    if name not in there:
        known = f"There are: {', '.join(there)}." if there else "`twofold import` makes one."
        raise ConfigError(f"There is no collection {name}. {known}")
    return database_url(_path(config, name))


async def as_agreed(votes: AsyncIterator[SeenVote]) -> AsyncIterator[SeenVote]:
    """Votes of a collection as those of people who agreed, which its licence stands for."""
    async for vote in votes:
        yield replace(vote, said=(Consent.PUBLISH, None), settings={})


async def bring(
    config: Config, wanted: Wanted, *, advance: Callable[[int], object] = lambda _: None
) -> Brought | None:
    """Import files into a collection, which is made if need be; None where all are there already.

    Each file is stored whole or not at all. `advance` gets the number of bytes read; every
    file is read PASSES times. Raises ConfigError for a name or a file that cannot be used,
    and where nothing is understood; StorageError.
    """
    path = _path(config, wanted.name)
    if not wanted.licence.strip():
        raise ConfigError("Say with --licence under which terms you have these files.")
    hashes = Hashes(wanted.name)
    files = {_sha256(file, advance): file for file in wanted.files}
    url = database_url(path)
    if path.exists() and files.keys() <= await _files(url, config.database_key):
        return None
    found = survey(files.values(), hashes, advance=advance)
    if not found.models:
        why = ", ".join(told(+found.skips)) or "there are no rows"
        raise ConfigError(
            f"There is no battle in what was read ({why}). Shapes that are understood are in "
            "`twofold import --help`."
        )
    opening = Database.open(url, key=config.database_key)
    async with alone(url, wait_seconds=0), opening as store:
        await _require_collection(store)
        slugs = await _register(store, found, wanted, hashes)
        added = [
            await store.imports.add(
                file=file.name,
                sha256=digest,
                licence=wanted.licence,
                battles=_battles(file, found, wanted, slugs, advance),
                at=wanted.at,
            )
            for digest, file in files.items()
        ]
    there = [file for file in added if file]
    return Brought(
        rows=found.rows,
        battles=sum(file.battles for file in there),
        votes=sum(file.votes for file in there),
        known=sum(file.skipped for file in there),
        skips=+found.skips,
    )


def told(skips: Counter[Skip]) -> Iterator[str]:
    """Every reason with its number, the most frequent first."""
    for reason, count in skips.most_common():
        yield f"{count} × {reason}"


def collections(config: Config) -> list[Path]:
    """The files of all collections."""
    return sorted((config.home / FOLDER).glob("*.db"))


def _path(config: Config, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a collection. Use small letters, digits, - and _, 40 at most."
        )
    return config.home / FOLDER / f"{name}.db"


def _sha256(file: Path, advance: Callable[[int], object]) -> str:
    digest = hashlib.sha256()
    try:
        with file.open("rb") as content:
            while chunk := content.read(2**20):
                digest.update(chunk)
                advance(len(chunk))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from None
    return digest.hexdigest()


async def _files(url: str, key: SecretStr | None) -> set[str]:
    async with Database.open(url, key=key) as store:
        return {one.sha256 for one in await store.imports.all()}


async def _require_collection(store: Database) -> None:
    """Nothing is imported into a database in which a bot has worked."""
    if await store.imports.all():
        return
    async with aclosing(store.voted.pages(unvoted=True, texts=())) as pages:
        async for _ in pages:
            raise ConfigError(
                "The database of that name has battles of a bot in it. Choose another --name."
            )


async def _register(
    store: Database, found: Survey, wanted: Wanted, hashes: Hashes
) -> dict[str, str]:
    """The slug of each model. Those that are new get one that no other model has."""
    there = {contender.slug: contender for contender in await store.contenders.all()}
    slugs: dict[str, str] = {}
    new = []
    for model, told_kind in found.models.items():
        slug = slug_of(model)
        if not slug or (slug in there and there[slug].model != model):
            slug = f"{slug[:47]}-{hashes.of('model', model):016x}".lstrip("-")
        slugs[model] = slug
        is_base = not wanted.base.isdisjoint({model, slug})
        kind = Kind.BASE if is_base else told_kind or Kind.INSTRUCT
        if slug not in there:
            there[slug] = Contender(
                slug=slug,
                kind=kind,
                model=model,
                fingerprint=f"{hashes.of('model', model):016x}",
            )
            new.append(there[slug])
        elif is_base and there[slug].kind is not kind:
            raise ConfigError(
                f"{slug} is no base model in this collection. Choose another --name, or leave "
                "--base away."
            )
    if unknown := wanted.base - {*slugs, *slugs.values()}:
        raise ConfigError(
            f"--base names {', '.join(sorted(unknown))}, and the files have only "
            f"{', '.join(sorted(slugs))}."
        )
    await store.contenders.register(new, at=wanted.at)
    return slugs


def _battles(
    file: Path,
    found: Survey,
    wanted: Wanted,
    slugs: Mapping[str, str],
    advance: Callable[[int], object],
) -> Iterator[ImportedBattle]:
    """The battles of a file that were not in an earlier one, with the votes of all files."""
    hashes = Hashes(wanted.name)
    for row in rows(file, advance=advance):
        try:
            met = understood(row, hashes)
        except (Skipped, RecursionError):
            continue  # the survey has counted it
        for battle in met:
            if ballots := tuple(found.votes(battle)):
                yield _imported(battle, ballots, wanted, slugs)


def _imported(
    battle: Found, ballots: Iterable[Ballot], wanted: Wanted, slugs: Mapping[str, str]
) -> ImportedBattle:
    turns = tuple(
        replace(turn, text=wanted.redact(turn.text)) for turn in battle.conversation.turns
    )
    conversation = replace(battle.conversation, turns=turns)
    a, b = (
        ImportedAnswer(
            contender=slugs[answer.model],
            text=wanted.redact(answer.text),
            finish_reason=answer.finish_reason,
            tags=answer.tags,
            completion_tokens=answer.tokens,
        )
        for answer in battle.answers
    )
    return ImportedBattle(
        source_message_id=battle.source,
        prompt_key=prompt_key(conversation, str),
        topic=topic_of(conversation.prompt.text),
        language=wanted.language(conversation.prompt.text),
        root_key=prompt_key(replace(conversation, turns=conversation.turns[:1]), str),
        conversation=conversation,
        answers=(a, b),
        votes=tuple(
            ImportedVote(
                voter_id=ballot.voter,
                outcome=ballot.word[0],
                winner=ballot.word[1],
                at=ballot.at or battle.at or wanted.at,
                blind=ballot.blind,
            )
            for ballot in ballots
        ),
        at=battle.at or wanted.at,
    )
