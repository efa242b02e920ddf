"""Rounds: what was voted on becomes a tuned contender, in steps that are each done once.

    HOME/rounds/N/round.json   what was asked for, and what came of each step that is done
    HOME/rounds/N/report.md    the same to be read

A round that was broken off goes on with the first step that is not done; the training itself
goes on from its last checkpoint.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.disk import write_whole
from bot.errors import ConfigError
from bot.training.recipe import Method

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUND, REPORT = "round.json", "report.md"


class Step(StrEnum):
    """The steps, in their order."""

    COLLECT = "collect"
    EXPORT = "export"
    TRAIN = "train"
    EVALUATE = "evaluate"
    ENTER = "enter"
    REPORT = "report"


class Asked(BaseModel):
    """What a round was asked for. `parent` is who is trained.

    `least` is how many new pairs there must be. `simulated` members vote on so many battles
    first, and only their votes count; 0 is for people's. `anyway` lets a contender enter that
    does not pass the gates.
    """

    model_config = ConfigDict(frozen=True)

    parent: str
    method: Method = Method.DPO
    least: int
    simulated: int = 0
    seed: int | None = None
    anyway: bool = False


class Round(BaseModel):
    """A round in its folder. `done` is what came of each step, `seconds` how long it took.

    `given_up` are those in whose place another one was begun. `simulated_before` is how many
    simulated battles there were when it began to collect.
    """

    number: int
    began_at: datetime
    asked: Asked
    given_up: bool = False
    simulated_before: int | None = None
    done: dict[Step, dict[str, Any]] = Field(default_factory=dict)
    seconds: dict[Step, float] = Field(default_factory=dict)

    def go_on(self, asked: Asked) -> None:
        """Take up what it is asked for now, as far as that can still be chosen.

        Before votes are exported that is everything; where more are to be made up, they are.
        """
        if Step.EXPORT in self.done:
            asked = self.asked.model_copy(update={"anyway": asked.anyway})
        elif asked.simulated > self.asked.simulated:
            self.done.pop(Step.COLLECT, None)
        self.asked = asked

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.given_up or set(self.done) == set(Step)


def all_of(home: Path) -> list[Round]:
    """Every round, the first one first. Raises ConfigError where one cannot be read."""
    return sorted(map(_read, home.glob(f"rounds/*/{ROUND}")), key=lambda one: one.number)


def unfinished(home: Path, *, simulated: bool) -> Round | None:
    """The round that is to go on, if there is one; those of made-up votes go on by themselves."""
    rounds = (one for one in all_of(home) if bool(one.asked.simulated) is simulated)
    return next((one for one in rounds if not one.is_over), None)


def begin(home: Path, asked: Asked, *, at: datetime) -> Round:
    """Begin another round, after all that there are."""
    number = max((one.number for one in all_of(home)), default=0) + 1
    begun = Round(number=number, began_at=at, asked=asked)
    save(home, begun)
    return begun


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Nobody else works on a round meanwhile. Raises ConfigError where somebody does."""
    folder = home / "rounds"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ConfigError(
            "Another process is at work on a round. Wait until it is done, or stop it: the round "
            "goes on where it was."
        ) from None


def save(home: Path, one: Round) -> None:
    """Write down how far a round is."""
    folder = folder_of(home, one)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / ROUND, one.model_dump_json(indent=2).encode())


def folder_of(home: Path, one: Round) -> Path:
    """Where a round has its files."""
    return home / "rounds" / str(one.number)


def _read(path: Path) -> Round:
    try:
        return Round.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ConfigError(
            f"{path} cannot be read. Remove its folder to have the round forgotten; what it "
            "trained stays."
        ) from None
