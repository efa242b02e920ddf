"""How far a tuned model has gone from its base model. Imports torch and peft."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peft import PeftModel

from bot.engines.adapters import WEIGHTS
from bot.engines.local.loading import load
from bot.errors import ModelNotFound
from bot.training.rows import Row, Text
from bot.training.worker.heads import score_answers_only
from bot.training.worker.scoring import scores
from bot.training.worker.tokens import Encoder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LONGEST = 2048


def divergence(base: Path, adapter: Path, said: Sequence[tuple[str, str, bool]]) -> float | None:
    """How far a model has gone from its base on its own answers, in nats a token.

    The mean of log p(tuned) - log p(base) over the tokens of `said`, each a prompt, a completion
    and whether the model ended it. Were the answers drawn at temperature 1 from all tokens, this
    would estimate the Kullback-Leibler divergence. Those of the arena are drawn with its
    temperature, top-p and top-k, and encoded anew from their text, while both probabilities are
    those before temperature, top-p and top-k: likely tokens count for more, and it may be
    below 0. Only compare it between models that answered with the same settings. None
    where there are no tokens. Raises ModelError where the weights cannot be read.
    """
    loaded = load(base)
    encoder = Encoder(loaded)
    rows, _ = encoder.rows(
        [Row(prompt, Text(raw, ended=ended), None) for prompt, raw, ended in said if raw],
        max_length=LONGEST,
    )
    tokens = sum(len(row.liked or ()) for row in rows)
    if not tokens:
        return None
    if not (adapter / WEIGHTS).is_file():  # PEFT would take a pickle in its place
        raise ModelNotFound(f"{adapter} holds no adapter: it has no {WEIGHTS}.")
    score_answers_only(loaded.model)
    model = PeftModel.from_pretrained(loaded.model, str(adapter))
    mine = scores(model, rows)
    with model.disable_adapter():
        before = scores(model, rows)
    gained = sum(
        (new or 0.0) - (old or 0.0) for (new, _), (old, _) in zip(mine, before, strict=True)
    )
    return gained / tokens
