"""Keyed hashes and the key that never leaves."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING

import pytest

from bot.dataset.pseudonyms import KEY_FILE, Pseudonyms
from bot.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SNOWFLAKE = 2**60 + 7


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    first = Pseudonyms.kept_in(home)
    key = home / KEY_FILE
    assert len(key.read_bytes()) == 32
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert Pseudonyms.kept_in(home).of("voter", SNOWFLAKE) == first.of("voter", SNOWFLAKE)
    assert Pseudonyms.kept_in(tmp_path).of("voter", SNOWFLAKE) != first.of("voter", SNOWFLAKE)


def test_a_hash_is_short_keyed_and_tells_kinds_apart() -> None:
    names = Pseudonyms(b"k" * 32, linkable=True)
    hashed = names.of("voter", SNOWFLAKE)
    assert len(hashed) == 16
    assert int(hashed, 16)
    assert hashed not in hashlib.sha256(f"voter:{SNOWFLAKE}".encode()).hexdigest()
    assert names.of("battle", SNOWFLAKE) != hashed


def test_an_unlinkable_key_is_new_each_time() -> None:
    one, two = Pseudonyms.unlinkable(), Pseudonyms.unlinkable()
    assert one.of("battle", 1) != two.of("battle", 1)
    assert not one.linkable


def test_a_guilds_own_hashes_cannot_be_joined_with_others_and_stay_the_same() -> None:
    names = Pseudonyms(b"k" * 32, linkable=True)
    one, other = names.within(5), names.within(6)
    assert len({who.of("voter", SNOWFLAKE) for who in (names, one, other)}) == 3
    assert names.within(5).of_member(SNOWFLAKE) == one.of("voter", SNOWFLAKE)
    assert (one.linkable, Pseudonyms.unlinkable().within(5).linkable) == (True, False)


def test_a_key_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(ConfigError, match=r"export\.key, is too short\. Restore it"):
        Pseudonyms.kept_in(tmp_path)
    (tmp_path / "folder" / KEY_FILE).mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read or made"):
        Pseudonyms.kept_in(tmp_path / "folder")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be read or made"):
        Pseudonyms.kept_in(tmp_path / "file")
