"""Our ranking beside `evalica.newman`'s bare scores on the same votes, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.ranking

A million votes of voters who are unequal and have opinions (`benchmarks/society.py`). Newman's
algorithm is in Rust and knows neither voters nor intervals. It gets the very arrays; once it
makes its index itself, as it does when one is not given, and once it has got one. Ours is once
the ranking, from arrays to scores, intervals and ranks, and once all of the leaderboard, with
the share of every contender and every two of them. Peers take turns; the best turn counts, in
seconds of the processor, so that other programs on the machine matter less; numpy's threads, of
which Newman's has none, would count while they only wait.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import evalica
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.society import Society
from bot.insight import davidson
from bot.insight.clustering import weigh
from bot.insight.counting import Counting, Weights
from bot.insight.leaderboard import leaderboard
from bot.insight.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.insight.arena import Arena

SAID = (evalica.Winner.X, evalica.Winner.Y, evalica.Winner.Draw)


def peers(arena: Arena, count: int) -> dict[str, Callable[[], object]]:
    """What is timed, by name."""
    first, second = arena.first.astype(np.intp), arena.second.astype(np.intp)
    outcome, voter = arena.outcome, arena.voter
    winners = [SAID[said] for said in outcome.tolist()]
    index = pd.Index(range(count))

    def ranking() -> object:
        fit = davidson.fit(
            first,
            second,
            outcome,
            count=count,
            voter=voter,
            weight=weigh(voter, Weights.CAPPED),
        )
        met = np.bincount(first * count + second, minlength=count * count).reshape(count, count)
        ranks = Ranks(fit, met + met.T)
        return [(ranks.score(one), ranks.best(one), ranks.worst(one)) for one in ranks.order]

    return {
        "newman": lambda: evalica.newman(first, second, winners),
        "newman, with an index": lambda: evalica.newman(first, second, winners, index=index),
        "ranking": ranking,
        "leaderboard": lambda: leaderboard(arena, Counting()),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--votes", type=int, default=1_000_000)
    parser.add_argument("--voters", type=int, default=20_000)
    parser.add_argument("--contenders", type=int, default=20)
    parser.add_argument("--turns", type=int, default=5)
    args = parser.parse_args()
    society = Society(
        strengths=np.linspace(-1, 1, args.contenders), voters=args.voters, votes=args.votes
    )
    timed = peers(society.arena(np.random.default_rng(1)), args.contenders)
    best = dict.fromkeys(timed, float("inf"))
    for _ in range(args.turns):
        for name, run in timed.items():
            begin = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - begin)
    table = Table("what", "seconds", "of newman", "of newman with an index")
    for name, seconds in best.items():
        ratios = (f"{seconds / best[peer]:.2f}" for peer in ("newman", "newman, with an index"))
        table.add_row(name, f"{seconds:.3f}", *ratios)
    Console().print(table)


if __name__ == "__main__":
    main()
