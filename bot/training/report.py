"""The report of a round, as Markdown: what it came to, and why it entered or did not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.dataset.card.markdown import line, table
from bot.ranking import Interval
from bot.training import record
from bot.training.rounds import Step, folder_of
from bot.training.trying import MEANINGS, figure, preferred
from bot.wording import count, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.config import Config
    from bot.training.rounds import Round


def report(config: Config, one: Round) -> str:
    """All of a round that is over."""
    return "\n\n".join(_parts(config, one)) + "\n"


def _parts(config: Config, one: Round) -> Iterator[str]:
    slug, found = one.done[Step.TRAIN]["slug"], one.done[Step.EVALUATE]
    place = Path(one.done[Step.TRAIN]["folder"])
    learnt = record.read(place)
    yield f"# Round {one.number}: {one.asked.parent} → {slug}"
    yield _outcome(one)
    yield (
        f"{learnt.method.upper()} on {count(learnt.dataset.pairs, 'pair')} that "
        f"{one.asked.parent} had not learnt from; {learnt.dataset.held_out:,} were held out. "
        f"It began on {one.began_at:%Y-%m-%d} and took {span(sum(one.seconds.values()))}: "
        + ", ".join(f"{step.value} {span(s)}" for step, s in one.seconds.items())
        + f". The training had {learnt.peak_memory_bytes / 1e9:.1f} GB of memory at most."
    )
    yield "## Gates"
    yield table(
        ("holds", "gate", "found"),
        (("yes" if g["held"] else "**no**", g["name"], g["found"]) for g in found["gates"]),
    )
    yield "## What its answers are like"
    yield table(
        ("", one.asked.parent, slug),
        (
            (meaning, figure(name, found["parent"][name]), figure(name, found["tuned"][name]))
            for name, meaning in MEANINGS.items()
        ),
    )
    if judged := found["judged"]:
        wins = Interval(judged["share"], judged["low"], judged["high"])
        yield preferred(wins, judged["pairs"])
    pictures = sorted((place / "pictures").glob("*.png"))
    if pictures:
        yield "## Curves"
    for picture in pictures:
        shown = os.path.relpath(picture, folder_of(config.home, one))
        yield f"![{picture.stem}]({Path(shown).as_posix()})"
    yield "## Answers to our own prompts"
    for sample in found["samples"]:
        yield _sample(sample, one.asked.parent, slug)


def _outcome(one: Round) -> str:
    entered = one.done[Step.ENTER]
    if refused := entered.get("refused"):
        return f"It is not in the arena. {refused}"
    if not entered["kept_out_by"]:
        return "All gates hold, and it is in the arena."
    missing = ", ".join(entered["kept_out_by"])
    if entered["entered"]:
        return f"It is in the arena although these gates do not hold: {missing}."
    slug = one.done[Step.TRAIN]["slug"]
    return (
        f"It is not in the arena, as these gates do not hold: {missing}. "
        f"`twofold models enter {slug}` lets it in all the same."
    )


def _sample(sample: dict[str, Any], parent: str, slug: str) -> str:
    lines = [f"**{sample['prompt']}**"]
    lines += [
        f"> {name}: {line(sample[k]) or '(nothing)'}"
        for name, k in ((parent, "parent"), (slug, "tuned"))
    ]
    return "\n\n".join(lines)
