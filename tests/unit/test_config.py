"""Settings from real files and a real environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import TINY, load
from bot.errors import ConfigError
from storage.records import Kind

ROSTER = """
[[contenders]]
slug = "one"
kind = "base"
model = "scripted:"
template = "raw"
[[contenders]]
slug = "two"
kind = "instruct"
model = "openai:some-model"
base_url = "http://127.0.0.1:1/v1"
[contenders.sampling]
temperature = 0.5
max_tokens = 12
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_nothing_set_gives_the_default_pair() -> None:
    config = load()
    assert config.contenders == TINY
    assert config.database_location == str(config.home / "twofold.db")


def test_environment_beats_dotenv_beats_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("twofold.toml").write_text("demo_port = 1\ncontext_messages = 1\nlog_level = 'error'\n")
    Path(".env").write_text("TWOFOLD_DEMO_PORT=2\nTWOFOLD_CONTEXT_MESSAGES=2\nOTHER_THING=x\n")
    monkeypatch.setenv("TWOFOLD_DEMO_PORT", "3")
    config = load()
    assert (config.demo_port, config.context_messages, config.log_level) == (3, 2, "error")


def test_a_named_file_gives_the_roster(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.toml").write_text(ROSTER)
    monkeypatch.setenv("TWOFOLD_CONFIG", "mine.toml")
    one, two = load().contenders
    assert (one.slug, one.kind, one.template) == ("one", Kind.BASE, "raw")
    assert (two.sampling.temperature, two.sampling.max_tokens) == (0.5, 12)


@pytest.mark.parametrize(
    ("toml", "key"),
    [
        ("tempalte = 'raw'", "tempalte"),
        ("template = 'rare'", "template"),
        (ROSTER.replace("raw", "rare"), "contenders"),
        ("[templates.mine]\nhelp = 'x'", "templates.mine"),
        ("[[contenders]]\nslug = 'x y'\nkind = 'base'\nmodel = 'scripted:'", "contenders.0.slug"),
        ("[[contenders]]\nslug = 'x'\nkind = 'odd'\nmodel = 'scripted:'", "contenders.0.kind"),
        ("[[contenders]]\nslug = 'x'\nkind = 'base'\nmodel = 'scripted:'", "contenders"),
    ],
)
def test_an_error_names_key_and_file(toml: str, key: str) -> None:
    Path("twofold.toml").write_text(toml)
    with pytest.raises(ConfigError, match=rf"setting {key} in twofold\.toml is wrong"):
        load()


def test_broken_toml_and_missing_files_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("twofold.toml").write_text("[[contenders]\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load()
    monkeypatch.setenv("TWOFOLD_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigError, match=r"nowhere\.toml, and there is no such file"):
        load()


@pytest.mark.parametrize("name", ["TWOFOLD_DISCORD_API", "TWOFOLD_DISCORD_GATEWAY"])
@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:80/api/v10", True),
        ("ws://[::1]:80/gateway", True),
        ("http://localhost:1", True),
        ("https://discord.example/api", False),
        ("http://127.0.0.1.example/api", False),
        ("http://10.0.0.1/api", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_can_stand_in_for_discord(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, allowed: bool
) -> None:
    monkeypatch.setenv(name, url)
    if allowed:
        load()
    else:
        with pytest.raises(ConfigError, match=name):
            load()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    config = load()
    assert "secret" not in repr(config).lower().replace("secretstr", "")
    assert config.discord_token.get_secret_value() == "very-secret"
