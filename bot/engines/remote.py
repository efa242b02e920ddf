"""The remote engine: any server that speaks OpenAI's completions or chat completions.

A raw prompt goes to `completions`, a chat to `chat/completions`, both as streams.
The far side's words never reach a person: each kind of failure is one sentence, which
names the server and the key's variable for the operator.

The network is retried here and nowhere else: a few times within a few seconds, unless
the server says when to come back.
"""
# ruff: noqa: ANN401 - the client's streams and headers are typed by kind of call

from __future__ import annotations

import json
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import stamina
import structlog

from bot.engines import dialect, estimated_tokens
from bot.engines.delivery import Line, Piece
from bot.engines.faults import Faults, Later
from bot.engines.reading import pieces_of
from bot.errors import EngineError, EngineUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from openai import APIStatusError, AsyncOpenAI

    from bot.engines import Chunk, CompletionRequest, Prompt

log = structlog.get_logger(__name__)

_ATTEMPTS = 4
_PATIENCE = 4.0
"""Seconds after which a server that cannot be reached is not tried again; half of the deadline
where that is less, so that the reason is told before the time is over."""

_FOREIGN = ("OpenAI-Organization", "OpenAI-Project")

_AWAY = {502, 503, 504}
"""What a server, or a gate before it, says while there is nothing behind."""

_CONNECT = 3.0
"""Seconds for a connection to come about, and for a list of models; a quarter of the deadline
where that is less."""


class RemoteEngine:
    """`model` at `base_url`. The key is kept out of all texts, `key_name` says where it is set.

    Where `model` is the server's name for an adapter, `base` is the model that it is trained on.
    `max_waiting` bounds how many completions may be under way.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        base: str | None = None,
        api_key: str | None = None,
        key_name: str = "OPENAI_API_KEY",
        max_waiting: int = 64,
    ) -> None:
        self.model = model
        self._named = f"{base}+{model}" if base else model
        self.base_url = base_url
        self._api_key = api_key
        self._faults = Faults(
            model=model, base_url=base_url, key_name=key_name, has_key=bool(api_key)
        )
        self._line = Line(max_waiting)
        self._client: AsyncOpenAI | None = None
        self.without: frozenset[str] = frozenset()
        """Arguments that the server was found not to take."""

    def __repr__(self) -> str:
        return f"RemoteEngine({self.model!r})"

    @property
    def revision(self) -> str:
        """The model's id, as the provider knows it, and what the server does not let us set.

        For an adapter, both ids.
        """
        return dialect.revision(self._named, self.without)

    async def start(self) -> None:
        """Make the client. The server is not asked: it may come up later than the bot."""
        if self._client is None:
            self._client = connected(self.base_url, self._api_key)

    @property
    def room(self) -> None:
        """The server knows, and refuses what is too long."""

    def count(self, prompt: Prompt) -> int:
        """Estimate it: the server has the tokenizer."""
        return estimated_tokens(prompt)

    def render(self, prompt: Prompt) -> str:
        """Return a raw prompt as it is, a chat as JSON: the server has the template."""
        return (
            prompt if isinstance(prompt, str) else json.dumps(_messages(prompt), ensure_ascii=False)
        )

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises every kind of EngineError.

        EngineUnreachable is final, EngineUnavailable came after text had. Token counts
        are the server's, else the number of pieces.
        """
        return self._line.deliver(patiently(self.attempt, request), request)

    async def models(self) -> dict[str, str]:
        """The models that the server lists, asked once; none where it has no list.

        Each with the one that it really is, where the server tells, else with itself. Raises
        EngineUnreachable, and EngineRefused where the key is not accepted.
        """
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        try:
            page = await self._ready().models.list(timeout=_CONNECT)
        except openai.APIConnectionError:
            raise self._faults.unreachable() from None
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._explain(error) from None
        except openai.InternalServerError as error:
            if error.status_code in _AWAY:
                raise self._explain(error) from None
            return {}
        except (
            *(openai.APIError, httpx2.HTTPError),
            *(ValueError, AttributeError, TypeError, RecursionError),
        ):
            return {}  # the client takes apart unchecked what a server says
        listed = getattr(page, "data", None)
        named = [
            (model.id, getattr(model, "root", None))
            for model in (listed if isinstance(listed, list) else ())
            if isinstance(getattr(model, "id", None), str)
        ]
        return {name: root if root and isinstance(root, str) else name for name, root in named}

    async def close(self) -> None:
        """Fail who waits and close the connections."""
        self._line.close()
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def attempt(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        """One try, past the line. The first piece that it gives has text, or is the last."""
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415

        spoken = False
        try:
            async with (
                await self._open(request) as events,
                aclosing(pieces_of(events, max_tokens=request.sampling.max_tokens)) as pieces,
            ):
                async for piece in pieces:
                    if piece.text or piece.finish_reason is not None:
                        spoken = True
                        yield piece
        except openai.APIStatusError as error:
            raise self._explain(error) from None
        except (openai.APIError, httpx2.HTTPError, ValueError, RecursionError) as error:
            if spoken:
                raise self._faults.broken_off() from None
            if isinstance(error, openai.APIConnectionError):
                raise self._faults.unreachable() from None
            raise self._faults.astray() from None

    async def _open(self, request: CompletionRequest) -> Any:
        """Ask with everything; what the server refuses to take, it is not asked again."""
        import openai  # noqa: PLC0415

        without = self.without
        while True:
            try:
                events = await self._create(request, without)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                words = _words(error)
                more = dialect.refused(error.param, words, without=without)
                if dialect.is_too_long(words) or not more:
                    raise
                without |= more
            else:
                self._learn(without)
                return events

    def _learn(self, without: frozenset[str]) -> None:
        if new := dialect.lost(without - self.without):
            log.warning(
                "the model API does not take what is configured and draws in its own way",
                model=self.model,
                base_url=self.base_url,
                without=new,
            )
        self.without |= without

    async def _create(self, request: CompletionRequest, without: frozenset[str]) -> Any:
        import openai  # noqa: PLC0415

        client = self._ready()
        connect = min(_CONNECT, request.deadline / 4)
        arguments: dict[str, Any] = {
            "model": self.model,
            "stream": True,
            "timeout": openai.Timeout(request.deadline, connect=connect),
            # As they are: the client would refuse those that are not OpenAI's.
            "extra_body": dialect.arguments(request, without=without),
        }
        if isinstance(request.prompt, str):
            text = request.prompt + request.so_far
            return await client.completions.create(prompt=text, **arguments)
        messages = _messages(request.prompt)
        if request.so_far:
            messages.append({"role": "assistant", "content": request.so_far})
        return await client.chat.completions.create(messages=cast("Any", messages), **arguments)

    def _explain(self, error: APIStatusError) -> EngineError:
        return self._faults.status(
            error.status_code,
            _words(error),
            retry_after=error.response.headers.get("retry-after", ""),
        )

    def _ready(self) -> AsyncOpenAI:
        if self._client is None:
            raise EngineUnreachable("The model API is not connected. Try again in a moment.")
        return self._client


async def patiently(
    attempt: Callable[[CompletionRequest], AsyncGenerator[Piece, None]],
    request: CompletionRequest,
) -> AsyncGenerator[Piece, None]:
    """Try as often as is worth it, as long as no text has come."""
    attempts = stamina.retry_context(
        on=_patience(request.deadline),
        attempts=_ATTEMPTS,
        timeout=None,
        wait_initial=0.25,
        wait_max=2.0,
        wait_jitter=0.25,
    )
    async for one in attempts:
        with one:
            pieces = attempt(request)
            first = await anext(pieces)
    async with aclosing(pieces):
        yield first
        async for piece in pieces:
            yield piece


def connected(base_url: str, api_key: str | None) -> AsyncOpenAI:
    """Make a client that says nothing to `base_url` but what it is told to."""
    import openai  # noqa: PLC0415 - half a second that `twofold --help` need not spend

    from bot.engines.bounded import bound  # noqa: PLC0415

    return openai.AsyncOpenAI(
        # Servers on one's own machine want no key, the client wants some text.
        api_key=api_key or "none",
        base_url=base_url,
        default_headers=cast(
            "Any",
            # The client would send these two, from the environment, to any server.
            dict.fromkeys(_FOREIGN, openai.Omit()) | {"Accept-Encoding": "identity"},
        ),
        max_retries=0,  # retries are ours: bounded by the deadline, never after text came
        http_client=openai.DefaultAsyncHttpxClient(
            event_hooks={"response": [bound]},
            follow_redirects=False,  # conversations go to the server that was named, no further
        ),
    )


def _patience(deadline: float) -> Callable[[Exception], bool | float]:
    """Make what tells stamina whether to try again, or after how many seconds."""
    began = time.monotonic()
    patience = min(_PATIENCE, deadline / 2)

    def again(error: Exception) -> bool | float:
        if not isinstance(error, Later):
            return False
        waited = time.monotonic() - began
        if error.after is not None:
            return error.after if waited + error.after < deadline else False
        return waited < patience

    return again


def _words(error: APIStatusError) -> str:
    return str(error.body or error.message)


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    assert not isinstance(prompt, str)  # noqa: S101 - callers have told the two apart
    return [{"role": message.role, "content": message.content} for message in prompt]
