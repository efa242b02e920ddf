"""Vector pictures that can stand inside of a page, several on one."""

from __future__ import annotations

import re
from hashlib import blake2s
from xml.etree import ElementTree as ET

from bot.insight.plots.theme import PLACEHOLDER

SVG = "http://www.w3.org/2000/svg"
XLINK = "{http://www.w3.org/1999/xlink}href"


def tidied(drawn: str, *, name: str, title: str, words: str) -> str:
    """An `<svg>` element of what matplotlib has drawn.

    Ids are counted and begin with `name` and a digest, so that they are the same each time and
    no other picture's on the page. Styles become attributes, which a page's content policy lets
    through. `title` and `words` are what screen readers say.
    """
    root = ET.fromstring(drawn)  # noqa: S314 - matplotlib wrote it a moment ago
    for parent in root.iter():
        for child in list(parent):
            if child.tag in {f"{{{SVG}}}metadata", f"{{{SVG}}}style"}:
                parent.remove(child)
    _number(root)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        for rule in filter(None, element.attrib.pop("style", "").split(";")):
            key, value = rule.split(":", 1)
            element.set(key.strip(), value.strip())
        for key, value in element.attrib.items():
            element.set(key, value.replace(PLACEHOLDER, "currentColor"))
        if (target := element.attrib.pop(XLINK, None)) is not None:
            element.set("href", target)
    attributes = {
        "xmlns": SVG,
        "viewBox": root.attrib["viewBox"],
        "width": root.attrib["width"].removesuffix("pt"),
        "height": root.attrib["height"].removesuffix("pt"),
        "role": "img",
        "aria-labelledby": f"{_ID}title {_ID}words",
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    root.attrib.clear()
    root.attrib.update(attributes)
    for at, (tag, part, text) in enumerate((("title", "title", title), ("desc", "words", words))):
        element = ET.Element(tag, {"id": f"{_ID}{part}"})
        element.text = text
        root.insert(at, element)
    written = ET.tostring(root, encoding="unicode")
    digest = blake2s(written.encode(), digest_size=4).hexdigest()
    return written.replace(_ID, f"{name}-{digest}-")


_ID = "\ue000"
"""What ids begin with until it is known what does; no text has it."""

_REFERENCE = re.compile(r"(?<=url\()#([^)]+)")


def _number(root: ET.Element) -> None:
    """Rename the ids that something refers to, and drop the others."""
    new: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        return "#" + new.setdefault(found[1], f"{_ID}{len(new) + 1}")

    for element in root.iter():
        for key, value in element.attrib.items():
            if key == XLINK:
                element.set(key, re.sub("#(.+)", renamed, value))
            elif "url(#" in value:
                element.set(key, re.sub(_REFERENCE, renamed, value))
    for element in root.iter():
        old = element.attrib.pop("id", None)
        if old in new:
            element.set("id", new[old])
