"""The benchmarks of the whole program still run; what they find is for a quiet machine."""

from __future__ import annotations

import io
from argparse import Namespace
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from benchmarks import load, soak

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_battle_is_weighed(tmp_path: Path) -> None:
    out = Console(file=io.StringIO(), width=120)
    few = Namespace(battles=10, messages=5, at_once=5, llmcord=None)
    await load.main(few, tmp_path, out)
    told = out.file.getvalue()
    assert "ms of processor time a message" in told
    assert "KiB in each 1,000" in told


def sample(at: float, **figures: float) -> soak.Sample:
    quiet = {"memory": 200.0, "descriptors": 50, "tasks": 12.0, "waiting": 0.0}
    return soak.Sample(at=at, stall=0.01, stalls=0, late=0.0, **{**quiet, **figures})


@pytest.mark.parametrize("what", ["memory", "descriptors", "tasks"])
def test_what_grows_is_found_and_what_jitters_is_not(what: str) -> None:
    rng = Random(7)
    start = getattr(sample(0), what)
    jitters = [sample(at, **{what: start + rng.uniform(-2, 2)}) for at in range(200)]
    grows = [sample(one.at, **{what: getattr(one, what) + one.at / 8}) for one in jitters]
    for samples, holds in ((jitters, True), (grows, False)):
        judged = soak.judge(samples, samples[-1], Counter({200: 9}), [])
        verdicts = {verdict.what: verdict.holds for verdict in judged}
        assert verdicts.pop(what) is holds
        assert all(verdicts.values())
