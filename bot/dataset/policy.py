"""Every choice that an export makes, in one place; a manifest records all of it."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.records import Kind, Purpose


class Votes(StrEnum):
    """Which votes are looked at."""

    BLIND = "blind"
    ALL = "all"


class Deciding(StrEnum):
    """How votes become a preference.

    `majority`: the outcome that most voters gave. `weighted`: the same, each vote counting
    what its voter's votes can be relied on. `unanimous`: only where all agree. `every`: each
    vote by itself, so that 3 against 1 is four rows.
    """

    MAJORITY = "majority"
    UNANIMOUS = "unanimous"
    WEIGHTED = "weighted"
    EVERY = "every"


class Text(StrEnum):
    """Which text of an answer is taken: what people saw, or what the model wrote."""

    SHOWN = "shown"
    RAW = "raw"


class Undecided(StrEnum):
    """What becomes of a battle that nobody won.

    `desirable` and `undesirable` are rows of KTO; `soft` is a pair with `p_chosen` near a half.
    """

    LEAVE_OUT = "leave_out"
    DESIRABLE = "desirable"
    UNDESIRABLE = "undesirable"
    SOFT = "soft"


class Edits(StrEnum):
    """What becomes of an answer that a voter wrote anew: nothing, or the chosen side of a row."""

    LEAVE_OUT = "leave_out"
    CHOSEN = "chosen"


class Columns(StrEnum):
    """Groups of columns that rows may have beside what their format needs."""

    VOTES = "votes"
    MARGIN = "margin"
    CONTENDERS = "contenders"
    TAGS = "tags"
    WEIGHT = "weight"


Share = Annotated[float, Field(ge=0, le=1)]


class Policy(BaseModel):
    """What is taken, and how. Consent is none of it: that comes first, and is not chosen.

    `min_agreement` is the share of the counted votes that the leading outcome must have.
    `length_ratio` leaves out pairs whose longer side has more than so many times the
    characters of the shorter. `chosen_kinds` keeps rows whose chosen side is of such a kind.
    `cut` keeps rows whose chosen side ends because its length ran out. `continued` keeps
    answers that went on later, beside the longer ones. `render_with` is a prompt template for
    all rows of text, instead of the one that each battle was prompted with. `logprobs` is the
    contender whose log-probabilities of both sides rows have. `new_to` is a tuned contender: what
    it, or one that it comes from, was trained on already is left out. `simulated` takes what was
    simulated instead of what members did, never both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    votes: Votes = Votes.BLIND
    deciding: Deciding = Deciding.MAJORITY
    min_votes: Annotated[int, Field(ge=1, le=10**6)] = 1
    min_agreement: Share = 0.0
    author_votes: bool = True
    purposes: tuple[Purpose, ...] = (Purpose.LIVE,)
    since: date | None = None
    until: date | None = None
    guilds: tuple[Annotated[int, Field(ge=1, lt=2**63)], ...] = ()
    contenders: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()
    chosen_kinds: tuple[Kind, ...] = ()
    length_ratio: Annotated[float, Field(ge=1)] | None = None
    text: Text = Text.SHOWN
    cut: bool = False
    continued: bool = False
    ties: Undecided = Undecided.LEAVE_OUT
    both_bad: Undecided = Undecided.UNDESIRABLE
    edits: Edits = Edits.CHOSEN
    render_with: str | None = None
    logprobs: str | None = None
    new_to: str | None = None
    columns: tuple[Columns, ...] = (
        Columns.VOTES,
        Columns.MARGIN,
        Columns.CONTENDERS,
        Columns.TAGS,
    )
    validation: Share = 0.05
    test: Share = 0.05
    seed: Annotated[int, Field(ge=0, le=2**32)] = 0
    simulated: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.validation + self.test > 1:
            raise ValueError("--validation and --test together are more than 1")
        if self.since and self.until and self.since > self.until:
            raise ValueError("--after is later than --before")
        return self

    @property
    def weighs(self) -> bool:
        """Whether anything depends on how far voters can be relied on."""
        return self.deciding is Deciding.WEIGHTED or Columns.WEIGHT in self.columns
