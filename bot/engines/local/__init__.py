"""Weights in this process: the engine, how it loads a model, how it draws tokens.

Only `loading` and `sampling` import torch, and only a starting engine imports them.
"""

from bot.engines.local.engine import LocalEngine

__all__ = ["LocalEngine"]
