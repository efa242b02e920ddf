"""What was found, as values that JSON has: names as in `results.py`, which scripts may rely on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from bot.insight.counting import Counting
from bot.insight.results import Effect

IDS = ("guilds", "channels")


def plain(found: object) -> Any:  # noqa: ANN401 - whatever JSON has
    """Records become objects, days `2026-11-01`, and what is not known null.

    Numbers are finite, and ids of Discord are strings, as many languages cannot hold them.
    """
    if is_dataclass(found):
        values = {field.name: plain(getattr(found, field.name)) for field in fields(found)}
        if isinstance(found, Effect):
            values["alarm"] = found.alarm
        if isinstance(found, Counting):
            values |= {name: [str(number) for number in values[name]] for name in IDS}
        return values
    if isinstance(found, Mapping):
        return {str(key): plain(value) for key, value in found.items()}
    if isinstance(found, tuple):
        return [plain(value) for value in found]
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    return found.isoformat() if isinstance(found, date) else found
