"""How an adapter is trained: every hyperparameter, and what is sensible by the size of the data."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]

ALL_LINEAR = "all-linear"
"""Every linear layer but the one that scores tokens, as PEFT calls them."""

UPDATES = 60
"""So many are aimed at, in up to three epochs: with few pairs more of them, with many fewer."""

MANY = 2000
"""Rows from which on an update takes in twice as many."""

TELLING = 64
"""Held-out rows from which on their loss tells which weights are better. With fewer it is mostly
chance: by 20 rows a quarter of a training was once kept, for a difference of 0.01."""

LARGE = 2_000_000_000
"""From so many parameters on activations are computed twice, to save memory."""


class Method(StrEnum):
    """What of the votes the model learns from, and with which loss of TRL's.

    `dpo` and `orpo` learn from pairs, `kto` from single answers and whether they were liked, `sft`
    from what was liked alone.
    """

    DPO = "dpo"
    KTO = "kto"
    SFT = "sft"
    ORPO = "orpo"


class Precision(StrEnum):
    """What the numbers of the base model are while an adapter on it is trained."""

    BFLOAT16 = "bfloat16"
    FLOAT32 = "float32"


class Recipe(BaseModel):
    """Every hyperparameter of a training. The same recipe and rows give the same adapter.

    `beta` holds the model near its parent; for orpo it is the weight of the odds ratio.
    `sft_weight` is that of a second term of DPO's loss, the mean negative log-likelihood of
    the chosen tokens, against chosen answers that become less likely together with the rejected.
    `batch` rows are computed at once and `accumulation` batches make one update. `max_steps` ends
    before `epochs` do. `evaluate_every` counts updates; after `patience` evaluations on
    held-out rows without improvement the training stops, and the best weights are kept; at 0 it
    goes on to the end, and the last are. `max_length` is in tokens, prompt and
    answer together: longer rows are left out. `desirable_weight` and `undesirable_weight` are
    KTO's, balanced by default so that both kinds weigh the same in all.
    """

    # A job is written as JSON, which has no inf and no nan.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: Method = Method.DPO
    learning_rate: Positive = 1e-4
    beta: Positive = 0.1
    sft_weight: Annotated[float, Field(ge=0)] = 0.2
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    desirable_weight: Positive = 1.0
    undesirable_weight: Positive = 1.0
    epochs: Positive = 2.0
    max_steps: Count | None = None
    batch: Count = 4
    accumulation: Count = 2
    warmup: Share = 0.1
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Positive = 1.0
    rank: Count = 16
    alpha: Count = 32
    dropout: Share = 0.0
    target_modules: Annotated[tuple[str, ...], Field(min_length=1)] = (ALL_LINEAR,)
    max_length: Annotated[int, Field(ge=16)] = 512
    evaluate_every: Count = 20
    patience: Annotated[int, Field(ge=0)] = 3
    gradient_checkpointing: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _batches_that_kto_takes(self) -> Self:
        if self.method is Method.KTO and self.batch == 1:
            raise ValueError("kto compares answers within a batch, so --batch must be 2 or more")
        return self

    @model_validator(mode="after")
    def _all_layers_or_some(self) -> Self:
        if ALL_LINEAR in self.target_modules and len(self.target_modules) > 1:
            raise ValueError(f"{ALL_LINEAR} is every linear layer, so name no other --target")
        return self

    @property
    def digest(self) -> str:
        """Twelve hex digits that change when anything in it does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def updates(self, rows: int) -> int:
        """How many updates so many rows give."""
        each = -(-rows // (self.batch * self.accumulation))
        planned = max(1, round(self.epochs * each))
        return min(planned, self.max_steps) if self.max_steps else planned


def hyperparameters(table: dict[str, Any]) -> dict[str, Any]:
    """The same as a recipe would have it. Raises ValueError where none could."""
    try:
        return Recipe.model_validate(table).model_dump(include=set(table))
    except ValidationError as error:
        raise ValueError(reason(error)) from None


def reason(error: ValidationError) -> str:
    """What is wrong with a recipe, without a full stop."""
    first = error.errors()[0]
    if "error" in first.get("ctx", {}):
        return str(first["ctx"]["error"])
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def advised(
    method: Method,
    *,
    rows: int,
    liked: int,
    held_out: int,
    parameters: int,
    gpu: bool = False,
    **chosen: object,
) -> Recipe:
    """The recipe for so many rows to train on, `liked` of them desirable; `chosen` goes before.

    `held_out` are rows to look at on the way.

    TRL's learning rates are for all weights of large models: DPO's 1e-6 leaves a LoRA adapter
    as it was. With some hundred pairs the default base model learns them by heart at 2e-4 in
    four passes, not at 1e-4 in two; at 5e-5 it learns less of them. Raises ValidationError.
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    single = method in {Method.KTO, Method.SFT}
    batch = (16 if gpu else 8) if single else (8 if gpu else 4)
    batch = int(str(given.get("batch", batch)))
    accumulation = max(1, (16 if rows >= MANY else 8) * (2 if single else 1) // max(1, batch))
    size = max(1, batch) * int(str(given.get("accumulation", accumulation)))
    each = max(1, -(-rows // size))
    sensible: dict[str, object] = {
        "method": method,
        "learning_rate": 2e-5 if parameters > LARGE and method is not Method.SFT else 1e-4,
        "batch": batch,
        "accumulation": accumulation,
        "epochs": float(min(3, max(1, round(UPDATES / each)))),
        "evaluate_every": max(1, min(20, each // 2)),
        "patience": 3 if held_out >= TELLING else 0,
        "gradient_checkpointing": parameters > LARGE,
    }
    if method is Method.KTO and rows > liked > 0:
        # Eq. (8) of Ethayarajh et al. (2024), KTO: the rarer kind is weighed up.
        rest = rows - liked
        sensible["desirable_weight"] = round(max(1.0, rest / liked), 3)
        sensible["undesirable_weight"] = round(max(1.0, liked / rest), 3)
    return Recipe.model_validate(sensible | given)
