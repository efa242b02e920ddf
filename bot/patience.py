"""Waiting long, which a simulated world wants to be told about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

Patiently = Callable[[Coroutine[Any, Any, Any]], Awaitable[Any]]
"""Waits for something that others bring about, and that may take a while."""


async def simply(waiting: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever it gives
    """Just wait."""
    return await waiting
