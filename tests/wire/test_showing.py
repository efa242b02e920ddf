"""How battles are shown by the real program: in lockstep, in a line, within the limits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from .clock import until
from .components import containers, rows
from .driver import WireServer
from .limits import RateLimits
from .program import Program
from .table import LABELS, Table, roster, table

if TYPE_CHECKING:
    from pathlib import Path

    from .server import Record
    from .world import Message

LOCKSTEP = (
    'showing = "lockstep"\nmember_battles_per_minute = 100\nchannel_battles_per_minute = 1000\n'
)


def story(words: int, delay: float) -> str:
    """A script that says so many different words, one in `delay` seconds."""
    return f"text={'+'.join(f'word-{number}' for number in range(words))}&delay={delay}"


def stories(words: int, delay: float) -> str:
    """Two contenders who take as long as each other and do not say the same."""
    one = story(words, delay)
    return roster(one, one.replace("word", "term"))


async def ballots(at: Table, prompts: list[Message], within: float = 30.0) -> list[Message]:
    """Wait until every prompt has a reply with a ballot; in the order of the prompts."""

    def done() -> list[Message] | None:
        found = {m.reference_id: m for m in at.said() if rows(m) == [LABELS]}
        return [found[p.id] for p in prompts] if found.keys() >= {p.id for p in prompts} else None

    return await until(done, lambda: f"{len(prompts)} ballots; {at.wire.last_requests()}", within)


def edits(at: Table) -> list[str]:
    """The channel messages that were edited, one entry an edit."""
    return [r.path for r in at.wire.requests if r.method == "PATCH" and "/channels/" in r.path]


class TestLockstep:
    async def test_many_battles_in_a_channel_keep_to_the_limits(self, tmp_path: Path) -> None:
        config = LOCKSTEP + roster(story(50, 0.1), story(40, 0.1))
        async with table(tmp_path, config) as at:
            texts = [f"{at.wire.mention} question {n}" for n in range(8)]
            prompts = [await at.alice.send(at.channel, text) for text in texts]
            await ballots(at, prompts)
            assert 429 not in {record.status for record in at.wire.requests}
            assert len(at.said()) == 8
            assert len(set(edits(at))) == 3
            assert len(edits(at)) > 3

    async def test_nothing_sent_while_it_grows_tells_or_pings(self, tmp_path: Path) -> None:
        text = f"@everyone+{story(40, 0.05).removeprefix('text=')}"
        async with table(tmp_path, LOCKSTEP + roster(f"text={text}", story(60, 0.05))) as at:
            asked = await at.alice.slash(at.channel, "ask", prompt="why?")
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} and why not?")
            await ballots(at, [prompt])
            await until(lambda: asked.public and rows(asked.public[0]) == [LABELS], "a ballot")
            shown = [r.body for r in at.wire.requests if r.body and "components" in r.body]
            grown = [body for body in shown if "are answering" in str(body)]
            assert len(grown) > 2
            for body in shown:
                assert body["allowed_mentions"]["parse"] == []
            assert at.telling() == []

    async def test_what_a_kill_left_growing_goes_on_there_at_the_next_start(
        self, tmp_path: Path
    ) -> None:
        config = LOCKSTEP + stories(100, 0.1)
        async with table(tmp_path, config) as at:
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} and?")
            growing = await at.wire.wait_for_reply(prompt)
            assert len(containers(growing)) == 2
            query = "SELECT shown_message_id FROM battles"
            await until(lambda: at.program.rows(query) == [(growing.id,)], "its id")
            await at.program.kill9()
            at.program.config.write_text(LOCKSTEP + stories(20, 0.05), encoding="utf-8")
            await at.program.start()
            await until(lambda: rows(growing) == [LABELS], "the ballot", 20)
            assert at.said() == [growing]


BUSY = "battles_at_once = 1\n"


class TestLine:
    async def test_who_waits_knows_their_number_and_gets_the_ballot_there(
        self, tmp_path: Path
    ) -> None:
        async with table(tmp_path, BUSY + stories(20, 0.1)) as at:
            prompts = []
            for number in range(3):
                text = f"{at.wire.mention} question {number}"
                prompts.append(await at.alice.send(at.channel, text))
                await until(lambda: at.count("battles") == len(prompts), "a battle")
            second, third = [await at.wire.wait_for_reply(p) for p in prompts[1:]]
            assert second.text == "Both models are busy: you are next."
            assert third.text == "Both models are busy: you are number 2."
            await until(lambda: "you are next, about 5 seconds" in third.text, "a shorter line")
            assert (await ballots(at, prompts))[1:] == [second, third]
            assert len(at.said()) == 3

    async def test_a_command_waits_in_private(self, tmp_path: Path) -> None:
        async with table(tmp_path, BUSY + stories(20, 0.1)) as at:
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} first")
            await at.state("answering")
            asked = await at.alice.slash(at.channel, "ask", prompt="second")
            await until(lambda: "you are next." in asked.text, "a number")
            assert asked.public == []
            await ballots(at, [prompt])
            await until(lambda: asked.public and rows(asked.public[0]) == [LABELS], "a ballot")
            assert asked.ephemeral_texts == ["Here are both answers."]

    @pytest.mark.parametrize("showing", ["at_once", "lockstep"])
    async def test_a_command_is_answered_after_a_quarter_of_an_hour(
        self, tmp_path: Path, showing: str
    ) -> None:
        config = f'showing = "{showing}"\n' + stories(40, 0.1)
        async with table(tmp_path, config) as at:
            asked = await at.alice.slash(at.channel, "ask", prompt="what takes so long?")
            await at.state("answering")
            if showing == "lockstep":
                await until(lambda: asked.public, "growing answers")
            at.wire.clock.skip(16 * 60)
            await until(lambda: [m for m in at.said() if rows(m) == [LABELS]], "a ballot", 15)
            (ballot,) = at.said()
            assert "alice asked: what takes so long?" in ballot.text

    async def test_a_deleted_prompt_leaves_the_line(self, tmp_path: Path) -> None:
        async with table(tmp_path, BUSY + stories(20, 0.1)) as at:
            first = await at.alice.send(at.channel, f"{at.wire.mention} first")
            await at.state("answering")
            waiting = await at.alice.send(at.channel, f"{at.wire.mention} second")
            told = await at.wire.wait_for_reply(waiting)
            await at.alice.delete(waiting)
            await until(lambda: told.deleted, "the sentence gone")
            await at.state("cancelled")
            assert rows((await ballots(at, [first]))[0]) == [LABELS]
            assert len(at.said()) == 1


def ballot_edit(record: Record) -> bool:
    return record.method == "PATCH" and "twofold:1:vote" in record.text


class TestEndings:
    async def test_a_kill_between_the_opening_and_the_ballot_loses_no_ballot(
        self, tmp_path: Path
    ) -> None:
        async with table(tmp_path, BUSY + stories(20, 0.05)) as at:
            first = await at.alice.send(at.channel, f"{at.wire.mention} first")
            await at.state("answering")
            waiting = await at.alice.send(at.channel, f"{at.wire.mention} second")
            at.wire.rest.held = ballot_edit
            await until(lambda: any(map(ballot_edit, at.wire.requests)), "an edit")
            await at.state("open")
            await at.program.kill9()
            await until(lambda: not at.wire.gateway.online, "the end of the connection")
            await asyncio.sleep(0.1)
            at.wire.rest.held = lambda _: False
            assert rows(await at.wire.wait_for_reply(waiting)) == []
            await at.program.start()
            await ballots(at, [first, waiting])
            assert len(at.said()) == 2

    async def test_a_long_line_is_told_of_a_stop(self, tmp_path: Path) -> None:
        slow = "member_battles_per_minute = 100\nchannel_battles_per_minute = 1000\n" + BUSY
        async with WireServer(limits=RateLimits.off()) as wire:
            at = Table(wire, Program(wire, tmp_path, slow + roster(story(300, 0.1))))
            async with at.program:
                for number in range(9):
                    await at.alice.send(at.channel, f"{wire.mention} question {number}")
                await until(lambda: len(at.said()) == 8, "a line")
                at.program.terminate()
                assert await at.program.wait_exit(within=10) == 0
                told = at.count("battles WHERE state = 'failed'")
                assert told == sum("restarted" in m.text for m in at.said()) > 0
                at.program.config.write_text(roster(), encoding="utf-8")
                await at.program.start()
                shown = [LABELS]
                await until(lambda: sum(rows(m) == shown for m in at.said()) == 9 - told, "ballots")

    async def test_a_sentence_whose_answer_was_lost_still_becomes_the_ballot(
        self, tmp_path: Path
    ) -> None:
        async with table(tmp_path, BUSY + stories(20, 0.05)) as at:
            at.wire.rest.cut = lambda r: r.method == "POST" and "you are next" in r.text
            texts = [f"{at.wire.mention} question {n}" for n in range(2)]
            prompts = [await at.alice.send(at.channel, text) for text in texts]
            await ballots(at, prompts)
            assert len(at.said()) == 2


class TestLimits:
    async def test_a_member_is_told_once_a_minute_and_in_private_where_possible(
        self, tmp_path: Path
    ) -> None:
        async with table(tmp_path, "member_battles_per_minute = 2\n" + roster()) as at:
            for _ in range(2):
                await at.ask()
            told = await at.ask("once too often")
            assert "You have asked 2 times within a minute. Try again in" in told.text
            await at.alice.send(at.channel, f"{at.wire.mention} and again")
            asked = await at.alice.slash(at.channel, "ask", prompt="why?")
            assert "You have asked 2 times" in await asked.answered()
            assert asked.public == []
            await asyncio.sleep(0.2)
            assert len(at.said()) == 3
            assert at.count("battles") == 2
            await at.wire.wait_for_reply(await at.boss.send(at.channel, f"{at.wire.mention} I may"))
