"""One model behind several servers: the least busy one that is well answers.

For vLLM, SGLang, Ray Serve and the like, run as often as it takes. A request goes to another
server as long as no text has come; who fails rests until it lists its models again. What one
server does not take is asked of none, so that it never matters for an answer who gave it.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from bot.engines.delivery import Line
from bot.engines.remote import patiently
from bot.errors import EngineError, EngineRefused, EngineUnavailable, PromptTooLong

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence

    from bot.engines import Chunk, CompletionRequest, Prompt
    from bot.engines.delivery import Piece
    from bot.engines.remote import RemoteEngine

log = structlog.get_logger(__name__)

PROBE_SECONDS = 10.0
"""Between two looks at all servers."""


@dataclass(slots=True, eq=False)
class _Replica:
    """A server: how many answers it is at, when it last got one to do, and why it rests."""

    engine: RemoteEngine
    busy: int = 0
    turn: int = 0
    resting: str | None = None

    @property
    def load(self) -> tuple[bool, int, int]:
        return self.resting is not None, self.busy, self.turn


class Pool:
    """The engines of the same model, as one. `max_waiting` is for all of them together."""

    def __init__(
        self,
        engines: Sequence[RemoteEngine],
        *,
        max_waiting: int = 64,
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._replicas = [_Replica(engine) for engine in engines]
        self._first = engines[0]
        self._line = Line(max_waiting)
        self._turns = 0
        self._probe_seconds = probe_seconds
        self._probing: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Pool({[replica.engine for replica in self._replicas]})"

    @property
    def revision(self) -> str:
        """The same, whoever answers."""
        return self._first.revision

    @property
    def resting(self) -> tuple[str, ...]:
        """The base URLs of the servers that are not asked now."""
        return tuple(r.engine.base_url for r in self._replicas if r.resting is not None)

    async def start(self) -> None:
        """Make the clients, and begin to look after the servers; none need be up."""
        for replica in self._replicas:
            await replica.engine.start()
        if self._probing is None:
            self._probing = asyncio.create_task(self._probe())

    @property
    def room(self) -> None:
        """The servers know."""

    def count(self, prompt: Prompt) -> int:
        """Estimate it: the servers have the tokenizer."""
        return self._first.count(prompt)

    def render(self, prompt: Prompt) -> str:
        """Return what every server is sent."""
        return self._first.render(prompt)

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate, wherever it is done soonest; raises as the remote engine does."""
        return self._line.deliver(patiently(self._attempt, request), request)

    async def models(self) -> dict[str, str]:
        """The models that the servers list. Raises EngineError where one is away or differs."""
        listed = [await replica.engine.models() for replica in self._replicas]
        known = self._known(listed)
        for replica, models in zip(self._replicas, listed, strict=True):
            if told := _otherwise(self._first.model, models, known):
                raise EngineRefused(f"The model API at {replica.engine.base_url} {told}")
        return known or listed[0]

    async def close(self) -> None:
        """Fail who waits and close the connections."""
        self._line.close()
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
            await asyncio.wait({probing})
        for replica in self._replicas:
            await replica.engine.close()

    async def _attempt(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        """Ask one server after the other until one has something to say."""
        failure: EngineError | None = None
        for replica in self._by_load():
            spoken = False
            replica.busy += 1
            try:
                async with aclosing(replica.engine.attempt(request)) as pieces:
                    async for piece in pieces:
                        spoken = True
                        yield piece
            except PromptTooLong:
                raise
            except (EngineUnavailable, EngineRefused) as error:
                if isinstance(error, EngineUnavailable):
                    _rest(replica, error.user_message)
                if spoken:
                    raise
                failure = error
            else:
                return
            finally:
                replica.busy -= 1
                self._agree()
        assert failure is not None, "there is a server"  # noqa: S101
        raise failure

    def _by_load(self) -> Iterator[_Replica]:
        """Each server once, the next always as things are by then; who rests comes last."""
        left = list(self._replicas)
        while left:
            best = min(left, key=lambda replica: replica.load)
            left.remove(best)
            self._turns += 1
            best.turn = self._turns
            yield best

    def _agree(self) -> None:
        """What one server was found not to take is not sent to the others either."""
        without = frozenset[str]().union(*(r.engine.without for r in self._replicas))
        for replica in self._replicas:
            replica.engine.without = without

    def _known(self, listed: Iterable[dict[str, str] | None]) -> dict[str, str]:
        """The first list that has the model, to hold the others against; none may have it."""
        return next((models for models in listed if models and self._first.model in models), {})

    async def _probe(self) -> None:
        while True:
            listed = await asyncio.gather(*map(_listed, self._replicas))
            known = self._known(listed)
            for replica, models in zip(self._replicas, listed, strict=True):
                if models is None:
                    continue
                if told := _otherwise(self._first.model, models, known):
                    _rest(replica, told)
                elif replica.resting is not None:
                    replica.resting = None
                    log.info("a server is back", base_url=replica.engine.base_url)
            await asyncio.sleep(self._probe_seconds)


async def _listed(replica: _Replica) -> dict[str, str] | None:
    """What a server lists; None where it does not, and it rests then."""
    try:
        return await replica.engine.models()
    except EngineError as error:
        _rest(replica, error.user_message)
        return None


def _otherwise(model: str, models: dict[str, str], known: dict[str, str]) -> str | None:
    """What is to be said of a server that lists another model than the others, if it does."""
    if not models or not known or models.get(model) == known[model]:
        return None
    if model not in models:
        return f"does not have {model} as other servers do; it has {', '.join(models)}."
    return f"has {models[model]} as {model}, and other servers have {known[model]}."


def _rest(replica: _Replica, why: str) -> None:
    if replica.resting != why:
        log.warning("a server is not asked for now", base_url=replica.engine.base_url, why=why)
    replica.resting = why
