"""Dataset folders as exports write them, small and made up."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from bot.dataset import card, trainers
from bot.dataset.funnel import Funnel, LeftOut, VoteLeftOut
from bot.dataset.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

ROWS: dict[str, dict[str, Any]] = {
    "dpo": {"prompt": "Q:", "chosen": " yes", "rejected": " no", "battle": "b1"},
    "kto": {"prompt": "Q:", "completion": " yes", "label": True, "battle": "b1"},
    "sft": {"prompt": "Q:", "completion": " yes", "battle": "b1"},
    "reward": {"prompt": "Q:", "chosen": " yes", "rejected": " no", "margin": 1.0, "battle": "b1"},
    "votes": {"id": "v1", "battle": "b1", "winner": "model_a"},
    "pairs": {"id": "b1", "model_a": "base", "model_b": "tuned", "winner": "model_a"},
}
ONE_TABLE = ("train", "validation", "test")
CONTENDER = {
    "contender": "gemma-3-270m",
    "kind": "base",
    "fingerprint": "0123456789abcdef",
    "model": "hub:google/gemma-3-270m@main",
    "template": "transcript",
    "chosen": 4,
    "rejected": 7,
}
BALANCE = {
    "pairs": 10,
    "chosen_longer": 6,
    "rejected_longer": 3,
    "chosen_on_a": 5,
    "chosen_base": 4,
    "chosen_marked_up": 2,
    "rejected_marked_up": 1,
    "chosen_characters": 1204.5,
    "rejected_characters": 98.0,
}


def manifest(files: tuple[str, ...] = ("train.jsonl",), **changes: Any) -> dict[str, Any]:
    """A manifest of an export to be published, but for `changes`."""
    funnel = Funnel(votes=1204, battles=900, rows=811)
    funnel.left_out.update({LeftOut.TIE: 80, LeftOut.NO_CONSENT: 9})
    funnel.votes_left_out.update({VoteLeftOut.NOT_BLIND: 31})
    return {
        "twofold": "0.1.0",
        "schema": "0004",
        "format": "dpo",
        "chat": False,
        "purpose": "publish",
        "linkable": True,
        "policy": Policy().model_dump(mode="json"),
        "source": {"kind": "live"},
        "window": {"from": "2026-11-01", "to": "2026-11-20"},
        "votes": 1204,
        "battles": 900,
        "rows": 811,
        "funnel": funnel.to_json(),
        "splits": {"train": 811},
        "contenders": [CONTENDER],
        "balance": BALANCE,
        "consent": {"scope": "publish", "versions": [1]},
        "gone": {},
        "dataset": "5f" * 32,
        "since": None,
        "files": {name: {"rows": 2, "bytes": 1, "sha256": "00"} for name in files},
    } | changes


QUESTIONS = {
    "train": ("Who painted the night watch", "How deep is the sea near Guam"),
    "validation": ("What do owls eat in winter", "When was paper first made"),
    "test": ("Why are flamingos pink", "Which rivers cross Vienna"),
}


def rows_of(split: str, row: dict[str, Any]) -> list[dict[str, Any]]:
    """Two rows, other ones for each split."""
    texts = [
        {
            "prompt": f"{question}?\nTwofold:",
            "completion": f" {question}: ask a library.",
            "chosen": f" {question}: ask a library.",
            "rejected": f" I never wondered {question.lower()}.",
            "battle": hashlib.sha256(question.encode()).hexdigest()[:16],
        }
        for question in QUESTIONS[split]
    ]
    return [row | {key: text for key, text in one.items() if key in row} for one in texts]


def write_rows(path: Path, row: dict[str, Any]) -> None:
    """Two rows in the form that the path's suffixes name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = rows_of(path.name.split(".")[0], row)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    lines = b"".join(f"{json.dumps(row)}\n".encode() for row in rows)
    pack = {".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}.get(path.suffix)
    path.write_bytes(pack(lines) if pack else lines)


def dataset_folder(folder: Path, names: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    """Write an export with rows in these files, and return its manifest."""
    made = manifest(names, **changes)
    for name in names:
        table, _, _ = name.rpartition("/")
        write_rows(folder / name, ROWS[table or made["format"]])
        content = (folder / name).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        made["files"][name] = {"rows": 2, "bytes": len(content), "sha256": digest}
    (folder / "manifest.json").write_text(json.dumps(made))
    for name, content in (trainers.files(made) | card.pictures()).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    text = card.write(made, pictures=card.pictures())
    (folder / "README.md").write_text(text, encoding="utf-8")
    return made
