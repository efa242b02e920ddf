"""The adapter: put on a model, and written into its folder. Imports peft."""
# ruff: noqa: ANN401 - PEFT's models have no usable types

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch import nn

from bot.disk import sync
from bot.engines.adapters import CONFIG, WEIGHTS
from bot.errors import ConfigError, ModelCorrupt
from bot.training import card
from bot.training.recipe import ALL_LINEAR
from bot.training.record import is_whole, sha256_of, write

if TYPE_CHECKING:
    from pathlib import Path

    from bot.training.recipe import Recipe
    from bot.training.record import TrainingRecord
    from bot.training.runs import Job, Run

_SLUG = 64
_OWN_END = re.compile(r"-(?:dpo|kto|sft|orpo)-[0-9a-f]{8}")


def with_lora(model: Any, job: Job) -> Any:
    """The model with a new adapter, or with its parent's to go on with.

    Raises ModelCorrupt, and ConfigError where the adapter could not be served afterwards.
    """
    recipe = job.recipe
    if job.parent_adapter is None:
        _require_served(model, recipe)
        modules = list(recipe.target_modules)
        shape = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=modules[0] if modules == [ALL_LINEAR] else modules,
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, shape)
    weights = job.parent_adapter / WEIGHTS
    if not weights.is_file() or sha256_of(weights) != job.parent_sha256:
        raise ModelCorrupt(f"{weights} is not the adapter that was named. Name it again.")
    return PeftModel.from_pretrained(model, str(job.parent_adapter), is_trainable=True)


def _require_served(model: Any, recipe: Recipe) -> None:
    """Raise ConfigError for layers and ranks that the local engine does not serve.

    A target is a layer's name or the end of it, as PEFT has it.
    """
    head = model.get_output_embeddings()
    modules = dict(model.named_modules())
    linear = {n: m for n, m in modules.items() if isinstance(m, nn.Linear) and m is not head}
    adapted = set[str]()
    for target in recipe.target_modules:
        meant = {name for name in modules if f".{name}".endswith(f".{target}")}
        if target == ALL_LINEAR:
            meant = set(linear)
        if not meant or not meant <= linear.keys():
            there = sorted({name.rpartition(".")[2] for name in linear})
            raise ConfigError(
                f"--target {target} names no linear layers inside of this model. Choose of: "
                f"{', '.join(there)}."
            )
        adapted |= meant
    narrowest = min(min(linear[n].in_features, linear[n].out_features) for n in adapted)
    if recipe.rank > narrowest:
        raise ConfigError(
            f"--rank {recipe.rank} is more than the {narrowest} numbers of the narrowest layer "
            "that is adapted. Choose a smaller one."
        )


def publish(run: Run, job: Job, model: Any, record: TrainingRecord) -> Path:
    """Write the adapter's folder and move it to its place in one step; returns the place."""
    draft = run.folder / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    _write_weights(draft, model, job)
    digest = sha256_of(draft / WEIGHTS)
    root = _OWN_END.sub("", job.contender)
    end = f"-{job.recipe.method}-{digest[:8]}"
    record = record.model_copy(
        update={"slug": f"{root[: _SLUG - len(end)]}{end}", "weights_sha256": digest}
    )
    for file in job.base_folder.glob("tokenizer*"):
        shutil.copy(file, draft)
    write(draft, record)
    card.write(draft, record, base=job.base_folder)
    place = job.adapters / record.slug
    if is_whole(place):  # the very same weights, from a run that was cut off before its last word
        shutil.rmtree(draft)
        return place
    shutil.rmtree(place, ignore_errors=True)
    for path in draft.rglob("*"):
        sync(path)
    job.adapters.mkdir(parents=True, exist_ok=True)
    draft.replace(place)
    sync(job.adapters)
    return place


def _write_weights(folder: Path, model: Any, job: Job) -> None:
    """PEFT's two files, naming the base model by its source, never by a place on this machine."""
    from peft import get_peft_model_state_dict  # noqa: PLC0415

    state = get_peft_model_state_dict(model, adapter_name="default", save_embedding_layers=False)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(state.items())}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    told = model.peft_config["default"].to_dict()
    told |= {"base_model_name_or_path": job.base, "inference_mode": True, "revision": None}
    plain = {name: sorted(v) if isinstance(v, set) else v for name, v in told.items()}
    text = json.dumps(plain, indent=2, sort_keys=True, default=str)
    (folder / CONFIG).write_text(f"{text}\n", "utf-8")
