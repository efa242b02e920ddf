"""Exports of a large database beside a bare loop over the same join, in one run.

    python -m benchmarks.exporting --votes 10000 100000 1000000

The bare loop is what anybody would write first: sqlite3, one join that lets through whoever
agreed and counts the votes, json.dumps, a file; no names taken out, no hashes, no splits, no
settings of guilds. Both come to the same rows. Each run is a process of its own, the two in
turns. Rows per second are of the whole process without its imports; memory is the most that
the process ever had.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.community import build

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
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([manifest["rows"], seconds, peak]))
"""

_JOIN = """
SELECT b.id, b.conversation, b.guild_id, b.state, b.purpose, b.created_at,
  a.id, a.kind, a.fingerprint, a.tags, a.shown, {a_texts},
  i.id, i.kind, i.fingerprint, i.tags, i.shown, {i_texts},
  sum(v.winner_answer_id IS a.id), sum(v.winner_answer_id IS i.id),
  sum(v.outcome = 'tie'), sum(v.outcome = 'both_bad')
FROM battles b
JOIN answers a ON a.battle_id = b.id AND a.side = 'a'
JOIN answers i ON i.battle_id = b.id AND i.side = 'b'
JOIN votes v ON v.battle_id = b.id
JOIN members m ON m.member_id = v.voter_id AND m.guild_id = 0
WHERE v.blind AND m.consent IN ('train', 'publish') AND NOT EXISTS (
  SELECT 1 FROM turns t
  LEFT JOIN members w ON w.member_id = t.author_id AND w.guild_id = 0
  WHERE t.battle_id = b.id AND coalesce(w.consent, 'none') NOT IN ('train', 'publish'))
GROUP BY b.id
"""

_BARE = """
import json, resource, sqlite3, sys, time
path, out, shape, join = sys.argv[1:]
TABLES = ("battles", "answers", "votes", "vote_events")
def pairs(connection):
    for row in connection.execute(join):
        number, conversation, guild, state, purpose, day, *rest = row
        a, b, (wa, wb, ties, bad) = (*rest[:7], ), (*rest[7:14], ), rest[14:]
        turns = json.loads(conversation)["turns"]
        if wa == wb or max(ties, bad) >= max(wa, wb):
            continue
        won, lost = (a, b) if wa > wb else (b, a)
        about = {"battle": number, "votes_chosen": max(wa, wb), "votes_rejected": min(wa, wb),
                 "votes_tie": ties, "votes_both_bad": bad}
        base = a if a[1] == "base" else b
        text = shape.endswith("text")
        prompt = base[5] if text else [{"role": "user", "content": t["text"]} for t in turns]
        said = [x[6] if text else [{"role": "assistant", "content": x[4]}] for x in (won, lost)]
        sides = {"chosen_kind": won[1], "rejected_kind": lost[1], "chosen_fingerprint": won[2],
                 "rejected_fingerprint": lost[2], "chosen_tags": json.loads(won[3]),
                 "rejected_tags": json.loads(lost[3])}
        if shape.startswith("pair"):
            yield {"prompt": prompt, "chosen": said[0], "rejected": said[1], **about, **sides}
        if shape.startswith("one"):
            yield {"prompt": prompt, "completion": said[0], **about, "kind": won[1]}
        if shape.startswith("two"):
            for side, of, label in ((said[0], won, True), (said[1], lost, False)):
                yield {"prompt": prompt, "completion": side, "label": label, **about, "kind": of[1]}
def tables(connection, names):
    for name in names:
        cursor = connection.execute(f"SELECT * FROM {name}")
        keys = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(keys, row))
def arena(connection):
    for row in connection.execute(join):
        number, conversation, guild, state, purpose, day, *rest = row
        a, b, votes = rest[:7], rest[7:14], rest[14:]
        asked = [{"role": "user", "content": t["text"]} for t in json.loads(conversation)["turns"]]
        yield {"id": number, "model_a": a[1], "model_b": b[1], "votes": votes,
               "conversation_a": asked + [{"role": "assistant", "content": a[4]}],
               "conversation_b": asked + [{"role": "assistant", "content": b[4]}]}
    yield from tables(connection, ("votes",))
begin = time.perf_counter()
connection = sqlite3.connect(path)
rows = 0
made = {"arena": arena, "raw": lambda c: tables(c, TABLES)}.get(shape, pairs)(connection)
with open(out, "w") as file:
    for row in made:
        file.write(json.dumps(row) + chr(10))
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


def bare(database: Path, work: Path, shape: str) -> list[float]:
    """Rows, seconds and peak MiB of the bare loop."""
    texts = shape.endswith("text")
    columns = ["{0}.rendered, {0}.raw" if texts else "'', ''"] * 2
    join = _JOIN.format(a_texts=columns[0].format("a"), i_texts=columns[1].format("i"))
    return _run("-c", _BARE, str(database), str(work / "bare.jsonl"), shape, join)


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
    wanted = (*FORMATS, PARQUET, GZ, ZST)
    if arguments.only:
        wanted = tuple(o for o in wanted if o[0] in arguments.only.split(","))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for votes in arguments.votes:
            database = work / f"{votes}.db"
            build(database, votes=votes)
            print(f"\n{votes:,} votes on {votes // 5:,} battles\n")
            print("| export | rows | seconds | rows/s | bare rows/s | ratio | peak MiB |")
            print("|---|---:|---:|---:|---:|---:|---:|")
            for options in wanted:
                turns = [
                    (bare(database, work, shape_of(options)), export(database, work, options))
                    for _ in range(arguments.turns)
                ]
                beside = max(rows / seconds for (rows, seconds, _), _ in turns)
                rows, seconds, peak = min((ours for _, ours in turns), key=lambda ours: ours[1])
                print(
                    f"| {' '.join(options)} | {rows:,} | {seconds:.1f} | {rows / seconds:,.0f} | "
                    f"{beside:,.0f} | {rows / seconds / beside:.2f} | {peak:.0f} |",
                    flush=True,
                )
            database.unlink()


if __name__ == "__main__":
    main()
