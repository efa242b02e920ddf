"""The real program, its own process, against the wire server: the main job end to end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from .clock import until
from .commands import NotOffered
from .components import buttons, containers, rows
from .driver import WireServer
from .limits import RateLimits
from .program import Program
from .protocol import Intent
from .table import LABELS, TELLING, Table, roster, table
from .world import COMPONENTS_V2

if TYPE_CHECKING:
    from pathlib import Path


class TestBattle:
    async def test_a_mention_gets_two_answers_and_a_ballot(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} what is a fold?")
            ballot = await at.wire.wait_for_reply(prompt)
            assert ballot.flags & COMPONENTS_V2
            assert len(containers(ballot)) == 2
            assert rows(ballot) == [LABELS]
            assert at.said() == [ballot]

    async def test_a_press_is_stored_confirmed_and_revealed(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            ballot = await at.ask()
            press = await (await at.alice.press(ballot, "A is better")).acknowledged()
            await press.says("You chose **A**. Which one is the base model")
            assert "gemma-x" not in press.text
            guess = await (await at.alice.press(press.ephemeral[0], "Not sure")).acknowledged()
            assert re.search("gemma-x|smol-y", press.text)
            assert press.public + guess.public == []
            assert at.said() == [ballot]
            voters = at.program.rows("SELECT voter_id, outcome FROM votes")
            assert voters == [(at.alice.user.id, "win")]
            assert at.telling(press) == []

    async def test_a_kill_after_the_acknowledgement_loses_nothing(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            ballot = await at.ask()
            press = await at.alice.press(ballot, "B is better")
            await press.acknowledged()
            await at.program.kill9()
            first = at.program.rows("SELECT winner_answer_id FROM votes")
            assert len(first) == 1
            await at.program.start()
            assert at.program.rows("SELECT winner_answer_id FROM votes") == first
            again = await (await at.alice.press(ballot, "A is better")).acknowledged()
            await again.says("You chose **A**")
            assert at.count("votes") == 1
            assert at.count("vote_events") == 2
            assert at.program.rows("SELECT winner_answer_id FROM votes") != first

    async def test_a_deleted_prompt_is_not_answered(self, tmp_path: Path) -> None:
        async with table(tmp_path, roster("delay=0.3", "delay=0.3")) as at:
            prompt = await at.alice.send(at.channel, f"{at.wire.mention} never mind")
            await at.state("answering")
            await at.alice.delete(prompt)
            await at.state("cancelled")
            at.program.terminate()
            assert await at.program.wait_exit() == 0
            assert at.said() == []

    async def test_a_failed_side_is_told_without_a_ballot(self, tmp_path: Path) -> None:
        async with table(tmp_path, roster(instruct="fail=99")) as at:
            told = await at.ask()
            await at.state("failed")
            assert buttons(told) == []
            assert told.text
            assert not TELLING.search(told.text)
            assert at.said() == [told]

    async def test_no_answer_can_ping(self, tmp_path: Path) -> None:
        text = "text=%40everyone+%3C%401%3E+hello"
        async with table(tmp_path, roster(text, f"{text}+there")) as at:
            ballot = await at.ask()
            assert ballot.text.count("everyone") == 2
            await (await at.alice.press(ballot, "Tie")).answered()
            assert ballot.pings == set()
            sent = [r.body for r in at.wire.requests if "messages" in r.route and r.body]
            assert sent
            for body in sent:
                assert body["allowed_mentions"]["parse"] == []
                assert not body["allowed_mentions"].get("replied_user")


class TestListening:
    async def test_who_and_what_is_not_answered(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            robot = at.wire.person("robot", at.channel.guild, bot=True)
            await robot.send(at.channel, f"{at.wire.mention} I am a bot")
            await at.alice.send(at.channel, "")
            await at.alice.send(at.channel, f"{at.wire.mention} // aside")
            await at.alice.send(at.channel, "not meant for the bot")
            answer = await at.ask()
            assert at.said() == [answer]
            assert at.count("battles") == 1

    async def test_a_private_message_is_answered(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            ballot = await at.wire.wait_for_reply(await at.alice.dm("in private"))
            assert rows(ballot) == [LABELS]
            press = await at.alice.press(ballot, "Both bad")
            await press.says("You found **both bad**")

    async def test_a_reply_to_the_bot_is_answered(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            first = await at.ask()
            more = await at.alice.send(at.channel, "and then?", reply_to=first)
            assert rows(await at.wire.wait_for_reply(more)) == [LABELS]

    async def test_an_admin_enables_a_channel(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            with pytest.raises(NotOffered):
                await at.alice.slash(at.channel, "settings", setting="channels")
            refused = await at.alice.slash(
                at.channel, "settings", permitted=True, setting="channels"
            )
            assert "Only people who may manage" in await refused.answered()
            assert (len(refused.ephemeral), refused.public) == (1, [])
            allowed = await at.boss.slash(at.channel, "settings", setting="channels")
            await allowed.answered()
            assert allowed.public == []
            chosen = await at.boss.choose(allowed.ephemeral[0], str(at.channel.id))
            await chosen.acknowledged()
            prompt = await at.alice.send(at.channel, "nobody is mentioned")
            assert rows(await at.wire.wait_for_reply(prompt)) == [LABELS]
            aside = await at.alice.send(at.channel, "// aside")
            await at.ask()
            assert aside.id not in {message.reference_id for message in at.said()}

    async def test_the_commands_answer(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            asked = await at.alice.slash(at.channel, "ask", prompt="why fold?")
            public = await until(lambda: asked.public, "both answers for all to see")
            assert rows(public[0]) == [LABELS]
            said = await at.boss.send(at.channel, "was it ever folded?")
            menu = await at.alice.context_menu(said, "Answer this twice")
            ballot = await at.wire.wait_for_reply(said)
            await menu.answered()
            assert rows(ballot) == [LABELS]
            assert at.telling() == []
            await (await at.alice.press(ballot, "A is better")).says("You chose **A**")
            for name in ("leaderboard", "about"):
                assert await (await at.alice.slash(at.channel, name)).answered()

    async def test_a_burst_in_one_channel_keeps_to_the_limits(self, tmp_path: Path) -> None:
        async with WireServer(limits=RateLimits(messages=(5, 3.0))) as wire:
            at = Table(wire, Program(wire, tmp_path, roster()))
            async with at.program:
                texts = [f"{wire.mention} question {n}" for n in range(8)]
                prompts = [await at.alice.send(at.channel, text) for text in texts]
                answered = {(await wire.wait_for_reply(p)).reference_id for p in prompts}
                assert answered == {prompt.id for prompt in prompts}
                assert len(at.said()) == len(prompts)
                # discord.py does not know of requests that are on their way when the window turns;
                # without its waiting three of eight would be refused
                assert [record.status for record in wire.requests].count(429) < 3

    async def test_a_burst_in_many_channels_keeps_to_the_limit_over_all(
        self, tmp_path: Path
    ) -> None:
        env = {"TWOFOLD_BATTLES_AT_ONCE": "200", "TWOFOLD_MEMBER_BATTLES_PER_MINUTE": "200"}
        env["TWOFOLD_GUILD_BATTLES_PER_MINUTE"] = "200"
        async with WireServer() as wire:
            at = Table(wire, Program(wire, tmp_path, roster(), env=env))
            channels = [wire.channel(at.channel.guild, f"room-{n}") for n in range(80)]
            async with at.program:
                prompts = [await at.alice.send(c, f"{wire.mention} hello") for c in channels]
                ballots = [await wire.wait_for_reply(p, within=60) for p in prompts]
                assert len({ballot.channel.id for ballot in ballots}) == len(channels)
                assert 429 not in {record.status for record in wire.requests}


class TestProcess:
    async def test_sigterm_ends_it_in_good_order(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            at.program.terminate()
            assert await at.program.wait_exit(within=10) == 0

    async def test_an_interrupted_socket_is_resumed(self, tmp_path: Path) -> None:
        async with table(tmp_path) as at:
            await until(lambda: " ready " in at.program.stderr, "the session begun")
            at.wire.gateway.cut_all()
            ballot = await at.ask("are you back?")
            assert rows(ballot) == [LABELS]
            assert (at.wire.gateway.identified, at.wire.gateway.resumed) == (1, 1)

    @pytest.mark.parametrize(
        ("env", "told"),
        [
            ({"DISCORD_TOKEN": "wrong.token"}, "DISCORD_TOKEN"),
            ({"TWOFOLD_DISCORD_API": "http://192.0.2.1/api/v10"}, "loopback"),
            ({"TWOFOLD_DISCORD_GATEWAY": "wss://gateway.example/"}, "loopback"),
        ],
    )
    async def test_what_cannot_work_ends_with_one_sentence(
        self, wire: WireServer, tmp_path: Path, env: dict[str, str], told: str
    ) -> None:
        program = Program(wire, tmp_path, roster(), env=env)
        await program.launch()
        assert await program.wait_exit() != 0
        sentences = [line for line in program.stderr.splitlines() if line.startswith("twofold: ")]
        assert len(sentences) == 1
        assert told in program.stderr
        assert "Traceback" not in program.stderr + program.stdout
        assert "wrong.token" not in program.stderr + program.stdout

    async def test_a_refused_intent_ends_with_one_sentence(self, tmp_path: Path) -> None:
        async with WireServer(granted=Intent(0)) as wire:
            program = Program(wire, tmp_path, roster())
            await program.launch()
            assert await program.wait_exit() != 0
            assert "Message Content" in program.stderr
            assert "Traceback" not in program.stderr
