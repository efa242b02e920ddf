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
from bot.errors import EngineError, EngineUnreachable
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from openai import APIStatusError, AsyncOpenAI

    from bot.engines import Chunk, CompletionRequest, Prompt

log = structlog.get_logger(__name__)

_ATTEMPTS = 4
_PATIENCE = 4.0
"""Seconds after which a server that cannot be reached is not tried again."""

_FOREIGN = ("OpenAI-Organization", "OpenAI-Project")

_CONNECT = 3.0
"""Seconds for a connection to come about, and for a list of models."""


class RemoteEngine:
    """`model` at `base_url`. The key is kept out of all texts, `key_name` says where it is set.

    `max_waiting` bounds how many completions may be under way.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        api_key: str | None = None,
        key_name: str = "OPENAI_API_KEY",
        max_waiting: int = 64,
    ) -> None:
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._faults = Faults(
            model=model, base_url=base_url, key_name=key_name, has_key=bool(api_key)
        )
        self._line = Line(max_waiting)
        self._client: AsyncOpenAI | None = None
        self._without: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"RemoteEngine({self._model!r})"

    @property
    def revision(self) -> str:
        """The model's id, as the provider knows it, and what the server does not let us set."""
        lost = dialect.lost(self._without)
        return f"{self._model} without {', '.join(lost)}" if lost else self._model

    async def start(self) -> None:
        """Make the client. The server is not asked: it may come up later than the bot."""
        if self._client is None:
            self._client = connected(self._base_url, self._api_key)

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
        return self._line.deliver(self._pieces(request), request)

    async def models(self) -> tuple[str, ...]:
        """The models that the server lists, asked once; none where it has no list.

        Raises EngineUnreachable, and EngineRefused where the key is not accepted.
        """
        import openai  # noqa: PLC0415

        try:
            page = await self._ready().models.list(timeout=_CONNECT)
        except openai.APIConnectionError:
            raise self._faults.unreachable() from None
        except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
            raise self._explain(error) from None
        except (openai.APIError, ValueError):
            return ()
        return tuple(model.id for model in page.data or ())

    async def close(self) -> None:
        """Fail who waits and close the connections."""
        self._line.close()
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _pieces(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        attempts = stamina.retry_context(
            on=_patience(request.deadline),
            attempts=_ATTEMPTS,
            timeout=None,
            wait_initial=0.25,
            wait_max=2.0,
            wait_jitter=0.25,
        )
        async for attempt in attempts:
            with attempt:
                pieces = self._attempt(request)
                first = await anext(pieces)
        async with aclosing(pieces):
            yield first
            async for piece in pieces:
                yield piece

    async def _attempt(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        """One try. The first piece that it gives has text, or is the last."""
        import openai  # noqa: PLC0415

        spoken = False
        try:
            async with await self._open(request) as events, aclosing(_read(events)) as pieces:
                async for piece in pieces:
                    if piece.text or piece.finish_reason is not None:
                        spoken = True
                        yield piece
        except openai.APIStatusError as error:
            raise self._explain(error) from None
        except (openai.APIError, ValueError, _CutOff) as error:
            if spoken:
                raise self._faults.broken_off() from None
            if isinstance(error, openai.APIConnectionError):
                raise self._faults.unreachable() from None
            raise self._faults.astray() from None

    async def _open(self, request: CompletionRequest) -> Any:
        """Ask with everything; what the server refuses to take, it is not asked again."""
        import openai  # noqa: PLC0415

        without = self._without
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
        if new := dialect.lost(without - self._without):
            log.warning(
                "the model API does not take what is configured and draws in its own way",
                model=self._model,
                base_url=self._base_url,
                without=new,
            )
        self._without |= without

    async def _create(self, request: CompletionRequest, without: frozenset[str]) -> Any:
        import openai  # noqa: PLC0415

        client = self._ready()
        arguments: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "timeout": openai.Timeout(request.deadline, connect=_CONNECT),
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


def connected(base_url: str, api_key: str | None) -> AsyncOpenAI:
    """Make a client that says nothing to `base_url` but what it is told to."""
    import openai  # noqa: PLC0415 - half a second that `twofold --help` need not spend

    return openai.AsyncOpenAI(
        # Servers on one's own machine want no key, the client wants some text.
        api_key=api_key or "none",
        base_url=base_url,
        # The client would send these two, from the environment, to any server.
        default_headers=cast("Any", dict.fromkeys(_FOREIGN, openai.Omit())),
        max_retries=0,  # retries are ours: bounded by the deadline, never after text came
    )


def _patience(deadline: float) -> Callable[[Exception], bool | float]:
    """Make what tells stamina whether to try again, or after how many seconds."""
    began = time.monotonic()

    def again(error: Exception) -> bool | float:
        if not isinstance(error, Later):
            return False
        waited = time.monotonic() - began
        if error.after is not None:
            return error.after if waited + error.after < deadline else False
        return waited < _PATIENCE

    return again


def _words(error: APIStatusError) -> str:
    return str(error.body or error.message)


class _CutOff(Exception):
    """The stream ended without a reason."""


async def _read(events: Any) -> AsyncGenerator[Piece, None]:
    """Read the server's events as pieces; the last one has the reason and the counts.

    Raises _CutOff when the stream ends without a reason.
    """
    reason: FinishReason | None = None
    stop: str | None = None
    prompt_tokens = completion_tokens = pieces = 0
    async for event in events:
        if getattr(event, "usage", None) is not None:
            prompt_tokens = event.usage.prompt_tokens or 0
            completion_tokens = event.usage.completion_tokens or 0
        for choice in (event.choices or [])[:1]:
            text = choice.delta.content if hasattr(choice, "delta") else choice.text
            if text:
                pieces += 1
                yield Piece(
                    text=text,
                    prompt_tokens=prompt_tokens,
                    completion_tokens=max(pieces, completion_tokens),
                )
            if choice.finish_reason is not None:
                reason = (
                    FinishReason.LENGTH if choice.finish_reason == "length" else FinishReason.STOP
                )
                met = getattr(
                    choice, "stop_reason", None
                )  # which stop it was, where the server tells
                stop = met if isinstance(met, str) else None
    if reason is None:
        raise _CutOff
    yield Piece(
        text="",
        finish_reason=reason,
        stop=stop,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens or pieces,
    )


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    assert not isinstance(prompt, str)  # noqa: S101 - callers have told the two apart
    return [{"role": message.role, "content": message.content} for message in prompt]
