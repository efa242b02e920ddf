"""Exports of a large database beside a bare loop over the same join, in one run.

    python -m benchmarks.exporting --votes 10000 100000 1000000

A bare loop reads the join through sqlite3, takes its columns with json.loads, counts the votes,
and writes rows with json.dumps: no consent, no names taken out, no hashes, no splits. There are
two: `join` has a row for each vote, as a join has; `tight` is the very statement that exports
read by, which lists the votes of a battle in one column. Each run is a process of its own, in
turns. Rows per second are of the whole process without its imports; memory is the most that
each process ever had, those of an export together.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import literal
from sqlalchemy.dialects import sqlite

from benchmarks.community import build
from storage.pages import page_of
from storage.schema import battles, votes

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

FORMATS = (
    ("dpo",),
    ("dpo", "--chat"),
    ("kto",),
    ("sft",),
    ("reward",),
    ("openai",),
    ("arena",),
    ("raw",),
)
LISTED = (12, 13, 14)
"""The columns of votes, authors of turns, and remarks, in the statement that exports read by."""

PARQUET = ("dpo", "--as", "parquet")
GZ = ("dpo", "--compress", "gz")
ZST = ("dpo", "--compress", "zst")

_EXPORT = """
import contextlib, io, json, resource, sys, time
from bot.cli import cli
import bot.dataset.export, bot.dataset.importing.collection, storage.database, alembic.command
said = io.StringIO()
begin = time.perf_counter()
with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
    try:
        cli()
    except SystemExit as end:
        assert not end.code, said.getvalue()
seconds = time.perf_counter() - begin
manifest = json.load(open(sys.argv[3] + "/manifest.json"))
used = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
peak = sum(resource.getrusage(who).ru_maxrss for who in used) / 1024
print(json.dumps([manifest["rows"], seconds, peak]))
"""

_BARE = """
import itertools, json, operator, resource, sqlite3, sys, time
path, out, shape, join, per_vote = sys.argv[1:]
per_vote = int(per_vote)
details = shape in ("arena", "raw")
width = 16 if details else 10
def messages(*said):
    return [{"role": role, "content": text} for role, text in said]
def battles_of(found):
    if not per_vote:
        for row in found:
            yield row, json.loads(row[12])
        return
    for _, group in itertools.groupby(found, operator.itemgetter(0)):
        rows = list(group)
        yield rows[0][:-per_vote], [row[-per_vote:] for row in rows if row[-per_vote] is not None]
def rows_of(row, votes):
    number = row[0]
    turns = json.loads(row[5])["turns"]
    a, b = row[16:16 + width], row[16 + width:]
    if shape == "raw":
        yield {"battle": number, "turns": turns, "day": row[4], "state": row[2]}
        for answer in (a, b):
            yield {"battle": number, "answer": list(answer)}
        for vote in votes:
            yield {"battle": number, "vote": vote}
        for event in json.loads(row[15]):
            yield {"battle": number, "event": event}
        return
    asked = messages(*(("user", turn["text"]) for turn in turns))
    if shape == "arena":
        yield {"id": number, "conversation_a": asked + messages(("assistant", a[7])),
               "conversation_b": asked + messages(("assistant", b[7])),
               "tags": [json.loads(a[9]), json.loads(b[9])], "timestamp": row[4]}
        for vote in votes:
            yield {"battle": number, "vote": vote}
        return
    fell = [0, 0, 0, 0]
    for voter, outcome, winner, *_ in votes:
        fell[0 if winner == a[0] else 1 if winner == b[0] else 2 if outcome == "tie" else 3] += 1
    most = max(fell)
    if fell.count(most) > 1 or fell.index(most) > 1:
        return
    won, lost = (a, b) if fell[0] > fell[1] else (b, a)
    text = shape.endswith("text")
    prompt = (a if a[2] == "base" else b)[5] if text else asked
    said = [answer[6] if text else messages(("assistant", answer[7])) for answer in (won, lost)]
    about = {"battle": number, "votes_chosen": fell[won is b], "votes_rejected": fell[won is a],
             "votes_tie": fell[2], "votes_both_bad": fell[3]}
    names = [{"contender": x[1], "kind": x[2], "fingerprint": x[3], "tags": json.loads(x[9])}
             for x in (won, lost)]
    if shape.startswith("pair"):
        sides = {f"{side}_{key}": value for side, of in zip(("chosen", "rejected"), names)
                 for key, value in of.items()}
        yield {"prompt": prompt, "chosen": said[0], "rejected": said[1], **about, **sides}
    several = {"one": 1, "two": 2}.get(shape[:3], 0)
    for side, of, label in list(zip(said, names, (True, False)))[:several]:
        yield {"prompt": prompt, "completion": side, "label": label, **about, **of}
begin = time.perf_counter()
connection = sqlite3.connect(path)
rows = 0
with open(out, "w") as file:
    for row, votes in battles_of(connection.execute(join)):
        for made in rows_of(row, votes):
            file.write(json.dumps(made) + chr(10))
            rows += 1
seconds = time.perf_counter() - begin
print(json.dumps([rows, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""

_SHAPES = {"kto": "two", "sft": "one", "arena": "arena", "raw": "raw"}


def shape_of(options: tuple[str, ...]) -> str:
    """What the bare loop makes beside an export with these options."""
    name = options[0]
    if name in {"arena", "raw"}:
        return name
    chat = "--chat" in options or name == "openai"
    return f"{_SHAPES.get(name, 'pair')}-{'chat' if chat else 'text'}"


def tight_of(shape: str) -> Select[*tuple[Any, ...]]:
    """The statement that an export reads by, for all battles at once."""
    details = shape in {"arena", "raw"}
    return page_of(
        "sqlite",
        [],
        guild_ids=(),
        texts=("rendered", "raw") if shape.endswith("text") or shape == "raw" else (),
        details=details,
        log=shape == "raw",
        unvoted=shape == "raw",
    ).limit(None)


def join_of(shape: str) -> tuple[Select[*tuple[Any, ...]], int]:
    """The same battles with a row for each vote, and how many columns a vote has."""
    vote = votes.alias()
    said = [vote.c[name] for name in ("voter_id", "outcome", "winner_answer_id", "blind")]
    if shape in {"arena", "raw"}:
        said = list(vote.c)
    tight = tight_of(shape)
    columns: list[ColumnElement[Any]] = list(tight.selected_columns)
    for listed in LISTED:
        columns[listed] = literal("[]")
    joined = tight.outerjoin(vote, vote.c.battle_id == battles.c.id)
    return joined.with_only_columns(*columns, *said), len(said)


def bare(database: Path, work: Path, shape: str, *, tight: bool = False) -> list[float]:
    """Rows, seconds and peak MiB of a bare loop."""
    statement, per_vote = (tight_of(shape), 0) if tight else join_of(shape)
    whole = statement.params(since=0, before=2**63 - 1).compile(
        dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
    )
    out = str(work / "bare.jsonl")
    return _run("-c", _BARE, str(database), out, shape, str(whole), str(per_vote))


def export(database: Path, work: Path, options: tuple[str, ...]) -> list[float]:
    """Rows, seconds and peak MiB of an export, through the command line's own code."""
    out = work / "-".join(options)
    name, *more = options
    arguments = ("export", "--out", str(out), "--format", name, *more)
    return _run("-c", _EXPORT, *arguments, TWOFOLD_DATABASE=str(database), TWOFOLD_HOME=str(work))


def _run(*arguments: str, **variables: str) -> list[float]:
    environment = {**os.environ, "TWOFOLD_TRAINING_EXPORT": "true", **variables}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr or done.stdout)
    measured: list[float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--votes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument(
        "--turns", type=int, default=1, help="how often each is run; the best counts"
    )
    parser.add_argument("--only", help="formats such as `dpo`, with commas between them")
    arguments = parser.parse_args()
    wanted: tuple[tuple[str, ...], ...] = (*FORMATS, PARQUET, GZ, ZST)
    if arguments.only:
        wanted = tuple(o for o in wanted if o[0] in arguments.only.split(","))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for votes in arguments.votes:
            database = work / f"{votes}.db"
            build(database, votes=votes)
            print(f"\n{votes:,} votes on {votes // 5:,} battles\n")
            print("| export | rows | seconds | rows/s | of the join | of the tight | peak MiB |")
            print("|---|---:|---:|---:|---:|---:|---:|")
            for options in wanted:
                runs: list[tuple[list[float], ...]] = []
                for _ in range(arguments.turns):
                    of = shape_of(options)
                    join, tight = (bare(database, work, of, tight=tight) for tight in (False, True))
                    runs.append((join, tight, export(database, work, options)))
                join, tight, ours = (min(of, key=itemgetter(1)) for of in zip(*runs, strict=True))
                speeds = [rows / seconds for rows, seconds, _ in (join, tight, ours)]
                print(
                    f"| {' '.join(options)} | {ours[0]:,} | {ours[1]:.1f} | {speeds[2]:,.0f} | "
                    f"{speeds[2] / speeds[0]:.2f} × {speeds[0]:,.0f} | "
                    f"{speeds[2] / speeds[1]:.2f} × {speeds[1]:,.0f} | {ours[2]:.0f} |",
                    flush=True,
                )
            database.unlink()


if __name__ == "__main__":
    main()
