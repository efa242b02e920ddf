"""PostgreSQL's advisory locks: what each number means."""

from __future__ import annotations

from enum import IntEnum


class Lock(IntEnum):
    """The first of a lock's two numbers, so that no two uses have the same.

    Those of transactions end with them; the others are a process's, and end with its connection.
    """

    UPGRADE = 0x7F01
    """Steps that are run; a transaction's, and the only number of its lock."""
    TURN = 0x7F02
    """What transactions do one after another."""
    WHOLE = 0x7F03
    """The database, for whoever needs all of it; shared by those that have shards."""
    SHARD = 0x7F04
    COUNT = 0x7F05
    """How many shards there are: shared by all who count the same."""
    IDENTIFY = 0x7F06
    """Sessions with Discord that begin one after another."""
