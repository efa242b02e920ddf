"""Which requests may share pages of the cache: those that begin alike under the same adapter.

The library knows a page by its tokens and those before it, but what it holds was computed by
layers, and an adapter changes them. So each request's name says under which weights it runs,
and its tokens are known to the cache under these.
"""
# ruff: noqa: ANN401 - transformers' caches have no usable types

from __future__ import annotations

from itertools import count
from typing import Any

_SALT = 8
"""Bytes, one for each of the first tokens; a page has more of these."""
_TOKEN_BITS = 22
"""No vocabulary has more than four million tokens, and the library hashes 31 bits of each."""

_numbers = count()


def request_name(fingerprint: str = "") -> str:
    """A name that no other request has. `fingerprint` is the hex digits of an adapter, if any."""
    return f"{next(_numbers)}@{fingerprint}"


def keep_apart(cache: Any) -> None:
    """Let requests with different fingerprints in their names share nothing in `cache`."""
    match = cache.search_prefix_match

    def matched(name: str, ids: list[int]) -> int:
        found: int = match(name, _salted(ids, name))
        return found

    cache.search_prefix_match = matched
    for allocator in cache.cache_allocators.values():
        allocator.mark_complete_blocks = _marking(allocator.mark_complete_blocks)


def _marking(mark: Any) -> Any:
    return lambda name, ids, complete: mark(name, _salted(ids, name), complete)


def _salted(ids: list[int], name: str) -> list[int]:
    """`ids` as they are for the plain model; else the first ones made those of an adapter."""
    salt = bytes.fromhex(name.partition("@")[2])[:_SALT]
    marked = [i | byte << _TOKEN_BITS for i, byte in zip(ids, salt, strict=False)]
    return marked + ids[len(marked) :]
