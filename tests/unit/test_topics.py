"""What a prompt is about, by the stated rules, and where that is kept."""

from __future__ import annotations

import random
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest

from bot.app import Services, open_services
from bot.battles import Ask
from bot.config import Config, ContenderConfig
from bot.insight.topics import LONGEST, TOPICS, topic_of
from bot.languages import Languages
from bot.sequels import again
from storage.records import Kind, Purpose
from tests.unit.records import NOON, said, talk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.mark.parametrize(
    "text",
    [
        "```\nx = 1\n```",
        "```py\nprint(1)",
        "What does `git rebase -i` do?",
        "def f(x):\n    return x",
        "why does this fail\n#include <stdio.h>",
        "SELECT name FROM people",
        "console.log('hi') says nothing",
        "Write a python function that reverses a string.",
        "give me a regex for dates",
        "C++ or C#?",
        "how do I center a div in CSS",
        "Schreib mir ein Programm in Python",
        "Wie kann ich programmieren lernen?",
        "Explique-moi cet algorithme",
        "¿Cómo puedo programar un juego?",
        "Write me a poem in Python",
    ],
)
def test_code(text: str) -> None:
    assert topic_of(text) == "code"


@pytest.mark.parametrize(
    "text",
    [
        "Write a haiku about the autumn.",
        "write me a short, sad story",
        "Can you tell me a joke?",
        "Write a two sentence horror story.",
        "a limerick about a man from Leeds",
        "Continue: Once upon a time there was a small robot who",
        "pretend you're a pirate",
        "Erzähl mir einen Witz über Beamte.",
        "Schreibst du mir ein Gedicht?",
        "ein Märchen über zwei Füchse",
        "Es war einmal ein Bär.",
        "Stell dir vor, du bist ein Baum",
        "Écris-moi un poème",
        "Raconte une histoire drôle",
        "e\u0301cris un poe\u0300me",
        "Escríbeme un poema corto",
        "Cuéntame un chiste",
        "Imagina que eres un gato",
    ],
)
def test_creative(text: str) -> None:
    assert topic_of(text) == "creative"


@pytest.mark.parametrize(
    "text",
    [
        "Why do cats purr?",
        "who invented the bicycle",
        "hey, what's the capital of Peru",
        "I have 3 apples. How many are left",
        "Who wrote the story of Frankenstein?",
        "tell me who wrote this song, ok?",
        "wie tief ist der Ozean",
        "Na, was machst du so",
        "pourquoi le ciel est bleu",
        "peux-tu m'aider",
        "cuál es la capital de Perú",
        "¿Qué hora es",
        "今日は何をしましたか\uff1f",
        "مرحبا، كيف حالك؟",
    ],
)
def test_question(text: str) -> None:
    assert topic_of(text) == "question"


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "good morning everyone",
        "my train is late for the third time this week",
        "what a day",
        "I wrote a poem yesterday",
        "look at https://example.org/?q=python",
        "<@80351110224678912> <:what_is_this:80351110224678912> hello",
        "the Java sea is warm",
        "you decide",
        "Guten Morgen zusammen",
        "je m'ennuie",
        "estoy cansado",
        "1, 1, 2, 3, 5",
    ],
)
def test_chat(text: str) -> None:
    assert topic_of(text) == "chat"


@pytest.mark.parametrize("text", ["", "  \n", "😂😂", "?!", "https://example.org"])
def test_what_says_nothing_has_no_topic(text: str) -> None:
    assert topic_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "write " * 4000,
        "a " * 4000 + "?",
        "`" * 4000,
        "SELECT " * 2000,
        "tell me " + "the, " * 4000,
        "<" * 10**6,
        " \n" * 10**6,
        "https://" * 2000,
        "once upon " * 2000,
    ],
)
def test_the_worst_of_texts_are_read_too(text: str) -> None:
    assert topic_of(text) in {*TOPICS, None}


def test_what_is_pasted_far_below_decides_nothing() -> None:
    assert topic_of("hello " + "a" * LONGEST + " ```code```") == "chat"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I write a function that sorts a list?", "en"),
        ("Wie geht es dir heute so, mein Freund?", "de"),
        ("今日は何をしましたか。とても楽しかったです。", "ja"),
        ("ok", None),
        ('```\nint main(void) { return puts("hello"); }\n```', None),
    ],
)
async def test_languages_are_named_where_they_are_sure(text: str, language: str | None) -> None:
    assert await Languages().of(text) == Languages().sure(text) == language


ASKED = "Wie schreibe ich eine Schleife in Python, die nie endet?"


@asynccontextmanager
async def services(home: Path) -> AsyncIterator[Services]:
    roster = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:"),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:"),
    )
    async with open_services(Config(home=home, contenders=roster), rng=random.Random(1)) as opened:
        yield opened


def ask(number: int = 1, text: str = ASKED) -> Ask:
    conversation = talk(said(text, by=77))
    return Ask(
        source_message_id=number,
        guild_id=5,
        channel_id=6,
        author_id=77,
        conversation=conversation,
    )


def stored(home: Path) -> list[tuple[str | None, str | None]]:
    with closing(sqlite3.connect(home / "twofold.db")) as connection:
        rows = connection.execute("SELECT topic, language FROM battles ORDER BY id")
        return rows.fetchall()


async def test_a_battle_has_the_topic_and_the_language_of_its_prompt(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        for number, text in enumerate((ASKED, "hi", "🙂"), start=1):
            await s.battles.open(ask(number, text))
    assert stored(tmp_path) == [("code", "de"), ("chat", None), (None, None)]


async def test_copies_and_mirrors_are_about_the_same(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        battle = await s.battles.answer(await s.battles.open(ask()))
        await s.battles.open(again(battle, by=77, source_message_id=2))
        await s.store.battles.create(
            source_message_id=3,
            guild_id=5,
            channel_id=6,
            author_id=77,
            conversation=battle.conversation,
            purpose=Purpose.MIRROR,
            mirror_of_id=battle.id,
            at=NOON,
        )
    assert stored(tmp_path) == [("code", "de")] * 3


async def test_topic_and_language_go_with_the_prompt(tmp_path: Path) -> None:
    async with services(tmp_path) as s:
        given_up, erased, kept = [await s.battles.open(ask(n)) for n in (1, 2, 3)]
        await s.battles.abandon(given_up, reason="x")
        await s.battles.answer(erased)
        await s.store.erasure.erase(77, at=NOON)
        assert kept is not None
    assert stored(tmp_path) == [(None, None)] * 3
