"""A large database of battles and votes, for measuring exports and rankings on.

    python -m benchmarks.community --votes 1000000 --out /tmp/big.db

The same seed gives the same rows. Everything in it is made up; members agreed to all but for
one in twenty. Half of the contenders are base models; with more than three of them, each is as
strong as its number says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from storage.database import Database, database_url
from storage.records import Contender, Kind
from storage.style import style_of

if TYPE_CHECKING:
    from collections.abc import Iterator

VOTES_PER_BATTLE = 5
CHARACTERS = 1000
MEMBERS = 3000
GUILDS = 20
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SNOWFLAKE = 10**18
CONTENDERS = 3
TOPICS = ("chat", "question", "creative", "code")
LANGUAGES = ("en", "de", None)
BATCH = 2000

_SYLLABLES = [
    "ba",
    "de",
    "fi",
    "go",
    "lu",
    "ma",
    "ne",
    "pi",
    "ro",
    "su",
    "ta",
    "ve",
    "wi",
    "xo",
    "ya",
    "zu",
    "kla",
    "dre",
    "spi",
    "tro",
]


class Community:
    """Rows of every table that an export reads, by a seeded generator."""

    def __init__(self, *, battles: int, seed: int, contenders: int = CONTENDERS) -> None:
        self._battles = battles
        self._contenders = contenders
        self._bases = (contenders + 1) // 2
        self._rng = random.Random(seed)
        words = [
            "".join(self._rng.choices(_SYLLABLES, k=self._rng.randint(1, 4))) for _ in range(5000)
        ]
        # Slices of a few long texts: as good as new ones to every reader but a compressor.
        self._text = " ".join(self._rng.choices(words, k=400_000))
        self._vote_id = 0

    def members(self) -> Iterator[tuple[object, ...]]:
        for number in range(MEMBERS):
            consent = "none" if number % 20 == 0 else "publish"
            yield SNOWFLAKE + number, 0, consent, 1, _at(0)

    def batch(self, first: int, last: int) -> dict[str, list[tuple[object, ...]]]:
        """The rows of the battles from `first` to `last`, by table."""
        rows: dict[str, list[tuple[object, ...]]] = {
            "battles": [],
            "turns": [],
            "answers": [],
            "votes": [],
            "vote_events": [],
        }
        for number in range(first, last + 1):
            self._battle(number, rows)
        return rows

    def _battle(self, number: int, rows: dict[str, list[tuple[object, ...]]]) -> None:
        rng = self._rng
        author = SNOWFLAKE + rng.randrange(MEMBERS)
        prompt = self._words(200)
        conversation = {
            "bot_name": "Twofold",
            "continuing": "winner",
            "turns": [
                {
                    "author_id": str(author),
                    "name": f"member{author % 997}",
                    "text": prompt,
                    "is_bot": False,
                    "message_id": str(SNOWFLAKE * 2 + number),
                }
            ],
        }
        at = _at(number)
        rows["battles"].append(
            (
                number,
                SNOWFLAKE * 2 + number,
                1 + number % GUILDS,
                6,
                author,
                prompt,
                json.dumps(conversation),
                "closed",
                "live",
                at,
                at,
                at,
                number,
                rng.randrange(256),
                TOPICS[number % len(TOPICS)],
                LANGUAGES[number % len(LANGUAGES)],
            )
        )
        rows["turns"].append((number, author, SNOWFLAKE * 2 + number))
        base, instruct = 2 * number - 1, 2 * number
        sides = ("a", "b") if rng.random() < 0.5 else ("b", "a")
        raw, tuned = self._meeting(number)
        for answer, side, contender, kind, template in (
            (base, sides[0], raw, "base", "transcript"),
            (instruct, sides[1], tuned, "instruct", "chat"),
        ):
            text = self._words(CHARACTERS)
            rendered = f"member: {prompt}\nTwofold:" if kind == "base" else prompt
            rows["answers"].append(
                (
                    answer,
                    number,
                    side,
                    contender,
                    kind,
                    "f" * 16,
                    template,
                    rendered,
                    f" {text}",
                    text,
                    "stop",
                    "[]",
                    60,
                    200,
                    0.2,
                    2.0,
                    number,
                    0,
                    *style_of(text),
                )
            )
        voters = rng.sample(range(MEMBERS), VOTES_PER_BATTLE)
        taste = self._leaning(rng.random(), raw, tuned)
        for voter in voters:
            draw = rng.random()
            outcome, winner = (
                ("tie", None)
                if draw < 0.1
                else ("both_bad", None)
                if draw < 0.15
                else ("win", base if rng.random() < taste else instruct)
            )
            self._vote_id += 1
            who = SNOWFLAKE + voter
            rows["votes"].append((self._vote_id, number, who, outcome, winner, 1, 0, at, at, 30.0))
            rows["vote_events"].append((self._vote_id, number, who, "cast", outcome, winner, 1, at))

    def _meeting(self, number: int) -> tuple[int, int]:
        """A base model and another, every one with every one."""
        others = self._contenders - self._bases
        return 1 + number % self._bases, 1 + self._bases + number // self._bases % others

    def _leaning(self, taste: float, *contenders: int) -> float:
        """How likely the first one wins of two where voters of a battle have that taste."""
        if self._contenders == CONTENDERS:
            return taste
        strengths = [2 * number / self._contenders for number in contenders]
        odds = taste / (1 - taste) * math.exp(strengths[0] - strengths[1])
        return odds / (1 + odds)

    def _words(self, characters: int) -> str:
        start = self._rng.randrange(len(self._text) - characters)
        return self._text[start : start + characters].strip()


_COLUMNS = {
    "battles": "id, source_message_id, guild_id, channel_id, author_id, prompt, conversation,"
    " state, purpose, created_at, opened_at, closed_at, prompt_key, bucket,"
    " topic, language",
    "turns": "battle_id, author_id, message_id",
    "answers": "id, battle_id, side, contender_id, kind, fingerprint, template, rendered, raw,"
    " shown, finish_reason, tags, prompt_tokens, completion_tokens, seconds_to_first_token,"
    " seconds, seed, retries, characters, markup",
    "votes": "id, battle_id, voter_id, outcome, winner_answer_id, blind, by_author, created_at,"
    " updated_at, seconds",
    "vote_events": "id, battle_id, voter_id, event, outcome, winner_answer_id, blind, at",
}
_INSERTS = {
    table: f"INSERT INTO {table} ({columns}) VALUES ({','.join('?' * (columns.count(',') + 1))})"
    for table, columns in _COLUMNS.items()
}


def build(path: Path, *, votes: int, seed: int = 0, contenders: int = CONTENDERS) -> None:
    """Make the database at `path`, which must not be there yet."""
    asyncio.run(_empty(path, contenders))
    battles = votes // VOTES_PER_BATTLE
    community = Community(battles=battles, seed=seed, contenders=contenders)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO members (member_id, guild_id, consent, consent_version, updated_at)"
            " VALUES (?,?,?,?,?)",
            community.members(),
        )
        for first in range(1, battles + 1, BATCH):
            rows = community.batch(first, min(first + BATCH - 1, battles))
            for table, statement in _INSERTS.items():
                connection.executemany(statement, rows[table])
        connection.execute("COMMIT")
        connection.execute("ANALYZE")


async def _empty(path: Path, contenders: int) -> None:
    kinds = [Kind.BASE] * ((contenders + 1) // 2)
    kinds += [Kind.INSTRUCT] * (contenders - len(kinds))
    async with Database.open(database_url(path)) as store:
        roster = [
            Contender(slug=f"{kind}-{number}", kind=kind, model="scripted:")
            for number, kind in enumerate(kinds, 1)
        ]
        await store.contenders.register(roster, at=BEGIN)


def _at(minutes: int) -> str:
    moment = BEGIN + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--contenders", type=int, default=CONTENDERS)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    build(
        arguments.out,
        votes=arguments.votes,
        seed=arguments.seed,
        contenders=arguments.contenders,
    )


if __name__ == "__main__":
    main()
