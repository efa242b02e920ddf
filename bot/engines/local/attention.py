"""Attention over the paged cache on a processor, each request for itself.

Without flash kernels transformers lays the requests of a batch one behind the other
and masks what is not a request's own: work and mask grow with the square of the batch.
Here each request meets its own keys only. Prompts are computed one after the other; a
step in which every request gets one token is computed as one padded batch, read from
the cache page by page (the library's block table, else for flash kernels alone).

A layer with a sliding window keeps its whole past here and masks what lies before the
window: pages of such layers can then be shared between requests that begin alike.
"""
# ruff: noqa: ANN401 - transformers' modules and caches have no usable types

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, flash_attention_mask

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "paged_per_request"
"""Under which transformers knows it, as a value of `model.set_attn_implementation`."""


def attend(  # noqa: PLR0913 - transformers' signature
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001
    *,
    cache: Any,
    cu_seq_lens_q: torch.Tensor,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Store the batch's new keys and values in `cache` and attend to each request's own.

    `query` is [1, heads, tokens of all requests, size], `key` and `value` likewise with
    their own number of heads; the result is [1, tokens, heads, size]. `cu_seq_lens_q`
    and, in `kwargs`, `cu_seq_lens_k` tell where each request ends. Raises ValueError
    for models that cap attention scores, which this does not do.
    """
    if kwargs.get("softcap") is not None:
        raise ValueError("this attention does not cap its scores")
    key, value = cache.update(key, value, module.layer_idx, kwargs)
    ends = kwargs["cu_seq_lens_k"]
    if kwargs.get("block_table") is None:
        spans = zip(_spans(cu_seq_lens_q), _spans(ends), strict=True)
        parts = [
            _prompt(query[:, :, q], key[:, :, k], value[:, :, k], scaling, sliding_window)
            for q, k in spans
        ]
        return torch.cat(parts, dim=2).transpose(1, 2), None
    step: _Step | None = getattr(cache, "step", None)
    if step is None or step.of is not cu_seq_lens_q:  # the same tensor in all layers of a step
        page = kwargs["k_cache"].shape[1]
        cache.step = step = _Step(cu_seq_lens_q, ends.diff(), kwargs["block_table"], page)
    keys = step.extend(kwargs["k_cache"], key)
    values = step.extend(kwargs["v_cache"], value)
    # The query heads that share a key head stand where the tokens of a prompt would.
    grouped = query[0].transpose(0, 1).reshape(len(keys), keys.shape[1], -1, query.shape[-1])
    attended = scaled_dot_product_attention(
        grouped, keys, values, attn_mask=step.seen(sliding_window), scale=scaling
    )
    return attended.reshape(1, len(keys), -1, attended.shape[-1]), None


def _prompt(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    window: int | None,
) -> torch.Tensor:
    """Attend to one request's past and its new tokens, which are the last of `key`."""
    new, whole = query.shape[2], key.shape[2]
    if new == whole and not (window and whole > window):
        return scaled_dot_product_attention(
            query, key, value, is_causal=new > 1, scale=scaling, enable_gqa=True
        )
    own = torch.arange(whole - new, whole).unsqueeze(1)
    seen = _seen(torch.arange(whole), own, window)
    return scaled_dot_product_attention(
        query, key, value, attn_mask=seen, scale=scaling, enable_gqa=True
    )


class _Step:
    """What the layers of a step have in common, where each request gets one token.

    `lengths` [requests] count the new tokens too; `table` [requests, pages of one] has
    -1 where a request has no further page of `page` tokens.
    """

    def __init__(
        self, of: torch.Tensor, lengths: torch.Tensor, table: torch.Tensor, page: int
    ) -> None:
        self.of = of
        self._own = lengths.long() - 1
        own_page = table[torch.arange(len(lengths)), self._own // page].long()
        self._place = own_page * page + self._own % page
        self._pages = table[:, : -(-int(lengths.max()) // page)].clamp(min=0)
        self._positions = torch.arange(self._pages.shape[1] * page)
        self._masks: dict[int | None, torch.Tensor] = {}

    def extend(self, pages: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
        """Write `new` [1, heads, requests, size] into its pages, and read all that is there.

        `pages` are [pages, tokens of one, heads, size]; the result is a batch padded to
        whole pages, [requests, heads, tokens, size].
        """
        pages.view(-1, *pages.shape[2:]).index_copy_(0, self._place, new[0].transpose(0, 1))
        read = pages.index_select(0, self._pages.flatten())
        return read.view(len(self._place), -1, *pages.shape[2:]).transpose(1, 2)

    def seen(self, window: int | None) -> torch.Tensor:
        """Which tokens of the padded batch each request attends to."""
        if window not in self._masks:
            seen = _seen(self._positions, self._own.unsqueeze(1), window)
            self._masks[window] = seen[:, None, None]
        return self._masks[window]


def _seen(positions: torch.Tensor, own: torch.Tensor, window: int | None) -> torch.Tensor:
    """Which positions a token at `own` attends to: none after it, none before its window."""
    seen = positions <= own
    return seen & (positions > own - window) if window else seen


def _spans(ends: torch.Tensor) -> list[slice]:
    return [slice(*pair) for pair in pairwise(ends.tolist())]


@contextmanager
def whole_past(config: Any) -> Iterator[None]:
    """Let the cache that is made inside keep the whole past of every layer."""
    kinds, window = getattr(config, "layer_types", None), getattr(config, "sliding_window", None)
    if kinds is not None:
        config.layer_types = ["full_attention"] * len(kinds)
    elif window is not None:
        config.sliding_window = None
    try:
        yield
    finally:
        if kinds is not None:
            config.layer_types = kinds
        elif window is not None:
            config.sliding_window = window


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, flash_attention_mask)
