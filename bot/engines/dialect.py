"""Which arguments a server takes: all that we would send, less what it has refused."""

from __future__ import annotations

import re
from itertools import combinations
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from bot.engines import CompletionRequest

_STOPS = 4
"""How many stops OpenAI takes; the rest is matched here, as all of them are anyway."""

_BEYOND_OPENAI = ("top_k", "min_p", "repetition_penalty")
_GOING_ON = {"continue_final_message": True, "add_generation_prompt": False}
"""What vLLM, SGLang and others want to hear before they go on with a message of the model's
own; llama.cpp does so untold."""

_SAMPLING = (*_BEYOND_OPENAI, "seed", "top_p", "temperature")
_OPTIONAL = ("stream_options", *_GOING_ON, *_SAMPLING, "stop", "max_tokens")
"""What may be given up, the least missed first; `max_tokens` for its newer name."""

_UNNAMED = frozenset({"stream_options", *_GOING_ON, *_BEYOND_OPENAI})
"""What to give up where a refusal does not say what it is about."""

_WITHOUT = " without "

_TOO_LONG = re.compile(
    r"context.{0,9}(length|size|window)|(prompt|input).{0,20}too (long|large)|exceed.{0,20}context",
    re.IGNORECASE,
)


def arguments(request: CompletionRequest, *, without: Collection[str]) -> dict[str, Any]:
    """What a request asks for, as JSON in OpenAI's names, but for what `without` names.

    A top_k of 0 is written as -1, which vLLM, SGLang and llama.cpp all take for "off".
    Two more say nothing that was not asked for: servers draw with settings of their own
    unless told (llama.cpp with a min_p of 0.05, vLLM with the model's repetition penalty).
    """
    sampling = request.sampling
    everything: dict[str, Any] = {
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "seed": request.seed % 2**31,
        "stop": list(request.stops[:_STOPS]),
        "stream_options": {"include_usage": True},
    }
    if request.so_far and not isinstance(request.prompt, str):
        everything |= _GOING_ON
    if "max_tokens" in without:
        everything["max_completion_tokens"] = sampling.max_tokens
    return {key: value for key, value in everything.items() if value != [] and key not in without}


def refused(param: str | None, words: str, *, without: Collection[str]) -> frozenset[str]:
    """What to give up after a refusal that names `param`, or else says it in `words`.

    One argument at a time, so that no more is given up than need be. Empty where
    nothing is left that the refusal could mean.
    """
    left = [name for name in _OPTIONAL if name not in without]
    if param in left:
        return frozenset({param})
    named = [name for name in left if re.search(rf"\b{name}\b", words)]
    return frozenset(named[:1]) or _UNNAMED - frozenset(without)


def is_too_long(words: str) -> bool:
    """Whether a refusal says that prompt and answer do not fit into the model's context."""
    return _TOO_LONG.search(words) is not None


def lost(without: Collection[str]) -> tuple[str, ...]:
    """Of what was given up, the arguments that change how tokens are drawn."""
    return tuple(name for name in _SAMPLING if name in without)


def revision(model: str, without: Collection[str]) -> str:
    """A model's name, and what was given up that changes how tokens are drawn."""
    gone = lost(without)
    return f"{model}{_WITHOUT}{', '.join(gone)}" if gone else model


def revisions(known: str) -> Iterator[str]:
    """What `revision` may say of a model of which it said `known` once."""
    model = known.partition(_WITHOUT)[0]
    for number in range(len(_SAMPLING) + 1):
        for without in combinations(_SAMPLING, number):
            yield revision(model, without)
