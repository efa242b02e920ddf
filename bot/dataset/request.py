"""What is asked of an export, and what it works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bot.dataset.files import Files
from bot.dataset.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import SecretStr

    from bot.dataset.logprobs import Scored
    from bot.dataset.pseudonyms import Pseudonyms
    from bot.prompting import Framed
    from bot.redaction import Redactor
    from storage.records import Consent, Import


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is wanted: the format, what for, by which policy, in which files.

    `chat` asks for chats where a format also has text for base models. `since` is an earlier
    manifest, of which only what changed is wanted.
    """

    format: str
    purpose: Consent
    policy: Policy = field(default_factory=Policy)
    chat: bool = False
    files: Files = field(default_factory=Files)
    since: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What an export works with, besides the database: hashes, redaction, templates, a scorer.

    `collection` are the files of a collection that was imported; of a bot's own database
    there are none. `system_prompt` is the system text of instruct contenders, by which they are
    known again. `about` are the options of the card. `url` is where a second process may read
    the same database; without one, one process does it all. `key` is that of the database, where
    it is encrypted.
    """

    pseudonyms: Pseudonyms
    redactor: Redactor
    templates: Mapping[str, Framed]
    system_prompt: str = ""
    scored: Scored | None = None
    collection: tuple[str, Sequence[Import]] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    url: str | None = None
    key: SecretStr | None = None


def options_of(request: Request, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """The options that rows depend on, as a manifest tells them."""
    guilds = [pseudonyms.of("guild", guild) for guild in request.policy.guilds]
    return {
        "format": request.format,
        "chat": request.chat,
        "purpose": request.purpose.value,
        "ids": pseudonyms.mark,
        "policy": request.policy.model_dump(mode="json") | {"guilds": guilds},
    }
