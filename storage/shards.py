"""Shards: which servers one process has, where several share the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement

SHIFT = 22
"""Below these bits a snowflake's time begins, which is what Discord deals servers out by."""


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards `ids` of `count` in all, by Discord's own rule.

    A server is on shard `(guild_id >> 22) % count`, direct messages on shard 0
    (Discord's documentation of the gateway, "Sharding").
    """

    ids: frozenset[int]
    count: int

    @classmethod
    def all(cls, count: int = 1) -> Shards:
        """Every shard there is: one process has the whole database."""
        return cls(frozenset(range(count)), count)

    @property
    def whole(self) -> bool:
        """Whether no other process has a shard."""
        return len(self.ids) == self.count

    @property
    def share(self) -> float:
        """How much of the work is this process's, up to 1."""
        return len(self.ids) / self.count

    @property
    def first(self) -> bool:
        """Whether shard 0 is among them: its process does what is to be done once for all."""
        return 0 in self.ids

    def has(self, guild_id: int | None) -> bool:
        """Whether a server is on one of them; None for direct messages."""
        return ((guild_id or 0) >> SHIFT) % self.count in self.ids

    def clause(self, guild_id: Column[int]) -> ColumnElement[bool]:
        """`has` in SQL."""
        from sqlalchemy import Integer, func, literal, true  # noqa: PLC0415 - settings need no SQL

        if self.whole:
            return true()
        shard = func.coalesce(guild_id, 0).bitwise_rshift(literal(SHIFT, Integer)) % self.count
        return shard.in_(sorted(self.ids))

    def __str__(self) -> str:
        """Write them as `0-3,7/16`, the way they are set."""
        runs: list[list[int]] = []
        for number in sorted(self.ids):
            if runs and number == runs[-1][-1] + 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        told = (str(r[0]) if len(r) == 1 else f"{r[0]}-{r[-1]}" for r in runs)
        return f"{','.join(told)}/{self.count}"


EVERY = Shards.all()
"""For who has a database alone."""
