"""How a model is named, and what its licence asks to be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from bot.errors import ModelNameError

if TYPE_CHECKING:
    from pathlib import Path

FORMS = (
    "wheel:NAME==VERSION",
    "hub:OWNER/NAME@REVISION",
    "path:DIR",
    "openai:MODEL",
    "scripted:OPTIONS",
)

_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")

_GEMMA = (
    "This model is Gemma, by Google. It is provided under and subject to the Gemma Terms of Use, "
    "found at ai.google.dev/gemma/terms and beside the weights; by using it you agree to them."
)


LICENCE = re.compile(r"licen[cs]e|notice|terms|copying|use_policy", re.IGNORECASE)
"""In the name of a file that holds a licence."""

_DATA = {".json", ".safetensors", ".gguf", ".model"}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from.

    `name` is a project, OWNER/NAME, a folder, a model id or a script's options.
    `version` is a wheel's version or a repository's revision, else empty.
    """

    scheme: Literal["wheel", "hub", "path", "openai", "scripted"]
    name: str
    version: str = ""

    def __str__(self) -> str:
        between = {"wheel": "==", "hub": "@"}.get(self.scheme, "")
        return f"{self.scheme}:{self.name}{between}{self.version}"

    @property
    def slug(self) -> str:
        """A folder name that only this source has; wheels and hub repositories have one."""
        return f"{self.scheme}--{self.name}--{self.version}".replace("/", "--")


def parse_source(text: str) -> Source:
    """Read a model's name; raises ModelNameError, which shows the forms that there are."""
    scheme, colon, rest = text.strip().partition(":")
    if colon and scheme == "scripted":
        return Source("scripted", rest)
    if colon and scheme == "wheel":
        return _wheel(text, rest)
    if colon and scheme == "hub":
        return _hub(text, rest)
    if colon and scheme == "path" and rest and rest.isprintable():
        return Source("path", rest)
    if colon and scheme == "openai" and rest.isprintable() and rest and " " not in rest:
        return Source("openai", rest)
    return _refuse(text)


def notice(source: Source) -> str | None:
    """Return the licence sentence to show once before the model is used, or None."""
    if source.scheme in ("wheel", "hub") and "gemma" in source.name.lower():
        return _GEMMA
    return None


def licences_in(folder: Path) -> list[str]:
    """The names of the files in a folder that hold a licence."""
    texts = (path for path in folder.iterdir() if path.is_file() and path.suffix not in _DATA)
    return sorted(path.name for path in texts if LICENCE.search(path.name))


def _wheel(text: str, rest: str) -> Source:
    name, equals, version = rest.partition("==")
    if not equals or _PROJECT.fullmatch(name) is None:
        _refuse(text)
    try:
        return Source("wheel", canonicalize_name(name), str(Version(version)))
    except InvalidVersion:
        _refuse(text)


def _hub(text: str, rest: str) -> Source:
    name, at, revision = rest.partition("@")
    revision = revision if at else "main"
    sound = _REPOSITORY.fullmatch(name) and _REVISION.fullmatch(revision)
    if not sound or ".." in rest or "--" in name:
        _refuse(text)
    return Source("hub", name, revision)


def _refuse(text: str) -> NoReturn:
    shown = "".join(c if c.isprintable() else "?" for c in text[:80])
    raise ModelNameError(
        f'"{shown}" does not name a model. Write it as {", ".join(FORMS[:-1])} or {FORMS[-1]}.'
    )
