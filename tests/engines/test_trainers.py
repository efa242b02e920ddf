"""Exports as TRL's trainers take them, and as a local engine would have read them."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import datasets
import pytest
import torch
from tiny_model import save_tiny_model
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import (
    DPOConfig,
    DPOTrainer,
    KTOConfig,
    KTOTrainer,
    RewardConfig,
    RewardTrainer,
    SFTConfig,
    SFTTrainer,
)
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

from bot import prompting
from bot.engines import ChatMessage
from bot.engines.local.loading import load
from storage.database import Database, database_url
from tests.unit.answered import LONG, NAMES, answered
from tests.unit.exports import NAMES as HASHES
from tests.unit.exports import exported

if TYPE_CHECKING:
    from pathlib import Path

    from bot.engines.local.loading import Loaded
    from storage.records import VotedBattle

TRAINERS = {
    "dpo": (DPOTrainer, DPOConfig),
    "kto": (KTOTrainer, KTOConfig),
    "sft": (SFTTrainer, SFTConfig),
    "reward": (RewardTrainer, RewardConfig),
    "orpo": (ORPOTrainer, ORPOConfig),
    "cpo": (CPOTrainer, CPOConfig),
}
ALL_IN_ONE = {"validation": 0, "test": 0}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answered")
    asyncio.run(answered(folder))
    return folder


@pytest.fixture(scope="module")
def roomy(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("roomy"), positions=2048)


async def loaded(home: Path, folder: Path, form: str, **options: Any) -> datasets.Dataset:
    await exported(home, str(folder), form, **ALL_IN_ONE, **options)
    return train_of(folder)


def train_of(folder: Path) -> datasets.Dataset:
    return datasets.load_dataset(str(folder), cache_dir=str(folder.parent / "cache"))["train"]


def trainer_of(
    name: str,
    data: Any,
    model: Path,
    *,
    kind: type | None = None,
    tokenizer: Any = None,
    ref_model: Any = None,
    **more: Any,
) -> Any:
    trainer, settings = TRAINERS[name]
    tokenizer = tokenizer or AutoTokenizer.from_pretrained(str(model))
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    reference = {"ref_model": ref_model} if ref_model else {}
    return (kind or trainer)(
        model=str(model),
        args=settings(
            output_dir=str(model.parent / "out"),
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to=[],
            save_strategy="no",
            max_steps=1,
            per_device_train_batch_size=4,
            **more,
        ),
        train_dataset=data,
        processing_class=tokenizer,
        **reference,
    )


async def given(home: Path, model: Loaded, *, chat: bool) -> dict[str, list[int]]:
    """The tokens of each battle's prompt, as the engine gets them, by the battle's hash."""
    found = {}
    async with Database.open(database_url(home / "twofold.db")) as store:
        async for page in store.voted.pages(texts=("rendered",)):
            for battle in page:
                prompt = asked(battle) if chat else rendered(battle)
                found[HASHES.of("battle", battle.id)] = model.ids(prompt)
    return found


def renamed(text: str) -> str:
    for name, told in NAMES.items():
        text = text.replace(name, told)
    return text


def rendered(battle: VotedBattle) -> str:
    (text,) = filter(None, (answer.rendered for answer in battle.answers))
    return renamed(text)


def asked(battle: VotedBattle) -> tuple[ChatMessage, ...]:
    talk = prompting.chat(battle.conversation)
    return tuple(ChatMessage(message.role, renamed(message.content)) for message in talk)


def prompt_of(row: dict[str, Any]) -> list[int]:
    """What a trainer takes for the prompt: what has no label, where it is not told apart."""
    if "prompt_ids" in row:
        return row["prompt_ids"]
    if "prompt_input_ids" in row:
        return row["prompt_input_ids"]
    learnt = row["labels"].index(next(label for label in row["labels"] if label != -100))
    return row["input_ids"][:learnt]


@pytest.mark.parametrize(
    ("name", "form", "chat", "policy"),
    [
        ("dpo", "dpo", False, {}),
        ("dpo", "dpo", True, {}),
        ("dpo", "dpo", False, {"ties": "soft", "both_bad": "soft"}),
        ("dpo", "dpo", False, {"deciding": "every"}),
        ("dpo", "dpo", False, {"text": "raw"}),
        ("kto", "kto", False, {}),
        ("kto", "kto", True, {}),
        ("kto", "kto", False, {"deciding": "every", "ties": "desirable"}),
        ("sft", "sft", False, {}),
        ("sft", "sft", True, {}),
        ("orpo", "dpo", False, {}),
        ("cpo", "dpo", False, {}),
    ],
)
async def test_a_trainer_takes_a_step_on_every_row_and_the_prompt_that_was_given(
    home, roomy, tmp_path, name, form, chat, policy
):
    data = await loaded(home, tmp_path / "export", form, chat=chat, **policy)
    trainer = trainer_of(name, data, roomy)
    prompts = await given(home, load(roomy), chat=chat)
    assert len(trainer.train_dataset) == len(data) > 10
    for row in trainer.train_dataset:
        assert prompt_of(row) == prompts[row["battle"]]
    loss = trainer.train().training_loss
    assert math.isfinite(loss)
    assert loss > 0


@pytest.mark.parametrize("chat", [False, True])
async def test_a_reward_model_learns_from_every_row_with_its_margin(home, roomy, tmp_path, chat):
    data = await loaded(home, tmp_path / "export", "reward", chat=chat)
    trainer = trainer_of("reward", data, roomy)
    prompts = await given(home, load(roomy), chat=chat)
    assert len(trainer.train_dataset) == len(data) > 10
    for row, margin in zip(trainer.train_dataset, data["margin"], strict=True):
        prompt = prompts[row["battle"]]
        assert row["chosen_ids"][: len(prompt)] == row["rejected_ids"][: len(prompt)] == prompt
        assert 0 < row["margin"] == margin <= 1
    assert math.isfinite(trainer.train().training_loss)


async def test_prompts_have_the_tokens_that_a_real_model_is_given(home, pair, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pair[0] / file, model)
    tokenizer = AutoTokenizer.from_pretrained(str(model))
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), num_hidden_layers=1, **sizes)
    LlamaForCausalLM(config).save_pretrained(model)
    data = await loaded(home, tmp_path / "export", "dpo")
    # As a stream: for a table, `datasets` hashes the whole vocabulary several times.
    trainer = trainer_of("dpo", data.to_iterable_dataset(), model, tokenizer=tokenizer)
    prompts, rows = await given(home, load(model), chat=False), list(trainer.train_dataset)
    assert len(rows) == len(data)
    for row in rows:
        assert row["prompt_ids"] == prompts[row["battle"]]
        assert row["prompt_ids"].count(tokenizer.bos_token_id) == 1


def given_by(card: str) -> type:
    """The trainer that a card shows, made of its very words."""
    (code,) = re.findall("```python\n(from trl .*?)```", card, re.DOTALL)
    made: dict[str, Any] = {}
    exec(code, made)
    return made["Given"]


def scored_export(home: Path, model: Path, folder: Path) -> dict[str, Any]:
    """What the command line writes with the log-probabilities of a base model that runs here."""
    roster = [
        {"slug": "base", "kind": "base", "model": f"path:{model}"},
        {"slug": "instruct", "kind": "instruct", "model": "scripted:"},
    ]
    arguments = ["export", "--out", str(folder), "--logprobs", "base"]
    done = subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments, "--validation", "0", "--test", "0"],
        env={
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "200",
            "TWOFOLD_HOME": str(home),
            "TWOFOLD_TRAINING_EXPORT": "true",
            "TWOFOLD_CONTENDERS": json.dumps(roster),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {"said": done.stdout, **json.loads((folder / "manifest.json").read_bytes())}


def moved(model: Path, out: Path) -> Path:
    """A model that has learnt something since: not its own reference any more."""
    shutil.copytree(model, out)
    learnt = LlamaForCausalLM.from_pretrained(model)
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in learnt.parameters():
            weights.add_(0.2 * torch.randn_like(weights))
    learnt.save_pretrained(out)
    return out


async def test_log_probabilities_of_an_export_are_those_that_trl_would_compute(
    home, tiny, tmp_path
):
    manifest = scored_export(home, tiny, tmp_path / "export")
    assert manifest["funnel"]["left_out"]["too_long_for_the_model"] == 1
    rows = manifest["rows"]
    assert f"log-probabilities: {rows} of {rows + 1} rows, the others are" in manifest["said"]
    data = train_of(tmp_path / "export")
    assert not any(LONG.strip() in row["chosen"] + row["rejected"] for row in data)

    with pytest.raises(ValueError, match="ref_chosen_logps"):
        trainer_of("dpo", data, tiny, precompute_ref_log_probs=True)

    policy = moved(tiny, tmp_path / "policy")
    bare = data.remove_columns(["ref_chosen_logps", "ref_rejected_logps"])
    own = trainer_of(
        "dpo",
        bare,
        policy,
        precompute_ref_log_probs=True,
        ref_model=LlamaForCausalLM.from_pretrained(tiny),
    )
    kind = given_by((tmp_path / "export" / "README.md").read_text())
    ours = trainer_of("dpo", data, policy, kind=kind, precompute_ref_log_probs=True)
    for column in ("ref_chosen_logps", "ref_rejected_logps"):
        computed = own.train_dataset[column]
        assert ours.train_dataset[column] == pytest.approx(list(computed), rel=1e-4)
    losses = [trainer.train().training_loss for trainer in (own, ours)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[0] != pytest.approx(math.log(2), rel=1e-2)
