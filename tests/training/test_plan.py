"""Whether a training means anything, and fits in: the machine, a container, a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import ConfigError, NoRoom
from bot.training.plan import Lengths, fitting, free_memory, require_enough, require_room
from bot.training.rows import TEST, TRAIN, Dataset, Row, Text

MB = 1_000_000


def test_a_container_has_no_more_than_its_limit(tmp_path: Path) -> None:
    assert free_memory(tmp_path) > 100 * MB, "without a limit it is the machine's"
    (tmp_path / "memory.current").write_text(f"{80 * MB}\n")
    (tmp_path / "memory.stat").write_text(f"anon {70 * MB}\ninactive_file {10 * MB}\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) > 100 * MB
    (tmp_path / "memory.max").write_text(f"{100 * MB}\n")
    assert free_memory(tmp_path) == 30 * MB


def test_only_rows_that_fit_count() -> None:
    pair = Row("Q:", Text(" yes"), Text(" no"))
    dataset = Dataset(Path(), {}, "", {TRAIN: (pair,) * 60, TEST: (pair,) * 20})
    lengths = Lengths((100,) * 49 + (600,) * 11 + (512,) * 20, (), ())
    require_enough(fitting(dataset, lengths, 600))
    fits = fitting(dataset, lengths, 512)
    assert (fits.pairs(TRAIN), fits.pairs(TEST)) == (49, 20)
    with pytest.raises(ConfigError, match=r"\(there are 49\)\. Too long for --max-length: 11 rows"):
        require_enough(fits, too_long=lengths.longer_than(512))


def test_on_a_gpu_its_own_memory_counts() -> None:
    require_room(10**15, gpu=10**15)
    with pytest.raises(NoRoom, match=r"needs about 2\.0 GB of GPU memory and 1\.0 GB are free"):
        require_room(2 * 10**9, gpu=10**9)
    with pytest.raises(NoRoom, match="GB of memory"):
        require_room(10**15)
