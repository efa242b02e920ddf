"""Strict checks of message bodies: what discord.py lets pass and Discord refuses."""

from __future__ import annotations

from typing import Any

from .components import walk
from .errors import Flaw, bad_form, empty_message
from .validate_components import component_flaws
from .world import COMPONENTS_V2

MAX_CONTENT = 2000
MAX_NONCE = 25
MAX_EMBEDS = 10
MAX_EMBED_CHARACTERS = 6000
MAX_FILES = 10
MENTION_KINDS = frozenset({"roles", "users", "everyone"})
EMBED_LIMITS = {"title": 256, "description": 4096}

Json = dict[str, Any]


def check_message(body: Json, files: dict[str, bytes], *, flags: int = 0) -> None:
    """Raise the error that Discord would answer to this body.

    `flags` are those the message has already (an edit can never take Components V2 off).
    """
    wanted = body.get("flags") or 0
    flaws = _scalar_flaws(body)
    if not isinstance(wanted, int):
        flaws.append(Flaw("flags", "NUMBER_TYPE_COERCE", "flags must be a number"))
        raise bad_form(flaws)
    v2 = bool((wanted | flags) & COMPONENTS_V2)
    flaws += _mention_flaws(body.get("allowed_mentions"))
    flaws += _embed_flaws(body.get("embeds") or [])
    flaws += _attachment_flaws(body, files, v2=v2)
    flaws += component_flaws(body.get("components") or [], v2=v2)
    if v2:
        flaws += _v2_flaws(body)
    if flaws:
        raise bad_form(flaws)


def check_not_empty(body: Json, files: dict[str, bytes]) -> None:
    """Refuse a new message that shows nothing."""
    shows = ("content", "embeds", "components", "sticker_ids", "poll")
    blank = isinstance(body.get("content"), str) and not body["content"].strip()
    if not files and (blank or not any(body.get(key) for key in shows)):
        raise empty_message()


def _scalar_flaws(body: Json) -> list[Flaw]:
    flaws = []
    content = body.get("content")
    if content is not None and not isinstance(content, str):
        flaws.append(Flaw("content", "BASE_TYPE_BAD_STRING", "must be a string"))
    elif content and len(content) > MAX_CONTENT:
        flaws.append(Flaw("content", "BASE_TYPE_MAX_LENGTH", f"{len(content)} > {MAX_CONTENT}"))
    nonce = body.get("nonce")
    if nonce is not None:
        if not isinstance(nonce, str | int):
            flaws.append(Flaw("nonce", "NONCE_TYPE", "must be a string or an integer"))
        elif len(str(nonce)) > MAX_NONCE:
            flaws.append(Flaw("nonce", "BASE_TYPE_MAX_LENGTH", f"longer than {MAX_NONCE}"))
    return flaws


def _mention_flaws(allowed: object) -> list[Flaw]:
    where = "allowed_mentions"
    if allowed is None:
        return []
    if not isinstance(allowed, dict):
        return [Flaw(where, "MODEL_TYPE_CONVERT", "must be an object")]
    flaws = []
    if unknown := set(allowed) - {"parse", "roles", "users", "replied_user"}:
        flaws.append(Flaw(where, "UNKNOWN_KEYS", f"{sorted(unknown)}"))
    parse = allowed.get("parse", [])
    if not isinstance(parse, list) or not MENTION_KINDS.issuperset(parse):
        flaws.append(Flaw(f"{where}.parse", "BASE_TYPE_CHOICES", f"{parse!r}"))
        parse = []
    for kind in ("roles", "users"):
        ids = allowed.get(kind) or []
        if len(ids) > 100 or not all(str(item).isdigit() for item in ids):
            flaws.append(Flaw(f"{where}.{kind}", "SNOWFLAKES", f"{ids!r}"))
        if ids and kind in parse:
            flaws.append(Flaw(where, "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", f"{kind} in both"))
    if not isinstance(allowed.get("replied_user", False), bool):
        flaws.append(Flaw(f"{where}.replied_user", "BOOLEAN_TYPE", "must be a boolean"))
    return flaws


def _embed_flaws(embeds: list[Json]) -> list[Flaw]:
    flaws = []
    if len(embeds) > MAX_EMBEDS:
        flaws.append(Flaw("embeds", "BASE_TYPE_MAX_LENGTH", f"{len(embeds)} > {MAX_EMBEDS}"))
    total = 0
    for index, embed in enumerate(embeds):
        texts = {key: (embed.get(key) or "", limit) for key, limit in EMBED_LIMITS.items()}
        texts["footer.text"] = ((embed.get("footer") or {}).get("text", ""), 2048)
        texts["author.name"] = ((embed.get("author") or {}).get("name", ""), 256)
        fields = embed.get("fields") or []
        if len(fields) > 25:
            flaws.append(Flaw(f"embeds.{index}.fields", "BASE_TYPE_MAX_LENGTH", "more than 25"))
        for number, item in enumerate(fields):
            texts[f"fields.{number}.name"] = (item.get("name", ""), 256)
            texts[f"fields.{number}.value"] = (item.get("value", ""), 1024)
        for where, (text, limit) in texts.items():
            total += len(text)
            if len(text) > limit:
                path = f"embeds.{index}.{where}"
                flaws.append(Flaw(path, "BASE_TYPE_MAX_LENGTH", f"{len(text)} > {limit}"))
    if total > MAX_EMBED_CHARACTERS:
        flaws.append(Flaw("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"{total} > {MAX_EMBED_CHARACTERS}"))
    return flaws


def _attachment_flaws(body: Json, files: dict[str, bytes], *, v2: bool) -> list[Flaw]:
    flaws = []
    if len(files) > MAX_FILES:
        flaws.append(Flaw("files", "BASE_TYPE_MAX_LENGTH", f"{len(files)} > {MAX_FILES}"))
    shown = str(list(walk(body.get("components") or [])))
    for index, item in enumerate(body.get("attachments") or []):
        if str(item.get("id", "")) == "":
            flaws.append(Flaw(f"attachments.{index}.id", "BASE_TYPE_REQUIRED", "id is missing"))
        name = item.get("filename")
        if v2 and name and f"attachment://{name}" not in shown:
            flaws.append(Flaw(f"attachments.{index}", "NOT_SHOWN", "no component shows the file"))
    return flaws


def _v2_flaws(body: Json) -> list[Flaw]:
    code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"
    legacy = ("content", "embeds", "sticker_ids", "poll")
    return [Flaw(key, code, "not with Components V2") for key in legacy if body.get(key)]
