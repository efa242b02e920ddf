"""What members see where a server wants moderation or redaction, in a simulated Discord."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.moderation import HIDDEN, moderated
from storage.records import BattleState, Side
from tests.behaviour.conftest import BASE, Town, texts
from tests.behaviour.test_chat import buttons
from tests.engines.fake_openai import FakeServer

if TYPE_CHECKING:
    from pathlib import Path

    from storage.records import Answer, Battle
    from tests.behaviour.conftest import OpenTown

DARN = "scripted:text=Well+darn,+a+||+b+it+is."
LONG_DARN = f"scripted:text={'+'.join(f'word-{number}' for number in range(400))}+darn."


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("darn\n")
    return path


async def asked(town: Town, text: str = "hello there", **settings: object) -> Battle:
    for key, value in settings.items():
        await town.services.guilds.set(town.guild.id, key, value, by=town.admin.id)
    prompt = await town.alice.send(town.lounge, text)
    return await town.services.store.battles.by_source(prompt.id)


def of_base(battle: Battle) -> tuple[Answer, Answer]:
    """The base model's answer, and the other."""
    return tuple(sorted(battle.answers, key=lambda answer: answer.contender != BASE))


async def test_an_unfit_answer_is_hidden_and_kept(open_town: OpenTown, words: Path) -> None:
    async with open_town(base=DARN, moderator="words", moderation_words=words) as town:
        unfit, fit = of_base(await asked(town, moderation="hide"))
        shown = texts(town.ballot())
        assert HIDDEN in shown
        assert fit.shown in shown
        assert "darn" not in shown
        assert "darn" in unfit.raw
        assert unfit.tags == ("moderated:words",)
        assert not fit.tags
        assert buttons(town.ballot())[0][:2] == ["A is better", "B is better"]


async def test_a_hidden_answer_is_hidden_in_full_too(open_town: OpenTown, words: Path) -> None:
    settings = {"moderator": "words", "moderation_words": words, "max_tokens": 450}
    async with open_town(base=LONG_DARN, instruct=LONG_DARN, **settings) as town:
        await asked(town, moderation="hide")
        opened = await town.bob.click(town.ballot(), label="⋯")
        full = await town.bob.click(opened.response.message, label="Full text A")
        assert HIDDEN in texts(full.response)
        assert "word-" not in texts(full.response)


async def test_a_spoiler_covers_all_of_an_unfit_answer(open_town: OpenTown, words: Path) -> None:
    async with open_town(base=DARN, moderator="words", moderation_words=words) as town:
        unfit, _ = of_base(await asked(town, moderation="spoiler"))
        assert unfit.shown == "||Well darn, a |\u2060| b it is.||"
        assert unfit.shown in texts(town.ballot())


async def test_a_word_in_the_part_that_is_not_shown_counts_too(
    open_town: OpenTown, words: Path
) -> None:
    settings = {"moderator": "words", "moderation_words": words, "max_tokens": 450}
    async with open_town(base=LONG_DARN, **settings) as town:
        unfit, _ = of_base(await asked(town, moderation="spoiler"))
        assert "darn" not in unfit.shown
        assert unfit.shown.startswith("||word-0")
        opened = await town.bob.click(town.ballot(), label="⋯")
        label = f"Full text {unfit.side.upper()}"
        full = await town.bob.click(opened.response.message, label=label)
        told = texts(full.response)
        assert "||word-0" in told
        assert told.rstrip().endswith("darn.||")


async def test_without_the_setting_nothing_is_judged(open_town: OpenTown, words: Path) -> None:
    async with open_town(base=DARN, moderator="words", moderation_words=words) as town:
        unfit, _ = of_base(await asked(town))
        assert unfit.shown in texts(town.ballot())
        assert not unfit.tags


async def test_where_nobody_can_judge_neither_answer_is_shown(open_town: OpenTown) -> None:
    far = FakeServer(fail=[404])
    runner = await far.start()
    async with open_town(moderator="openai", openai_base_url=far.url) as town:
        battle = await asked(town, moderation="hide")
        assert all("moderated:unavailable" in answer.tags for answer in battle.answers)
        assert texts(town.ballot()).count(HIDDEN) == 2
        later = await asked(town, "and now?")
        assert not any(moderated(answer) for answer in later.answers)
        assert HIDDEN not in texts(town.ballot())
        assert len(far.requests) == 2
    await runner.cleanup()


async def test_moderated_answers_do_not_grow_on_show(open_town: OpenTown, words: Path) -> None:
    story = "+".join(f"word-{number}" for number in range(60))
    slow = {"base": f"scripted:text=darn+{story}&delay=5", "instruct": f"scripted:text={story}"}
    settings = {"moderator": "words", "moderation_words": words, "deadline_seconds": 600}
    async with open_town(**slow, showing="lockstep", **settings) as town:
        await asked(town, moderation="hide")
        for _ in range(30):
            await town.env.advance_time(5)
            assert not town.mine()
        await town.env.advance_time(300)
        assert HIDDEN in texts(town.ballot())
        assert "darn" not in texts(town.ballot())


async def test_what_goes_on_is_judged_anew_and_covered_once(
    open_town: OpenTown, words: Path
) -> None:
    settings = {"moderator": "words", "moderation_words": words, "max_tokens": 40}
    story = "+".join(f"word-{number}" for number in range(100))
    models = {"base": f"scripted:text=darn+{story}", "instruct": "scripted:text=Darn+it."}
    async with open_town(**models, **settings) as town:
        first = of_base(await asked(town, moderation="spoiler"))
        opened = await town.alice.click(town.ballot(), label="⋯")
        await town.alice.click(opened.response.message, label="Continue")
        found = await town.services.store.battles.by_shown_many([town.ballot().id])
        longer, kept = of_base(found[town.ballot().id])
        assert (kept.shown, kept.tags) == (first[1].shown, first[1].tags)
        assert kept.shown == "||Darn it.||"
        assert len(longer.shown) > len(first[0].shown)
        assert longer.shown.count("||") == 2
        assert longer.tags.count("moderated:words") == 1


async def test_what_was_hidden_is_not_gone_on_from(open_town: OpenTown, words: Path) -> None:
    settings = {"moderator": "words", "moderation_words": words}
    async with open_town(base=DARN, **settings) as town:
        await asked(town, moderation="spoiler", continuing="base")
        after_spoiler = await asked(town, "and then?")
        assert after_spoiler.conversation.turns[-2].text == "Well darn, a || b it is."
        await asked(town, moderation="hide")
        after_hiding = await asked(town, "and then?")
        assert after_hiding.conversation.turns[-2].text == "<message omitted>"


async def test_what_is_personal_reaches_neither_model_nor_database(town: Town) -> None:
    battle = await asked(town, "I am alice@example.com, or 212-555-0123", redaction=True)
    assert battle.conversation.prompt.text == "I am <EMAIL>, or <PHONE>"
    assert all("<EMAIL>" in answer.rendered for answer in battle.answers)
    assert "alice@" not in repr(battle)
    kept = await asked(town, "I am alice@example.com", redaction=False)
    assert kept.conversation.prompt.text == "I am alice@example.com"


async def test_two_hidden_answers_do_not_say_the_same(open_town: OpenTown, words: Path) -> None:
    settings = {"moderator": "words", "moderation_words": words}
    async with open_town(base=DARN, instruct=DARN, **settings) as town:
        battle = await asked(town, moderation="hide")
        assert battle.state is BattleState.OPEN
        assert "Both said the same" not in texts(town.ballot())


async def test_what_voters_add_is_redacted_too(town: Town) -> None:
    battle = await asked(town, redaction=True)
    voting = town.services.voting
    await town.bob.click(town.ballot(), label="A is better")
    await voting.comment(battle.id, town.bob.id, "she told me: jo@example.org")
    await voting.improve(battle.id, town.bob.id, Side.A, "write to jo@example.org")
    remark = (await voting.own(battle.id, town.bob.id)).remark
    assert (remark.comment, remark.edit) == ("she told me: <EMAIL>", "write to <EMAIL>")


async def test_what_is_hidden_cannot_be_written_better(open_town: OpenTown, words: Path) -> None:
    settings = {"moderator": "words", "moderation_words": words}
    async with open_town(base=DARN, **settings) as town:
        unfit, _ = of_base(await asked(town, moderation="hide"))
        question = await town.bob.click(town.ballot(), label=f"{unfit.side.upper()} is better")
        reveal = await town.bob.click(question.response, label="Not sure")
        refused = await town.bob.click(reveal.response, label="Fix it")
        assert "nothing to write better" in texts(refused.response)
