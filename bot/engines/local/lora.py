"""LoRA adapters on a model that generates: one copy of the weights, an adapter per request.

A batch holds tokens of many requests. An adapted layer computes what it always does for all
of them, then adds `B(A(x)) · scaling` to the tokens of the requests that have an adapter, in
float32 and in PEFT's order, so that the numbers are those of `peft`. What an adapter adds
depends on nothing but its own tokens. In a step without adapters the model is the plain one.
"""
# ruff: noqa: ANN401 - transformers' models and requests have no usable types

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.nn.functional import linear

from bot.engines.adapters import WEIGHTS, corrupt, unserved
from bot.engines.local.linear import PackedLinear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from bot.engines.adapters import Adapter

_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True, slots=True)
class Low:
    """What is added to one layer: `down` [rank, inputs], `up` [outputs, rank], both float32."""

    down: torch.Tensor
    up: torch.Tensor
    scaling: float

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """For states [tokens, inputs]: [tokens, outputs] in float32."""
        return linear(linear(states, self.down), self.up).mul_(self.scaling)


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
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise corrupt(adapter.folder) from error
    downs = {_layer(name, _DOWN): name for name in stored if name.endswith(_DOWN)}
    ups = {_layer(name, _UP): name for name in stored if name.endswith(_UP)}
    if not stored or downs.keys() != ups.keys() or len(downs) + len(ups) != len(stored):
        raise unserved(adapter.folder, "holds more or less than two matrices for each layer")
    layers = {}
    for layer, name in downs.items():
        down, up = stored[name].float(), stored[ups[layer]].float()
        _require_fit(adapter, model, layer, down, up)
        if not (down.isfinite().all() and up.isfinite().all()):
            raise corrupt(adapter.folder)
        layers[layer] = Low(down, up, adapter.scaling(layer, rank=len(down)))
    return Lora(adapter.fingerprint, layers)


def _layer(name: str, ending: str) -> str:
    return name.removeprefix(_PREFIX).removesuffix(ending)


def _require_fit(
    adapter: Adapter, model: Any, layer: str, down: torch.Tensor, up: torch.Tensor
) -> None:
    try:
        module = model.get_submodule(layer)
    except AttributeError:
        module = None
    if module is model.get_output_embeddings() or not isinstance(module, nn.Linear | PackedLinear):
        raise unserved(
            adapter.folder, f"adapts {layer[:100]!r}, no linear layer inside of this model"
        )
    inputs, outputs = module.in_features, module.out_features
    if down.shape != (len(down), inputs) or up.shape != (outputs, len(down)) or not len(down):
        raise unserved(
            adapter.folder,
            f"has matrices of {[*down.shape]} and {[*up.shape]} for {layer[:100]!r}, a layer from "
            f"{inputs} to {outputs} numbers",
        )


class _Step(threading.local):
    """The adapters of the step that a thread is in, each with its rows; None: all of them."""

    parts: tuple[tuple[Lora, torch.Tensor | None], ...] = ()


class Adapting:
    """Adds to a model's layers what each request's adapter asks for.

    Used by the thread that generates, so that nothing changes while a step runs.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._step = _Step()
        self._hooks: dict[str, Any] = {}

    @contextmanager
    def step(self, spans: Iterable[tuple[Lora | None, int]]) -> Iterator[None]:
        """Adapt what the model computes inside.

        `spans` are the requests of the batch in their order: the adapter and the tokens of each.
        """
        self._step.parts = parts = self._parts(spans)
        self._hook({layer for lora, _ in parts for layer in lora.layers})
        try:
            yield
        finally:
            self._step.parts = ()

    def _parts(
        self, spans: Iterable[tuple[Lora | None, int]]
    ) -> tuple[tuple[Lora, torch.Tensor | None], ...]:
        rows: dict[Lora, list[int]] = {}
        tokens = 0
        for lora, length in spans:
            if lora is not None:
                rows.setdefault(lora, []).extend(range(tokens, tokens + length))
            tokens += length
        device = self._model.device
        return tuple(
            (lora, None if len(own) == tokens else torch.tensor(own, device=device))
            for lora, own in rows.items()
        )

    def _hook(self, layers: set[str]) -> None:
        """Watch the layers that this step adapts; a step without adapters watches none."""
        if not layers:
            while self._hooks:
                self._hooks.popitem()[1].remove()
        for layer in layers - self._hooks.keys():
            module = self._model.get_submodule(layer)
            self._hooks[layer] = module.register_forward_hook(self._adding(layer))

    def _adding(self, layer: str) -> Callable[[Any, Any, torch.Tensor], torch.Tensor | None]:
        def add(_module: Any, given: tuple[Any, ...], made: torch.Tensor) -> torch.Tensor | None:
            lows = [(low, r) for lora, r in self._step.parts if (low := lora.layers.get(layer))]
            if not lows:
                return None
            states = given[0].flatten(0, -2)
            total = made.flatten(0, -2).float()
            for low, rows in lows:
                if rows is None:
                    total += low(states.float())
                else:
                    total.index_add_(0, rows, low(states.index_select(0, rows).float()))
            return total.to(made.dtype).view_as(made)

        return add
