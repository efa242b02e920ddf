"""The formats of exports: what a battle becomes in each of them.

A format has tables, which have columns, and makes rows of a battle whose people have agreed,
or says why there are none. Those that training libraries read have one table; their rows are
made of verdicts, by `Paired`, as text for base models or as chats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.dataset.funnel import LeftOut
    from bot.dataset.policy import Policy
    from bot.dataset.pseudonyms import Pseudonyms
    from bot.dataset.select import Selector, Verdict
    from bot.prompting import Framed
    from storage.records import About, Cast, VotedBattle

Row: TypeAlias = dict[str, Any]

Spec: TypeAlias = "str | list[Any] | dict[str, Any]"
"""What a column holds: `string`, `int`, `float`, `bool`, `day`, a list of one, or a dict of them.

A `day` is written as in 2026-11-01.
"""

MESSAGES: Spec = [{"role": "string", "content": "string"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What formats make rows with. `chat` asks for chats where text for base models is usual."""

    policy: Policy
    selector: Selector
    pseudonyms: Pseudonyms
    templates: Mapping[str, Framed]
    chat: bool = False


class Made(NamedTuple):
    """What a battle became: rows by table, and the verdicts that they were made of."""

    rows: list[tuple[str, Row]]
    verdicts: list[Verdict]


class Format(Protocol):
    """One way to write battles down.

    `splits` is whether rows are parted into train, validation and test; `every` whether
    battles without votes have rows too; `details`, `log` and `texts` are what is to be read of
    votes and answers besides what was shown.
    """

    splits: bool
    every: bool
    details: bool
    log: bool
    texts: tuple[str, ...]

    @property
    def tables(self) -> Mapping[str, Mapping[str, Spec]]:
        """The columns of each table, in order."""

    def made(self, voted: VotedBattle) -> Made | LeftOut:
        """The rows of a battle, of which every one has every column, or why there are none."""


def about_of(vote: Cast) -> About:
    """What is known of a vote, for formats that ask for details."""
    if vote.about is None:
        raise ValueError("votes were read without details")
    return vote.about
