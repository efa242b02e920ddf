"""All rows of the matrix, from every module of this package."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from .fault import FAULTS

if TYPE_CHECKING:
    from .fault import Fault


def matrix() -> tuple[Fault, ...]:
    """Import what declares trials, and return these in the order of the docs."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if not module.name.startswith(("test_", "_")):
            importlib.import_module(f"{__package__}.{module.name}")
    return tuple(sorted(FAULTS, key=lambda fault: fault.area))
