"""Whether a training fits in: the machine, a container, a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.errors import NoRoom
from bot.training.plan import free_memory, require_room

if TYPE_CHECKING:
    from pathlib import Path

MB = 1_000_000


def test_a_container_has_no_more_than_its_limit(tmp_path: Path) -> None:
    assert free_memory(tmp_path) > 100 * MB, "without a limit it is the machine's"
    (tmp_path / "memory.current").write_text(f"{80 * MB}\n")
    (tmp_path / "memory.stat").write_text(f"anon {70 * MB}\ninactive_file {10 * MB}\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) > 100 * MB
    (tmp_path / "memory.max").write_text(f"{100 * MB}\n")
    assert free_memory(tmp_path) == 30 * MB


def test_on_a_gpu_its_own_memory_counts() -> None:
    require_room(10**15, gpu=10**15)
    with pytest.raises(NoRoom, match=r"needs about 2\.0 GB of GPU memory and 1\.0 GB are free"):
        require_room(2 * 10**9, gpu=10**9)
    with pytest.raises(NoRoom, match="GB of memory"):
        require_room(10**15)
