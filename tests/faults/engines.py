"""Models that fail: APIs that are down, slow or talk nonsense, and weights in this process."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.wire.clock import until
from tests.wire.components import rows
from tests.wire.driver import WireServer
from tests.wire.program import Program
from tests.wire.table import LABELS, TELLING, Table, roster

from .fault import fault
from .model_api import (
    NONSENSE,
    ModelApi,
    babbling,
    cutting,
    endless,
    hanging,
    hanging_within,
    refusing,
    well,
)
from .tried import tried

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from .model_api import Way

AREA = "Models"
DEADLINE = 3.0


@asynccontextmanager
async def served(
    folder: Path, way: Way = well, *, more: str = "", deadline: float = 60.0
) -> AsyncIterator[tuple[Table, ModelApi]]:
    """Run the program with an instruct model at an API that answers in some `way`."""
    async with ModelApi(way) as api:
        settings = f"deadline_seconds = {deadline}\nmember_battles_per_minute = 100\n"
        config = f"{settings}{api.contenders}{more}"
        async with tried(folder, config) as at:
            yield at, api


async def is_told(at: Table, wanted: str) -> None:
    """Ask, and read why there is no answer: never which of the two it was."""
    told = await at.ask()
    assert wanted in told.text, told.text
    assert not TELLING.search(told.text)
    await at.state("failed")


async def is_answered(at: Table) -> None:
    """Ask, and get a ballot."""
    ballot = await at.ask()
    assert rows(ballot) == [LABELS], ballot.text


def logged(at: Table, *words: str) -> None:
    """Raise AssertionError unless a line of the log has all of these words."""
    lines = at.program.stderr.splitlines()
    assert any(all(word in line for word in words) for line in lines), words


@fault(
    AREA,
    "a model API refuses connections, and comes back",
    "the member reads that a model could not be reached, the log which address; "
    "the next message is answered as soon as it is back",
)
async def refuses(folder: Path) -> None:
    async with served(folder) as (at, api):
        await api.down()
        await is_told(at, "could not be reached")
        logged(at, f"127.0.0.1:{api.port}", "cannot be reached")
        logged(at, "a contender rests", "smol-y")
        await api.up()
        await is_answered(at)


@fault(
    AREA,
    "a model API takes a request and never answers",
    "the member reads at the deadline that a model did not answer in time",
)
async def hangs(folder: Path) -> None:
    async with served(folder, hanging, deadline=DEADLINE) as (at, api):
        began = time.monotonic()
        await is_told(at, "did not answer in time")
        assert time.monotonic() - began < DEADLINE + 2
        api.way = well
        await is_answered(at)


@fault(
    AREA,
    "a model API falls silent in the middle of an answer",
    "the member reads at the deadline that a model did not answer in time; nothing is stored",
    long=True,
)
async def hangs_within(folder: Path) -> None:
    async with served(folder, hanging_within, deadline=DEADLINE) as (at, _):
        await is_told(at, "did not answer in time")
        assert at.count("answers") == 0


@fault(
    AREA,
    "a model API breaks the connection in the middle of an answer",
    "another answer is asked for, twice at most; half an answer is never shown",
)
async def cuts(folder: Path) -> None:
    async with served(folder, cutting) as (at, api):
        await is_told(at, "could not answer")
        assert api.asked == 3
        logged(at, "broke off in the middle")
        api.way = well
        await is_answered(at)


@fault(
    AREA,
    "a model API answers nonsense: HTML, broken JSON, another schema, no choices, numbers for "
    "text, an error with status 200",
    "the member reads that a model did not answer as it should, the log which address",
)
async def babbles(folder: Path) -> None:
    async with served(folder, babbling) as (at, api):
        texts = [f"{at.wire.mention} say {what}" for what in NONSENSE]
        prompts = [await at.alice.send(at.channel, text) for text in texts]
        for prompt in prompts:
            told = await at.wire.wait_for_reply(prompt)
            assert "did not answer as it should" in told.text, (prompt.text, told.text)
        logged(at, f"127.0.0.1:{api.port}", "does not answer as it should")
        api.way = well
        await is_answered(at)


@fault(
    AREA,
    "a model API never stops talking",
    "it is stopped a little after the most tokens that were asked for, and the answer is shown",
    long=True,
)
async def never_ends(folder: Path) -> None:
    async with served(folder, endless) as (at, _):
        await is_answered(at)
        longest = at.program.rows("SELECT max(length(raw)) FROM answers")[0][0]
        assert longest < 20_000


@fault(
    AREA,
    "a model API refuses the key, or does not know the model",
    "the member is told at once, and the log says what to set",
    long=True,
)
async def refuses_key(folder: Path) -> None:
    async with served(folder, refusing(401)) as (at, api):
        await is_told(at, "could not answer")
        assert api.asked == 1
        logged(at, "wants a key", "OPENAI_API_KEY")
        api.way = refusing(404)
        await is_told(at, "could not answer")
        logged(at, "knows no model far")


@fault(
    AREA,
    "a model API answers 429 with Retry-After, or 500 and 503 for a while",
    "it is asked again when it wants to be, and the member gets an answer",
    long=True,
)
async def is_busy(folder: Path) -> None:
    async with served(folder, refusing(429, times=1, Retry_After="1")) as (at, api):
        began = time.monotonic()
        await is_answered(at)
        assert time.monotonic() - began > 1
        for status in (500, 503):
            api.way = refusing(status, times=2)
            await is_answered(at)


@fault(
    AREA,
    "a model API stays down, and there is another contender",
    "one message fails; then the other one is drawn, and the first again some time after it is "
    "back",
    long=True,
)
async def rests(folder: Path) -> None:
    other = '[[contenders]]\nslug = "spare-z"\nkind = "instruct"\nmodel = "scripted:"\n'
    async with served(folder, more=other) as (at, api):
        await api.down()
        drawn: list[str] = []
        for _ in range(12):
            reply = await at.ask()
            drawn.append("ballot" if rows(reply) == [LABELS] else "failure")
        assert drawn.count("failure") <= 1, drawn
        await api.up()
        await asyncio.sleep(32)
        came_back = "SELECT count(*) FROM answers JOIN contenders ON contenders.id = contender_id "
        came_back += "WHERE slug = 'smol-y'"
        for _ in range(12):
            await is_answered(at)
        assert at.program.rows(came_back)[0][0] > 0


@fault(
    AREA,
    "a model raises, or says nothing, for its first answers",
    "another answer is asked for; the member only waits a little longer",
    long=True,
)
async def fails_at_first(folder: Path) -> None:
    async with tried(folder, roster("fail=2", "empty=2")) as at:
        await is_answered(at)


SABOTAGE = '''
"""Runs in the program under test: each new file in the folder breaks its model in a way."""

import gc, pathlib, sys, threading, time

HERE = pathlib.Path(__file__).parent


def watch():
    while True:
        time.sleep(0.05)
        for way in ("oom", "hang"):
            if (HERE / way).exists() and "torch" in sys.modules:
                (HERE / way).unlink()
                sabotage(way)


def sabotage(way):
    import torch, transformers

    done = []

    def once(*_):
        if not done:
            done.append(way)
            torch.empty(2**50) if way == "oom" else time.sleep(3600)

    for thing in gc.get_objects():
        if isinstance(thing, transformers.LlamaForCausalLM):
            thing.register_forward_pre_hook(once)
            (HERE / "ready").touch()


gc.freeze = lambda: None  # what is frozen could not be found
threading.Thread(target=watch, daemon=True).start()
'''


@asynccontextmanager
async def local(
    folder: Path, settings: str = ""
) -> AsyncIterator[tuple[Table, Callable[[str], Awaitable[None]]]]:
    """Run the program with weights of its own, and a way to break them."""
    from tests.engines.tiny_model import save_tiny_model  # noqa: PLC0415 - torch, for these alone

    sabotaged = folder / "sabotage"
    sabotaged.mkdir()
    (sabotaged / "sitecustomize.py").write_text(SABOTAGE, "utf-8")
    model = save_tiny_model(folder / "tiny")
    config = settings + roster().replace('"scripted:"', f'"path:{model}"')
    env = {"PYTHONPATH": str(sabotaged)}

    async def broken(way: str) -> None:
        (sabotaged / way).touch()
        await until((sabotaged / "ready").exists, "a model to break")

    async with WireServer() as wire:
        at = Table(wire, Program(wire, folder / "home", config, env=env))
        async with at.program:
            await is_answered(at)
            yield at, broken


@fault(
    AREA,
    "weights in this process run out of memory while they answer",
    "the thread that generates is started again, and the same message is answered",
    long=True,
)
async def out_of_memory(folder: Path) -> None:
    async with local(folder) as (at, broken):
        await broken("oom")
        await is_answered(at)
        logged(at, "thread died and is started again", "can't allocate memory")


@fault(
    AREA,
    "weights in this process get stuck while they answer",
    "the member reads at the deadline that a model did not answer in time; a minute after it got "
    "stuck the thread is replaced, and messages are answered again",
    long=True,
)
async def gets_stuck(folder: Path) -> None:
    async with local(folder, f"deadline_seconds = {DEADLINE}\n") as (at, broken):
        await broken("hang")
        await is_told(at, "did not answer in time")
        await asyncio.sleep(60)
        await is_answered(at)
        logged(at, "thread hangs and is replaced")
