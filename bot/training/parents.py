"""What a training begins with: a base model's weights, or a tuned contender's adapter on them."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.engines.weights import parse_source, pull
from bot.errors import ConfigError, ModelError
from bot.training import record
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bot.config import Config
    from bot.contenders import ContenderConfig

_HEADER = 8
"""Bytes that tell how long a safetensors file's header is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """What the new adapter starts from. `adapter` and `learnt` are those of a tuned contender."""

    slug: str
    model: str
    template: str
    adapter: Path | None = None
    learnt: record.TrainingRecord | None = None

    @property
    def tuned(self) -> str | None:
        """Its name, if it was trained itself."""
        return self.slug if self.learnt else None

    @property
    def generation(self) -> int:
        """0 for a base model."""
        return self.learnt.generation if self.learnt else 0


def parent_of(config: Config, slug: str | None) -> Parent:
    """The contender of that name, or the first base contender.

    A tuned one is found in the roster and among the adapters. Raises ConfigError where there is
    none that can be trained here.
    """
    base = [c for c in config.contenders if c.kind is Kind.BASE]
    chosen = base[:1] if slug is None else [c for c in config.contenders if c.slug == slug]
    if not chosen and slug is not None and (config.adapters_folder / slug).is_dir():
        return _tuned(config, slug, config.adapters_folder / slug)
    if not chosen:
        known = ", ".join([*(c.slug for c in base), *adapters(config)]) or "none"
        raise ConfigError(f"There is no contender {slug} to train. There are: {known}.")
    (contender,) = chosen
    if contender.kind is Kind.INSTRUCT:
        raise ConfigError(
            f"{contender.slug} is an instruct model. Votes train base models and what was tuned "
            "from them: name one of these with --contender."
        )
    _require_here(contender)
    if contender.adapter is not None:
        return _tuned(config, contender.slug, config.adapter_folder(contender.adapter))
    template = contender.template or config.template
    return Parent(slug=contender.slug, model=contender.model, template=template)


def adapters(config: Config) -> list[str]:
    """The adapters that are here, by slug."""
    found = (config.adapters_folder).glob(f"*/{record.RECORD}")
    return sorted(path.parent.name for path in found)


def weights_of(parent: Parent, config: Config) -> Path:
    """The folder with the base model's weights, which are here already."""
    return pull(parse_source(parent.model), config.models_folder)


def parameters_of(folder: Path) -> int:
    """How many numbers the weights in a folder are, by the headers of their files."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(_HEADER))
            tensors = json.loads(file.read(length))
        for name, tensor in tensors.items():
            if name != "__metadata__":
                size = 1
                for side in tensor["shape"]:
                    size *= side
                total += size
    return total


def named(model: str) -> str:
    """A model as adapters name it: its source, but of a folder here only the folder's name."""
    source = parse_source(model)
    return f"path:{Path(source.name).name}" if source.scheme == "path" else str(source)


def misnamed(slug: str, trained_as: str) -> str:
    """What to say of a tuned contender that the settings call something else."""
    return (
        f"{slug} in the settings was trained as {trained_as}. Call it that there too: by this name "
        "it is known from whom it learnt, and which battles must not rank it."
    )


def base_of(
    learnt: record.TrainingRecord,
    contenders: Iterable[ContenderConfig],
    *,
    name: str = "",
    adapters: Path | None = None,
) -> ContenderConfig:
    """The contender with the model that an adapter was trained on.

    Of several it is the nearest that the adapter descends from, else a base one if it can be.
    `adapters` is the folder with those that it may descend from. Raises ConfigError where none
    has the model; the adapter is called `name` then, else its slug.
    """
    there = [c for c in contenders if named(c.model) == learnt.base.source]
    if not there:
        raise ConfigError(
            f"{name or learnt.slug} was trained on {learnt.base.source}, which is the model of no "
            "contender of its own or of the settings. Name it there."
        )
    if len({c.model for c in there}) > 1:  # folders of one name, so their weights have to tell
        there = [c for c in there if _weighs(c.model) == learnt.base.weights] or there
    line = _line(learnt, adapters)

    def distance(contender: ContenderConfig) -> tuple[int, bool]:
        far = line.index(contender.slug) if contender.slug in line else len(line)
        return far, contender.kind is not Kind.BASE

    return min(there, key=distance)


def _weighs(model: str) -> str | None:
    """What stands for the weights in a folder; None where they are not there."""
    from bot.engines.local.loading import folder_hash  # noqa: PLC0415 - it imports torch

    try:
        return folder_hash(Path(parse_source(model).name).expanduser())
    except OSError:
        return None


def _line(learnt: record.TrainingRecord, adapters: Path | None) -> list[str]:
    """Whom an adapter descends from, the nearest first, as far as that is known here."""
    line = [learnt.parent]
    while adapters is not None:
        try:
            parent = record.read(adapters / line[-1]).parent
        except ModelError:
            break
        if parent in line:  # a record may come from anywhere
            break
        line.append(parent)
    return line


def _tuned(config: Config, slug: str, folder: Path) -> Parent:
    learnt = record.read(folder)
    if learnt.slug != slug:
        raise ConfigError(misnamed(slug, learnt.slug))
    own = [c for c in config.contenders if c.slug == slug]
    base = base_of(learnt, own or config.contenders, name=slug, adapters=config.adapters_folder)
    template = (own[0].template if own else None) or learnt.template
    return Parent(slug=slug, model=base.model, template=template, adapter=folder, learnt=learnt)


def _require_here(contender: ContenderConfig) -> None:
    scheme = parse_source(contender.model).scheme
    if scheme not in {"wheel", "hub", "path"}:
        raise ConfigError(
            f"{contender.slug} is {scheme}:, so its weights are not here to be trained. Name a "
            "contender with a wheel:, hub: or path: model with --contender."
        )
