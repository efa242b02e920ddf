"""Adapters as trainings leave them, for tests that need no training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.engines.adapters import WEIGHTS
from bot.engines.local.loading import folder_hash
from bot.training import record
from bot.training.recipe import Recipe
from tests.unit.records import NOON

if TYPE_CHECKING:
    from pathlib import Path


def adapter(place: Path, *, base: Path) -> Path:
    """A folder with all that is looked at before the weights are read."""
    place.mkdir(parents=True)
    (place / WEIGHTS).write_bytes(b"weights")
    told = {"slug": place.name, "weights_sha256": record.sha256_of(place / WEIGHTS)}
    record.write(place, learnt("small", base).model_copy(update=told))
    return place


def learnt(parent: str, folder: Path, *, generation: int = 1) -> record.TrainingRecord:
    slug = f"{parent}-dpo-{generation}"
    return record.TrainingRecord(
        slug=slug,
        parent=parent,
        generation=generation,
        method="dpo",
        recipe=Recipe(),
        base=record.Base(source=f"path:{folder.name}", weights=folder_hash(folder)),
        template="transcript",
        template_digest="0",
        dataset=record.Learnt(
            identity="d",
            manifest_sha256="m",
            policy={},
            purpose="train",
            source={},
            rows=1,
            pairs=1,
            held_out=0,
            too_long=0,
        ),
        ended=record.Ended.DONE,
        best_step=1,
        steps=1,
        curves=(),
        evaluation=record.Evaluation(),
        seed=0,
        versions={},
        seconds=1,
        peak_memory_bytes=1,
        created_at=NOON,
        weights_sha256=slug,
    )
