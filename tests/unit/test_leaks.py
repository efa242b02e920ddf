"""Giveaways are masked; everything else is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.leaks import MASK, mask


@pytest.mark.parametrize(
    ("text", "shown", "tag"),
    [
        ("I am Claude, how are you?", f"I am {MASK}, how are you?", "name"),
        ("Hi, my name is Gemma-3!", f"Hi, my name is {MASK}!", "name"),
        ("You can ask ChatGPT-4o too.", f"You can ask {MASK} too.", "name"),
        ("SmolLM2 is small", f"{MASK} is small", "name"),
        ("I was trained by Google.", f"I was trained by {MASK}.", "vendor"),
        ("made by Hugging Face, yes", f"made by {MASK}, yes", "vendor"),
        ("As an AI language model, no.", f"As {MASK}, no.", "assistant"),
        ("I'm just an AI and tired", f"I'm just {MASK} and tired", "assistant"),
        ("I am a large language model", f"I am {MASK}", "assistant"),
        ("I’m an AI assistant, so no", f"I’m {MASK}, so no", "assistant"),
        ("I'm a creative AI, but tired", f"I'm {MASK}, but tired", "assistant"),
        ("I am just a chatbot.", f"I am just {MASK}.", "assistant"),
        ("<think>hm</think>Yes.", "Yes.", "thinking"),
        ("<think>never ends", "", "thinking"),
        ("Yes.<|im_end|><eos>", "Yes.", "control"),
        ("Assistant: yes", "yes", "prefix"),
    ],
)
def test_what_tells_the_model_is_masked_and_tagged(text: str, shown: str, tag: str) -> None:
    assert mask(text) == (shown, (f"leak:{tag}",))


@pytest.mark.parametrize(
    "text",
    [
        "Gemma and Claude went to see a llama.",
        "Google it, or ask Meta.",
        "Gemini is a zodiac sign.",
        "The phi coefficient; Mistral is a wind.",
        "I am an aircraft engineer as an aide said.",
        "I <s3> think so <b>not</b>",
        "The assistant: a short story",
        "metadata created by the user",
        "I'm a huge AI fan",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert mask(text) == (text, ())


def test_a_name_that_somebody_brought_up_is_no_leak() -> None:
    for text, heard in (
        ("ChatGPT is a product.", "what is chatgpt?"),
        ("<|im_end|> ends a turn.", "what is <|im_end|>?"),
    ):
        assert mask(text, heard=heard) == (text, ())


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    once, _ = mask(text)
    assert mask(once)[0] == once
