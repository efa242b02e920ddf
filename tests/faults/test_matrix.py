"""The rows that take seconds; `make faults` tries those that take longer as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .matrix import matrix

if TYPE_CHECKING:
    from pathlib import Path

    from .fault import Fault

SHORT = [fault for fault in matrix() if not fault.long]


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
async def test_what_goes_wrong_ends_as_it_is_told(fault: Fault, tmp_path: Path) -> None:
    await fault.trial(tmp_path)
