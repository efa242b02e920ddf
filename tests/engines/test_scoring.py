"""Reference log-probabilities of real small models, beside what TRL computes itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset
from tiny_model import save_tiny_model
from transformers import (
    AutoTokenizer,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GraniteConfig,
    GraniteForCausalLM,
)
from trl import DPOConfig, DPOTrainer

from bot.dataset.logprobs import Scored
from bot.engines.local.scoring import LocalScorer
from bot.errors import ModelError

SHAPE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
    "initializer_range": 0.5,
}
PAIRS = [
    ("Q: sky?\nA:", " Blue.", " Green, I think, but it may be blue as well. " * 4),
    ("Ann: hello there, how are yo", "u?", "u? fine, thank you."),  # tokens merge
    ("Ann: hello there, how are yo", "u?", " no"),  # only one side's do
    ("Bot:", " it ends here<eos>", " <|user|>spelled<|end|>"),
    ("naïve 🦊 日本:", " é ü 🦊", ""),
    ("", "nothing before", "it"),
    ("The quick brown fox", " jumps over", " jumps over"),
]


def rows(pairs=PAIRS):
    return [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in pairs]


def both(rows):
    return [logp for row in rows for logp in (row["ref_chosen_logps"], row["ref_rejected_logps"])]


def capped(folder):
    """The tiny model's tokenizer with a random Gemma, here one that caps its scores."""
    save_tiny_model(folder)
    words = len(AutoTokenizer.from_pretrained(folder))
    sizes = {"vocab_size": words, "sliding_window": 16}
    config = Gemma3TextConfig(**SHAPE, **sizes, final_logit_softcapping=3.0)
    Gemma3ForCausalLM(config).save_pretrained(folder)
    return folder


def by_trl(folder, pairs, out):
    settings = DPOConfig(
        output_dir=str(out),
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        precompute_ref_log_probs=True,
        per_device_train_batch_size=3,
        max_length=None,
    )
    trainer = DPOTrainer(
        model=str(folder),
        args=settings,
        train_dataset=Dataset.from_list(rows(pairs)),
        processing_class=AutoTokenizer.from_pretrained(str(folder)),
    )
    return both(trainer.train_dataset)


@pytest.mark.parametrize("save", [save_tiny_model, capped])
def test_the_numbers_are_trls_own(save, tmp_path):
    folder, ours = save(tmp_path / "model"), rows()
    scored = Scored(scorer=LocalScorer(folder), cache=tmp_path / "cache")
    scored.fill(ours)
    scored.close()
    assert both(ours) == pytest.approx(by_trl(folder, PAIRS, tmp_path / "out"), rel=1e-4)


def test_a_number_does_not_depend_on_its_batch(tiny):
    scorer = LocalScorer(tiny)
    words = [(f"Q: {n}" * (n % 9 + 1), " A" * n, f" {n}") for n in range(60)]
    alone = [logp for pair in words for _, logp in scorer.score([pair])]
    batched = dict(scorer.score(words))
    assert [batched[n] for n in range(60)] == pytest.approx(alone, rel=1e-5)


def test_a_row_is_too_long_where_either_side_is(tiny):
    pairs = [("Q:", " A", " B"), ("Q:", " A", " B" * 100), ("Q:", " B" * 100, " A")]
    got = dict(LocalScorer(tiny, max_length=64).score(pairs))
    assert [logp is None for _, logp in sorted(got.items())] == [False, True, True]


def test_a_model_whose_scores_are_scaled_in_an_unknown_way_is_refused(tmp_path):
    folder = save_tiny_model(tmp_path / "model")
    words = len(AutoTokenizer.from_pretrained(folder))
    shape = {key: value for key, value in SHAPE.items() if key != "head_dim"}
    config = GraniteConfig(**shape, vocab_size=words, logits_scaling=8.0)
    GraniteForCausalLM(config).save_pretrained(folder)
    with pytest.raises(ModelError, match="scales its scores"):
        list(LocalScorer(folder).score([("Q:", " A", " B")]))


def test_weights_that_changed_in_place_have_another_fingerprint(tiny, tmp_path):
    folder = save_tiny_model(tmp_path / "model")
    before = LocalScorer(folder).fingerprint
    os.utime(folder / "model.safetensors", (1, 2_000_000_000))
    assert LocalScorer(folder).fingerprint != before


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_scoring import MANY, rows
from bot.dataset.logprobs import Scored
from bot.engines.local.scoring import LocalScorer

def killed(done):
    if done >= 25:
        os.kill(os.getpid(), signal.SIGKILL)

scorer = LocalScorer(Path(sys.argv[1]))
Scored(scorer=scorer, cache=Path(sys.argv[2]), progress=killed).fill(rows(MANY))
"""
MANY = [(f"Q: {n}?\nA:", f" It is {n}, I think." * 3, f" {n}") for n in range(60)]


def test_a_killed_export_goes_on_where_it_was(tiny, tmp_path):
    cache = tmp_path / "cache"
    here = Path(__file__).parent
    command = [sys.executable, "-c", CHILD, str(tiny), str(cache), str(here)]
    child = subprocess.run(command, cwd=here.parents[1], check=False)
    assert child.returncode == -signal.SIGKILL
    (file,) = cache.iterdir()
    kept = file.read_bytes().splitlines()
    assert 0 < len(kept) < 120

    wanted, whole = rows(MANY), rows(MANY)
    scored = Scored(scorer=LocalScorer(tiny), cache=cache)
    scored.fill(wanted)
    scored.close()
    lines = file.read_bytes().splitlines()
    assert scored.computed == 120 - len(kept)
    assert lines[: len(kept)] == kept
    assert len({line.split(b",")[0] for line in lines}) == len(lines) == 120

    Scored(scorer=LocalScorer(tiny), cache=tmp_path / "other").fill(whole)
    assert both(wanted) == pytest.approx(both(whole), rel=1e-5)
