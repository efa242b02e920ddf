"""LoRA adapters on a model that generates: one copy of the weights, an adapter per request.

A batch holds tokens of many requests. An adapted layer computes what it always does for all
of them and adds `B(A(x)) · scaling`, in float32 as PEFT does, with the A and B of the adapter
that a token's request has: all adapters of a step stand side by side in two matrices, and what
is not a token's own is masked between them. In a step without adapters the model is the plain one.

What is added is bounded. An adapter that goes wrong would else leave NaN in the cache, where the
attention masks what is another's by a weight of 0, and 0 · NaN is NaN.
"""
# ruff: noqa: ANN401 - transformers' models and requests have no usable types

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from bot.engines.adapters import WEIGHTS, corrupt, unserved
from bot.engines.local.linear import PackedLinear

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bot.engines.adapters import Adapter

_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"

_MOST = 1e6
"""Of what is added to a number; what a sound adapter adds has three digits."""


class Low(NamedTuple):
    """What is added to one layer: `down` [rank, inputs], scaled `up` [outputs, rank], float32."""

    down: torch.Tensor
    up: torch.Tensor


@dataclass(frozen=True, eq=False)
class Lora:
    """An adapter in memory. `fingerprint` is its `Adapter`'s; `layers` is by module name."""

    fingerprint: str
    layers: Mapping[str, Low]

    def __deepcopy__(self, memo: object) -> Lora:
        """Nothing of it changes, and the library copies what its requests carry."""
        return self


def load(adapter: Adapter, model: Any) -> Lora:
    """Read an adapter's weights for `model`.

    Raises ModelCorrupt where the file is damaged or its numbers are not finite, and ModelError
    where they do not fit the model's linear layers.
    """
    try:
        with safe_open(adapter.folder / WEIGHTS, framework="pt", device=str(model.device)) as file:
            layers = _layers(adapter, file.keys())
            return Lora(
                adapter.fingerprint, {layer: _low(adapter, model, layer, file) for layer in layers}
            )
    except (OSError, SafetensorError) as error:
        raise corrupt(adapter.folder) from error


def _layers(adapter: Adapter, names: Iterable[str]) -> list[str]:
    stored = set(names)
    layers = {name.removeprefix(_PREFIX).removesuffix(_DOWN).removesuffix(_UP) for name in stored}
    if not stored or stored != {
        _PREFIX + layer + half for layer in layers for half in (_DOWN, _UP)
    }:
        raise unserved(adapter.folder, "holds more or less than two matrices for each layer")
    return sorted(layers)


def _low(adapter: Adapter, model: Any, layer: str, file: Any) -> Low:
    halves = [_PREFIX + layer + half for half in (_DOWN, _UP)]
    down, up = (file.get_slice(name).get_shape() for name in halves)
    _require_fit(adapter, model, layer, down, up)
    down, up = (file.get_tensor(name).float() for name in halves)
    low = Low(down, up * adapter.scaling(layer, rank=len(down)))
    if not all(matrix.isfinite().all() for matrix in low):
        raise corrupt(adapter.folder)
    return low


def _require_fit(adapter: Adapter, model: Any, layer: str, down: list[int], up: list[int]) -> None:
    """Look at the shapes first: what fits the model's layers is no larger than the model."""
    try:
        module = model.get_submodule(layer)
    except AttributeError:
        module = None
    if module is model.get_output_embeddings() or not isinstance(module, nn.Linear | PackedLinear):
        raise unserved(
            adapter.folder, f"adapts {layer[:100]!r}, no linear layer inside of this model"
        )
    inputs, outputs = module.in_features, module.out_features
    rank = down[0] if down else 0
    if not (0 < rank <= min(inputs, outputs) and down == [rank, inputs] and up == [outputs, rank]):
        raise unserved(
            adapter.folder,
            f"has matrices of {down} and {up} for {layer[:100]!r}, a layer from {inputs} to "
            f"{outputs} numbers",
        )


class _Stack(NamedTuple):
    """One layer's part of some adapters: `down` [inputs, ranks], `up` [ranks, outputs]."""

    down: torch.Tensor
    up: torch.Tensor
    ranks: tuple[int, ...]

    @classmethod
    def of(cls, lows: Sequence[Low | None]) -> _Stack:
        """Side by side; None for an adapter that leaves this layer as it is."""
        there = [low for low in lows if low is not None]
        return cls(
            torch.cat([low.down for low in there]).t().contiguous(),
            torch.cat([low.up for low in there], dim=1).t().contiguous(),
            tuple(0 if low is None else len(low.down) for low in lows),
        )


class _Step:
    """Which adapter each token of a batch has, by its place in the stack; -1: none."""

    def __init__(self, owners: torch.Tensor) -> None:
        self._owners = owners
        self._foreign: dict[tuple[int, ...], torch.Tensor] = {}

    def foreign(self, ranks: tuple[int, ...]) -> torch.Tensor:
        """What is not a token's own in a stack of these ranks: bool [tokens, ranks]."""
        if ranks not in self._foreign:
            places = [place for place, rank in enumerate(ranks) for _ in range(rank)]
            columns = torch.tensor(places, device=self._owners.device)
            self._foreign[ranks] = self._owners.unsqueeze(1) != columns
        return self._foreign[ranks]


class _Now(threading.local):
    """The step that a thread is in, where that has adapters."""

    step: _Step | None = None


class Adapting:
    """Adds to a model's layers what each request's adapter asks for.

    Steps are of the thread that generates, so that nothing changes while one runs.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._now = _Now()
        self._stacked: tuple[Lora, ...] = ()
        self._hooks: list[Any] = []
        self._dropped: WeakSet[Lora] = WeakSet()

    def drop(self, lora: Lora) -> None:
        """Keep it no longer than the requests that have it; from any thread."""
        self._dropped.add(lora)

    @contextmanager
    def step(self, spans: Iterable[tuple[Lora | None, int]]) -> Iterator[None]:
        """Adapt what the model computes inside.

        `spans` are the requests of the batch in their order: the adapter and the tokens of each.
        """
        loras, lengths = zip(*spans, strict=True)
        used = tuple(dict.fromkeys(lora for lora in loras if lora is not None))
        left = any(lora in self._dropped and lora not in used for lora in self._stacked)
        if left or not used or not set(used) <= set(self._stacked):
            self._stack(used)
        if used:
            places = {lora: place for place, lora in enumerate(self._stacked)}
            owners = torch.tensor([-1 if lora is None else places[lora] for lora in loras])
            spread = owners.repeat_interleave(torch.tensor(lengths))
            self._now.step = _Step(spread.to(self._model.device))
        try:
            yield
        finally:
            self._now.step = None

    def _stack(self, loras: tuple[Lora, ...]) -> None:
        """Watch the layers that these adapt, and no others."""
        while self._hooks:
            self._hooks.pop().remove()
        self._stacked = loras
        for layer in dict.fromkeys(layer for lora in loras for layer in lora.layers):
            stack = _Stack.of([lora.layers.get(layer) for lora in loras])
            module = self._model.get_submodule(layer)
            self._hooks.append(module.register_forward_hook(partial(self._add, stack)))

    def _add(
        self, stack: _Stack, _module: Any, given: tuple[Any, ...], made: torch.Tensor
    ) -> torch.Tensor | None:
        step = self._now.step
        if step is None:
            return None
        states = given[0].flatten(0, -2)
        low = states.float().mm(stack.down).masked_fill_(step.foreign(stack.ranks), 0.0)
        added = low.mm(stack.up).clamp_(-_MOST, _MOST).nan_to_num_(0.0)
        return made.float().add_(added.view_as(made)).to(made.dtype)
