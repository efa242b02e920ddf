"""Links in what the bot posts: they lead where they say, and invite nobody.

A server's own filters stop what members post and let bots pass, so that a model could be
made to post for somebody. The raw completion keeps all links.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, urlsplit

from bot.leaks import MASK

INVITE = "invite"
LINK = "masked_link"
"""What tags say of an answer in which something was changed."""

_INVITES = r"discord(?:app)?\.(?:gg|com/invite)/+"
_INVITE = re.compile(rf"(?P<where>\b{_INVITES})(?:invite/)?[\w-]+", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s<>()\[\]]{1,2000}", re.IGNORECASE)
_MASKED = re.compile(
    r"\[(?P<label>[^\[\]\n]{1,200})\]"
    r"\([ \t]*<?(?P<to>https?://[^\s()<>]{1,2000})>?(?:[ \t]+[\"'][^\"'\n]{0,200}[\"'])?[ \t]*\)",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"(?:https?://|\bwww\.)[^\s/]+"
    r"|\b(?:[\w-]+\.)+(?:com|org|net|gov|edu|io|gg|app|dev|me|info|biz)\b",
    re.IGNORECASE,
)
"""What a reader takes for an address. Endings that are also those of files are left out."""


def honest(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with links that do as they say, and a tag for each kind that did not."""
    invites = without_invites(text)
    links = _MASKED.sub(_as_it_is, invites)
    return links, (*[INVITE] * (invites != text), *[LINK] * (links != invites))


def without_invites(text: str) -> str:
    """The text with the codes of invitations to Discord servers masked."""
    plain = _INVITE.sub(rf"\g<where>{MASK}", text)
    return _ADDRESS.sub(_no_disguise, plain)


def _no_disguise(address: re.Match[str]) -> str:
    """Browsers read `%69` and full-width letters as plain ones; so does this."""
    read = unicodedata.normalize("NFKC", unquote(address[0]))
    return MASK if read != address[0] and _INVITE.search(read) else address[0]


def _as_it_is(link: re.Match[str]) -> str:
    """Say where a link leads that is called after another place."""
    label = "".join(c for c in unicodedata.normalize("NFKC", link["label"]) if c.isprintable())
    named = [place[0].rpartition("//")[2].casefold() for place in _PLACE.finditer(label)]
    host = _host(link["to"])
    if all(host == name.removeprefix("www.") or host.endswith(f".{name}") for name in named):
        return link[0]
    return f"{link['label']} ({link['to']})"


def _host(address: str) -> str:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:  # no browser reads it either
        return ""
    return host.removeprefix("www.")
