"""TRL's trainers on rows that are tokens already. Imports torch, trl, peft.

The rows come tokenized, with the reference's log-probabilities, so that what is trained is
what is served, and the parent is read once rather than in every epoch.
"""
# ruff: noqa: ANN401 - the libraries' models, trainers and data sets have no usable types

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from datasets import Dataset
from torch.utils.data import Sampler
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from bot.errors import ConfigError
from bot.training.recipe import Method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from bot.training.recipe import Recipe
    from bot.training.worker.scoring import Scores
    from bot.training.worker.tokens import Encoded


class ByLength(Sampler[int]):
    """Rows in an order that follows from seed and epoch alone, with like lengths in a batch.

    Shuffled, sorted by length within stretches of `stretch` rows, and cut into batches whose
    order is shuffled again. Like `group_by_length` of transformers, but without its global
    random state, so that a training that goes on later takes the same rows.
    """

    def __init__(self, lengths: Sequence[int], *, batch: int, seed: int) -> None:
        self._lengths = lengths
        self._batch = batch
        self._stretch = 16 * batch
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Take the order of another epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = torch.Generator().manual_seed(self._seed * 100_003 + self._epoch)
        order = torch.randperm(len(self._lengths), generator=random).tolist()
        stretches = [order[at : at + self._stretch] for at in range(0, len(order), self._stretch)]
        ordered = [row for part in stretches for row in sorted(part, key=self._lengths.__getitem__)]
        *batches, last = [
            ordered[at : at + self._batch] for at in range(0, len(ordered), self._batch)
        ]
        for at in torch.randperm(len(batches), generator=random).tolist():
            yield from batches[at]
        yield from last  # it may be smaller


class _Prepared:
    """Rows are taken as they are; they come with the reference's log-probabilities."""

    args: Any
    train_dataset: Any

    def _prepare_dataset(self, dataset: Any, *_: object, **__: object) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: object, **__: object) -> Any:
        return dataset

    def _get_train_sampler(self, _: Any = None) -> Any:
        return ByLength(
            list(self.train_dataset["length"]),
            batch=self.args.per_device_train_batch_size,
            seed=self.args.seed,
        )


class _Dpo(_Prepared, DPOTrainer):
    pass


class _Sft(_Prepared, SFTTrainer):
    pass


class _Kto(_Prepared, KTOTrainer):
    """Its batches are made in order, and it also needs the reference for mismatched answers."""

    _get_train_sampler: Any = KTOTrainer._get_train_sampler  # noqa: SLF001 - see above
    _precompute_ref_logps: Any = KTOTrainer._precompute_ref_logps  # noqa: SLF001


def make_trainer(
    recipe: Recipe,
    *,
    model: Any,
    tokenizer: Any,
    train: Sequence[Encoded],
    held_out: Sequence[Encoded],
    reference: tuple[Sequence[Scores], Sequence[Scores]],
    folder: Path,
) -> Any:
    """The trainer of a recipe's method on a PEFT model; `reference` scores both kinds of rows.

    Raises ConfigError where TRL has no such trainer any more.
    """
    kind, settings = _kind(recipe.method)
    rows = _ROWS[recipe.method]
    data = [
        Dataset.from_list(rows(part, scored, recipe)) if part else None
        for part, scored in zip((train, held_out), reference, strict=True)
    ]
    trainer = kind(
        model=model,
        args=settings(**_arguments(recipe, folder, evaluates=bool(held_out))),
        train_dataset=data[0],
        eval_dataset=data[1],
        processing_class=tokenizer,
    )
    if "ref" in getattr(model, "peft_config", {}):
        model.delete_adapter("ref")  # a copy of the parent, whose log-probabilities are here
    return trainer


def _kind(method: Method) -> tuple[Any, Any]:
    if method is Method.ORPO:
        return _orpo()
    return {
        Method.DPO: (_Dpo, DPOConfig),
        Method.KTO: (_Kto, KTOConfig),
        Method.SFT: (_Sft, SFTConfig),
    }[method]


def _orpo() -> tuple[Any, Any]:
    try:
        from trl.experimental.orpo import ORPOConfig, ORPOTrainer  # noqa: PLC0415 - it may go
    except ImportError:
        raise ConfigError(
            "This version of TRL has no ORPO any more. Choose --method dpo, which learns from "
            "the same pairs."
        ) from None

    class Orpo(ORPOTrainer):  # type: ignore[misc, unused-ignore]
        def tokenize_row(self, feature: dict[str, Any], _: object = None) -> dict[str, Any]:
            return {name: value for name, value in feature.items() if "_" in name}

    return Orpo, ORPOConfig


def _arguments(recipe: Recipe, folder: Path, *, evaluates: bool) -> dict[str, Any]:
    gpu = torch.cuda.is_available()
    chooses = evaluates and recipe.patience > 0
    common = {
        "output_dir": str(folder),
        "seed": recipe.seed,
        "use_cpu": not gpu,
        "bf16": False,  # the base model has its own precision, the adapter is float32
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": recipe.schedule,
        "warmup_steps": recipe.warmup,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_grad_norm,
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps or -1,
        "per_device_train_batch_size": recipe.batch,
        "per_device_eval_batch_size": recipe.batch,
        "gradient_accumulation_steps": recipe.accumulation,
        "gradient_checkpointing": recipe.gradient_checkpointing,
        "max_length": recipe.max_length,
        "dataloader_pin_memory": gpu,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": [],
        "save_strategy": "steps",
        "save_steps": recipe.evaluate_every,
        "save_total_limit": 2,
        "eval_strategy": "steps" if evaluates else "no",
        "eval_steps": recipe.evaluate_every,
        "load_best_model_at_end": chooses,
        "restore_callback_states_from_checkpoint": True,  # or patience would begin anew
        "metric_for_best_model": "loss" if chooses else None,
        "greater_is_better": False,
    }
    return common | _OWN[recipe.method](recipe)


def _of_dpo(recipe: Recipe) -> dict[str, Any]:
    first = "robust" if recipe.label_smoothing else "sigmoid"
    return {
        "beta": recipe.beta,
        "label_smoothing": recipe.label_smoothing,
        "loss_type": [first, "sft"] if recipe.sft_weight else [first],
        "loss_weights": [1.0, recipe.sft_weight] if recipe.sft_weight else [1.0],
        "precompute_ref_log_probs": True,
        "disable_dropout": not recipe.dropout,
    }


def _of_kto(recipe: Recipe) -> dict[str, Any]:
    return {
        "beta": recipe.beta,
        "desirable_weight": recipe.desirable_weight,
        "undesirable_weight": recipe.undesirable_weight,
        "precompute_ref_log_probs": True,
        "disable_dropout": not recipe.dropout,
    }


_OWN: Mapping[Method, Callable[[Recipe], dict[str, Any]]] = {
    Method.DPO: _of_dpo,
    Method.KTO: _of_kto,
    Method.SFT: lambda _: {},
    Method.ORPO: lambda recipe: {"beta": recipe.beta, "disable_dropout": not recipe.dropout},
}


def _pairs(rows: Sequence[Encoded], scored: Sequence[Scores], _: Recipe) -> list[dict[str, Any]]:
    return [
        {
            "prompt_ids": row.prompt,
            "chosen_ids": row.liked,
            "rejected_ids": row.disliked,
            "ref_chosen_logps": liked,
            "ref_rejected_logps": disliked,
            "length": row.length,
        }
        for row, (liked, disliked) in zip(rows, scored, strict=True)
    ]


def _singles(rows: Sequence[Encoded], _: Sequence[Scores], recipe: Recipe) -> list[dict[str, Any]]:
    """Answers one by one in KTO's order: shuffled once, each batch with its mismatched answers.

    Source: TRL's `KTOTrainer._prepare_dataset`, which turns the answers of each batch by one to
    estimate how far the model is from its reference.
    """
    made = [
        {"prompt_ids": row.prompt, "completion_ids": ids, "label": label}
        for row in rows
        for ids, label in ((row.liked, True), (row.disliked, False))
        if ids is not None
    ]
    random = torch.Generator().manual_seed(recipe.seed)
    made = [made[at] for at in torch.randperm(len(made), generator=random).tolist()]
    for at in range(0, len(made), recipe.batch):
        batch = made[at : at + recipe.batch]
        for one, before in zip(batch, [batch[-1], *batch], strict=False):
            one["KL_completion_ids"] = before["completion_ids"]
    return made


def _liked(rows: Sequence[Encoded], _: Sequence[Scores], __: Recipe) -> list[dict[str, Any]]:
    return [
        {
            "input_ids": row.prompt + row.liked,
            "labels": [-100] * len(row.prompt) + row.liked,
            "length": row.length,
        }
        for row in rows
        if row.liked is not None
    ]


def _whole_pairs(rows: Sequence[Encoded], _: Sequence[Scores], __: Recipe) -> list[dict[str, Any]]:
    """Pairs as ORPO's trainer has them once they are tokenized."""
    made = []
    for row in rows:
        told: dict[str, Any] = {"prompt": "", "chosen": "", "rejected": ""}
        told |= {"prompt_input_ids": row.prompt, "prompt_attention_mask": [1] * len(row.prompt)}
        for name, ids in (("chosen", row.liked), ("rejected", row.disliked)):
            whole = row.prompt + (ids or [])
            told[f"{name}_input_ids"] = whole
            told[f"{name}_attention_mask"] = [1] * len(whole)
            told[f"{name}_labels"] = [-100] * len(row.prompt) + (ids or [])
        made.append(told)
    return made


_ROWS = {
    Method.DPO: _pairs,
    Method.KTO: _singles,
    Method.SFT: _liked,
    Method.ORPO: _whole_pairs,
}
