"""From a model's name to its engine. Only an engine that starts imports torch or openai."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bot.contenders import OPENAI, OPENAI_KEY, EngineKey
from bot.engines.local import LocalEngine, LocalModel
from bot.engines.pool import Pool
from bot.engines.remote import RemoteEngine
from bot.engines.scripted import ScriptedEngine
from bot.engines.weights import parse_source, pull
from bot.engines.weights.store import quiet
from bot.errors import ModelNameError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bot.engines import Engine
    from bot.engines.weights import Progress
    from bot.engines.weights.sources import Source


class EngineFactory:
    """Makes the engines of a program: those on the same weights share one copy of them.

    `cache` is the folder of all models: an engine that starts and does not find its
    weights there pulls them, reporting to `progress` from another thread. `max_waiting` is for
    each engine.
    """

    def __init__(
        self,
        *,
        cache: Path,
        max_waiting: int = 64,
        llama_cpp: bool = True,
        progress: Progress = quiet,
    ) -> None:
        self._cache = cache
        self._max_waiting = max_waiting
        self._llama_cpp = llama_cpp
        self._progress = progress
        self._models: dict[str, LocalModel] = {}

    def make(self, key: EngineKey, *, api_key: str | None = None) -> Engine:
        """Make, not start, an engine; raises ModelNameError.

        At any time: what is started already goes on. Closing the engine takes its adapter away,
        and the weights where no other engine uses them.
        """
        source = parse_source(key.model)
        if source.scheme == "openai":
            return self._remote(source, key, api_key)
        if source.scheme == "scripted":
            if key.adapter is not None:
                raise ModelNameError("A scripted: model has no weights, so it takes no adapter.")
            return ScriptedEngine(source.name, max_waiting=self._max_waiting)
        return LocalEngine(
            self._model(source),
            adapter=Path(key.adapter).expanduser() if key.adapter else None,
            max_waiting=self._max_waiting,
        )

    def _model(self, source: Source) -> LocalModel:
        name = str(source)
        if name not in self._models:
            fetch = partial(pull, source, self._cache, self._progress)
            self._models[name] = LocalModel(source=name, fetch=fetch, llama_cpp=self._llama_cpp)
        return self._models[name]

    def _remote(self, source: Source, key: EngineKey, api_key: str | None) -> Engine:
        remote = [
            RemoteEngine(
                key.adapter or source.name,
                base=source.name if key.adapter else None,
                base_url=base_url,
                api_key=api_key,
                key_name=key.api_key_env or OPENAI_KEY,
                max_waiting=self._max_waiting,
            )
            for base_url in key.servers or (OPENAI,)
        ]
        return Pool(remote, max_waiting=self._max_waiting) if remote[1:] else remote[0]


def make_engine(  # noqa: PLR0913 - an EngineKey's parts, and the factory's
    model: str,
    *,
    cache: Path,
    adapter: str | None = None,
    servers: Sequence[str] = (),
    api_key: str | None = None,
    key_name: str | None = None,
    max_waiting: int = 64,
    llama_cpp: bool = True,
    progress: Progress = quiet,
) -> Engine:
    """Make, not start, an engine that shares nothing; raises ModelNameError.

    `servers` are the base URLs of an `openai:` model, OpenAI's own where there are none.
    The other arguments are as for `EngineFactory` and `EngineKey`.
    """
    factory = EngineFactory(
        cache=cache, max_waiting=max_waiting, llama_cpp=llama_cpp, progress=progress
    )
    return factory.make(EngineKey(model, tuple(servers), key_name, adapter), api_key=api_key)
