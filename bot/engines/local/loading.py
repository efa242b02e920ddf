"""From a folder of safetensors to a model and its tokenizer in memory. Imports torch."""
# ruff: noqa: ANN401 - transformers' models, tokenizers and managers have no usable types

from __future__ import annotations

import errno
import gc
import hashlib
import json
import os
import platform
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from bot.errors import EngineError, ModelCorrupt, ModelNotFound, NoRoom

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bot.engines import ChatMessage, Prompt

# An idle OpenMP thread spins by default: with two models, or any other busy process, that
# makes everything 10 to 50 times slower. Read once, when torch loads its OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# The weights are in a folder: a file missing there must not become 25 s of network retries.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from transformers.utils import logging

from bot.engines.local.batching import BLOCKS, PAGE
from bot.engines.local.linear import has_bfloat16

ZERO_WIDTH_SPACE = "\u200b"

_LOADING = threading.Lock()
"""transformers builds a model under a process-wide default device: two loads at once leave
one of them with weights that were never read, sometimes without an error (seen)."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in memory with its tokenizer. Ids are token ids."""

    model: Any
    tokenizer: Any
    eos: list[int]
    controls: tuple[str, ...]
    """How the special tokens are spelled."""
    room: int
    """The most tokens, prompt and completion together, that one request can have."""
    dtype: str
    on_processor: bool

    def ids(self, prompt: Prompt, *, so_far: str = "") -> list[int]:
        """`prompt`, and what was said `so_far`, as the token ids that the model gets.

        Encoded as one text: some tokenizers put a space before each. Raises EngineError as
        `render` does.
        """
        if isinstance(prompt, str):
            return self.encode(prompt + so_far)
        return self.encode_chat(self.render(prompt) + so_far)

    def encode(self, text: str) -> list[int]:
        """Encode raw text as token ids: one <bos> where the model has one, else no control token.

        "<bos>" or "<|im_end|>" spelled in `text` become ordinary tokens.
        """
        backend = self.tokenizer.backend_tokenizer
        backend.encode_special_tokens = True
        return list(backend.encode(text, add_special_tokens=True).ids)

    def encode_chat(self, rendered: str) -> list[int]:
        """Encode a rendered chat as token ids: the template wrote all control tokens itself."""
        backend = self.tokenizer.backend_tokenizer
        backend.encode_special_tokens = False
        return list(backend.encode(rendered, add_special_tokens=False).ids)

    def render(self, chat: tuple[ChatMessage, ...]) -> str:
        """`chat` through the model's template, ready for the assistant's turn.

        Control tokens that are spelled in a message get a zero-width space inside,
        so that they stay text. Raises EngineError without a (fitting) template.
        """
        if not self.tokenizer.chat_template:
            raise EngineError("This model has no chat template: it can only continue raw text.")
        messages = [{"role": m.role, "content": self._neutral(m.content)} for m in chat]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True
                )
            )
        except Exception as error:  # templates raise what their authors like
            raise EngineError("This model's chat template does not take such a chat.") from error

    def decoder(self, prompt: list[int]) -> Callable[[list[int]], str]:
        """Make a function from the next token ids to the next text, without special tokens.

        It knows the end of the prompt, because some decoders treat the first token of
        a text differently. Bytes of an unfinished character are held back.
        """
        backend = self.tokenizer.backend_tokenizer
        stream = DecodeStream(ids=prompt[-8:], skip_special_tokens=True)

        def decode(ids: list[int]) -> str:
            return "".join(filter(None, (stream.step(backend, i) for i in ids)))

        return decode

    def _neutral(self, text: str) -> str:
        for token in self.controls:
            if token in text:
                text = text.replace(token, token[0] + ZERO_WIDTH_SPACE + token[1:])
        return text


def load(folder: Path, *, dtype: str | None = None) -> Loaded:
    """Load weights by memory map, and pick device and dtype.

    Raises ModelNotFound, ModelCorrupt and NoRoom. Takes seconds: call it in a thread.
    """
    if not (folder / "config.json").is_file():
        raise ModelNotFound(f"There is no model in {folder}. Fetch it with `twofold models pull`.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = getattr(torch, dtype) if dtype else choose_dtype(device)
    _check_memory(folder, precision, device)
    tokenizer, model = _read(folder, precision)
    model = model.eval().to(device)
    model.requires_grad_(requires_grad=False)
    room = _room(model.config.get_text_config())
    eos = _end_ids(model, tokenizer)
    # A full collection walks every object of the libraries (370,000) with the GIL held, for
    # 0.17 s: what is loaded now stays, so the collector need not look at it again.
    gc.collect()
    gc.freeze()
    return Loaded(
        model=model,
        tokenizer=tokenizer,
        eos=eos,
        controls=tuple(t.content for t in tokenizer.added_tokens_decoder.values() if t.special),
        room=room,
        dtype=str(precision).removeprefix("torch."),
        on_processor=device == "cpu",
    )


def choose_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies it well, else float32 (bf16 is emulated there)."""
    if device == "cuda":
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float32
        )
    if platform.machine() in ("x86_64", "AMD64"):
        good = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    else:
        good = has_bfloat16()
    return torch.bfloat16 if good else torch.float32


def folder_hash(folder: Path) -> str:
    """12 hex digits that stand for the weights in `folder`.

    The manifest's fingerprint where Twofold fetched them; else a hash of the configuration,
    the index and the names and sizes of the weight files.
    """
    manifest = folder / "manifest.json"
    if manifest.is_file():
        with suppress(ValueError, LookupError, TypeError):  # another program's, of that name
            return str(json.loads(manifest.read_text("utf-8"))["fingerprint"])[:12]
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(folder.glob("*.safetensors*")):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        if file.suffix == ".json":
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _read(folder: Path, precision: torch.dtype) -> tuple[Any, Any]:
    """Return tokenizer and model; every weight comes from the files or it is ModelCorrupt."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        _require_own_files(folder)
        with _LOADING:
            tokenizer = _tokenizer(folder)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                str(folder),
                dtype=precision,
                use_safetensors=True,
                trust_remote_code=False,
                attn_implementation="sdpa",
                output_loading_info=True,
            )
    except MemoryError as error:
        raise NoRoom(_too_big()) from error
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise NoRoom(_too_big()) from error
        raise _corrupt(folder) from error
    except Exception as error:  # transformers and safetensors raise many kinds on a bad file
        raise _corrupt(folder) from error
    model, report = loaded
    if report["missing_keys"] or report["mismatched_keys"]:
        raise _corrupt(folder)  # the library would go on with random numbers in their place
    return tokenizer, model


def _require_own_files(folder: Path) -> None:
    """Raise ValueError where an index of weights names files that are not in the folder."""
    for index in folder.glob("*.safetensors.index.json"):
        named = json.loads(index.read_text("utf-8"))["weight_map"].values()
        if any("/" in name or "\\" in name for name in named):
            raise ValueError("the index of the weights names files elsewhere")


def _tokenizer(folder: Path) -> Any:
    """The tokenizer; where there is no chat template to apply, its file is enough.

    The library's own class reads Gemma's 33 MB twice, for more than a second.
    """
    file, settings = folder / "tokenizer.json", folder / "tokenizer_config.json"
    known = json.loads(settings.read_text("utf-8")) if settings.is_file() else {}
    chats = "chat_template" in known or any(folder.glob("chat_template*"))
    if chats or not file.is_file():
        return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
    ends = {
        name: known[name] for name in ("bos_token", "eos_token") if isinstance(known.get(name), str)
    }
    return PreTrainedTokenizerFast(tokenizer_file=str(file), **ends)  # type: ignore[no-untyped-call]


def _room(config: Any) -> int:
    """A request larger than the cache could never be scheduled, and would stop the thread."""
    positions = int(getattr(config, "max_position_embeddings", None) or 4096)
    return min(positions, PAGE * BLOCKS // 2)


def _end_ids(model: Any, tokenizer: Any) -> list[int]:
    listed = model.generation_config.eos_token_id
    ids = listed if isinstance(listed, list) else [listed, tokenizer.eos_token_id]
    return sorted({int(i) for i in ids if i is not None})


def _check_memory(folder: Path, precision: torch.dtype, device: str) -> None:
    stored = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if device == "cuda":
        free = int(torch.cuda.mem_get_info()[0])
        needed = int(stored * 1.2)
    else:
        # bf16 files are mapped, float32 is a copy of twice the size beside the map.
        free = int(psutil.virtual_memory().available)
        needed = int(stored * (1.2 if precision is torch.bfloat16 else 2.2))
    if needed > free:
        raise NoRoom(
            f"The model needs about {needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB "
            "are free. Close other programs or choose a smaller model."
        )


def _too_big() -> str:
    return "The memory ran out while the model was loaded. Choose a smaller model."


def _corrupt(folder: Path) -> ModelCorrupt:
    return ModelCorrupt(
        f"The model in {folder} cannot be read. Check its files; if Twofold fetched it, remove it "
        "with `twofold models rm` and pull it again."
    )


def free_on_gpu() -> int | None:
    """Bytes that are free on the GPU that weights would be loaded to; None without one."""
    return int(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else None
