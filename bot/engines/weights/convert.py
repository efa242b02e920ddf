"""GGUF becomes bf16 safetensors, in a process of its own: `python -m bot.engines.weights.convert`.

A child process, because transformers holds the dequantized weights twice while it
reads a GGUF: the memory comes back when the child ends, and a kill leaves nothing
behind but the work folder. It prints one JSON object a line: a stage, or an error.
"""
# ruff: noqa: ANN401 - transformers' models, tokenizers and managers have no usable types

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from bot.engines.weights.tether import heed

STAGES = ("reading the tokenizer", "reading the weights", "writing safetensors")


def convert(gguf: Path, out: Path) -> None:
    """Write config, bf16 safetensors, tokenizer and chat template of `gguf` into `out`.

    Reports each of STAGES on standard output before it begins. Raises what
    transformers raises; the parent process turns that into a sentence.
    """
    os.environ["HF_HUB_OFFLINE"] = (
        "1"  # the file is here: a missing one must not cost 25 s of retries
    )
    import torch  # noqa: PLC0415 - the module must be importable without torch
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    folder = str(gguf.parent)
    _report(0)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf.name, trust_remote_code=False)
    _report(1)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        low_cpu_mem_usage=True,
        trust_remote_code=False,
    )
    _report(2)
    _strip_quantization(model)
    _complete_generation_config(model, tokenizer)
    model.save_pretrained(str(out))
    tokenizer.save_pretrained(str(out))


def _report(stage: int) -> None:
    print(json.dumps({"stage": STAGES[stage], "done": stage, "total": len(STAGES)}), flush=True)  # noqa: T201


def _strip_quantization(model: Any) -> None:
    """Remove the mark that makes save_pretrained refuse; the weights are plain bf16 by now."""
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model, "quantization_method"):
        del model.quantization_method
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _complete_generation_config(model: Any, tokenizer: Any) -> None:
    """Set the ids at which generation ends: a generation config born from a GGUF lacks them."""
    settings = model.generation_config
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        value = getattr(tokenizer, name, None)
        if value is not None:
            setattr(settings, name, value)
    if settings.pad_token_id is None:
        settings.pad_token_id = settings.eos_token_id
    settings.do_sample = False
    settings.temperature = settings.top_p = settings.top_k = None


def main(arguments: list[str]) -> int:
    """Run as `convert GGUF OUT`; returns the exit status, with the reason as the last line."""
    try:
        convert(Path(arguments[0]), Path(arguments[1]))
    except Exception as error:  # noqa: BLE001 - a process boundary: the parent decides what it means
        kind = "MemoryError" if isinstance(error, MemoryError) else type(error).__name__
        number = error.errno if isinstance(error, OSError) else None
        print(json.dumps({"error": kind, "errno": number, "detail": str(error)}), flush=True)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(heed(sys.argv[1:])))
