"""Whose texts a report shows."""

from __future__ import annotations

from enum import StrEnum


class Showing(StrEnum):
    """Whose texts are shown: of those who agreed to be published, or to statistics, or nobody's."""

    PUBLISH = "publish"
    EVALUATE = "evaluate"
    NONE = "none"
