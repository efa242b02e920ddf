"""LoRA adapters by PEFT itself, and what PEFT says with them: the measure for ours."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model

if TYPE_CHECKING:
    from pathlib import Path


def save_adapter(
    model: Any, folder: Path, *, seed: int, strength: float = 0.3, **changes: Any
) -> Path:
    """Write an adapter for `model` whose matrices are random, so that it says other things."""
    config = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
    torch.manual_seed(seed)
    tuned = get_peft_model(deepcopy(model), LoraConfig(**(config | changes)))
    for name, weights in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weights, std=strength)
    tuned.save_pretrained(str(folder))
    return folder


def continued(model: Any, folder: Path | None, ids: list[int], *, tokens: int) -> list[int]:
    """The ids that `generate` adds greedily, with the adapter in `folder` through PEFT."""
    if folder is not None:
        model = PeftModel.from_pretrained(deepcopy(model), str(folder))
    asked = torch.tensor([ids])
    made = model.generate(
        input_ids=asked,
        attention_mask=torch.ones_like(asked),  # else tokens like the padding's are left out
        max_new_tokens=tokens,
        do_sample=False,
    )
    return made[0, len(ids) :].tolist()
