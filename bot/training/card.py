"""The card of an adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.dataset.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from bot.training.record import TrainingRecord
    from bot.training.runs import Job


def write(folder: Path, record: TrainingRecord, job: Job) -> None:
    """Write README.md and its pictures into the adapter's folder."""
    write_whole(folder / "README.md", f"# {record.slug}\n".encode())
