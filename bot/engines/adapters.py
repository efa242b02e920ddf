"""LoRA adapters as folders in PEFT's layout: what one says of itself, before its weights are read.

What Twofold serves is plain LoRA on linear layers. Anything else that an adapter may
ask for, known today or not, is refused: it would answer with another model than was trained.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.engines.weights import parse_source
from bot.errors import ModelCorrupt, ModelError, ModelNameError, ModelNotFound

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
RECORD = "training.json"

_OF_TRAINING = frozenset(
    {
        *("auto_mapping", "ensure_weight_tying", "eva_config", "exclude_modules", "inference_mode"),
        *("layers_pattern", "layers_to_transform", "lora_dropout", "megatron_core", "peft_version"),
        *("qalora_group_size", "r", "rank_pattern", "revision", "runtime_config"),
        *("target_modules", "task_type"),
    }
)
"""Settings that say how an adapter was made or found its layers, not how it computes."""


class _Config(BaseModel):
    """PEFT's `adapter_config.json`, as far as it matters to what the adapter computes."""

    model_config = ConfigDict(frozen=True, extra="allow")

    peft_type: Literal["LORA"]
    base_model_name_or_path: str | None = None
    lora_alpha: float = Field(gt=0, allow_inf_nan=False)
    alpha_pattern: dict[str, float] | None = None
    use_rslora: bool = False
    bias: Literal["none"] = "none"
    # The other ways to begin change the base model's own weights.
    init_lora_weights: Literal[True, False, "gaussian", "orthogonal", "eva"] = True


class _Base(BaseModel):
    weights: str


class _Record(BaseModel):
    """Of `training.json`: the base model's `folder_hash`, and the hash of the adapter's weights."""

    base: _Base | None = None
    weights_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Adapter:
    """A folder with a LoRA adapter. `fingerprint` is 64 hex digits, of weights and scaling.

    `base` is the model that it was trained on, as the folder names it; `base_hash` is that
    model's `folder_hash`, empty where the folder does not tell.
    """

    folder: Path
    fingerprint: str
    base: str
    base_hash: str
    _config: _Config

    def scaling(self, layer: str, *, rank: int) -> float:
        """By what the product of both matrices is multiplied: alpha/r, or alpha/√r (rsLoRA)."""
        patterns = self._config.alpha_pattern or {}
        own = (a for p, a in patterns.items() if re.match(rf"(.*\.)?({p})$", layer))
        alpha = next(own, self._config.lora_alpha)
        return alpha / (math.sqrt(rank) if self._config.use_rslora else rank)


def read_adapter(folder: Path) -> Adapter:
    """Read what an adapter says of itself, and hash its weights; a matter of milliseconds.

    Raises ModelNotFound, ModelCorrupt, and ModelError where Twofold cannot serve its kind.
    """
    try:
        written: object = json.loads((folder / CONFIG).read_text("utf-8"))
        with (folder / WEIGHTS).open("rb") as weights:
            digest = hashlib.file_digest(weights, "sha256")
    except FileNotFoundError as error:
        raise ModelNotFound(
            f"{folder} holds no adapter: it needs {CONFIG} and {WEIGHTS}. Check the path in the "
            "contender's adapter."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise corrupt(folder) from error
    config = _understood(folder, written)
    record = _record(folder)
    if record.weights_sha256 not in {None, digest.hexdigest()}:
        raise corrupt(folder)
    scaling = [config.lora_alpha, sorted((config.alpha_pattern or {}).items()), config.use_rslora]
    digest.update(json.dumps(scaling).encode())
    return Adapter(
        folder=folder,
        fingerprint=digest.hexdigest(),
        base=config.base_model_name_or_path or "",
        base_hash=record.base.weights if record.base else "",
        _config=config,
    )


def require_base(adapter: Adapter, *, source: str, weights: str) -> None:
    """Raise ModelError where `adapter` was trained on another model than `source`.

    `weights` is the model's `folder_hash`. A folder that names its base by a path or by
    a name that is no model's here does not tell; then only its layers must fit.
    """
    try:
        named = str(parse_source(adapter.base))
    except ModelNameError:
        named = source
    if source.startswith("path:") or named.startswith("path:"):
        named = source
    same = adapter.base_hash == weights if adapter.base_hash else named == source
    if not same:
        raise ModelError(
            f"The adapter in {adapter.folder} was trained on {adapter.base or 'another model'}, "
            f"not on {source}. Give the contender the model that the adapter belongs to."
        )


def corrupt(folder: Path) -> ModelCorrupt:
    """What to raise where an adapter's files are damaged."""
    return ModelCorrupt(
        f"The adapter in {folder} cannot be read. Copy or train it again, or take its contender "
        "out of the settings."
    )


def unserved(folder: Path, what: str) -> ModelError:
    """What to raise where an adapter is sound, and not plain LoRA on linear layers."""
    return ModelError(
        f"The adapter in {folder} {what}, which Twofold does not serve. Train a plain LoRA "
        "adapter on linear layers."
    )


def _understood(folder: Path, written: object) -> _Config:
    try:
        config = _Config.model_validate(written)
    except ValidationError as error:
        settings = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        raise unserved(folder, f"has its own kind of {', '.join(settings) or CONFIG}") from error
    more = config.model_extra or {}
    if others := sorted(name for name, value in more.items() if value and name not in _OF_TRAINING):
        raise unserved(folder, f"uses {', '.join(others)[:200]}")
    if not all(re.fullmatch(r"\^?[\w.]+", pattern) for pattern in config.alpha_pattern or ()):
        raise unserved(folder, "has an alpha_pattern that is more than a layer's name")
    return config


def _record(folder: Path) -> _Record:
    """What `twofold train` wrote of the adapter; nothing where something else trained it."""
    try:
        return _Record.model_validate_json((folder / RECORD).read_bytes())
    except FileNotFoundError:
        return _Record()
    except (OSError, ValidationError) as error:
        raise corrupt(folder) from error
