"""How many cases there are of each entry, and the counting of those that ran."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from storage.errors import TwofoldError

EXAMPLES = "FUZZ_EXAMPLES"
"""The variable with the number of cases of each entry; without it a few, always the same."""

IN_CI = 60
RAN: Counter[str] = Counter()
"""Cases that ran so far, by entry: what the run prints."""

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)


def wanted() -> int | None:
    """The number of cases that were asked for."""
    asked = os.environ.get(EXAMPLES)
    return int(asked) if asked else None


def fuzzed(entry: str, *, in_ci: int = IN_CI) -> Callable[[Callable[..., Any]], Any]:
    """Have a Hypothesis test run as an entry: `@fuzzed("messages")` above `@given(…)`."""

    def decorate(test: Any) -> Any:
        inner = test.hypothesis.inner_test

        def counted(*arguments: Any, **values: Any) -> Any:
            RAN[entry] += 1
            return inner(*arguments, **values)

        test.hypothesis.inner_test = counted
        return settings(chosen(in_ci))(test)

    return decorate


def require_sentence(error: TwofoldError, *, secret: str = "\0") -> None:
    """What a person reads of it is a sentence, without a secret, and nothing of Python's."""
    told = error.user_message
    assert told.endswith((".", ")"))
    assert secret not in told
    assert not re.search(r"Traceback|Error\(|<class| object at 0x", told)


def counting(entry: str, cases: int = 1) -> None:
    """Count what a test of sequences tried."""
    RAN[entry] += cases


def chosen(in_ci: int = IN_CI, *, each: int = 1, steps: int = 1) -> settings:
    """Hypothesis' settings for a run of examples with so many cases `each`, at the least.

    `steps` is how long sequences may be.
    """
    asked = wanted()
    return settings(
        max_examples=-(-asked // each) if asked else in_ci // each,
        derandomize=asked is None,
        database=None if asked is None else settings.default.database,
        deadline=None,
        phases=PHASES,
        print_blob=asked is not None,
        stateful_step_count=steps,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.function_scoped_fixture,
        ],
    )
