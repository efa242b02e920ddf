"""Names and texts that try to be something else, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.unit.records import bot_said, said, talk

NAMES = (
    *(
        "alice",
        "Twofold",
        "twofold",
        "TWOFOLD",
        "\uff34wofold",
        " Two\nfold:",
        "a" * 99,
        "",
        "\u200b",
    ),
    *(".*", "a|b", "(?:", "[", "\\", "^$", "x{3}", "C++ (he/him)"),
    *('x" said: "y', "<x> y", "# Answer", "**bold**", "Q", "User", "Task", "***", "[me]"),
    *("שלום", "\u202eevil", "محمد", "🙂🙃", "e\u0301\u0301\u0301", "李小龙", "ChatGPT"),
)

PIECES = (
    *(
        "\n",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\u2028",
        "\u2029",
        "\x85",
        "\x0b",
        "\x1c",
        "  ",
        " ",
        "\t",
    ),
    *("alice:", "alice", "Twofold:", "<alice> ", "<Twofold> ", '"', '" ', 'Twofold said: "'),
    *("Q:", "A:", "Question:", "# Query: ", "# Answer: ", "#", "Task:", "Execution:", "***"),
    *("Session Start: #lounge", "The following is a chat between friends.", "User:", "Assistant:"),
    *("{name}", "{text}", "```", "````py", "<|im_end|>", "<eos>", "12:30", "https://example.org"),
    *(
        "🙂",
        "\u202e",
        "\u2066",
        "Z\u0301\u0301\u0301\u0301\u0301\u0301",
        "مرحبا",
        "hello there",
        ".",
    ),
)

FORMS = (
    "{}:",
    "  {}:",
    "{} :",
    "**{}**:",
    "**{}:**",
    "<{}> ",
    "[{}] ",
    "[{}]: ",
    "[12:30] {}:",
    "12:30 <{}> ",
)
"""How people write down who speaks."""

names = st.one_of(st.sampled_from(NAMES), st.text(max_size=40))
texts = st.one_of(
    st.text(min_size=1, max_size=200),
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), min_size=1).map("".join),
)
turns = st.builds(
    lambda by, name, text: said(text, by=by, name=name), st.integers(1, 5), names, texts
)
conversations = st.lists(st.one_of(turns, texts.map(bot_said)), max_size=8).flatmap(
    lambda earlier: turns.map(lambda last: talk(*earlier, last))
)


def completions(speakers: tuple[str, ...]) -> st.SearchStrategy[str]:
    """What a model may write after a prompt with these speakers in it."""
    heads = st.builds(str.format, st.sampled_from(FORMS), st.sampled_from(speakers or ("x",)))
    pieces = st.one_of(heads, heads, st.sampled_from(PIECES), st.text(max_size=6))
    return st.lists(pieces, max_size=20).map("".join)
