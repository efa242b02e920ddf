"""The simulated Discord of `tests/behaviour`."""

from tests.behaviour.conftest import open_town, town

__all__ = ["open_town", "town"]
