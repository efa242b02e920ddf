"""One contract, five engines.

A tiny real model, an adapter on it, one loopback server, two of them, the script.
"""

from __future__ import annotations

import asyncio

import pytest

from bot.engines import ChatMessage, CompletionRequest
from bot.errors import EngineBusy, EngineTimeout, EngineUnavailable
from storage.records import FinishReason, Sampling

RAW = "Ann: hello there\nBot:"
CHAT = (ChatMessage("system", "Be kind."), ChatMessage("user", "hello"))
LONG = Sampling(max_tokens=400)


def ask(prompt=RAW, **changes):
    return CompletionRequest(prompt=prompt, **{"sampling": Sampling(max_tokens=24), **changes})


async def collect(engine, request):
    return [chunk async for chunk in engine.stream(request)]


def text(chunks):
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize("prompt", [RAW, CHAT], ids=["raw", "chat"])
async def test_only_the_last_chunk_tells_the_end_and_the_counts(make, prompt):
    async with make() as engine:
        *rest, last = await collect(engine, ask(prompt))
    assert all(c.finish_reason is None and c.stop is None for c in rest)
    assert all(c.completion_tokens == 0 for c in rest)
    assert last.finish_reason in FinishReason
    assert last.prompt_tokens > 0
    assert 0 < last.completion_tokens <= 24
    assert text([*rest, last]).strip()


async def test_the_length_ends_it(make):
    async with make() as engine:
        last = (await collect(engine, ask(sampling=Sampling(max_tokens=2))))[-1]
    assert (last.finish_reason, last.completion_tokens) == (FinishReason.LENGTH, 2)


async def test_a_stop_cuts_wherever_it_is(make):
    async with make() as engine:
        whole = text(await collect(engine, ask(seed=3)))
        for at in range(len(whole)):
            stop = whole[at : at + 3]
            chunks = await collect(engine, ask(seed=3, stops=("never there", stop)))
            assert text(chunks) == whole[: whole.find(stop)]
            assert chunks[-1].finish_reason is FinishReason.STOP
            assert chunks[-1].stop == stop


async def test_the_same_seed_gives_the_same_text(make):
    async with make() as engine:
        first, again = [text(await collect(engine, ask(seed=7))) for _ in range(2)]
        others = {text(await collect(engine, ask(seed=seed))) for seed in range(8)}
    assert first == again
    if engine.kind != "remote":  # there the far side draws
        assert len(others) > 1


async def test_a_raw_prompt_is_rendered_byte_for_byte(make):
    odd = "  \t<bos> [] {x} %s \r\n\u202eé🦊\n"
    async with make() as engine:
        assert engine.render(odd) == odd
        assert "hello" in engine.render(CHAT)


@pytest.mark.parametrize("prompt", [RAW, CHAT], ids=["raw", "chat"])
async def test_a_prompt_is_counted_as_it_will_be_read(make, prompt):
    async with make() as engine:
        counted = engine.count(prompt)
        (*_, last) = await collect(engine, ask(prompt))
        assert engine.room is None or counted < engine.room
    if engine.kind == "remote":  # an estimate: only the far side has the tokenizer
        assert 0 < counted <= len(str(prompt))
    else:
        assert counted == last.prompt_tokens


async def test_closing_the_iterator_frees_the_slot(make, server):
    async with make(slow=True, max_waiting=1) as engine:
        for _ in range(3):
            stream = engine.stream(ask(sampling=LONG))
            await anext(stream)
            await stream.aclose()
        await anext(engine.stream(ask(sampling=LONG)))
        await until(lambda: server.running <= 1)


async def test_cancelling_the_caller_frees_the_slot(make):
    async with make(slow=True, max_waiting=1) as engine:
        task = asyncio.create_task(collect(engine, ask(sampling=LONG)))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stream = engine.stream(ask(sampling=LONG))
        await anext(stream)
        await stream.aclose()


async def test_the_deadline_is_kept(make):
    async with make(slow=True) as engine:
        with pytest.raises(EngineTimeout) as caught:
            await collect(engine, ask(sampling=LONG, deadline=0.02))
    assert caught.value.retryable


async def test_a_full_line_is_refused_at_once(make):
    async with make(slow=True, max_waiting=1) as engine:
        stream = engine.stream(ask(sampling=LONG))
        await anext(stream)
        with pytest.raises(EngineBusy):
            await collect(engine, ask())
        await stream.aclose()


async def test_close_fails_who_waits_and_may_be_called_twice(make):
    async with make(slow=True) as engine:
        tasks = [asyncio.create_task(collect(engine, ask(sampling=LONG))) for _ in range(3)]
        await asyncio.sleep(0.05)
        await engine.close()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results] == [EngineUnavailable] * 3
        await engine.close()
        with pytest.raises(EngineUnavailable):
            await collect(engine, ask())


async def test_many_at_once_are_each_answered(make):
    async with make() as engine:
        answers = await asyncio.gather(*(collect(engine, ask(seed=i)) for i in range(24)))
    assert all(chunks[-1].finish_reason is not None for chunks in answers)


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is in another thread or server
            await asyncio.sleep(0.01)
