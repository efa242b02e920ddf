"""The remote engine and whole battles against real servers: llama.cpp's, `transformers serve`.

Both have the default pair, a base model for completions and an instruct model for chats.
vLLM, Ollama and hosted providers cannot run here; what they say that these two do not is
in test_remote.py, from their own sources.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from real_servers import llama, transformers_serve
from tokenizers import Tokenizer

from bot.app import open_services
from bot.check import check_all
from bot.config import Config
from bot.contenders import ContenderConfig
from bot.engines import ChatMessage, CompletionRequest
from bot.engines.remote import RemoteEngine
from bot.engines.weights.store import GGUF
from bot.errors import (
    BattleError,
    EngineRefused,
    EngineUnavailable,
    EngineUnreachable,
    PromptTooLong,
)
from storage.records import FinishReason, Kind, Sampling
from tests.unit.test_battles import ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from real_servers import Server

QUESTIONS = "Q: What is 1+1? A:5\nQ: What is the innermost planet? A: Mars\nQ: What is tea? A:"
CHAT = (ChatMessage("system", "You are brief."), ChatMessage("user", "What is tea?"))
COUNTING = "1, 2, 3, 4, 5, 6, 7, 8,"
LONG = Sampling(max_tokens=4000, temperature=0.0)
"""Counting goes on for more than half a minute on every server here."""

SHORT = Sampling(max_tokens=12)


@dataclass(frozen=True)
class Far:
    """A kind of server with both models: where each is, and what it is called there."""

    base: Server
    instruct: Server
    base_model: str = "far-model"
    instruct_model: str = "far-model"

    def engine(self, kind: Kind, **changes: object) -> RemoteEngine:
        server, model = (
            (self.base, self.base_model)
            if kind is Kind.BASE
            else (self.instruct, self.instruct_model)
        )
        return RemoteEngine(model, **{"base_url": server.url, "api_key": KEY, **changes})


KEY = "sk-of-this-server"


@pytest.fixture(scope="module")
def llamas(pair: list[Path]) -> Iterator[Far]:
    """The base model wants a key; the instruct model has one slot only."""
    base, instruct = (folder / GGUF for folder in pair)
    with llama(base, key=KEY) as one, llama(instruct, slots=1, context=8192) as other:
        yield Far(one, other)


@pytest.fixture(scope="module")
def serve(pair: list[Path]) -> Iterator[Far]:
    with transformers_serve() as server:
        yield Far(server, server, *map(str, pair))


@pytest.fixture(params=["llamas", "serve"])
def far(request: pytest.FixtureRequest) -> Far:
    return request.getfixturevalue(request.param)


@asynccontextmanager
async def started(engine: RemoteEngine) -> AsyncIterator[RemoteEngine]:
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def wanted(kind: Kind = Kind.BASE, **changes: object) -> CompletionRequest:
    prompt = QUESTIONS if kind is Kind.BASE else CHAT
    return CompletionRequest(prompt=prompt, **{"sampling": SHORT, **changes})


async def collect(engine: RemoteEngine, request: CompletionRequest) -> list:
    return [chunk async for chunk in engine.stream(request)]


async def text(engine: RemoteEngine, request: CompletionRequest) -> str:
    return "".join(chunk.text for chunk in await collect(engine, request))


@pytest.mark.parametrize("kind", [Kind.BASE, Kind.INSTRUCT])
async def test_the_text_comes_as_a_stream_with_counts(far: Far, kind: Kind) -> None:
    async with started(far.engine(kind)) as engine:
        *rest, last = await collect(engine, wanted(kind))
    assert len(rest) > 3
    assert "".join(chunk.text for chunk in rest).strip()
    assert last.finish_reason in FinishReason
    assert 0 < last.completion_tokens <= SHORT.max_tokens
    assert last.prompt_tokens > 10


async def test_a_raw_prompt_reaches_the_base_model_raw(far: Far, pair: list[Path]) -> None:
    ids = Tokenizer.from_file(str(pair[0] / "tokenizer.json")).encode(QUESTIONS).ids
    async with started(far.engine(Kind.BASE)) as engine:
        last = (await collect(engine, wanted()))[-1]
    assert last.prompt_tokens == len(ids)  # no template, and one <bos>


async def test_a_stop_holds_be_it_the_servers_or_ours(far: Far) -> None:
    ours = ("never", "nowhere", "not at all", "not so", "\nQ:")
    async with started(far.engine(Kind.INSTRUCT)) as engine:
        for stops in (("\nQ:",), ours):
            request = wanted(stops=stops, sampling=replace(LONG, max_tokens=60))
            chunks = await collect(engine, request)
            assert "\nQ" not in "".join(chunk.text for chunk in chunks)
            assert chunks[-1].finish_reason is FinishReason.STOP
            assert chunks[-1].completion_tokens < 60


async def test_sixteen_at_once_are_each_answered(far: Far) -> None:
    async with started(far.engine(Kind.INSTRUCT)) as engine:
        request = wanted(Kind.INSTRUCT, sampling=replace(SHORT, max_tokens=4))
        asked = [replace(request, seed=seed) for seed in range(16)]
        answers = await asyncio.gather(*(collect(engine, request) for request in asked))
    assert all(chunks[-1].finish_reason is not None for chunks in answers)


async def test_cancelling_frees_the_only_slot(far: Far) -> None:
    async with started(far.engine(Kind.INSTRUCT)) as engine:
        long = engine.stream(CompletionRequest(prompt=COUNTING, sampling=LONG))
        await anext(long)
        await long.aclose()
        await collect(engine, wanted(Kind.INSTRUCT, deadline=10.0))


async def test_what_a_server_takes_is_learnt(llamas: Far, serve: Far) -> None:
    for far, lost in ((llamas, ""), (serve, " without top_k, min_p, repetition_penalty")):
        async with started(far.engine(Kind.BASE)) as engine:
            await collect(engine, wanted())
            assert engine.revision == f"{far.base_model}{lost}"


async def test_a_seed_repeats_an_answer_and_top_k_arrives(llamas: Far) -> None:
    async with started(llamas.engine(Kind.INSTRUCT)) as engine:
        drawn = {seed: await text(engine, wanted(Kind.INSTRUCT, seed=seed)) for seed in range(4)}
        assert len(set(drawn.values())) > 1
        assert await text(engine, wanted(Kind.INSTRUCT, seed=3)) == drawn[3]
        hot = replace(SHORT, temperature=5.0, top_k=1)
        sure = {
            await text(engine, wanted(Kind.INSTRUCT, seed=seed, sampling=hot)) for seed in range(3)
        }
        assert len(sure) == 1


async def test_a_key_is_asked_for_and_checked(llamas: Far) -> None:
    cases = {None: "wants a key. Put it into MY_KEY", "sk-wrong": "does not accept the key"}
    for key, says in cases.items():
        engine = llamas.engine(Kind.BASE, api_key=key, key_name="MY_KEY")
        async with started(engine):
            with pytest.raises(EngineRefused, match=says):
                await collect(engine, wanted())


async def test_a_prompt_beyond_the_servers_context_is_told_as_that(llamas: Far) -> None:
    async with started(llamas.engine(Kind.BASE)) as engine:
        with pytest.raises(PromptTooLong):
            await collect(engine, replace(wanted(), prompt="tea " * 4000))


async def test_a_model_that_is_not_there_is_told(llamas: Far, serve: Far) -> None:
    async with started(RemoteEngine("no/such-model", base_url=serve.base.url)) as engine:
        with pytest.raises(EngineUnreachable, match="status 500"):  # its way of saying so
            await collect(engine, wanted())
    async with started(llamas.engine(Kind.BASE)) as engine:
        assert await engine.models() == {"far-model": "far-model"}  # it answers to every name
        assert await text(engine, wanted())


def config(home: Path, far: Far) -> Config:
    return Config(
        home=home,
        contenders=(
            ContenderConfig(
                slug="base",
                kind=Kind.BASE,
                model=f"openai:{far.base_model}",
                base_url=far.base.url,
                api_key_env="FAR_KEY",
                max_tokens=12,
            ),
            ContenderConfig(
                slug="instruct",
                kind=Kind.INSTRUCT,
                model=f"openai:{far.instruct_model}",
                base_url=far.instruct.url,
                max_tokens=12,
            ),
        ),
    )


async def test_a_battle_between_two_servers_and_its_end_when_one_is_gone(
    tmp_path: Path, pair: list[Path], llamas: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)
    with llama(pair[1] / GGUF) as mortal:
        settings = config(tmp_path, replace(llamas, instruct=mortal))
        async with open_services(settings, rng=random.Random(1)) as services:
            fought = await services.battles.answer(await services.battles.open(ask(1)))
            assert {answer.kind for answer in fought.answers} == {Kind.BASE, Kind.INSTRUCT}
            assert all(answer.completion_tokens for answer in fought.answers)
            mortal.kill()
            opened = await services.battles.open(ask(2))
            told = "One of the two models could not be reached. Nothing was recorded. Try again"
            async with asyncio.timeout(15):
                with pytest.raises(BattleError, match=told):
                    await services.battles.answer(opened)


async def test_a_server_that_dies_in_the_middle_is_told(pair: list[Path]) -> None:
    with llama(pair[1] / GGUF) as mortal:
        async with started(RemoteEngine("far-model", base_url=mortal.url)) as engine:
            stream = engine.stream(CompletionRequest(prompt=COUNTING, sampling=LONG))
            await anext(stream)
            mortal.kill()
            with pytest.raises(EngineUnavailable, match="broke off in the middle"):
                async for _ in stream:
                    pass


async def test_the_check_says_how_each_server_is(
    tmp_path: Path, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)
    found = {f.what: f for f in await check_all(config(tmp_path, far))}
    assert found["model of base"].how.startswith(far.base_model)
    assert found["model of base"].how.endswith("answers")
    assert found["model of instruct"].ok


async def test_the_check_names_the_variable_of_a_wrong_key(
    tmp_path: Path, llamas: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", "sk-wrong")
    found = {f.what: f for f in await check_all(config(tmp_path, llamas))}
    assert found["model of base"].ok is False
    assert "Check FAR_KEY" in found["model of base"].how
