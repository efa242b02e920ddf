"""What would tell which model wrote an answer, found and masked before it is shown.

Only the assistant's own text is looked at, on word boundaries, and a name or special
token that the conversation itself brought up is left alone. The raw completion keeps everything;
tags say what kind of thing was masked.
"""

from __future__ import annotations

import re

MASK = "▒▒▒"

COINED = ("ChatGPT", r"GPT-?[345]", "DeepSeek", "SmolLM", "Qwen", "Mixtral", "OLMo")
"""Model names that are no other word."""

BORROWED = ("Gemma", "Gemini", "Claude", "Llama", "Mistral", "Bard", "Grok", "Phi")
"""Model names that are people, animals and things as well: only a self-introduction tells."""

VENDORS = (
    *("OpenAI", "Anthropic", "Google", "DeepMind", "Meta", "Microsoft", "Hugging ?Face"),
    *("Alibaba", "Mistral AI", "xAI", "DeepSeek", "Cohere", "AI2"),
)

_I_AM = r"\b(?:I am|I['’]m|my name is|I am called|I['’]m called|me,)\s+"
_MADE_BY = r"\b(?:trained|developed|created|made|built|designed|fine-tuned) (?:by|at)\s+"
_MACHINE = r"(?:(?:language )?model|assistant|chat ?bot|bot|system|program)"
_AI = r"(?:AI|artificial intelligence)"
_AN_AI = (
    rf"an? (?:(?:large )?language model|(?:virtual|digital) assistant|chat ?bot|computer program|"
    rf"{_AI}(?:[ -](?:powered )?{_MACHINE})?|[a-z-]+ {_AI}(?:[ -]{_MACHINE}|(?! \w)))"
)

_ANY_CASE = re.IGNORECASE

REMOVED = {
    "thinking": re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | _ANY_CASE),
    "control": re.compile(
        r"(?P<token><\|[^|<>\n]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk)>|<(?:start|end)_of_turn>"
        r"|\[/?INST\])"
    ),
    "prefix": re.compile(r"\A\s*(?:assistant|AI|bot|user|human)\s*:[ \t]*", _ANY_CASE),
}
MASKED = {
    "name": re.compile(
        rf"\b(?P<name>(?:{'|'.join(COINED)})[\w.-]*\w|{'|'.join(COINED)})\b"
        rf"|(?P<intro>{_I_AM})(?P<own>(?:{'|'.join(BORROWED)})\b[\w.-]*)",
        _ANY_CASE,
    ),
    "vendor": re.compile(rf"(?P<intro>{_MADE_BY})(?P<own>(?:{'|'.join(VENDORS)})\b)", _ANY_CASE),
    "assistant": re.compile(
        rf"(?P<intro>\b(?:as|{_I_AM})\s*(?:just |only )?)(?P<own>{_AN_AI})\b", _ANY_CASE
    ),
}


def mask(text: str, *, heard: str = "") -> tuple[str, tuple[str, ...]]:
    """The text as it may be shown, and a `leak:…` tag for each kind that was in it.

    `heard` is what the conversation said already: names in it give nothing away.
    """
    known = heard.casefold()
    tags: list[str] = []
    for kind, pattern in {**REMOVED, **MASKED}.items():
        before = text
        text = pattern.sub(lambda found: _hidden(found, known), text)
        tags += [f"leak:{kind}"] * (text != before)
    return text, tuple(tags)


def _hidden(found: re.Match[str], known: str) -> str:
    groups = found.groupdict()
    said = groups.get("name") or groups.get("token")
    if said and said.casefold() in known:
        return found[0]
    return f"{groups.get('intro') or ''}{MASK}" if "name" in groups or "own" in groups else ""
