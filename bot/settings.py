"""What is declared of a server's setting; `bot/guilds.py` has the settings themselves."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Le

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PERMISSION = "manage_guild"
"""What a member of a server needs to change any of its settings, as Discord names it."""


class Group(StrEnum):
    """What belongs together, as it is headed."""

    PLACES = "Where I answer"
    MODELS = "Models and prompts"
    SHOWING = "Showing"
    VOTING = "Voting"
    MEASUREMENT = "Measurement"
    PRIVACY = "Privacy"
    LIMITS = "Limits"


class Control(StrEnum):
    """What a setting is changed with."""

    TOGGLE = "toggle"
    CHOICE = "choice"
    CHOICES = "choices"
    CHANNELS = "channels"
    NUMBER = "number"
    LINK = "link"


class Source(StrEnum):
    """Where an effective value comes from."""

    HERE = "set here"
    DEFAULT = "the default"
    OPERATOR = "the operator's default"
    LOWERED = "lowered by the operator's limit"
    NO_PAIR = "those that were chosen here make no pair any more"


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds in a server. `value` is None where there is none."""

    value: object
    source: Source


@dataclass(frozen=True)
class Setting(GroupedMetadata):
    """All that is known of a setting but its type and default; stands in its `Annotated`.

    `options` are its values with a line of help each, for a choice that is the same in every
    house. `operator` names the field of Config that holds where nothing is set here; of a
    number it is the limit too. `unit` is in the singular. `forums` is whether channels may be
    forums, in which there are threads alone.
    """

    group: Group
    label: str
    help: str
    control: Control
    _: KW_ONLY
    options: Mapping[str, str] = field(default_factory=dict)
    least: int | None = None
    most: int | None = None
    unit: str = ""
    operator: str | None = None
    forums: bool = True

    def __iter__(self) -> Iterator[BaseMetadata]:
        """The limits, for pydantic."""
        if self.least is not None:
            yield Ge(self.least)
        if self.most is not None:
            yield Le(self.most)
