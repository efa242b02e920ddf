"""What finishing does for answers: `python -m benchmarks.finishing`.

200 prompts (`prompts.jsonl`, written for this) go through the default pair with the
default template, sampling and system text, and the same faults are looked for twice.

Before finishing is what a bot would post that hands the text on as the model writes
it: one draw, no stops, nothing cut or masked, until the model ends by itself or its
length runs out. A base model hardly ever ends by itself, so nearly all of these are
run-ons or cut short: that is its nature, not a fault of the draw. Special tokens
are not in the text even then; the tokenizer leaves them out.

After finishing is what members see, made as in a battle: generation stops where
somebody else's turn begins, an answer that is empty or a loop is drawn again at most
twice, leaks are masked. The draws are others than before, so differences of a few
answers mean nothing. What the models say is not made better, and is not counted here.

Each share is of all answers of that side. A refusal or another language is no fault,
only counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bot import answers
from bot.answering import Answering, heard_in
from bot.app import engines_for
from bot.config import Config
from bot.engines import CompletionRequest
from bot.engines.stops import StopFinder
from bot.errors import EngineError
from bot.growth import Growth
from bot.languages import Languages
from bot.leaks import mask
from bot.prompting import Chat, library
from bot.roster import Roster, template_of
from bot.speakers import own_words
from bot.telemetry.instruments import Instruments
from storage.records import Conversation, FinishReason, Side, Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bot.prompting import PromptTemplate
    from storage.records import Contender

PROMPTS = Path(__file__).with_name("prompts.jsonl")
BOT = "Twofold"
FAULTS = ("empty", "run-on", "loop", "leak", "cut short", "refusal", "language")
DEADLINE = 1800.0


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What the measurement works with."""

    roster: Roster
    templates: dict[str, PromptTemplate]
    answering: Answering
    languages: Languages
    default_template: str

    def template(self, contender: Contender) -> PromptTemplate:
        """The template with which a contender is prompted."""
        return self.templates[template_of(contender, default=self.default_template)]


def conversations() -> list[Conversation]:
    """The prompts, each with the turns that led to it."""
    talks = (json.loads(line)["turns"] for line in PROMPTS.read_text("utf-8").splitlines())
    return [
        Conversation(
            turns=tuple(
                Turn(author_id=sum(map(ord, name)), name=name, text=text, is_bot=name == BOT)
                for name, text in turns
            ),
            bot_name=BOT,
        )
        for turns in talks
    ]


async def before(bench: Bench, contender: Contender, talk: Conversation, seed: int) -> set[str]:
    """The faults of one draw as the model writes it."""
    request = CompletionRequest(
        prompt=bench.template(contender).render(talk).prompt,
        sampling=contender.sampling,
        seed=seed,
        deadline=DEADLINE,
    )
    text, reason = "", None
    async for chunk in bench.roster.engine(contender).stream(request):
        text += chunk.text
        reason = chunk.finish_reason
    cut_short = reason is FinishReason.LENGTH
    return await faults(bench, contender, talk, text) | ({"cut short"} if cut_short else set())


async def after(bench: Bench, contender: Contender, talk: Conversation, seed: int) -> set[str]:  # noqa: ARG001 - the service draws its own
    """The faults of the answer that a member sees; `drawn again` and what was mended too."""
    try:
        (answer,) = await bench.answering.answer(
            talk,
            {Side.A: contender},
            template=bench.default_template,
            growth=Growth(heard=heard_in(talk), changed=lambda _: None),
            earlier={},
        )
    except EngineError:
        return {"empty", "drawn again"}
    found = await faults(bench, contender, talk, answer.shown)
    mended = {
        "drawn again": answer.retries > 0,
        "cut at a turn": answers.RUN_ON in answer.tags,
        "masked": any(tag.startswith("leak:") for tag in answer.tags),
        "cut short": answers.CUT_SHORT in answer.tags,
    }
    return found | {what for what, holds in mended.items() if holds}


async def faults(bench: Bench, contender: Contender, talk: Conversation, text: str) -> set[str]:
    """What is wrong with a text, by the detectors that finishing uses."""
    template = bench.template(contender)
    rendering = template.render(talk)
    stops = StopFinder(rendering.stops)
    stops.feed(text)
    stops.flush()
    own = own_words(text, rendering.speakers)
    found = {
        "empty": not answers.visible(text),
        "run-on": stops.hit is not None or template.parse(text).ran_on or own.ran_on,
        "loop": answers.loops(text),
        "leak": own.headed or bool(mask(text, heard=heard_in(talk))[1]),
        "refusal": answers.REFUSING.search(text) is not None,
        "language": await bench.languages.unlike(text, talk) is not None,
    }
    return {fault for fault, holds in found.items() if holds}


async def measure(
    bench: Bench, at_once: int, done: Callable[[], None]
) -> dict[tuple[str, str], Counter[str]]:
    """Count the faults, by contender and by `before` and `after`."""
    turn = asyncio.Semaphore(at_once)
    counts: dict[tuple[str, str], Counter[str]] = {}

    async def one(contender: Contender, when: Callable[..., Awaitable[set[str]]], n: int) -> None:
        async with turn:
            found = await when(bench, contender, talks[n], n)
        counts.setdefault((contender.slug, when.__name__), Counter()).update(found)
        done()

    talks = conversations()
    for when in (before, after):
        await asyncio.gather(
            *(one(c, when, n) for n in range(len(talks)) for c in bench.roster.contenders)
        )
    return counts


async def main(at_once: int) -> None:
    """Load, measure, print."""
    config = Config()
    engines = engines_for(config)
    console = Console(width=110)
    await asyncio.gather(*(engine.start() for engine in engines.values()))
    rng, languages = random.Random(1), Languages()
    chat = Chat(system=config.system_prompt)
    templates = {**library(config.templates), chat.name: chat}
    roster = Roster(config.contenders, engines=engines, clock=lambda: datetime.now(UTC), rng=rng)
    answering = Answering(
        roster=roster,
        templates=templates,
        languages=languages,
        rng=rng,
        deadline=DEADLINE,
        instruments=Instruments(),
    )
    bench = Bench(
        roster=roster,
        templates=templates,
        answering=answering,
        languages=languages,
        default_template=config.template,
    )
    with Progress(console=console) as progress:
        task = progress.add_task(
            "answering", total=2 * len(roster.contenders) * len(conversations())
        )
        counts = await measure(bench, at_once, lambda: progress.advance(task))
    for engine in engines.values():
        await engine.close()
    console.print(table(counts, [c.slug for c in roster.contenders], len(conversations())))


def table(counts: dict[tuple[str, str], Counter[str]], slugs: list[str], number: int) -> Table:
    """Shares of all answers, before and after, side by side."""
    shares = Table(title=f"{number} prompts, shares of all answers in percent")
    shares.add_column("")
    for slug in slugs:
        for when in ("before", "after"):
            shares.add_column(f"{slug} {when}", justify="right")
    mended = ("cut at a turn", "masked", "drawn again")
    for what in (*FAULTS, *mended):
        cells = [
            ""
            if what in mended and when == "before"
            else f"{counts[slug, when][what] / number:.1%}"
            for slug in slugs
            for when in ("before", "after")
        ]
        shares.add_row(what, *cells, end_section=what == FAULTS[-1])
    return shares


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-once", type=int, default=16, help="how many answers at a time")
    asyncio.run(main(parser.parse_args().at_once))
