"""The formats by the names that the command line takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.dataset.formats.arena import Arena
from bot.dataset.formats.paired import Dpo, Kto, OpenAi, Reward, Sft
from bot.dataset.formats.raw import Raw
from storage.records import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bot.dataset.formats import Format, Making

FORMATS: Mapping[str, Callable[[Making], Format]] = {
    "dpo": Dpo,
    "kto": Kto,
    "sft": Sft,
    "reward": Reward,
    "openai": OpenAi,
    "arena": Arena,
    "raw": Raw,
}

HELP: Mapping[str, str] = {
    "dpo": "prompt, chosen, rejected: TRL's DPO, ORPO, CPO and reward trainers",
    "kto": "one answer a row with a label: TRL's KTO trainer",
    "sft": "what was chosen, and what members wrote anew: TRL's SFT trainer",
    "reward": "as dpo, with the margin that TRL's reward trainer takes",
    "openai": "strict preference rows for OpenAI, Together, Fireworks and Azure",
    "arena": "votes and pairs in the columns of LMArena's sets; every vote",
    "raw": "every battle, answer, vote and event, for research",
}


CHATS = frozenset({"dpo", "kto", "sft", "reward"})
"""Formats that hold text for base models, or chats where these are asked for."""


def purposes_of(format_name: str) -> tuple[Purpose, ...]:
    """Which battles a format takes by default: raw every one, the others those that count."""
    return tuple(Purpose) if format_name == "raw" else (Purpose.LIVE,)
