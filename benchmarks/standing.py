"""How long /leaderboard takes on a large database: at first, once it is warm, and with news.

    python -m benchmarks.standing

A database of a million votes on 20 contenders (`benchmarks/community.py` makes it, anew unless
`--database` names one) is asked through the service that the bot asks. *Cold* is the first
reading of all votes. *Warm* is asked again. *News* is asked after one more battle was closed, so
that all is found anew. Each is the median of `--rounds`, the cold ones in a new process each;
memory is the most that such a process ever had, imports included. Beside them stand what `find`
takes alone, and `evalica.newman` for the bare scores of the same votes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.community import BEGIN, build
from bot.insight.choosing import counted
from bot.insight.counting import Counting
from bot.insight.leaderboard import leaderboard
from bot.insight.service import InsightService
from storage.database import Database, database_url
from storage.records import Closing, Conversation, Purpose, Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from bot.insight.arena import Arena

ALL = Counting()
GUILD = 1
LATER = BEGIN + timedelta(days=365)


def _clock() -> datetime:
    return LATER


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    begin = time.perf_counter()
    await work()
    return time.perf_counter() - begin


async def _cold(database: Path) -> dict[str, float]:
    async with Database.open(database_url(database)) as store:
        service = InsightService(store=store.arena, clock=_clock)
        found = {"cold: all votes are read": await _timed(service.arena)}
        found["cold: and ranked"] = await _timed(lambda: service.leaderboard(ALL))
    found["peak MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return found


async def _warm(database: Path, rounds: int) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    async with Database.open(database_url(database)) as store:
        service = InsightService(store=store.arena, clock=_clock)
        asked = {"a server": Counting(guilds=(GUILD,)), "all servers": ALL}
        for name, counting in asked.items():
            await service.leaderboard(counting)
            for number in range(rounds):

                async def ask(counting: Counting = counting) -> object:
                    return await service.leaderboard(counting)

                found.setdefault(f"warm: {name}", []).append(await _timed(ask))
                await _close_one(store, number)
                found.setdefault(f"news: {name}", []).append(await _timed(ask))
        arena = await service.arena()
    for _ in range(rounds):
        begin = time.perf_counter()
        leaderboard(arena, ALL)
        found.setdefault("find alone: all servers", []).append(time.perf_counter() - begin)
        found.setdefault("evalica.newman alone", []).append(_newman(arena))
    return {name: median(times) for name, times in found.items()}


async def _close_one(store: Database, number: int) -> None:
    """A battle with one vote on it, closed now."""
    turn = Turn(author_id=1, name="alice", text="hello")
    battle = await store.battles.create(
        source_message_id=time.time_ns(),
        guild_id=GUILD,
        channel_id=6,
        author_id=1,
        conversation=Conversation(turns=(turn,), bot_name="Twofold"),
        purpose=Purpose.LIVE,
        at=LATER,
    )
    like = await store.battles.get(number + 1)
    assert battle is not None
    assert like is not None
    opened = await store.battles.open(battle.id, like.answers, at=LATER)
    assert opened is not None
    answer = opened.answers[0]
    await store.votes.cast(
        battle_id=battle.id,
        voter_id=2,
        outcome="win",
        winner_answer_id=answer.id,
        by_author=False,
        at=LATER,
    )
    await store.battles.close(battle.id, because=Closing.TIME, at=LATER)


def _newman(arena: Arena) -> float:
    import evalica  # noqa: PLC0415 - only measured against

    live = counted(arena, ALL)
    said = [evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw, evalica.Winner.Draw]
    slugs = np.array([entrant.slug for entrant in live.entrants])
    first, second = slugs[live.first].tolist(), slugs[live.second].tolist()
    winners = [said[outcome] for outcome in live.outcome.tolist()]
    begin = time.perf_counter()
    evalica.newman(first, second, winners)
    return time.perf_counter() - begin


def _measure(database: Path, rounds: int) -> dict[str, float]:
    runs = []
    for _ in range(rounds):
        command = [sys.executable, "-m", "benchmarks.standing", "--cold", str(database)]
        told = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(told.stdout))
    found = {name: median(run[name] for run in runs) for name in runs[0]}
    return found | asyncio.run(_warm(database, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--contenders", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--database", type=Path, help="one that is there; it gets more battles")
    parser.add_argument("--cold", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cold:
        print(json.dumps(asyncio.run(_cold(arguments.cold))))
        return
    with tempfile.TemporaryDirectory() as folder:
        database = arguments.database or Path(folder) / "twofold.db"
        if not arguments.database:
            build(database, votes=arguments.votes, contenders=arguments.contenders)
        for name, value in _measure(database, arguments.rounds).items():
            print(f"{name:28} {value:9.3f}")


if __name__ == "__main__":
    main()
