"""The older half of a large export, made by a second process at the same time.

Python makes rows on one core only. What comes out is the same as by one process, byte for byte.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.dataset.files import Files, Writer
from bot.dataset.reading import begin, read
from bot.dataset.request import Means
from bot.errors import TwofoldError
from bot.redaction import Redactor
from bot.redaction.presidio import presidio
from storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from multiprocessing.connection import Connection

    from pydantic import SecretStr

    from bot.dataset.pseudonyms import Pseudonyms
    from bot.dataset.request import Request
    from bot.dataset.work import Work
    from bot.prompting import Framed
    from storage.records import Import

WORTH_IT = 10_000
"""Battles from which on a second process is begun: it takes a second to be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """What another process has to know: of means only what can be sent."""

    url: str
    key: SecretStr | None
    request: Request
    pseudonyms: Pseudonyms
    templates: Mapping[str, Framed]
    collection: tuple[str, tuple[Import, ...]] | None
    weights: Mapping[int, float]
    learnt: frozenset[int]
    before: int
    folder: Path


class Older:
    """A process that works on its half, and writes lines into a folder of its own."""

    def __init__(self, half: Half, answers: Connection) -> None:
        self._folder = half.folder
        self._answers = answers

    async def add_to(self, work: Work, writer: Writer) -> None:
        """Wait for it, and add its rows and counts to those of the newer half.

        Raises what it raised, and TwofoldError where it ended without a word.
        """
        try:
            came = await asyncio.to_thread(self._answers.recv)
        except EOFError:
            raise TwofoldError(
                "The second process of the export ended before it was done, maybe for want of "
                "memory. Run it again, with --processes 1 if that happens again."
            ) from None
        if isinstance(came, BaseException):
            raise came
        part, lines = came
        work.add(part)
        for table, split in lines:
            with (self._folder / Files().path(table, split)).open("rb") as file:
                for line in file:
                    writer.write(table, split, line)


@contextmanager
def older_half(
    out: Path,
    url: str,
    request: Request,
    means: Means,
    *,
    weights: Mapping[int, float],
    learnt: frozenset[int],
    before: int,
) -> Iterator[Older]:
    """Begin to work on the battles below `before`; what is not done at the end is broken off."""
    context = get_context("spawn")
    mine, its = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix=".older-", dir=out) as folder, mine:
        half = Half(
            url=url,
            key=means.key,
            request=request,
            pseudonyms=means.pseudonyms,
            templates=means.templates,
            collection=means.collection and (means.collection[0], tuple(means.collection[1])),
            weights=weights,
            learnt=learnt,
            before=before,
            folder=Path(folder),
        )
        process = context.Process(target=_work, args=(half, its), daemon=True)
        process.start()
        its.close()
        try:
            yield Older(half, mine)
        finally:
            process.terminate()
            process.join()


def _work(half: Half, answers: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other process's to handle
    try:
        done: Any = asyncio.run(_made(half))
    except Exception as error:  # noqa: BLE001 - it is raised over there
        done = error
    answers.send(done)


async def _made(half: Half) -> tuple[Any, list[tuple[str, str]]]:
    means = Means(
        pseudonyms=half.pseudonyms,
        redactor=Redactor(more=presidio()),
        templates=half.templates,
        collection=half.collection,
    )
    form, work = begin(half.request, means, weights=half.weights, learnt=half.learnt)
    with Writer(half.folder, form.tables, Files()) as writer:
        async with Database.open(half.url, key=half.key) as store:
            await read(store, half.request, form, work, writer, before=half.before)
        lines = writer.parts
        writer.finish()
    return work.part(), lines
