"""Two answers while they are made: what of both may be shown already, and nothing that tells.

Speed and length would tell which model is which. So there is always as much to see of
one as of the other, and a text that has ended looks like one that is waited for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from bot.answers import closed, finish, visible
from storage.records import FinishReason, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.prompting import Parsed

HELD_BACK = 48
"""Characters at the end of both texts that are not shown yet: what gives a model away
("as an AI language model") is masked when it is there whole."""


class Showing(StrEnum):
    """How answers appear: when both are done, or growing side by side."""

    AT_ONCE = "at_once"
    LOCKSTEP = "lockstep"


class Growth:
    """The latest sample of each side. `heard` is what the conversation said already.

    `changed` is called with every piece of text, and has to be quick.
    """

    def __init__(self, *, heard: str, changed: Callable[[Growth], None]) -> None:
        self._heard = heard
        self._changed = changed
        self._pieces: dict[Side, list[str]] = {}
        self._parses: dict[Side, Callable[[str], Parsed]] = {}
        self._speakers: dict[Side, Sequence[str]] = {}
        self._share = 0
        self._over = False

    def begin(
        self,
        side: Side,
        parse: Callable[[str], Parsed],
        *,
        speakers: Sequence[str] = (),
        so_far: str = "",
    ) -> Callable[[str], None]:
        """A side begins a sample, in place of its earlier one; returns what takes its pieces.

        Where some was shown already, nothing more is: a text that others see
        replaced tells that its model failed.
        """
        self._over = self.shown
        pieces = self._pieces[side] = [so_far]
        self._parses[side], self._speakers[side] = parse, speakers

        def take(piece: str) -> None:
            pieces.append(piece)
            self._changed(self)

        return take

    @property
    def shown(self) -> bool:
        """Whether anybody saw some of it."""
        return self._share > 0

    def texts(self) -> dict[Side, str] | None:
        """The same share of both, tidied and masked; None where it has not grown since."""
        if self._over or len(self._pieces) < len(Side) or self._shorter <= self._share + HELD_BACK:
            return None
        whole = {side: self._tidy(side) for side in self._pieces}
        share = min(map(len, whole.values())) - HELD_BACK
        if share <= self._share:
            return None
        texts = {side: text[:share] for side, text in whole.items()}
        if not all(map(visible, texts.values())):
            return None
        self._share = share
        return {side: closed(text) for side, text in texts.items()}

    @property
    def _shorter(self) -> int:
        """Characters of the shorter side as it came: tidying takes time, and makes few longer."""
        return min(sum(map(len, pieces)) for pieces in self._pieces.values())

    def _tidy(self, side: Side) -> str:
        parsed = self._parses[side]("".join(self._pieces[side]))
        return finish(
            parsed.text,
            finish_reason=FinishReason.STOP,
            ran_on=parsed.ran_on,
            heard=self._heard,
            speakers=self._speakers[side],
        ).shown
