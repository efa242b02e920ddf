"""One model behind several servers: the least busy one that is well answers.

For vLLM, SGLang, Ray Serve and the like, run as often as it takes. A request goes to another
server as long as no text has come; who fails rests until it lists its models again, and who hung
until it answers. One with another model is not asked at all, and what one server does not take is
asked of none, so that it never matters for an answer who gave it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from bot.engines import ChatMessage
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
"""Between two looks at all servers, and for one that hung to answer."""
SHOWN = 5
"""Of the models that a server has: a provider may have hundreds."""


@dataclass(slots=True, eq=False)
class _Replica:
    """A server: how many answers it is at, when it last got one to do, and why it rests.

    `other` is whether it has another model; `hung_at` what it is to answer before it is back.
    """

    engine: RemoteEngine
    busy: int = 0
    turn: int = 0
    resting: str | None = None
    other: bool = False
    hung_at: CompletionRequest | None = None

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
        self._known: dict[str, str] = {}
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
        known = self._learnt(listed)
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
            spoken, began = False, time.monotonic()
            replica.busy += 1
            try:
                async with aclosing(replica.engine.attempt(request)) as pieces:
                    async for piece in pieces:
                        spoken = True
                        yield piece
            except asyncio.CancelledError:
                # It is from outside that the deadline ends a request.
                if not spoken and time.monotonic() - began > request.deadline / 2:
                    _rest(replica, "It takes requests and says nothing.")
                    replica.hung_at = _small(request)
                raise
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
        raise failure or EngineRefused(
            f"None of the servers has {self._first.model} as it was when the bot started. Give it "
            "back to one of them, or start the bot again."
        )

    def _by_load(self) -> Iterator[_Replica]:
        """Each server once, the next always as things are by then; who rests comes last.

        Without those that have another model: the answer would be told to be this one's.
        """
        left = [replica for replica in self._replicas if not replica.other]
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

    def _learnt(self, listed: Iterable[dict[str, str] | None]) -> dict[str, str]:
        """The first list ever that has the model, to hold all others against; none may have it."""
        having = (models for models in listed if models and self._first.model in models)
        self._known = self._known or next(having, {})
        return self._known

    async def _probe(self) -> None:
        while True:
            listed = await asyncio.gather(
                *(_listed(replica, self._probe_seconds) for replica in self._replicas)
            )
            known = self._learnt(listed)
            for replica, models in zip(self._replicas, listed, strict=True):
                if models is None or (replica.other and not models):
                    continue
                told = _otherwise(self._first.model, models, known)
                replica.other = told is not None
                if told:
                    _rest(replica, told)
                elif replica.resting is not None:
                    replica.resting = None
                    log.info("a server is back", base_url=replica.engine.base_url)
            await asyncio.sleep(self._probe_seconds)


async def _listed(replica: _Replica, patience: float) -> dict[str, str] | None:
    """What a server lists; None where it does not, or hangs still, and it rests then."""
    try:
        models = await replica.engine.models()
        return None if await _hangs(replica, patience) else models
    except EngineError as error:
        _rest(replica, error.user_message)
    except Exception:  # whatever it is, all servers are looked at again
        log.exception("a server could not be looked at", base_url=replica.engine.base_url)
    return None


async def _hangs(replica: _Replica, patience: float) -> bool:
    """Whether a server that hung, which a list of models says nothing of, hangs still."""
    asked, replica.hung_at = replica.hung_at, None
    if asked is None:
        return False
    try:
        async with asyncio.timeout(patience), aclosing(replica.engine.attempt(asked)) as pieces:
            await anext(pieces)
    except TimeoutError:
        replica.hung_at = asked
        return True
    return False


def _small(request: CompletionRequest) -> CompletionRequest:
    """The least that can be asked in the way of a request, with nobody's words."""
    return replace(
        request,
        prompt="1" if isinstance(request.prompt, str) else (ChatMessage("user", "1"),),
        so_far="",
        sampling=replace(request.sampling, max_tokens=1),
        deadline=2 * PROBE_SECONDS,
    )


def _otherwise(model: str, models: dict[str, str], known: dict[str, str]) -> str | None:
    """What is to be said of a server that lists another model than the others, if it does."""
    if not models or not known or models.get(model) == known[model]:
        return None
    if model not in models:
        what = f"does not have {model} as other servers do; it has {', '.join([*models][:SHOWN])}."
    else:
        what = f"has {models[model]} as {model}, and other servers have {known[model]}."
    return f"{what} Give all of them the same model, or take one out of base_url."


def _rest(replica: _Replica, why: str) -> None:
    if replica.resting != why:
        log.warning("a server is not asked for now", base_url=replica.engine.base_url, why=why)
    replica.resting = why
