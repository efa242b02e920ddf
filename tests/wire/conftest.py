"""Fixtures of the wire tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route

from .driver import WireServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def wire() -> AsyncIterator[WireServer]:
    """Start a server with Discord's usual limits."""
    async with WireServer() as server:
        yield server


@pytest.fixture
def real_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put discord.py's two addresses back after the test."""
    monkeypatch.setattr(Route, "BASE", Route.BASE)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", DiscordWebSocket.DEFAULT_GATEWAY)
