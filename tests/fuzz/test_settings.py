"""What operators and servers' managers set: it holds, or one sentence says what is wrong."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Config, load
from bot.engines.weights import parse_source
from bot.errors import ConfigError, TwofoldError
from bot.guilds import SETTINGS, GuildSettings
from cogs._render.settings import FORMS, Panel
from storage.database import database_url, file_of
from tests.fuzz.cases import fuzzed, require_sentence
from tests.fuzz.house import Running
from tests.fuzz.test_answers import shows
from tests.fuzz.texts import any_text, damaged, json_values, said
from tests.wire.validate_forms import check_modal

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "sk-geheim-7f3a9c51e2d84b60"
URLS = (f"http://a:{SECRET}@x/v1", f"https://h/?key={SECRET}", f"http://[{SECRET}")
FIELDS = list(Config.model_fields)
SECRETS = ("discord_token", "openai_api_key", "serve_token")
VARIABLES = (
    *("DISCORD_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL", "TWOFOLD_SERVE_TOKEN", "MY_KEY"),
    *(f"TWOFOLD_{name.upper()}" for name in FIELDS if name not in {"config", "home"}),
)
EXAMPLE = Path("twofold.example.toml").read_text("utf-8")
UNCOMMENTED = "\n".join(
    line.removeprefix("# ") if "=" in line or line.startswith("# [[") else line
    for line in EXAMPLE.splitlines()
    if "preset" not in line and "moderation_words" not in line
)
ROSTER = [
    {"slug": "one", "kind": "base", "model": "scripted:", "template": "raw", "weight": 2.0},
    {
        "slug": "two",
        "kind": "instruct",
        "model": "openai:m",
        "base_url": f"http://user:{SECRET}@127.0.0.1:1/v1",
        "api_key_env": "MY_KEY",
    },
]
WHOLE = {
    "template": "mine",
    "context_messages": 3,
    "deadline_seconds": 1.5,
    "moderator": "words",
    "moderation_words": "words.txt",
    "templates": {"mine": {"help": "x", "person": "{name}: {text}", "cue": "B:", "turn": "[a"}},
    "contenders": ROSTER,
    "discord_token": SECRET,
}


def as_toml(value: Any) -> str:
    """A value as TOML has it, tables in line; what it cannot have is left to be refused."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, float):
        return {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}.get(
            json.dumps(value), repr(value)
        )
    return json.dumps(value)


names = st.sampled_from(FIELDS) | st.text(max_size=8)
values = json_values | st.sampled_from(
    ["tiny", "api", "raw", "words", "scripted:", "openai:m", 0, -1, 10**30, ROSTER]
)
kept = st.fixed_dictionaries(
    {},
    optional={
        **{
            name: st.sampled_from([SECRET, [SECRET], {"a": SECRET}, SECRET[:9]]) for name in SECRETS
        },
        **{name: st.sampled_from(URLS) for name in ("openai_base_url", "api_base_url")},
        "database": st.just(f"postgresql+asyncpg://a:{SECRET}@h/b"),
    },
)
"""Secrets, well placed or not."""
likely = st.integers(0, 200) | st.booleans() | st.sampled_from(["raw", "info", "none", "tiny"])
tables = st.one_of(
    st.builds(dict.__or__, st.dictionaries(names, values | likely, max_size=4), kept),
    st.sampled_from([WHOLE]).flatmap(
        lambda whole: st.dictionaries(st.sampled_from(FIELDS), values | likely, max_size=2).map(
            lambda some: whole | some
        )
    ),
    st.builds(
        lambda key, value: WHOLE | {"contenders": [ROSTER[0] | {key: value}, ROSTER[1]]},
        st.sampled_from([*ROSTER[0], "top_p", "top_k", "max_tokens", "sampling", "base_url"]),
        values,
    ),
    st.builds(
        lambda key, value: WHOLE | {"contenders": [ROSTER[0], ROSTER[1] | {key: value}]},
        st.sampled_from(["api_key_env", "base_url"]),
        st.sampled_from([SECRET, *URLS]),
    ),
)
tomls = st.one_of(
    tables.map(
        lambda table: "\n".join(f"{json.dumps(k)} = {as_toml(v)}" for k, v in table.items())
    ),
    said,
).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.one_of(
    damaged(UNCOMMENTED.encode()), damaged(EXAMPLE.encode())
)
plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
variables = st.dictionaries(
    st.sampled_from(VARIABLES),
    plain
    # A secret in a variable that is for none may be told back.
    | values.map(json.dumps).map(lambda text: text.replace("\0", "").replace(SECRET, "me"))
    | likely.map(str),
    max_size=4,
)
dotenvs = st.one_of(
    st.just(b""),
    variables.map(lambda v: "".join(f"{k}={x}\n" for k, x in v.items()).encode()),
    st.binary(max_size=60),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    there = tmp_path_factory.mktemp("settings")
    with contextlib.chdir(there):
        Path("words.txt").write_text("bad\n")
        yield there


def read(environment: dict[str, str]) -> None:
    """A Config, or one sentence without a secret."""
    outside = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    with mock.patch.dict(os.environ, outside | environment, clear=True):
        try:
            config = load()
        except ConfigError as error:
            require_sentence(error, secret=SECRET)
            return
    assert isinstance(config, Config)
    assert SECRET not in repr(config)
    for contender in config.contenders:
        with contextlib.suppress(TwofoldError):
            parse_source(contender.model)
    with contextlib.suppress(TwofoldError):
        file_of(database_url(config.database_location))


@fuzzed("TOML")
@given(toml=tomls)
def test_any_file_is_a_configuration_or_a_sentence(folder: Path, toml: bytes) -> None:
    Path("twofold.toml").write_bytes(toml)
    Path(".env").unlink(missing_ok=True)
    read({"DISCORD_TOKEN": SECRET})


@fuzzed("environment")
@given(environment=variables, dotenv=dotenvs, keys=st.sets(st.sampled_from(VARIABLES[:5])))
def test_any_environment_is_a_configuration_or_a_sentence(
    folder: Path, environment: dict[str, str], dotenv: bytes, keys: set[str]
) -> None:
    Path("twofold.toml").unlink(missing_ok=True)
    Path(".env").write_bytes(dotenv)
    read(environment | {key: URLS[0] if "URL" in key else SECRET for key in keys})


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.close()


settable = (
    json_values
    | st.integers(-1, 400)
    | st.lists(st.integers(0, 2**64), max_size=30)
    | st.lists(st.sampled_from(["plain-writer", "polite-helper", "x"]), max_size=3)
    | st.sampled_from(["on", "off", "7", "https://e.org/x", "raw", "train", "hide", "lockstep"])
    | any_text.map(lambda text: f"https://e.org/{text}")
)


@fuzzed("server settings")
@given(key=st.sampled_from(list(SETTINGS)), value=settable, raw=st.booleans())
def test_any_value_is_set_or_refused_and_every_page_can_be_shown(
    running: Running, key: str, value: object, raw: bool
) -> None:
    running.run(_set(running, running.house.wire.world.new_id(), key, value, raw=raw))
    running.house.check()


async def _set(running: Running, guild: int, key: str, value: object, *, raw: bool) -> None:
    guilds, store = running.house.services.guilds, running.house.services.store.guilds
    before = await guilds.settings(guild)
    if raw:  # as another version may have left it
        await store.update(guild, key, value, by=1, at=guilds._clock())
        current = await guilds.settings(guild)
    else:
        try:
            current = await guilds.set(guild, key, value, by=1)
        except ConfigError as refused:
            require_sentence(refused)
            current = await guilds.settings(guild)
            assert current == before
    assert isinstance(current, GuildSettings)
    panel = Panel(guilds=guilds, current=current, warnings=())
    shows(panel.overview())
    shows(panel.group(SETTINGS[key].group))
    if SETTINGS[key].control in FORMS:
        check_modal(panel.form(key).to_dict())
    else:
        shows(panel.setting(key))
    shows(panel.history(await guilds.history(guild)))
