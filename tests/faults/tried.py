"""What every trial on the wire has in common: the set table, and what must hold at the end."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from storage.database import file_of
from tests.wire.driver import WireServer
from tests.wire.ledger import CAST, Press
from tests.wire.limits import RateLimits
from tests.wire.program import Program
from tests.wire.table import Table, roster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.wire.ledger import Ballot
    from tests.wire.world import Message

UNDERWAY = 'showing = "lockstep"\n' + roster("delay=0.4", "delay=0.4")
"""Contenders that take some seconds and are shown as they write; much can happen meanwhile."""


@asynccontextmanager
async def tried(
    folder: Path,
    config: str | None = None,
    *,
    env: dict[str, str] | None = None,
    heartbeat_ms: int = 41_250,
    ago: float = 0.0,
) -> AsyncIterator[Table]:
    """Run the program at a set table, and look for what must never happen.

    That is a message posted twice, somebody pinged, a traceback in the log, or a vote that was
    confirmed and is lost. On Discord all this happens so many seconds `ago`.
    """
    async with WireServer(limits=RateLimits.off(), heartbeat_ms=heartbeat_ms) as wire:
        if ago:
            wire.world.new_id.turn_back(ago)
        table = Table(wire, Program(wire, folder, config or roster(), env=env))
        async with table.program:
            yield table
            require_sound(table)


def require_sound(table: Table) -> None:
    """Raise AssertionError where something happened that no fault excuses."""
    said = [m for c in table.wire.world.channels.values() for m in said_in(table, c.id)]
    twice = [m.text for m in said if Counter(map(_what, said))[_what(m)] > 1]
    assert not twice, f"posted twice: {twice}"
    assert not [m.text for m in said if m.pings], "somebody was pinged"
    logs = sorted(table.program.home.glob("*.stderr.log"))
    assert logs
    for log in logs:
        assert "Traceback" not in log.read_text("utf-8", "replace"), "a traceback in the log"
    assert not (lost := _lost(table)), f"confirmed and not stored: {lost}"


def _lost(table: Table) -> set[Ballot]:
    if _damaged(table.program):
        return set()  # nobody can tell
    interactions = table.wire.callbacks.interactions.values()
    pressed = [Press(i) for i in interactions if CAST.fullmatch(str(i.data.get("custom_id")))]
    stored = table.program.rows("SELECT battle_id, voter_id FROM votes")
    return {press.ballot for press in pressed if press.confirmed} - set(stored)


def _damaged(program: Program) -> bool:
    """Whether it has a file that cannot be read through."""
    try:
        return file_of(program.url) is not None and program.rows("PRAGMA quick_check") != [("ok",)]
    except sqlite3.DatabaseError:
        return True


def said_in(table: Table, channel_id: int) -> list[Message]:
    """What the bot posted in a channel for all to see."""
    return table.wire.messages(table.wire.world.channels[channel_id], author=table.wire.bot)


def _what(message: Message) -> tuple[int, int | None, str | None, str]:
    """Two of the bot's messages with the same of this are one too many."""
    by = message.interaction["id"] if message.interaction else None
    return message.channel.id, message.reference_id, by, message.text
