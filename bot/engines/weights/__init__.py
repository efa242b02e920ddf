"""Where models come from: naming them, fetching them, keeping them. Cheap to import."""

from bot.engines.weights.sources import FORMS, Source, notice, parse_source
from bot.engines.weights.store import Installed, installed, is_ready, pull, remove
from bot.engines.weights.wheels import Progress

__all__ = [
    "FORMS",
    "Installed",
    "Progress",
    "Source",
    "installed",
    "is_ready",
    "notice",
    "parse_source",
    "pull",
    "remove",
]
