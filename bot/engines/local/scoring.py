"""How likely a model in this process finds completions: TRL's reference log-probabilities.

The numbers are those of TRL's DPOTrainer (1.16, `precompute_ref_log_probs`) for text
rows, so encoding and the place where a completion begins are its own, quirks included.
"""
# ruff: noqa: ANN401 - transformers' models have no usable type

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from bot.engines.local import loading
from bot.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MAX_LENGTH = 1024
"""Tokens of prompt and completion together: what DPOConfig cuts at by default."""

BATCH_TOKENS = 2048
"""Tokens of one batch, padding included. One row keeps a processor busy, a GPU wants more."""

HEAD_TOKENS = 64
"""Positions that go through the output layer at a time: 1 MiB of scores for each with Gemma."""

DECIMALS = 4
"""What float32 tells of a sum of some hundreds; beyond it only the batch speaks."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Token ids; those from `start` on are the completion. `index` is the caller's."""

    index: int
    ids: list[int]
    start: int


class LocalScorer:
    """Sums of log-probabilities under the model in `folder`.

    The model is loaded by the first `score`, so one that has nothing to score costs nothing.
    In float32 a number depends neither on its batch nor, but for rounding, on the machine;
    "bfloat16" halves the memory and moves a sum by up to 0.1 %. Rows of more than `max_length`
    tokens, or than the model takes, have no number.
    """

    def __init__(
        self, folder: Path, *, dtype: str = "float32", max_length: int = MAX_LENGTH
    ) -> None:
        self._folder = folder
        self._dtype = dtype
        self._loaded: loading.Loaded | None = None
        self.max_length = max_length

    @property
    def fingerprint(self) -> str:
        """What the numbers depend on beside the texts. Changes when a file of the model does."""
        changed = max((file.stat().st_mtime_ns for file in self._folder.iterdir()), default=0)
        weights = loading.folder_hash(self._folder)
        return f"{weights}:{changed}:{self._dtype}:{self.max_length}"

    def score(
        self, completions: Sequence[tuple[str, str, str]]
    ) -> Iterator[tuple[int, float | None]]:
        """Yield index and sum of log-probabilities of each completion, as batches are done.

        A completion is its prompt, its text, and the text that it is paired with: TRL lets
        both begin where the first of them leaves the prompt's tokens. Its closing end token
        counts. None is for a row that is too long. Raises ModelNotFound, ModelCorrupt,
        NoRoom, and ModelError for a model that cannot be scored.
        """
        loaded = self._ready()
        limit = min(self.max_length, loaded.room)
        fitting = []
        for index, (prompt, text, other) in enumerate(completions):
            sequence, longest = _encode(loaded, index, prompt, text, other)
            if longest > limit:
                yield index, None
            else:
                fitting.append(sequence)
        for batch in _batches(fitting):
            sums = _sums(loaded.model, batch)
            yield from zip((sequence.index for sequence in batch), sums, strict=True)

    def _ready(self) -> loading.Loaded:
        if self._loaded is None:
            loaded = loading.load(self._folder, dtype=self._dtype)
            _check_head(loaded.model, loaded.encode("The"))
            self._loaded = loaded
        return self._loaded


def _encode(
    loaded: loading.Loaded, index: int, prompt: str, text: str, other: str
) -> tuple[_Sequence, int]:
    """A completion's ids and the length of the longer one of the pair, as DPOTrainer has them."""
    end = _end_token(loaded)
    context = _ids(loaded, prompt)
    whole, paired = (
        _ids(loaded, prompt + (said if said.endswith(end) else said + end))
        for said in (text, other)
    )
    start = min(_common(context, whole), _common(context, paired))
    return _Sequence(index, whole, start), max(len(whole), len(paired))


def _ids(loaded: loading.Loaded, text: str) -> list[int]:
    """Unlike `Loaded.encode`, this reads control tokens that are spelled in a text as such."""
    return list(loaded.tokenizer(text)["input_ids"])


def _end_token(loaded: loading.Loaded) -> str:
    tokenizer = loaded.tokenizer
    token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(loaded.eos[:1] or [0])[0]
    return str(token)


def _common(ids: list[int], others: list[int]) -> int:
    """How many tokens two texts share at their beginning."""
    pairs = enumerate(zip(ids, others, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(ids), len(others)))


def _batches(sequences: list[_Sequence]) -> Iterator[list[_Sequence]]:
    """Like lengths together; the longest first, so that memory ends early or never."""
    batch: list[_Sequence] = []
    for sequence in sorted(sequences, key=lambda s: len(s.ids), reverse=True):
        if batch and (len(batch) + 1) * len(batch[0].ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(sequence)
    if batch:
        yield batch


@torch.inference_mode()
def _sums(model: Any, batch: list[_Sequence]) -> list[float]:
    longest = max(len(sequence.ids) for sequence in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    real, scored = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
    for row, sequence in enumerate(batch):
        length = len(sequence.ids)
        ids[row, :length] = torch.tensor(sequence.ids)
        real[row, :length] = 1
        scored[row, max(sequence.start, 1) : length] = True
    lengths = scored.sum(1).tolist()
    ids, real, scored = (tensor.to(model.device) for tensor in (ids, real, scored))
    states = _states(model, ids, real)[:, :-1][scored[:, 1:]]
    targets = ids[:, 1:][scored[:, 1:]]
    parts = zip(torch.split(states, HEAD_TOKENS), torch.split(targets, HEAD_TOKENS), strict=True)
    logps = -torch.cat(
        [cross_entropy(_logits(model, part), wanted, reduction="none") for part, wanted in parts]
    )
    return [round(float(part.double().sum()), DECIMALS) for part in torch.split(logps, lengths)]


def _states(model: Any, ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """The model's last states [rows, tokens, size]; 1 in `real` marks what is no padding."""
    out = model.base_model(input_ids=ids, attention_mask=real, use_cache=False)
    states: torch.Tensor = out.last_hidden_state
    return states


def _logits(model: Any, states: torch.Tensor) -> torch.Tensor:
    """The model's scores in float32, with the cap that some models put on them."""
    scores: torch.Tensor = model.get_output_embeddings()(states).float()
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    return scores if cap is None else torch.tanh(scores / cap) * cap


@torch.inference_mode()
def _check_head(model: Any, ids: list[int]) -> None:
    """Some models do more to their scores than `_logits` does: better no number than a wrong one.

    Raises ModelError.
    """
    text = torch.tensor([ids], device=model.device)
    own = model(input_ids=text, use_cache=False).logits.float()
    ours = _logits(model, _states(model, text, torch.ones_like(text)))
    if not torch.allclose(own, ours, rtol=0.02, atol=0.1):
        raise ModelError(
            "This model scales its scores in a way that Twofold does not know, so its "
            "log-probabilities cannot be had. Name another one with --logprobs."
        )
