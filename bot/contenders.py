"""What an operator writes of a contender, and the presets: whole rosters by name.

A preset is data, one small file each in `bot/presets/`. What only the operator
knows stands in it as `{a_setting}` and is filled in from the settings.
"""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bot.budgets import Price
from bot.packaged import packaged
from storage.records import Kind, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_DRAW = Sampling()


class EngineKey(NamedTuple):
    """Who agrees in all of it shares an engine."""

    model: str
    servers: tuple[str, ...] = ()
    api_key_env: str | None = None
    adapter: str | None = None


OPENAI = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
"""The variable with the key for the default server."""


def _base_url(url: str) -> str:
    """Refuse what may hold a secret: a base URL is stored with every contender."""
    try:
        parts = urlsplit(url)
    except ValueError:  # its words may repeat the URL
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as http://HOST:PORT/v1 or https://HOST/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "a base URL holds no user, password or query; put the key into the environment and "
            "name it with api_key_env"
        )
    return url.rstrip("/")


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("name the environment variable that holds the key, not the key itself")
    return name


BaseUrl = Annotated[str, AfterValidator(_base_url)]


class ContenderConfig(BaseModel):
    """One `[[contenders]]` table: a model, how it is prompted, how tokens are drawn.

    `price_prompt` and `price_completion` are what a million tokens cost that are read and
    written. `adapter` is what a tuned contender adds to the model: the folder of a LoRA adapter,
    or for an `openai:` model the name that the server gives it; `parent` is the slug of what it
    was trained from. `base_url` says which server has an `openai:` model, and `api_key_env` which
    variable of the environment holds the key for it. It may be a list: the others,
    `replicas`, have the same model, and the first is the one that is stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    kind: Kind
    model: Annotated[str, Field(min_length=1)]
    adapter: Annotated[str, Field(min_length=1)] | None = None
    parent: str | None = None
    template: str | None = None
    base_url: BaseUrl | None = None
    replicas: tuple[BaseUrl, ...] = ()
    api_key_env: Annotated[str, AfterValidator(_variable)] | None = None
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    price_prompt: Annotated[float, Field(ge=0)] | None = None
    price_completion: Annotated[float, Field(ge=0)] | None = None
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

    @model_validator(mode="before")
    @classmethod
    def _first_of_many(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("base_url"), list | tuple):
            named = data["base_url"]  # of any type yet
            first, *others = [u for at, u in enumerate(named) if u not in named[:at]] or [None]
            data = {**data, "base_url": first, "replicas": others}
        return data

    @property
    def servers(self) -> tuple[str, ...]:
        """All base URLs, the one that is stored first."""
        return (*filter(None, (self.base_url,)), *self.replicas)

    @model_validator(mode="after")
    def _have_both_prices(self) -> Self:
        if (self.price_prompt is None) != (self.price_completion is None):
            raise ValueError(
                "name both price_prompt and price_completion, of a million tokens each"
            )
        return self

    @property
    def price(self) -> Price | None:
        """What a million of its tokens cost; None where it costs nothing."""
        if self.price_prompt is None or self.price_completion is None:
            return None
        return Price(prompt=self.price_prompt, completion=self.price_completion)

    @property
    def sampling(self) -> Sampling:
        """The sampling parameters as one record."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            max_tokens=self.max_tokens,
        )

    @model_validator(mode="after")
    def _tuned_from_something(self) -> Self:
        if self.adapter is not None and self.kind is not Kind.TUNED:
            raise ValueError("only a contender of kind tuned has an adapter")
        return self

    @property
    def engine(self) -> EngineKey:
        """Contenders that agree in model, servers, key and adapter share an engine."""
        return EngineKey(self.model, self.servers, self.api_key_env, self.adapter)


class Kin(Protocol):
    """What tells whether two contenders may meet."""

    @property
    def slug(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def parent(self) -> str | None: ...


def may_meet(first: Kin, second: Kin) -> bool:
    """Whether a battle of these two says something.

    A base model meets all that are not, and a tuned one instruct models and its parent and
    children, too. Two base models, two instruct models and two tuned ones that do not descend
    from each other do not meet.
    """
    if first.kind is not second.kind:
        return True
    tuned = first.kind is Kind.TUNED
    return tuned and (first.parent == second.slug or second.parent == first.slug)


def require_a_pair(roster: Sequence[ContenderConfig]) -> None:
    """Raise ValueError where slugs are not unique, or there are no two who could meet."""
    slugs = [contender.slug for contender in roster]
    if len(set(slugs)) != len(slugs):
        raise ValueError("two contenders have the same slug; give each its own")
    if {contender.kind is Kind.BASE for contender in roster} != {True, False}:
        raise ValueError(
            "a battle needs one contender of kind base and one of kind instruct or tuned"
        )


def on_servers(roster: Iterable[ContenderConfig], *, default: str) -> tuple[ContenderConfig, ...]:
    """The roster with a base URL for each `openai:` model: its own, else `default`.

    So that what is stored of a contender, and its fingerprint, tell where it ran.
    """
    return tuple(
        contender.model_copy(update={"base_url": contender.base_url or default})
        if contender.model.startswith("openai:")
        else contender
        for contender in roster
    )


class Preset(BaseModel):
    """A roster by name: what it is for, and its tables as they would stand in the TOML."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    help: Annotated[str, Field(min_length=1)]
    contenders: tuple[dict[str, Any], ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """The settings that must be there for it, in the order in which they are used."""
        fields = (field for text in self._texts() for _, field, _, _ in Formatter().parse(text))
        return tuple(dict.fromkeys(field for field in fields if field))

    def roster(self, settings: Mapping[str, object]) -> tuple[ContenderConfig, ...]:
        """The contenders, with `settings` filled in. Raises KeyError where a need is missing."""
        return tuple(
            ContenderConfig.model_validate(
                {k: v.format_map(settings) if isinstance(v, str) else v for k, v in table.items()}
            )
            for table in self.contenders
        )

    def _texts(self) -> Iterator[str]:
        for table in self.contenders:
            yield from (value for value in table.values() if isinstance(value, str))


def presets() -> dict[str, Preset]:
    """The presets in `bot/presets/`, by file name."""
    return packaged("presets", Preset)
