"""The real program where it gets tight: long texts, lost rights, many voters, failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .clock import until
from .components import buttons, containers, rows, walk
from .driver import WireServer
from .program import Program
from .protocol import Intent
from .table import LABELS, TELLING, Table, roster, table
from .world import Permission

if TYPE_CHECKING:
    from pathlib import Path

    from .world import Message


def _swap(ballot: Message, old: str, new: str) -> None:
    """Change the first button's id, as if another database or version had posted it."""
    button = buttons(ballot)[0]
    assert old in button["custom_id"]
    button["custom_id"] = button["custom_id"].replace(old, new)


class TestTexts:
    async def test_long_answers_fit_one_message(self, tmp_path: Path) -> None:
        config = roster("text=" + "fold+" * 1500, "text=" + "knit+" * 1500)
        config = config.replace('kind = "', 'max_tokens = 4000\nkind = "')
        async with table(tmp_path, config) as at:
            ballot = await at.ask()
            sides = [
                len("".join(c.get("content", "") for c in walk([one])))
                for one in containers(ballot)
            ]
            assert rows(ballot) == [LABELS]
            assert abs(sides[0] - sides[1]) <= 1

    async def test_a_prompt_of_markdown_and_the_longest_name(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            name = "*`_~|>#" + "n" * 25
            carol = at.wire.person(name, at.channel.guild)
            asked = await carol.slash(at.channel, "ask", prompt="`" * 3000 + "||x||")
            public = await until(lambda: asked.public, "both answers for all to see")
            assert rows(public[0]) == [LABELS]

    @pytest.mark.parametrize("text", ["%20%0A%20", "%E2%80%8B", "%60%60%60py%0Aunclosed"])
    async def test_odd_answers_leave_a_message_discord_takes(
        self, tmp_path: Path, text: str
    ) -> None:
        async with table(tmp_path, roster(f"text={text}", f"text={text}")) as at:
            assert (await at.ask()).text


class TestVotes:
    async def test_each_member_has_one_vote_and_is_asked_alone(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            ballot = await at.ask()
            voters = [at.wire.person(f"voter{n}", at.channel.guild) for n in range(6)]
            presses = [await v.press(ballot, LABELS[n % 4]) for n, v in enumerate(voters)]
            for press in presses:
                await press.says("Which one is the base model")
                assert press.public == []
            assert at.count("votes") == at.count("vote_events") == len(voters)
            assert at.said() == [ballot]

    async def test_two_quick_presses_of_one_member_are_one_vote(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            ballot = await at.ask()
            presses = [await at.alice.press(ballot, label) for label in LABELS]
            for press in presses:
                await press.acknowledged()
            assert at.count("votes") == 1

    async def test_a_ballot_of_an_unknown_battle_is_answered_politely(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            ballot = await at.ask()
            _swap(ballot, ":1:a", ":999999:a")
            press = await at.alice.press(ballot, LABELS[0])
            assert not TELLING.search(await press.answered())
            assert len(press.ephemeral) == 1
            assert at.count("votes") == 0

    @pytest.mark.parametrize("change", [("vote:1:a", "vote:1:x"), (":1:vote", ":9:vote")])
    async def test_a_button_of_another_make_stores_nothing(
        self, tmp_path: Path, change: tuple[str, str]
    ) -> None:
        async with table(tmp_path) as at:
            ballot = await at.ask()
            _swap(ballot, *change)
            unknown = await at.alice.press(ballot, LABELS[0])
            await at.ask("still there?")
            assert not TELLING.search(unknown.text)
            assert at.count("votes") == 0

    async def test_a_battle_of_another_guild_cannot_be_voted_on(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            await at.ask()
            elsewhere = at.wire.channel(at.wire.guild("Elsewhere"))
            eve = at.wire.person("eve", elsewhere.guild)
            prompt = await eve.send(elsewhere, f"{at.wire.mention} let me in")
            ballot = await at.wire.wait_for_reply(prompt)
            _swap(ballot, ":2:a", ":1:a")
            forged = await eve.press(ballot, LABELS[0])
            assert not TELLING.search(await forged.answered())
            assert at.count("votes") == 0


class TestRights:
    async def test_without_the_right_to_send_the_battle_ends(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            at.wire.deny(at.channel, Permission.SEND_MESSAGES)
            await at.alice.send(at.channel, f"{at.wire.mention} hello?")
            query = "SELECT state FROM battles WHERE state IN ('failed', 'cancelled')"
            await until(lambda: at.program.rows(query), "an ended battle")
            free = at.wire.channel(at.channel.guild, "free")
            prompt = await at.alice.send(free, f"{at.wire.mention} hello!")
            assert rows(await at.wire.wait_for_reply(prompt)) == [LABELS]
            assert at.said() == []
            assert "Traceback" not in at.program.stderr

    async def test_mentions_are_answered_without_the_message_content_intent(
        self, tmp_path: Path
    ) -> None:
        async with WireServer(granted=Intent(0)) as wire:
            env = {"TWOFOLD_MESSAGE_CONTENT": "false"}
            at = Table(wire, Program(wire, tmp_path, roster(), env=env))
            async with at.program:
                assert rows(await at.ask()) == [LABELS]
                await at.alice.send(at.channel, "unread")
                again = await at.ask("again")
                assert at.said()[-1] is again


class TestFailures:
    async def test_a_failed_slash_command_is_told_privately(self, tmp_path: Path) -> None:
        async with table(tmp_path, roster("fail=99")) as at:
            asked = await at.alice.slash(at.channel, "ask", prompt="why?")
            await until(lambda: asked.ephemeral, "a private sentence")
            assert not TELLING.search(asked.text)
            assert at.said() == []

    async def test_sigterm_lets_a_running_battle_end(self, tmp_path: Path) -> None:
        async with table(tmp_path, roster("delay=0.1", "delay=0.1")) as at:
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} last one")
            await at.state("answering")
            at.program.terminate()
            ballot = await at.wire.wait_for_reply(prompt)
            assert rows(ballot) == [LABELS]
            assert await at.program.wait_exit(within=10) == 0
            await at.state("open")
            assert at.program.rows("SELECT shown_message_id FROM battles") == [(ballot.id,)]

    async def test_sigterm_tells_whom_it_cannot_wait_for(self, tmp_path: Path) -> None:
        async with table(tmp_path, roster("hang=1", "hang=1")) as at:
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} too slow")
            await at.state("answering")
            at.program.terminate()
            told = await at.wire.wait_for_reply(prompt, within=10)
            assert "restarted" in told.text
            assert await at.program.wait_exit(within=10) == 0
            await at.state("failed")

    async def test_a_battle_cut_off_by_a_kill_is_answered_at_the_next_start(
        self, tmp_path: Path
    ) -> None:
        async with table(tmp_path, roster("delay=0.1", "delay=0.1")) as at:
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} cut off")
            await at.state("answering")
            await at.program.kill9()
            await at.program.start()
            ballot = await at.wire.wait_for_reply(prompt)
            await until(lambda: rows(ballot) == [LABELS], "the ballot")
            assert at.said() == [ballot]
