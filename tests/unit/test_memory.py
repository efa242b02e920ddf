"""What is freed goes back to the system, also where something that stays lies between."""

from __future__ import annotations

import asyncio
import ctypes
import sys

import psutil
import pytest

from bot.memory import spared

MIB = 2**20


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"),
    reason="only glibc keeps what is freed in this way",
)
async def test_what_is_freed_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.memory.EVERY_SECONDS", 0.05)
    kept = [bytes(64_000) for _ in range(3000)][::100]
    resident = psutil.Process().memory_info
    before = resident().rss
    async with spared():
        await asyncio.sleep(1)
    assert resident().rss < before - 100 * MIB
    assert len(kept) == 30
