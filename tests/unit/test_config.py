"""Settings from real files and a real environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import load
from bot.contenders import OPENAI, ContenderConfig, presets
from bot.engines.weights import parse_source
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
    assert config.contenders == presets()["tiny"].roster({})
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
        ("preset = 'huge'", "preset"),
        ("[training]\nlearning_rate = 0", "training"),
        ("[training]\nlerning_rate = 1e-4", "training"),
        ("home = '~nobody-has-this/x'", "home"),  # though there is a variable HOME
        ("preset = 'tiny'\n" + ROSTER, "contenders"),
        (ROSTER.replace("http://", "ftp://"), r"contenders\.1\.base_url"),
        (ROSTER.replace('"http://127.0.0.1:1/v1"', "[{}]"), r"contenders\.1\.base_url"),
    ],
)
def test_an_error_names_key_and_file(toml: str, key: str) -> None:
    Path("twofold.toml").write_text(toml)
    with pytest.raises(ConfigError, match=rf"setting {key} in twofold\.toml is wrong"):
        load()


def test_an_error_names_no_class_of_python() -> None:
    Path("twofold.toml").write_text("home = []")
    with pytest.raises(ConfigError, match=r"is wrong: Input is not a valid path\.$"):
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


API = {
    "TWOFOLD_PRESET": "api",
    "TWOFOLD_API_INSTRUCT_MODEL": "big-chat",
    "TWOFOLD_API_BASE_MODEL": "big-base",
    "TWOFOLD_API_BASE_URL": "http://127.0.0.1:8080/v1/",
    "TWOFOLD_API_BASE_KEY": "base-secret",
    "OPENAI_API_KEY": "chat-secret",
}


def test_every_preset_is_a_pair_and_the_hub_ones_are_pinned() -> None:
    told = {"api_instruct_model": "a", "api_base_model": "b", "api_base_url": "http://c/v1"}
    for preset in presets().values():
        base, other = preset.roster(told)
        assert (base.kind, other.kind) == (Kind.BASE, Kind.INSTRUCT)
        for source in (parse_source(base.model), parse_source(other.model)):
            assert source.scheme != "hub" or len(source.version) == 40


def test_a_preset_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWOFOLD_PRESET", "small")
    assert [c.slug for c in load().contenders] == ["smollm2-1.7b", "smollm2-1.7b-instruct"]


def test_the_api_preset_runs_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in API.items():
        monkeypatch.setenv(name, value)
    config = load()
    base, instruct = config.contenders
    assert (base.model, base.base_url) == ("openai:big-base", "http://127.0.0.1:8080/v1")
    assert (instruct.model, instruct.base_url) == ("openai:big-chat", OPENAI)
    assert (config.key_of(base), config.key_of(instruct)) == ("base-secret", "chat-secret")
    monkeypatch.delenv("TWOFOLD_API_BASE_MODEL")
    with pytest.raises(ConfigError, match="preset api needs TWOFOLD_API_BASE_MODEL too"):
        load()


MINE, THEIRS = "http://mine.example/v1", "https://theirs.example/v1"


@pytest.mark.parametrize(
    ("ours", "theirs", "variable", "sent"),
    [
        (None, None, None, "sk-openai"),
        (None, OPENAI, None, "sk-openai"),
        (None, THEIRS, None, None),
        (MINE, None, None, "sk-openai"),
        (MINE, f"{MINE}/", None, "sk-openai"),
        (MINE, THEIRS, None, None),
        (MINE, OPENAI, None, None),
        (MINE, THEIRS, "THEIR_KEY", "sk-theirs"),
        (MINE, None, "THEIR_KEY", "sk-theirs"),
        (MINE, None, "NOT_SET", None),
    ],
)
def test_a_key_goes_to_its_own_server_alone(
    monkeypatch: pytest.MonkeyPatch,
    ours: str | None,
    theirs: str | None,
    variable: str | None,
    sent: str | None,
) -> None:
    Path(".env").write_text("THEIR_KEY=sk-theirs\n")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    monkeypatch.setenv("OPENAI_BASE_URL", ours or "")
    plain = ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:")
    far = ContenderConfig(
        slug="far", kind=Kind.TUNED, model="openai:m", base_url=theirs, api_key_env=variable
    )
    config = load(contenders=(plain, far))
    assert config.key_of(config.contenders[1]) == sent
    assert (sent or "sk-openai") in config.secrets
    assert "sk-" not in repr(config)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("base_url", "https://me:pass-word@example.com/v1"),
        ("base_url", "https://example.com/v1?key=pass-word"),
        ("base_url", "https://[pass-word/v1"),
        ("api_key_env", "sk-pass-word"),
    ],
)
def test_no_secret_stands_in_a_contender(setting: str, value: str) -> None:
    own = ROSTER.replace('base_url = "http://127.0.0.1:1/v1"', f'{setting} = "{value}"')
    Path("twofold.toml").write_text(own)
    with pytest.raises(ConfigError, match=rf"contenders\.1\.{setting}") as caught:
        load()
    assert "pass-word" not in repr(caught.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "very-secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("TWOFOLD_DATABASE", "postgresql+asyncpg://me:secret@localhost/votes")
    config = load()
    assert "secret" not in repr(config).lower().replace("secretstr", "")
    assert config.discord_token.get_secret_value() == "very-secret"
