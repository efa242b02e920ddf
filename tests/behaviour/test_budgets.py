"""A day's budget that is used up: whoever costs something rests, and nobody gets an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.contenders import ContenderConfig
from storage.records import NOBODY, Kind
from tests.behaviour.conftest import BASE, INSTRUCT, texts
from tests.behaviour.test_chat import LABELS, buttons

if TYPE_CHECKING:
    from tests.behaviour.conftest import OpenTown

DEAR = ContenderConfig(
    slug="dear",
    kind=Kind.INSTRUCT,
    model="scripted:",
    price_prompt=1.0,
    price_completion=1.0,
)


async def test_the_others_answer_and_where_there_is_none_the_member_reads_why(
    open_town: OpenTown,
) -> None:
    async with open_town(more=(DEAR,), tokens_per_day=1) as town:
        await town.services.guilds.set(town.guild.id, "contenders", [BASE, "dear"], by=NOBODY)
        await town.alice.send(town.lounge, "the last one for today")
        assert buttons(town.ballot()) == [LABELS]
        await town.alice.send(town.lounge, "one too many")
        assert "may cost in a day is used up. Ask again tomorrow" in texts(town.mine()[-1])

        await town.services.guilds.set(town.guild.id, "contenders", [], by=NOBODY)
        for number in range(4):
            asked = await town.alice.send(town.lounge, f"number {number}")
            battle = await town.services.store.battles.by_source(asked.id)
            assert {answer.contender for answer in battle.answers} == {BASE, INSTRUCT}
