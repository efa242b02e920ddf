"""The remote engine: any server that speaks OpenAI's completions or chat completions.

A raw prompt goes to `completions`, a chat to `chat/completions`, both as streams.
The far side's words never reach a person: each kind of failure is one sentence.
"""
# ruff: noqa: ANN401 - the client's streams and headers are typed by kind of call

from __future__ import annotations

import json
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import stamina

from bot.engines.delivery import Line, Piece
from bot.errors import EngineRefused, EngineUnavailable
from storage.records import FinishReason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from openai import AsyncOpenAI

    from bot.engines import Chunk, CompletionRequest, Prompt

_ATTEMPTS = 5
_STOPS = 4
"""How many stops the API takes; the rest is matched here, as all of them are anyway."""

_REFUSALS = {
    401: "The model API does not accept the key. Check OPENAI_API_KEY.",
    403: "The model API does not allow this key to use the model. Check OPENAI_API_KEY and the "
    "model's name.",
    404: "The model API does not know this model or address. Check the model's name and "
    "OPENAI_BASE_URL.",
}
_RETRYABLE = {408, 409, 429}


class _Later(EngineUnavailable):
    """Worth another attempt, `after` so many seconds where the server said so."""

    def __init__(self, user_message: str, *, after: float | None = None) -> None:
        super().__init__(user_message)
        self.after = after


class _Broken(EngineUnavailable):
    """The stream broke after text had come: trying again would answer twice."""


class RemoteEngine:
    """`model` at `base_url` (OpenAI's own where None). The key is kept out of all texts.

    `max_waiting` bounds how many completions may be under way.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        max_waiting: int = 64,
    ) -> None:
        self._model = model
        self._base_url = base_url
        self._api_key = api_key
        self._line = Line(max_waiting)
        self._client: AsyncOpenAI | None = None
        self._counts = True

    def __repr__(self) -> str:
        return f"RemoteEngine({self._model!r})"

    @property
    def revision(self) -> str:
        """The model's id, as the provider knows it."""
        return self._model

    async def start(self) -> None:
        """Make the client. The server is not asked: it may come up later than the bot."""
        import openai  # noqa: PLC0415 - half a second that `twofold --help` need not spend

        if self._client is None:
            self._client = openai.AsyncOpenAI(
                # Servers on one's own machine want no key, the client wants some text.
                api_key=self._api_key or "none",
                base_url=self._base_url or "https://api.openai.com/v1",
                max_retries=0,  # retries are ours: bounded by the deadline, never after text came
            )

    def render(self, prompt: Prompt) -> str:
        """Return a raw prompt as it is, a chat as JSON: the server has the template."""
        return (
            prompt if isinstance(prompt, str) else json.dumps(_messages(prompt), ensure_ascii=False)
        )

    def stream(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; raises EngineUnavailable, EngineRefused, EngineTimeout, EngineBusy.

        What may be retried is, with growing and jittered pauses, until text came or
        the deadline is near. Token counts are the server's, else the number of pieces.
        """
        return self._line.deliver(self._pieces(request), request)

    async def close(self) -> None:
        """Fail who waits and close the connections."""
        self._line.close()
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _pieces(self, request: CompletionRequest) -> AsyncGenerator[Piece, None]:
        attempts = stamina.retry_context(
            on=_pause,
            attempts=_ATTEMPTS,
            timeout=request.deadline,
            wait_initial=0.25,
            wait_max=8.0,
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
            raise self._explain(error.status_code, error.response.headers) from None
        except (openai.APIError, ValueError) as error:
            raise _interrupted(error, spoken=spoken) from None
        except EngineUnavailable as error:
            raise _interrupted(error, spoken=spoken) from None

    async def _open(self, request: CompletionRequest) -> Any:
        import openai  # noqa: PLC0415

        try:
            return await self._create(request)
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            if not self._counts:
                raise
            # Some servers refuse `stream_options`: ask without from now on, if that helps.
            self._counts = False
            return await self._create(request)

    async def _create(self, request: CompletionRequest) -> Any:
        if self._client is None:
            raise _Later("The model API is not connected. Try again in a moment.")
        sampling = request.sampling
        arguments: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": request.seed % 2**31,
            "timeout": request.deadline,
        }
        if request.stops:
            arguments["stop"] = list(request.stops[:_STOPS])
        if self._counts:
            arguments["stream_options"] = {"include_usage": True}
        if isinstance(request.prompt, str):
            return await self._client.completions.create(prompt=request.prompt, **arguments)
        return await self._client.chat.completions.create(
            messages=cast("Any", _messages(request.prompt)), **arguments
        )

    def _explain(self, status: int, headers: Any) -> EngineUnavailable | EngineRefused:
        if status in _RETRYABLE or status >= 500:  # noqa: PLR2004 - the class of server errors
            asked = headers.get("retry-after", "")
            after = float(asked) if re.fullmatch(r"\d{1,3}(\.\d+)?", asked) else None
            return _Later("The model API is busy or down. Try again in a moment.", after=after)
        return EngineRefused(
            _REFUSALS.get(
                status,
                f"The model API refuses the request (status {status}). Check the model's name, the "
                "length of the prompt and OPENAI_BASE_URL.",
            )
        )


def _pause(error: Exception) -> bool | float:
    """Whether stamina shall try again, and after how many seconds if the server said so."""
    if not isinstance(error, _Later):
        return False
    return True if error.after is None else error.after


def _interrupted(error: Exception, *, spoken: bool) -> EngineUnavailable:
    if spoken:
        return _Broken("The model API broke off in the middle of the answer. Try again.")
    if isinstance(error, _Later):
        return error
    return _Later("The model API cannot be reached. Check OPENAI_BASE_URL and the network.")


async def _read(events: Any) -> AsyncGenerator[Piece, None]:
    """Read the server's events as pieces; the last one has the reason and the counts.

    Raises EngineUnavailable when the stream ends without a reason: it was cut.
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
        raise _Later("The model API broke off before the answer ended. Try again.")
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
