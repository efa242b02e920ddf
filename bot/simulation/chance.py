"""Where chance comes from: the same seed and name give the same draws."""

from __future__ import annotations

from random import Random


def draws(seed: int, *name: object) -> Random:
    """Draws of their own for each name, so that nothing depends on what is drawn elsewhere."""
    return Random("/".join(map(str, (seed, *name))))  # noqa: S311 - it has to be the same again
