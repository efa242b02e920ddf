"""The moderator behind OpenAI's moderation endpoint, or a server that speaks it.

https://platform.openai.com/docs/guides/moderation: all texts go in one request, and
each comes back with the categories in which it is flagged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import stamina

from bot.engines.faults import Faults, Later
from bot.engines.remote import connected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai import AsyncOpenAI
    from openai.types import Moderation

MODEL = "omni-moderation-latest"

_ATTEMPTS = 3
_SECONDS = 5.0
"""Two answers wait for it."""


class RemoteModerator:
    """`model` at `base_url`; the key goes there and nowhere else."""

    def __init__(self, *, base_url: str, api_key: str | None, model: str = MODEL) -> None:
        self._base_url = base_url
        self._api_key = api_key
        self._model = model
        self._faults = Faults(
            model=model, base_url=base_url, key_name="OPENAI_API_KEY", has_key=bool(api_key)
        )
        self._client: AsyncOpenAI | None = None

    async def judge(self, texts: Sequence[str]) -> Sequence[tuple[str, ...]]:
        """The categories in which each text is flagged, as the server calls them.

        Raises EngineError where the server does not say; what may pass is tried again.
        """
        async for attempt in stamina.retry_context(
            on=Later, attempts=_ATTEMPTS, timeout=_SECONDS, wait_initial=0.25, wait_max=1.0
        ):
            with attempt:
                results = await self._ask(texts)
        if len(results) != len(texts):
            raise self._faults.astray()
        try:
            return [_flagged(result) for result in results]
        except (AttributeError, TypeError):  # the client does not check what servers say
            raise self._faults.astray() from None

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _ask(self, texts: Sequence[str]) -> list[Moderation]:
        import httpx2  # noqa: PLC0415
        import openai  # noqa: PLC0415 - half a second that `twofold --help` need not spend

        self._client = self._client or connected(self._base_url, self._api_key)
        try:
            answer = await self._client.moderations.create(
                model=self._model, input=list(texts), timeout=_SECONDS
            )
        except openai.APIStatusError as error:
            raise self._faults.status(
                error.status_code,
                str(error.body or error.message),
                retry_after=error.response.headers.get("retry-after", ""),
            ) from None
        except openai.APIConnectionError:
            raise self._faults.unreachable() from None
        except (openai.APIError, httpx2.HTTPError, ValueError, RecursionError, AttributeError):
            raise self._faults.astray() from None
        if not isinstance(found := getattr(answer, "results", None), list):
            raise self._faults.astray()
        return found


def _flagged(result: Moderation) -> tuple[str, ...]:
    """Its categories, or `flagged` where the server names none."""
    named = result.categories.model_dump(by_alias=True) if result.categories else {}
    categories = tuple(name for name, holds in named.items() if holds)
    return (categories or ("flagged",)) if result.flagged else ()
