"""Adapters from votes with TRL and PEFT themselves: trained, killed, gone on with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from statistics import mean
from typing import TYPE_CHECKING

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from bot.engines.adapters import CONFIG, WEIGHTS
from bot.engines.local.loading import folder_hash
from bot.errors import ConfigError, ModelCorrupt, ModelError, ModelNotFound
from bot.training import child, record, rows
from bot.training.recipe import Method, Recipe
from bot.training.runs import Job, Run
from bot.training.worker import training

if TYPE_CHECKING:
    from pathlib import Path

SHORT = {"max_steps": 8, "evaluate_every": 3, "batch": 4, "accumulation": 1, "max_length": 300}


@pytest.fixture
def run_of(tiny, folders, tmp_path):
    """A run with a recipe of a few updates, in a folder of its own."""

    def make(name: str = "run", *, parent: Path | None = None, **recipe: object) -> Run:
        chosen = Recipe.model_validate(SHORT | {"learning_rate": 2e-3} | recipe)
        dataset = rows.read(folders.get(chosen.method, folders[Method.DPO]), chosen.method)
        more = {}
        if parent is not None:
            sha256 = record.sha256_of(parent / WEIGHTS)
            more = {"parent_adapter": parent, "parent_sha256": sha256, "generation": 2}
        job = Job(
            contender="small",
            base="path:tiny",
            base_folder=tiny,
            weights=folder_hash(tiny),
            template="transcript",
            template_digest="0",
            dataset=dataset.folder,
            dataset_identity=dataset.identity,
            recipe=chosen,
            dtype="float32",
            adapters=tmp_path / name / "adapters",
            threads=1,
            **more,
        )
        run = Run(tmp_path / name)
        run.begin(job)
        return run

    return make


def trained(run: Run) -> Path:
    return child.train(run, lambda _: None)


def killed(run: Run, *, at: int | str) -> None:
    """Train, and end the process with SIGKILL right after a step, or as a stage begins."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.training.worker", str(run.folder)],
        env=os.environ | child._ENVIRONMENT | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        event = json.loads(line)
        if at in (event.get("step"), event.get("stage")):
            break
    process.kill()
    assert process.wait() == -9


@pytest.mark.parametrize("method", list(Method))
def test_every_method_leaves_a_folder_that_peft_reads(run_of, tiny, method):
    run = run_of(method=method)
    folder = trained(run)
    found = record.read(folder)
    assert found.slug == folder.name == f"small-{method}-{found.weights_sha256[:8]}"
    assert found.weights_sha256 == record.sha256_of(folder / WEIGHTS)
    assert (found.parent, found.generation, found.method) == ("small", 1, method)
    assert found.steps == 8
    assert [step["step"] for step in found.curves] == list(range(1, 9))
    assert 0 < found.evaluation.pairs <= found.dataset.held_out
    assert found.evaluation.low <= found.evaluation.accuracy <= found.evaluation.high

    settings = json.loads((folder / CONFIG).read_text())
    assert settings["base_model_name_or_path"] == "path:tiny"
    for path in folder.rglob("*.json"):
        assert str(tiny.parent) not in path.read_text("utf-8")
    base = AutoModelForCausalLM.from_pretrained(tiny)
    ids = AutoTokenizer.from_pretrained(folder)("Ann: hello\nBot:", return_tensors="pt")
    before = base(**ids).logits
    after = PeftModel.from_pretrained(base, folder)(**ids).logits
    assert not torch.allclose(before, after)

    assert run.adapter == folder
    assert not list(run.folder.glob("checkpoint-*"))


def test_what_is_preferred_becomes_more_likely_than_what_is_not(run_of):
    found = record.read(trained(run_of(max_steps=30, evaluate_every=10, learning_rate=2e-3)))
    assert mean(step["margin"] for step in found.curves[-5:]) > 1
    kept = next(step for step in found.curves if step["step"] == found.best_step)
    assert kept["held_out_loss"] == min(s.get("held_out_loss", 9) for s in found.curves)
    assert found.curves[0]["margin"] == pytest.approx(0, abs=1e-3)  # it begins as its parent


def test_without_patience_it_goes_to_the_end_and_keeps_that(run_of):
    more = {"max_steps": 6, "evaluate_every": 1, "learning_rate": 0.5}
    found = record.read(trained(run_of(**more, patience=0)))
    assert (found.ended, found.best_step, found.steps) == (record.Ended.DONE, 6, 6)
    looks = [step["held_out_loss"] for step in found.curves]
    assert min(looks) < looks[-1]


@pytest.mark.parametrize("method", [Method.DPO, Method.KTO])
def test_killed_at_any_step_it_ends_with_the_same_adapter(run_of, method):
    more = {
        "method": method,
        "max_steps": 40,
        "evaluate_every": 5,
        "patience": 2,
        "dropout": 0.1,
    }
    undisturbed = trained(run_of("undisturbed", **more))
    whole = record.read(undisturbed)
    run = run_of("killed", **more)
    killed(run, at=2)
    assert run.last() is None
    killed(run, at=7)
    (run.folder / "checkpoint-99").mkdir()  # as if it had been killed while it wrote one
    heard: list[dict[str, object]] = []
    resumed = child.train(run, lambda event: heard.append(dict(event)))
    assert {"event": "stage", "stage": "training", "resumed": True} in heard
    again = record.read(resumed)
    tensors, others = (load_file(f / WEIGHTS) for f in (undisturbed, resumed))
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())
    assert (again.slug, again.steps, again.ended) == (whole.slug, whole.steps, whole.ended)
    assert again.curves == whole.curves


@pytest.mark.parametrize(
    ("more", "stage"),
    [
        (
            {"max_steps": 40, "evaluate_every": 1, "patience": 1, "learning_rate": 0.5},
            "evaluating",
        ),
        ({"max_steps": 5, "evaluate_every": 5, "schedule": "constant"}, "writing the adapter"),
        (
            {"max_steps": 6, "evaluate_every": 1, "patience": 0, "learning_rate": 0.5},
            "evaluating",
        ),
    ],
    ids=["stopped early", "inside an epoch", "to the end"],
)
def test_killed_when_its_training_is_over_it_does_not_train_on(run_of, more, stage):
    undisturbed = trained(run_of("undisturbed", **more))
    whole = record.read(undisturbed)
    early = whole.ended is record.Ended.STOPPED_EARLY
    assert early == (whole.steps < more["max_steps"]) == bool(more.get("patience"))
    run = run_of("killed", **more)
    killed(run, at=stage)
    assert run.adapter is None
    moved = Run(run.folder.rename(run.folder.with_name("moved")))  # as a data folder may be
    again = record.read(trained(moved))
    assert (again.weights_sha256, again.ended) == (whole.weights_sha256, whole.ended)
    assert (again.steps, again.best_step) == (whole.steps, whole.best_step)
    assert (again.curves, again.evaluation) == (whole.curves, whole.evaluation)


def test_a_child_goes_on_with_its_parents_adapter_and_keeps_to_it(run_of):
    parent = trained(run_of("parent"))
    first = load_file(parent / WEIGHTS)
    run = run_of("child", parent=parent, learning_rate=1e-9)
    folder = trained(run)
    found = record.read(folder)
    assert (found.generation, found.parent_sha256) == (2, record.read(parent).weights_sha256)
    for name, tensor in load_file(folder / WEIGHTS).items():
        assert torch.allclose(tensor, first[name], atol=1e-6)
    assert found.curves[0]["margin"] == pytest.approx(0, abs=1e-3)

    other = run_of("other", parent=parent)
    (parent / WEIGHTS).write_bytes(b"something else")
    with pytest.raises(ModelCorrupt, match="not the adapter that was named"):
        trained(other)


def test_a_loss_that_is_no_number_ends_it_with_a_sentence(run_of):
    run = run_of(learning_rate=1e30, max_grad_norm=1e30, warmup=0)
    with pytest.raises(ModelError, match=r"diverged at step .* lower --learning-rate"):
        trained(run)
    assert run.adapter is None


def test_no_row_that_fits_is_a_sentence(run_of):
    with pytest.raises(ConfigError, match="longer than --max-length"):
        trained(run_of(max_length=16))


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"target_modules": ("no_such_layer",)}, "down_proj, gate_proj, k_proj, o_proj, q_proj,"),
        ({"target_modules": ("q_proj", "lm_head")}, "--target lm_head names no linear layers"),
        ({"target_modules": ("embed_tokens",)}, "--target embed_tokens names no linear layers"),
        ({"target_modules": ("mlp",)}, "--target mlp names no linear layers"),
        ({"rank": 17}, "--rank 17 is more than the 16 numbers"),
    ],
)
def test_what_could_not_be_served_is_not_trained(run_of, shape, words):
    with pytest.raises(ConfigError, match=words):
        trained(run_of(**shape))


def test_some_layers_can_be_named_by_the_end_of_their_names(run_of):
    folder = trained(run_of(target_modules=("q_proj", "0.mlp.down_proj"), rank=32, max_steps=1))
    layers = {name.rsplit(".", 3)[1] for name in load_file(folder / WEIGHTS)}
    assert layers == {"q_proj", "down_proj"}


def test_a_gpu_is_asked_to_compute_the_same_each_time(monkeypatch):
    before = torch.are_deterministic_algorithms_enabled()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    try:
        training._repeat()
        assert torch.are_deterministic_algorithms_enabled() == before, "a processor does anyway"
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        training._repeat()
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(before)


def test_a_dataset_may_go_while_it_is_trained_on(run_of, folders, tmp_path):
    dataset = shutil.copytree(folders[Method.DPO], tmp_path / "dataset")
    run = run_of(max_steps=2)
    run.begin(run.job.model_copy(update={"dataset": dataset}))

    def hear(event):
        if event.get("stage") == "training":
            shutil.rmtree(dataset)

    assert record.is_whole(child.train(run, hear))
    assert not dataset.exists()


def test_a_fault_that_nobody_knew_of_is_in_the_log(run_of):
    run = run_of()
    run.begin(run.job.model_copy(update={"dtype": "no_such_type"}))
    with pytest.raises(ModelError, match=re.escape(str(run.log))):
        trained(run)
    assert "Traceback" in run.log.read_text("utf-8")


def test_the_card_tells_where_it_comes_from_and_how_to_get_rid_of_it(run_of, folders):
    folder = trained(run_of())
    card = (folder / "README.md").read_text("utf-8")
    told = record.read(folder)
    assert told.dataset.manifest_sha256 == record.sha256_of(folders[Method.DPO] / "manifest.json")
    for words in (
        told.slug,
        told.dataset.manifest_sha256,
        '"deciding": "majority"',
        "simulated members",
        f"twofold models rm {told.slug}",
        "[LICENSE](licences/LICENSE)",
    ):
        assert words in card
    drawn = set(re.findall(r"\]\((pictures/\w+\.png)\)", card))
    assert drawn == {
        f"pictures/{name}.png" for name in ("loss", "margin", "accuracy", "likelihood")
    }
    for path in drawn:
        assert (folder / path).read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_a_record_is_none_of_ours(tmp_path):
    with pytest.raises(ModelNotFound, match=r"no training\.json"):
        record.read(tmp_path)
    (tmp_path / record.RECORD).write_text("{}")
    with pytest.raises(ModelCorrupt, match="Train the adapter anew"):
        record.read(tmp_path)
