"""Weights in this process: the engine, how it loads a model, how it draws tokens.

What imports torch is imported only by an engine that starts.
"""

from bot.engines.local.engine import LocalEngine
from bot.engines.local.model import LocalModel

__all__ = ["LocalEngine", "LocalModel"]
