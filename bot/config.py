"""One frozen `Config`: environment > .env > twofold.toml > default.

This is the only file that reads the environment. Every setting is declared once,
below, with its help; the README's table and the errors derive from it.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    InstanceOf,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bot.contenders import (
    OPENAI,
    BaseUrl,
    ContenderConfig,
    on_servers,
    presets,
    require_a_pair,
)
from bot.errors import ConfigError
from bot.growth import Showing
from bot.prompting import Frame, built_in
from bot.shards import read_shards
from bot.telemetry.logs import secrets_in
from bot.training.recipe import hyperparameters
from storage.cipher import require_raw
from storage.server import NAMES as SERVERS
from storage.shards import Shards

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

DEFAULT_PRESET = "tiny"
DEFAULT_FILE = Path("twofold.toml")
ENV_FILE = Path(".env")

LARGEST = 2**20
"""Bytes of a file of settings: what is larger is another file, or somebody's trap."""

TOKEN_LENGTH = 16

DEFAULT_SYSTEM_PROMPT = (
    "You are taking part in a group chat. Answer the last message helpfully, in a few sentences."
)


def _loopback(url: str) -> str:
    """Refuse any host but this machine: these settings exist for tests."""
    host = urlsplit(url).hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise ValueError("only a loopback address (127.0.0.1, localhost, [::1]) is allowed here")
    return url.rstrip("/")


def _long_enough(token: SecretStr) -> SecretStr:
    if len(token) < TOKEN_LENGTH:
        raise ValueError(f"a token that cannot be guessed has {TOKEN_LENGTH} characters or more")
    return token


def _passwords(url: str) -> tuple[str, ...]:
    """The password in a URL, as it is written there and as it is meant."""
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return ()
    return tuple(dict.fromkeys(filter(None, (password, unquote(password)))))


def _judge(table: object) -> object:
    return {"slug": "judge", "kind": "instruct", **table} if isinstance(table, dict) else table


def _shards(value: object) -> object:
    return read_shards(value) if isinstance(value, str) else value


def _usable(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("a path cannot have a NUL in it")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("nobody here has that home folder; write the whole path") from None


LoopbackUrl = Annotated[str, AfterValidator(_loopback)]


def _known(template: str, info: ValidationInfo) -> str:
    names = {**built_in(), **info.data.get("templates", {})}
    if template not in names:
        raise ValueError(f"there is no template {template}; choose one of {', '.join(names)}")
    return template


class _KnownDotEnv(DotEnvSettingsSource):
    """A .env may hold other programs' variables too; only the declared ones are read."""

    def __call__(self) -> dict[str, Any]:
        return EnvSettingsSource.__call__(self)


class Config(BaseSettings):
    """Everything that an operator can set, frozen once read."""

    model_config = SettingsConfigDict(
        env_prefix="TWOFOLD_",
        env_ignore_empty=True,
        env_file_encoding="utf-8",
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    discord_token: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DISCORD_TOKEN"),
        description="The bot's token, from Discord's developer portal. Needed by `twofold run`.",
    )
    openai_api_key: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_API_KEY"),
        description="Key for the `openai:` models at `OPENAI_BASE_URL`, and for no other server.",
    )
    openai_base_url: BaseUrl | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_BASE_URL"),
        description="Where `openai:` models are, for contenders without a `base_url`. "
        "Default: OpenAI's own API.",
    )
    config: Path | None = Field(
        None, description="The TOML file. Default: `twofold.toml` where the program is started."
    )
    home: Annotated[Path, AfterValidator(_usable)] = Field(
        default_factory=lambda: user_data_path("twofold"),
        description="The data folder: database and converted models. Default: the user's own.",
    )
    database: str | None = Field(
        None,
        repr=False,  # there may be a password in it
        description="A path or a database URL. Default: `twofold.db` in the data folder.",
    )
    database_key: Annotated[SecretStr, AfterValidator(require_raw)] | None = Field(
        None,
        description="Encrypts a database that is a file, its backups and imported collections, "
        "with the extra `encrypted`: 64 hexadecimal digits, as `openssl rand -hex 32` makes them. "
        "Without the key nobody reads them again.",
    )
    shards: Annotated[InstanceOf[Shards], BeforeValidator(_shards)] | None = Field(
        None,
        description="Which shards this process has, and of how many, such as `0-3/16`, where "
        "several share a PostgreSQL database. Default: all that Discord recommends.",
    )
    message_content: bool = Field(
        default=True,
        description="Ask Discord for the Message Content intent. Without it only mentions, "
        "replies, direct messages and commands are answered.",
    )
    templates: dict[str, Frame] = Field(
        {}, description="More prompt templates, as `[templates.NAME]` tables."
    )
    template: str = Field(
        "transcript",
        description="How base models are prompted where neither contender nor server says.",
    )
    system_prompt: str = Field(
        DEFAULT_SYSTEM_PROMPT, description="The system text of every instruct contender."
    )
    context_messages: Annotated[int, Field(ge=0, le=100)] = Field(
        12, description="How many earlier messages of a conversation both sides see."
    )
    context_tokens: Annotated[int, Field(ge=64, le=100_000)] = Field(
        1024, description="How many tokens the prompt of either side may have, context included."
    )
    llama_cpp: bool = Field(
        default=True,
        description="Let llama.cpp give an answer that is alone, which is sooner, where the extra "
        "`llamacpp` is installed, the model has a GGUF file and there is no GPU.",
    )
    deadline_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        60.0, description="How long a side may take before the battle is given up."
    )
    showing: Showing = Field(
        Showing.AT_ONCE,
        description="How answers appear: `at_once` when both are done, or `lockstep`, growing side "
        "by side. A server may choose for itself.",
    )
    battles_at_once: Annotated[int, Field(ge=1, le=1000)] = Field(
        16, description="How many battles are answered at the same time; the others wait in line."
    )
    member_battles_per_minute: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="How many battles a member may begin in a minute."
    )
    channel_battles_per_minute: Annotated[int, Field(ge=1, le=10000)] = Field(
        30, description="How many battles may begin in a channel of a server in a minute."
    )
    guild_battles_per_minute: Annotated[int, Field(ge=1, le=10000)] = Field(
        60, description="How many battles may begin in a server in a minute."
    )
    discord_requests_per_second: Annotated[float, Field(ge=1, le=10000)] = Field(
        35,
        description="How many requests Discord is asked in a second, by the processes of all "
        "shards together. It allows a bot 50, and some large ones more.",
    )
    tokens_per_day: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="How many tokens contenders with a price may read and write in a day (UTC), "
        "all together. Then they rest until the next one. Default: no end.",
    )
    money_per_day: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="How much they may cost in a day, in the currency of their prices. Default: no "
        "end.",
    )
    retention_hours: Annotated[int, Field(ge=1, le=720)] = Field(
        24,
        description="How many hours texts and ids are kept of members who did not agree to more. A "
        "server may choose fewer.",
    )
    judge: Annotated[ContenderConfig, BeforeValidator(_judge)] | None = Field(
        None,
        description="A chat model that compares answers for `twofold models try` and `twofold "
        "round`, as a `[judge]` table with `model` and, if need be, `base_url` and `api_key_env`.",
    )
    training: Annotated[dict[str, Any], AfterValidator(hyperparameters)] = Field(
        default_factory=dict,
        description="Hyperparameters of `twofold train` and `twofold round`, as a `[training]` "
        "table: `method`, and the names that `twofold train --dry-run` shows. Default: by the size "
        "of the data.",
    )
    training_export: bool = Field(
        default=False,
        description="Allow exports for training. Discord's developer policy forbids training on "
        "message content without Discord's express permission, and members must have agreed.",
    )
    round_every_days: Annotated[int, Field(ge=0, le=366)] = Field(
        0,
        description="After how many days a running bot has another `twofold round` run beside it, "
        "at the lowest priority; 0 leaves rounds to you. Needs `training_export`.",
    )
    moderation_words: Annotated[Path, AfterValidator(_usable)] | None = Field(
        None,
        description="For the moderator `words`: a file with a word or phrase a line; `#` begins a "
        "comment. Other forms of a word are other words.",
    )
    moderator: Literal["none", "words", "openai"] = Field(
        "none",
        description="What judges answers in servers that set `moderation`: a list of `words`, or "
        "`openai`, the moderation endpoint at `OPENAI_BASE_URL`, which reads every answer then.",
    )
    demo_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Port of the demo page on this machine; 0 takes a free one."
    )
    serve_token: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        None,
        description="What `twofold serve` asks for, 16 characters or more. Without it a token is "
        "made where the page is served to other machines.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="How it is logged: for a person, or as one JSON object a line."
    )
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Port of `/metrics`, `/healthz` and `/livez`; 0 serves none of them."
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="Where they are served. Whoever can reach them can read them: they need no "
        "token.",
    )
    discord_api: LoopbackUrl | None = Field(
        None, description="Another REST server in Discord's place, for tests. Loopback only."
    )
    discord_gateway: LoopbackUrl | None = Field(
        None, description="Another gateway in Discord's place, for tests. Loopback only."
    )
    api_instruct_model: str | None = Field(
        None, description="For the preset `api`: the instruct model, at `OPENAI_BASE_URL`."
    )
    api_base_model: str | None = Field(
        None, description="For the preset `api`: the base model, at `TWOFOLD_API_BASE_URL`."
    )
    api_base_url: BaseUrl | None = Field(
        None,
        description="For the preset `api`: a server with `/v1/completions`. Its key, if it wants "
        "one, goes into the variable `TWOFOLD_API_BASE_KEY`.",
    )
    preset: str | None = Field(
        None, description="The roster by name. Default: `tiny`, where there are no contenders."
    )
    contenders: tuple[ContenderConfig, ...] = Field(
        (),
        validate_default=True,
        description="The roster, as `[[contenders]]` tables. Default: that of the preset.",
    )
    _keys: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    @field_validator("database_key")
    @classmethod
    def _check_key(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        scheme = (info.data.get("database") or "").partition("://")[0].partition("+")[0]
        if key and scheme in SERVERS:
            raise ValueError(
                "it encrypts a file, and a server has this database; have that server's disk "
                "encrypted, and take the key away"
            )
        return key

    @field_validator("template")
    @classmethod
    def _check_template(cls, name: str, info: ValidationInfo) -> str:
        return _known(name, info)

    @field_validator("round_every_days")
    @classmethod
    def _check_rounds(cls, days: int, info: ValidationInfo) -> int:
        if days and not info.data.get("training_export"):
            raise ValueError("rounds train on votes; that takes training_export = true")
        return days

    @field_validator("moderator")
    @classmethod
    def _check_moderator(cls, moderator: str, info: ValidationInfo) -> str:
        if moderator == "words" and info.data.get("moderation_words") is None:
            raise ValueError("words need a list; name its file in moderation_words")
        here = info.data.get("openai_base_url") or info.data.get("openai_api_key")
        if moderator == "openai" and not here:
            raise ValueError("OpenAI's own API wants a key; put it into OPENAI_API_KEY")
        return moderator

    @field_validator("preset")
    @classmethod
    def _check_preset(cls, name: str | None, info: ValidationInfo) -> str | None:
        if name is None:
            return None
        if name not in presets():
            raise ValueError(f"there is no preset {name}; choose one of {', '.join(presets())}")
        missing = [need for need in presets()[name].needs if info.data.get(need) is None]
        if missing:
            variables = ", ".join(f"TWOFOLD_{need.upper()}" for need in missing)
            raise ValueError(f"the preset {name} needs {variables} too; set what is missing")
        return name

    @field_validator("contenders")
    @classmethod
    def _check_roster(
        cls, roster: tuple[ContenderConfig, ...], info: ValidationInfo
    ) -> tuple[ContenderConfig, ...]:
        if "preset" not in info.data:
            return roster  # the preset is wrong, which is told first
        preset = info.data["preset"]
        if roster and preset:
            raise ValueError(f"there is a preset too ({preset}); take one of the two away")
        roster = roster or presets()[preset or DEFAULT_PRESET].roster(info.data)
        for contender in roster:
            if contender.template is not None:
                _known(contender.template, info)
        require_a_pair(roster)
        return on_servers(roster, default=info.data.get("openai_base_url") or OPENAI)

    @field_validator("contenders")
    @classmethod
    def _check_budget(
        cls, roster: tuple[ContenderConfig, ...], info: ValidationInfo
    ) -> tuple[ContenderConfig, ...]:
        limited = info.data.get("tokens_per_day") or info.data.get("money_per_day")
        if limited and all(contender.price is None for contender in roster):
            raise ValueError(
                "there is a budget for a day, and no contender has a price; name price_prompt and "
                "price_completion of those that cost something, of a million tokens each"
            )
        return roster

    @field_validator("judge")
    @classmethod
    def _find_judge(
        cls, judge: ContenderConfig | None, info: ValidationInfo
    ) -> ContenderConfig | None:
        if judge is None:
            return None
        [found] = on_servers([judge], default=info.data.get("openai_base_url") or OPENAI)
        return found

    @model_validator(mode="after")
    def _read_keys(self) -> Self:
        file = self.model_config.get("env_file")
        read = {**(_dotenv() if file else {}), **os.environ}
        for contender in (*self.contenders, *filter(None, (self.judge,))):
            name = contender.api_key_env
            if name and (value := read.get(name)):
                self._keys[name] = SecretStr(value)
        return self

    def key_of(self, contender: ContenderConfig) -> str | None:
        """The key for a contender's server. It goes to that server and to no other.

        OPENAI_API_KEY belongs to OPENAI_BASE_URL, or to OpenAI's own API where that is
        not set; every other server gets the variable that `api_key_env` names, or none.
        """
        key = self._keys.get(contender.api_key_env or "")
        theirs = (self.openai_base_url or OPENAI,)
        if contender.api_key_env is None and contender.servers == theirs:
            key = self.openai_api_key
        return key.get_secret_value() if key else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must show nowhere."""
        named = (self.discord_token, self.openai_api_key, self.database_key, self.serve_token)
        known = (*named, *self._keys.values())
        keys = tuple(secret.get_secret_value() for secret in known if secret)
        return (*keys, *_passwords(self.database or ""), *secrets_in(os.environ))

    @property
    def models_folder(self) -> Path:
        """Where converted models are kept."""
        return self.home / "models"

    @property
    def adapters_folder(self) -> Path:
        """Where the adapters are that were trained here, each in a folder."""
        return self.home / "adapters"

    def adapter_folder(self, adapter: str) -> Path:
        """The folder that a contender's `adapter` names: as it is, or as seen from `home`."""
        return self.home / Path(adapter).expanduser()

    @property
    def database_location(self) -> str:
        """The database as a path or URL."""
        return self.database or str(self.home / "twofold.db")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, cls.model_config.get("toml_file"))
        return init_settings, env_settings, _KnownDotEnv(settings_cls), toml


def environment() -> Mapping[str, str]:
    """What libraries read for themselves, such as OpenTelemetry's variables."""
    return os.environ


def load(**overrides: Any) -> Config:  # noqa: ANN401 - any field of Config
    """Read the configuration from all its sources.

    `overrides` win over everything. Raises ConfigError with the key, its source
    and what is wrong with it; never with the value, which may be a secret.
    """
    path = _toml_path()

    class _Located(Config):
        model_config = SettingsConfigDict(toml_file=path, env_file=ENV_FILE)

    try:
        return _Located(**overrides)
    except ValidationError as error:
        raise ConfigError(_explain(error.errors()[0], path)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}. Correct that line.") from None
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path or ENV_FILE} cannot be read. Check the file.") from None
    except (RecursionError, ValueError):  # the parser's own, for what no settings file has
        raise ConfigError(
            f"{path} is nested too deeply, or has a number that is too long. Check the file."
        ) from None


def _toml_path() -> Path | None:
    named = os.environ.get("TWOFOLD_CONFIG") or _dotenv().get("TWOFOLD_CONFIG")
    if not named:
        return _of_a_size(DEFAULT_FILE) if DEFAULT_FILE.is_file() else None
    path = Path(os.path.expanduser(named))  # noqa: PTH111 - leaves what it does not know
    if not path.is_file():
        raise ConfigError(f"TWOFOLD_CONFIG names {named}, and there is no such file.")
    return _of_a_size(path)


def _dotenv() -> Mapping[str, str | None]:
    try:
        return dotenv_values(_of_a_size(ENV_FILE)) if ENV_FILE.is_file() else {}
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{ENV_FILE} cannot be read. Check the file.") from None


def _of_a_size(path: Path) -> Path:
    if path.stat().st_size > LARGEST:
        raise ConfigError(
            f"{path} has more than {LARGEST >> 20} MiB, which no settings need. Check the file."
        )
    return path


_PLAIN = {
    alias
    for declared in Config.model_fields.values()
    if isinstance(declared.validation_alias, AliasChoices)
    for alias in declared.validation_alias.choices
}
"""The variables whose names do not begin with TWOFOLD_."""


def _explain(error: ErrorDetails, toml: Path | None) -> str:
    key = str(error["loc"][0]) if error["loc"] else "settings"
    where = ".".join(str(part) for part in error["loc"])
    variable = key.upper() if key.upper() in _PLAIN else f"TWOFOLD_{key.upper()}"
    if variable in os.environ:
        source = f"the environment variable {variable}"
    elif variable in {name.upper() for name in _dotenv()}:
        source = str(ENV_FILE)
    else:
        source = str(toml or "the settings")
    problem = error["msg"].removeprefix("Value error, ").replace(f" for {Path}", "")
    if error["type"] == "extra_forbidden":
        problem = "there is no setting of that name; see the example file for those there are"
    return f"The setting {where} in {source} is wrong: {problem}."
