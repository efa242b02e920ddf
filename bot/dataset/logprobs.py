"""Reference log-probabilities as two columns of preference rows, kept between exports.

The numbers are slow to have, so each is appended to a side file as soon as it is there:
an export that was killed goes on where it was. The file holds hashes and numbers, never a
text, and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from bot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import IO

CHOSEN, REJECTED = "ref_chosen_logps", "ref_rejected_logps"
"""TRL's names for the two columns."""

WINDOW = 256
"""Rows that are sorted by length together."""

_EDITION = 1
"""Raised when the same texts and model get other numbers: those of before are then forgotten."""

Completion = tuple[str, str, str]
"""A prompt, what was said to it, and what that is paired with."""


class Scorer(Protocol):
    """A model that says how likely it finds texts."""

    @property
    def fingerprint(self) -> str:
        """What the numbers depend on beside the texts."""

    @property
    def max_length(self) -> int:
        """The most tokens that prompt and completion may have together."""

    def score(self, completions: Sequence[Completion]) -> Iterator[tuple[int, float | None]]:
        """Yield index and sum of log p(token | what precedes it), natural, in any order.

        None for a pair that is longer than `max_length`. Raises ModelError.
        """


class Scored:
    """Fills `ref_chosen_logps` and `ref_rejected_logps`; what is known is not computed again.

    `cache` is a folder, made where it is missing; one file in it for each model. `progress`
    gets the number of rows that are done. Raises ConfigError where it cannot be written.
    """

    def __init__(
        self, *, scorer: Scorer, cache: Path, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        self._scorer = scorer
        self.progress = progress
        self._model = hashlib.sha256(f"{_EDITION}:{scorer.fingerprint}".encode()).hexdigest()[:16]
        self._path = cache / f"{self._model}.jsonl"
        self._known: dict[str, float] = {}
        self.rows = self.computed = self.too_long = 0
        try:
            self._file = self._open()
        except OSError as error:
            raise self._unwritable(error) from error

    def fill(self, rows: Sequence[dict[str, Any]]) -> None:
        """Set both columns of rows with the texts "prompt", "chosen" and "rejected".

        Both are None where the row is too long. Blocks, for about a second per row on a
        processor. Raises ModelError, and ConfigError where the side file cannot be written.
        """
        for begin in range(0, len(rows), WINDOW):
            window = rows[begin : begin + WINDOW]
            self._learn(window)
            for row in window:
                row[CHOSEN], row[REJECTED] = (self._known.get(key) for key, _ in self._asked(row))
                self.too_long += row[CHOSEN] is None
            self.rows += len(window)

    def told(self) -> str:
        """What to say of it: how many rows have numbers, and why some have none."""
        said = f"reference log-probabilities: {self.rows - self.too_long} of {self.rows} rows"
        if self.too_long:
            longest = self._scorer.max_length
            said += f", the others are longer than {longest} tokens or than the model takes"
        return said

    def close(self) -> None:
        """Close the side file."""
        self._file.close()

    def _learn(self, window: Sequence[dict[str, Any]]) -> None:
        asked = dict(entry for row in window for entry in self._asked(row))
        missing = [key for key in asked if key not in self._known]
        left, end = len(missing), self.rows + len(window)
        for index, logp in self._scorer.score([asked[key] for key in missing]) if missing else ():
            if logp is not None:
                self._keep(missing[index], logp)
            left -= 1
            self.progress(max(self.rows, end - (left + 1) // 2))
        self.progress(end)

    def _asked(self, row: dict[str, Any]) -> Iterator[tuple[str, Completion]]:
        """The row's two completions, chosen first, each with its key in the side file."""
        prompt, chosen, rejected = row["prompt"], row["chosen"], row["rejected"]
        for completion in (prompt, chosen, rejected), (prompt, rejected, chosen):
            digest = hashlib.sha256(orjson.dumps([self._model, *completion]))
            yield digest.hexdigest()[:32], completion

    def _keep(self, key: str, logp: float) -> None:
        self._known[key] = logp
        self.computed += 1
        try:
            self._file.write(orjson.dumps([key, logp], option=orjson.OPT_APPEND_NEWLINE))
        except OSError as error:
            raise self._unwritable(error) from error

    def _open(self) -> IO[bytes]:
        """Read what is known, then go on at the end: after a torn line, on a new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+b", buffering=0)
        file.seek(0)
        last = b"\n"
        for last in file:
            self._known.update(_entry(last))
        if not last.endswith(b"\n"):
            file.write(b"\n")
        return file

    def _unwritable(self, error: OSError) -> ConfigError:
        return ConfigError(
            f"The folder {self._path.parent} cannot be written ({error.strerror}). Free some "
            "space, or set TWOFOLD_HOME to a folder that can."
        )


def _entry(line: bytes) -> list[tuple[str, float]]:
    """A line's key and number; nothing for one whose end is missing."""
    try:
        key, logp = orjson.loads(line)
    except ValueError:
        return []
    return [(key, logp)]
