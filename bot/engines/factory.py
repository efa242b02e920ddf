"""From a model's name to its engine. Only an engine that starts imports torch or openai."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bot.contenders import OPENAI, OPENAI_KEY
from bot.engines.local import LocalEngine
from bot.engines.pool import Pool
from bot.engines.remote import RemoteEngine
from bot.engines.scripted import ScriptedEngine
from bot.engines.weights import parse_source, pull
from bot.engines.weights.store import quiet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bot.engines import Engine
    from bot.engines.weights import Progress


def make_engine(
    model: str,
    *,
    cache: Path,
    servers: Sequence[str] = (),
    api_key: str | None = None,
    key_name: str | None = None,
    max_waiting: int = 64,
    llama_cpp: bool = True,
    progress: Progress = quiet,
) -> Engine:
    """Make, not start, the engine for `model`; raises ModelNameError.

    `servers` are the base URLs of an `openai:` model, OpenAI's own where there are none.
    `cache` is the folder of all models: an engine that starts and does not find its
    weights there pulls them, reporting to `progress` from another thread.
    """
    source = parse_source(model)
    if source.scheme == "scripted":
        return ScriptedEngine(source.name, max_waiting=max_waiting)
    if source.scheme == "openai":
        remote = [
            RemoteEngine(
                source.name,
                base_url=base_url,
                api_key=api_key,
                key_name=key_name or OPENAI_KEY,
                max_waiting=max_waiting,
            )
            for base_url in servers or (OPENAI,)
        ]
        return Pool(remote, max_waiting=max_waiting) if remote[1:] else remote[0]
    fetch = partial(pull, source, cache, progress)
    return LocalEngine(
        source=str(source), fetch=fetch, max_waiting=max_waiting, llama_cpp=llama_cpp
    )
