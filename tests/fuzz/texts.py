"""Texts and values of every kind: what people, models and files may hold."""

from __future__ import annotations

import json
import string

from hypothesis import strategies as st

from tests.unit.hostile import FORMS, NAMES, PIECES

TRICKS = (
    *("@everyone", "@here", "<@1>", "<@&2>", "<#3>", "</ask:4>", "<:a:5>", "<t:0>", "<id:guide>"),
    *("https://discord.gg/abc", "[text](https://example.org)", "<https://e.org>", "||", "||a||"),
    *("```", "```ansi\n\x1b[31m", "`", "~~~", "# ", "-# ", "> ", ">>> ", "1. ", "* ", "__", "**"),
    *("<script>alert(1)</script>", "</script>", "<!--", "]]>", "&lt;", "javascript:", "'\"><img"),
    *("{{7*7}}", "{% raw %}", "${HOME}", "%s", "%n", "{0}", "{text}", "\\", "\\u0000", "'; --"),
    *("\0", "\x1b[2J", "\x07", "\r", "\u2028", "\ufeff", "\u200b", "\u2060", "\u00ad", "\ufffc"),
    *(
        "\u202e",
        "\u2066",
        "\U000e0041",
        "\ufdd0",
        "Z\u0300\u0301\u0302\u0303\u0304",
        "👩‍👩‍👧‍👦",
        "🏳️‍🌈",
    ),
    *("As an AI language model", "I am ChatGPT", "<think>", "</think>", "<|im_end|>", "[INST]"),
    *("=SUM(1)", "+1", "@a", "-1", "../../etc/passwd", "C:\\con", "NaN", "Infinity", "null", "0x0"),
    *("mail@example.org", "+49 151 23456789", "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111"),
    *("192.0.2.1", "2001:db8::1", "sk-abcdefghijklmnopqrstuvwx", "AKIAIOSFODNN7EXAMPLE"),
)

MOST = 12_000
"""Characters: more than the longest answer that a model may give at the default length."""

any_text = st.text(st.characters())
"""Halves of surrogate pairs too, which JSON can hold and UTF-8 cannot."""

pieces = st.one_of(
    st.sampled_from((*TRICKS, *PIECES, *NAMES)),
    st.builds(str.format, st.sampled_from(FORMS), st.sampled_from(NAMES)),
    st.text(max_size=12),
    st.sampled_from(string.ascii_letters + " \n"),
)
long = st.builds(
    lambda piece, times: (piece * times)[:MOST], pieces, st.sampled_from([50, 400, 2100])
)

said = st.one_of(
    st.lists(pieces, min_size=1, max_size=12).map("".join),
    st.text(max_size=60),
    long,
    st.builds("".join, st.tuples(long, pieces)),
)
"""What people write and models answer: Unicode of all kinds, marks of all kinds, any length."""

completions = st.one_of(said, any_text)

snowflakes = st.integers(1, 2**63 - 1)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(TRICKS)
    | st.text(max_size=20),
    lambda inside: (
        st.lists(inside, max_size=4)
        | st.dictionaries(st.text(max_size=10) | st.sampled_from(TRICKS), inside, max_size=4)
    ),
    max_leaves=10,
)


@st.composite
def spoiled(
    draw: st.DrawFn, value: object, junk: st.SearchStrategy[object] = json_values
) -> object:
    """A copy of a JSON value with something else in one of its places, or a place gone."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 4)):
        copy = dict(value) if isinstance(value, dict) else list(value)
        key = draw(st.sampled_from(list(copy) if isinstance(copy, dict) else range(len(copy))))
        if draw(st.integers(0, 5)):
            copy[key] = draw(spoiled(copy[key], junk))
        else:
            del copy[key]
        return copy
    return draw(junk)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes with some of them changed, left out, doubled, or cut off."""
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(0, len(content))))
        to = draw(st.integers(at, min(len(content), at + 40)))
        middle = draw(st.binary(max_size=8) | st.sampled_from([b"\0", b"\n", b'"', b"{", b"\xff"]))
        how = draw(st.sampled_from(["change", "cut", "double", "drop"]))
        if how == "change":
            content = content[:at] + middle + content[to:]
        elif how == "cut":
            content = content[:at]
        elif how == "double":
            content = content[:to] + content[at:to] * 3 + content[to:]
        else:
            content = content[:at] + content[to:]
    return content


def as_lines(*rows: object) -> bytes:
    """Rows as JSONL."""
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
