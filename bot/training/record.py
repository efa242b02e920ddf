"""What is known of a trained adapter: `training.json` in its folder, and its weights' hash."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.disk import write_whole
from bot.engines.adapters import WEIGHTS
from bot.errors import ConfigError, ModelCorrupt, ModelError, ModelNotFound
from bot.training.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.prompting import Framed

RECORD = "training.json"


class Ended(StrEnum):
    """Why a training ended: all was done, held-out rows got no better, or no number came out."""

    DONE = "done"
    STOPPED_EARLY = "stopped_early"
    DIVERGED = "diverged"


class Base(BaseModel):
    """The base model: its source as settings name it, and 12 hex digits for its weights."""

    model_config = ConfigDict(frozen=True)

    source: str
    weights: str


class Learnt(BaseModel):
    """The dataset: what it is, and how many rows and pairs of it were used."""

    model_config = ConfigDict(frozen=True)

    identity: str
    manifest_sha256: str
    policy: dict[str, Any]
    purpose: str
    source: dict[str, Any]
    rows: int
    pairs: int
    held_out: int
    too_long: int


class Evaluation(BaseModel):
    """What held-out pairs say, which were not trained on.

    `accuracy` is the share of pairs whose chosen answer the model raises more over its parent's
    log-probability than the rejected one, `low` to `high` Wilson's 95 % interval, `margin` the
    mean difference of the two in nats, `chosen` and `rejected` each alone. None without pairs.
    """

    model_config = ConfigDict(frozen=True)

    split: str | None = None
    pairs: int = 0
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    chosen: float | None = None
    rejected: float | None = None


class TrainingRecord(BaseModel):
    """Everything about an adapter. `generation` is 1 for a child of a base model.

    `curves` are the steps in order, `seconds` what the training took, `peak_memory_bytes` what
    its process had at most, `weights_sha256` the hash of the file with the adapter's weights.
    """

    model_config = ConfigDict(frozen=True)

    slug: str
    parent: str
    parent_sha256: str | None = None
    generation: int
    method: str
    recipe: Recipe
    base: Base
    template: str
    template_digest: str
    dataset: Learnt
    ended: Ended
    best_step: int
    steps: int
    curves: tuple[dict[str, float], ...]
    evaluation: Evaluation
    seed: int
    versions: dict[str, str]
    seconds: float
    peak_memory_bytes: int
    created_at: datetime
    weights_sha256: str


def read(folder: Path) -> TrainingRecord:
    """What is known of the adapter in `folder`. Raises ModelNotFound and ModelCorrupt."""
    try:
        return TrainingRecord.model_validate_json((folder / RECORD).read_bytes())
    except OSError:
        raise ModelNotFound(
            f"{folder} holds no adapter that `twofold train` made: it has no {RECORD}."
        ) from None
    except ValidationError:
        raise ModelCorrupt(f"{folder / RECORD} cannot be read. Train the adapter anew.") from None


def template_of(learnt: TrainingRecord, templates: Mapping[str, Framed]) -> Framed:
    """The prompt template that it was trained in. Raises ConfigError where that is not there."""
    template = templates.get(learnt.template)
    if template is None or template.digest != learnt.template_digest:
        raise ConfigError(
            f"{learnt.slug} was trained in the prompt template {learnt.template}, which is not in "
            "the settings any more, or says something else now. Put it back as it was."
        )
    return template


def write(folder: Path, record: TrainingRecord) -> None:
    """Put the record into the adapter's folder."""
    write_whole(folder / RECORD, f"{record.model_dump_json(indent=2)}\n".encode())


def is_whole(folder: Path) -> bool:
    """Whether an adapter is there with the weights that it was trained to have."""
    try:
        return sha256_of(folder / WEIGHTS) == read(folder).weights_sha256
    except (OSError, ModelError):
        return False


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
