"""Presses, menus, forms and commands of any kind and order, on battles in any state."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from bot.errors import ConfigError
from bot.guilds import SETTINGS
from cogs._choices import FIRST, HERE
from cogs._render.settings import PREFIX
from cogs._views import ACTIONS, id_of, meant
from storage.records import BattleState, Choice, Consent, Outcome
from tests.fuzz.cases import chosen, counting, require_sentence
from tests.fuzz.house import CANARY, House, Running
from tests.fuzz.test_answers import look_alikes
from tests.fuzz.texts import json_values, said
from tests.wire.commands import Option
from tests.wire.components import ACTION_ROW, BUTTON, walk
from tests.wire.interactions import Interaction, Kind
from tests.wire.render import message_json
from tests.wire.validate_forms import MESSAGE_MENU, SUBCOMMAND, SUBCOMMAND_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.wire.people import Person
    from tests.wire.world import Channel, Message

SLUGS = ("plain-writer", "polite-helper")
CHOSEN = {
    "You chose **A**.": Choice.A,
    "You chose **B**.": Choice.B,
    "You called it a **tie**.": Choice.TIE,
    "You found **both bad**.": Choice.BOTH_BAD,
}
SLOW = frozenset({"leaderboard", "stats", "dataset", "export"})
"""Commands that draw pictures or read all votes: one in so many is tried."""
ONE_IN = 12

parts = [part for action in ACTIONS.values() for part in action]
forged = st.builds(
    id_of,
    st.sampled_from(list(ACTIONS)),
    st.integers(0, 10**18 - 1),
    st.none() | st.sampled_from(parts).map(str),
    swapped=st.none() | st.booleans(),
    choice=st.none() | st.sampled_from(Choice),
)
of_settings = st.builds(
    lambda action, key, value: ":".join(filter(None, (f"{PREFIX}1", action, key, value))),
    st.sampled_from(["show", "history", "change", "set", "reset"]),
    st.none() | st.sampled_from(list(SETTINGS)),
    st.none() | st.sampled_from(["on", "off"]),
)
of_privacy = st.builds(
    lambda place, scope, version: f"twofold-privacy:1:{place}:{scope}:{version}",
    st.sampled_from([FIRST, HERE, "everywhere", "more"]),
    st.sampled_from(Consent),
    st.integers(0, 10**9 - 1),
) | st.sampled_from(["twofold-privacy:1:erase", "twofold-privacy:1:more:1"])
picked = st.lists(st.sampled_from(["VOTING", "raw", "on", "7", "tiny"]) | st.text(), max_size=26)
indexes = st.integers(0, 6) | st.integers(0, 200)


class Town(RuleBasedStateMachine):
    """One guild with people and battles, and another one beside it."""

    def __init__(self, running: Running) -> None:
        super().__init__()
        self.running = running
        self.house: House = running.house
        self.wire = self.house.wire
        self.expected: dict[tuple[int, int], Choice] = {}
        self.lounge: Channel = running.run(self.house.enabled())
        self.away: Channel = running.run(self.house.enabled(guild="Elsewhere"))
        here = self.lounge.guild
        self.people = [
            self.wire.person("ann", here),
            self.wire.person("bob", here),
            self.wire.person("boss", here, self.away.guild, admin=True),
            self.wire.person("eve", self.away.guild),
        ]
        self._say(0, "hello", "one thing", "another thing")
        self.vote(1, Choice.A, [0])

    @rule(by=st.integers(0, 3), text=said, base=said, instruct=said)
    def say(self, by: int, text: str, base: str, instruct: str) -> None:
        self._say(by, text, base, instruct)

    @rule(by=st.integers(0, 3), at=indexes, button=indexes)
    def press(self, by: int, at: int, button: int) -> None:
        """A button that is there, as it is there."""
        if message := self._message(by, at):
            self._press(by, message, button)

    def _press(self, by: int, message: Message, button: int) -> None:
        there = [c for c in walk(message.components) if c.get("custom_id")]
        if there:
            part = there[button % len(there)]
            self._pressed(by, message, part["custom_id"], part["type"], ["VOTING"])

    @rule(by=st.integers(0, 3), choice=st.sampled_from(Choice), then=st.lists(indexes, max_size=4))
    def vote(self, by: int, choice: Choice, then: list[int]) -> None:
        """On the newest ballot, and maybe what comes after it."""
        channel = self.away if by == 3 else self.lounge
        for message in reversed(list(channel.messages.values())):
            ids = [c["custom_id"] for c in walk(message.components) if c.get("custom_id")]
            known = [meant(one) for one in ids]
            found = next((k for k in known if k and k.action == "vote"), None)
            if found and not message.ephemeral:
                pressed = id_of("vote", found.battle_id, choice.value)
                own = self._pressed(by, message, pressed, BUTTON, []).original
                for button in then if own else ():
                    self._press(by, own, button)
                break

    @rule(
        by=st.integers(0, 3),
        at=indexes,
        custom_id=forged | of_settings | of_privacy | look_alikes,
        kind=st.sampled_from([BUTTON, BUTTON, 3, 5, 6, 7, 8]),
        values=picked,
    )
    def forge(self, by: int, at: int, custom_id: str, kind: int, values: list[str]) -> None:
        """Whatever somebody sends, from a message that they may see."""
        if message := self._message(by, at):
            self._pressed(by, message, custom_id, kind, values)

    @rule(
        by=st.integers(0, 3),
        at=indexes,
        of=indexes,
        action=st.sampled_from(list(ACTIONS)),
        part=st.sampled_from(parts),
        swapped=st.none() | st.booleans(),
        choice=st.none() | st.sampled_from(Choice),
    )
    def act(
        self,
        by: int,
        at: int,
        of: int,
        action: str,
        part: Any,
        swapped: bool | None,
        choice: Choice | None,
    ) -> None:
        """Something that can be done, with a battle that there is, maybe of another message."""
        battles = sorted(self._battles())
        message = self._message(by, at)
        if message and battles:
            wanted = str(part) if str(part) in map(str, ACTIONS[action]) else None
            custom_id = id_of(
                action, battles[of % len(battles)], wanted, swapped=swapped, choice=choice
            )
            self._pressed(by, message, custom_id, BUTTON, [])

    @rule(
        by=st.integers(0, 3),
        at=indexes,
        of=indexes,
        custom_id=forged | of_settings | look_alikes,
        text=said,
        odd=st.just(None) | json_values,
    )
    def hand_in(self, by: int, at: int, of: int, custom_id: str, text: str, odd: Any) -> None:
        """A form: one that could have been opened for a battle here, or any other."""
        battles = sorted(self._battles())
        message = self._message(by, at)
        if of % 2 and battles:
            form = ("fix", "a") if of % 4 == 1 else ("why", None)
            custom_id = id_of(form[0], battles[of % len(battles)], form[1], swapped=bool(of % 3))
        key = "value" if custom_id.startswith(PREFIX) else "text"
        fields = [
            {
                "type": 18,
                "id": 1,
                "component": {"type": 4, "id": 2, "custom_id": key, "value": text},
            }
        ]
        if isinstance(odd, str):
            fields[0]["component"]["custom_id"] = odd
        data = {"custom_id": custom_id, "components": fields}
        self._interact(by, Kind.MODAL, self._place(by, message), data, source=message)

    @rule(
        by=st.integers(0, 3),
        where=st.integers(0, 2),
        command=indexes,
        values=st.data(),
        slow=st.integers(1, ONE_IN),
    )
    def command(self, by: int, where: int, command: int, values: st.DataObject, slow: int) -> None:
        """A command with options that Discord lets through."""
        known = self.wire.world.commands[None]
        wanted = known[command % len(known)]
        if wanted["name"] in SLOW and slow > 1:
            wanted = next(c for c in known if c["name"] == "privacy")
        channel = self._channels(by)[where]
        data: dict[str, Any] = {"id": wanted["id"], "name": wanted["name"], "type": wanted["type"]}
        if wanted["type"] == MESSAGE_MENU:
            target = self._message(by, command, every=True)
            if target is None:
                return
            data["target_id"] = str(target.id)
            data["resolved"] = {"messages": {str(target.id): message_json(target, self.wire.bot)}}
        else:
            data["options"] = self._options(wanted, values)
        self._interact(by, Kind.COMMAND, channel, data)

    @rule(by=st.integers(0, 3), typed=said)
    def complete(self, by: int, typed: str) -> None:
        known = next(c for c in self.wire.world.commands[None] if c["name"] == "settings")
        option = {"name": "setting", "type": 3, "value": typed[:100], "focused": True}
        data = {"id": known["id"], "name": "settings", "type": 1, "options": [option]}
        self._interact(by, Kind.AUTOCOMPLETE, self._channels(by)[0], data)

    @rule(hours=st.sampled_from([0, 0, 0, 1, 2, 30]))
    def wait(self, hours: int) -> None:
        """Time goes by, and the sweep comes."""
        counting("interactions")
        self.house.clock.ahead += timedelta(hours=hours)
        self.running.run(self._sweep())
        self._compare(forgotten=hours > 2)

    @rule(
        key=st.sampled_from(
            [
                "closing_votes",
                "authors_vote",
                "mirror_share",
                "control_share",
                "consent_cap",
                "others",
                "showing",
            ]
        ),
        value=st.sampled_from(
            [1, 2, 50, False, True, "publish", "none", "placeholder", "lockstep"]
        ),
    )
    def decide(self, key: str, value: object) -> None:
        """A manager changes how things are."""
        counting("interactions")
        self.running.run(self._decide(key, value))

    @rule(at=indexes)
    def delete(self, at: int) -> None:
        """A message goes, maybe a prompt or a ballot."""
        counting("interactions")
        there = list(self.lounge.messages.values())
        there = [m for m in there if not m.ephemeral]
        if there:
            self.wire.posting.delete(there[at % len(there)])
            self._settle()

    def teardown(self) -> None:
        self._compare()
        self.house.check()

    def _say(self, by: int, text: str, base: str, instruct: str) -> None:
        counting("interactions")
        self.house.base.says, self.house.instruct.says = base, instruct
        channel = self.lounge if by < 3 else self.away
        body = f"{CANARY} {text}"[:2000]
        self.running.run(self.people[by].send(channel, body))
        self._settle()

    def _pressed(
        self, by: int, message: Message, custom_id: str, kind: int, values: list[str]
    ) -> Interaction:
        custom_id = custom_id[:100] or "x"
        there = {c["custom_id"]: c["type"] for c in walk(message.components) if c.get("custom_id")}
        kind = there.get(custom_id, kind)
        data: dict[str, Any] = {"custom_id": custom_id, "component_type": kind, "id": 1}
        if kind != BUTTON:
            data["values"] = values
        with _holding(message, data):
            interaction = self._interact(by, Kind.COMPONENT, message.channel, data, source=message)
        known = meant(custom_id)
        if known and known.action in {"vote", "rate"}:
            self._voted(by, known.battle_id, known.swapped, interaction)
        elif known and known.action == "undo" and "taken back" in _told(interaction):
            self.expected.pop((known.battle_id, self.people[by].user.id), None)
        return interaction

    def _voted(
        self, by: int, battle_id: int, swapped: bool | None, interaction: Interaction
    ) -> None:
        """What was said to be chosen is what must be stored from now on."""
        text = _told(interaction)
        if "closed" in text or "takes no votes" in text:
            return
        for words, choice in CHOSEN.items():
            if text.startswith(words):
                other = {Choice.A: Choice.B, Choice.B: Choice.A}
                kept = other.get(choice, choice) if swapped else choice
                self.expected[battle_id, self.people[by].user.id] = kept
                self._compare(only=battle_id)

    def _interact(
        self, by: int, kind: Kind, channel: Channel, data: Any, *, source: Message | None = None
    ) -> Interaction:
        """Do it and wait; it must be acknowledged, ping nobody, and tell nothing too early."""
        counting("interactions")
        interaction = self.running.run(self._sent(self.people[by], kind, channel, data, source))
        for message in interaction.messages:
            assert not message.pings, message.pings
        if "**Deleted**" in interaction.text or "Deleted" in _told(interaction):
            user = self.people[by].user.id
            self.expected = {key: c for key, c in self.expected.items() if key[1] != user}
        self.house.check()
        assert interaction.reply is not None, f"{interaction} was not acknowledged"
        return interaction

    async def _sent(
        self, who: Person, kind: Kind, channel: Channel, data: Any, source: Message | None
    ) -> Interaction:
        interaction = await who._interact(kind, channel, data, source=source)
        await self.house.settle()
        known = meant(str(data.get("custom_id", "")))
        if known and known.action in {"vote", "rate", "full", "read", "more", "skip", "next"}:
            await self._check_blind(known.battle_id, who.user.id, interaction)
        return interaction

    async def _check_blind(self, battle_id: int, member_id: int, interaction: Interaction) -> None:
        """Before a member was told, no answer to them names a model, nor does the ballot."""
        store = self.house.services.store
        battle = await store.battles.get(battle_id)
        if battle is None or battle.state is not BattleState.OPEN:
            return
        shown = self.lounge.messages.get(battle.shown_message_id or 0)
        assert shown is None or not [slug for slug in SLUGS if slug in shown.text]
        seen = await store.sightings.get(battle_id, member_id)
        if seen.told_at is None:
            assert not [slug for slug in SLUGS if slug in _told(interaction)]

    def _settle(self) -> None:
        self.running.run(self.house.settle())
        self.house.check()

    async def _sweep(self) -> None:
        cog = self.house.client.get_cog("ClosingCog")
        await cog._sweep.coro(cog)
        await self.house.settle()

    async def _decide(self, key: str, value: object) -> None:
        try:
            await self.house.services.guilds.set(self.lounge.guild_id, key, value, by=1)
        except ConfigError as refused:
            require_sentence(refused)

    def _compare(self, *, only: int | None = None, forgotten: bool = False) -> None:
        """Every vote that was acknowledged is stored, one for each member and battle."""
        if forgotten:  # after a day the votes of those who did not agree are nobody's
            self.expected.clear()
        for battle_id in {battle_id for battle_id, _ in self.expected if only in {None, battle_id}}:
            stored = self.running.run(self._stored(battle_id))
            expected = {who: c for (b, who), c in self.expected.items() if b == battle_id}
            assert expected.items() <= stored.items()

    async def _stored(self, battle_id: int) -> dict[int, Choice]:
        store = self.house.services.store
        battle = await store.battles.get(battle_id)
        votes = await store.votes.for_battle(battle_id)
        assert len({vote.voter_id for vote in votes}) == len(votes)
        sides = {a.id: Choice(a.side.value) for a in battle.answers}
        return {
            v.voter_id: sides[v.winner_answer_id]
            if v.outcome is Outcome.WIN
            else Choice(v.outcome.value)
            for v in votes
        }

    def _battles(self) -> set[int]:
        """Those that some message here names."""
        found = set()
        for channel in (self.lounge, self.away):
            for message in channel.messages.values():
                for component in walk(message.components):
                    if known := meant(component.get("custom_id") or ""):
                        found.add(known.battle_id)
        return found

    def _channels(self, by: int) -> list[Channel]:
        home = self.away if by == 3 else self.lounge
        other = self.away if by == 2 else home
        return [home, other, self.wire.world.dm_channel(self.people[by].user)]

    def _place(self, by: int, message: Message | None) -> Channel:
        return message.channel if message else self._channels(by)[0]

    def _message(self, by: int, at: int, *, every: bool = False) -> Message | None:
        """A message that a person sees, of the bot unless of `every` one."""
        user = self.people[by].user
        there = [
            message
            for channel in dict.fromkeys(self._channels(by))
            for message in channel.messages.values()
            if (every or message.author is self.wire.bot)
            and (message.visible_to in {None, user})
            and not message.deleted
        ]
        return there[-1 - at % len(there)] if there else None

    def _options(self, command: Any, values: st.DataObject) -> list[Any]:
        made = []
        offered = command.get("options") or []
        groups = [o for o in offered if o["type"] in (SUBCOMMAND, SUBCOMMAND_GROUP)]
        if groups:
            leaf = groups[values.draw(st.integers(0, 9)) % len(groups)]
            return [
                {"name": leaf["name"], "type": leaf["type"], "options": self._options(leaf, values)}
            ]
        for option in offered:
            if option.get("required") or values.draw(st.booleans()):
                given = values.draw(_value(option))
                made.append({"name": option["name"], "type": option["type"], "value": given})
        return made


@contextmanager
def _holding(message: Message, data: dict[str, Any]) -> Iterator[None]:
    """Let a message have what is pressed on: Discord and discord.py refuse anything else."""
    before = message.components
    if data["custom_id"] not in {c.get("custom_id") for c in walk(before)}:
        part = {"type": data["component_type"], "id": 901, "custom_id": data["custom_id"]}
        part |= {"style": 2, "label": "x"} if part["type"] == BUTTON else {"options": []}
        message.components = [*before, {"type": ACTION_ROW, "id": 900, "components": [part]}]
    now = message.components
    try:
        yield
    finally:
        if message.components is now:
            message.components = before


def _value(option: Any) -> st.SearchStrategy[Any]:
    """What Discord lets through for an option."""
    if choices := option.get("choices"):
        return st.sampled_from([choice["value"] for choice in choices])
    if option["type"] == Option.BOOLEAN:
        return st.booleans()
    if option["type"] == Option.INTEGER:
        return st.integers(option.get("min_value", -(2**53)), option.get("max_value", 2**53))
    assert option["type"] == Option.STRING, option
    most = option.get("max_length", 6000)
    keys = st.sampled_from(list(SETTINGS))
    return (said.map(lambda text: text[:most]) | keys).filter(bool)


def _told(interaction: Interaction) -> str:
    """All that an interaction led to, as it was said then."""
    return "\n".join(response.text for response in interaction.responses)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running(training_export=True)
    yield running
    running.close()


def test_any_order_of_presses_forms_and_commands_keeps_every_vote(running: Running) -> None:
    run_state_machine_as_test(lambda: Town(running), settings=chosen(150, each=10, steps=25))
