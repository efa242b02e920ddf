"""Tuned contenders join while the bot runs, are voted on, and leave."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord
import pytest

from bot.colours import KIND_COLOURS
from bot.contenders import ContenderConfig
from bot.engines.scripted import ScriptedEngine
from bot.errors import ConfigError, ModelError
from bot.training import record
from cogs._render import health as health_views
from storage.records import NOBODY, Closing, Consent, Contender, Kind, Side, Standing, Tuning
from tests.behaviour.conftest import BASE, INSTRUCT, Town, texts
from tests.behaviour.test_chat import LABELS, buttons
from tests.behaviour.test_guessing import REVEALED, asked, voted
from tests.training.adapters import adapter
from tests.unit.records import NOON

if TYPE_CHECKING:
    from pathlib import Path

    from storage.records import Battle
    from tests.behaviour.conftest import OpenTown

CHILD, GRANDCHILD = "plain-dpo-1", "plain-dpo-2"


class Adapted(ScriptedEngine):
    """Says whether it was closed."""

    def __init__(self, config: ContenderConfig) -> None:
        super().__init__()
        self.config = config
        self.closed = False

    @property
    def revision(self) -> str:
        return f"of {self.config.adapter}"

    async def start(self) -> None:
        if self.config.adapter == "gone":
            raise ModelError("The folder of the adapter is gone. Train it anew.")
        if self.config.adapter == "broken":
            raise RuntimeError
        await super().start()

    async def close(self) -> None:
        self.closed = True
        await super().close()


class Adapters:
    """Makes engines and remembers them."""

    def __init__(self) -> None:
        self.made: dict[str, Adapted] = {}

    def __call__(self, config: ContenderConfig) -> Adapted:
        self.made[config.slug] = Adapted(config)
        return self.made[config.slug]


def tuning(slug: str, parent: str, **changed: Any) -> Tuning:
    contender = Contender(
        slug=slug,
        kind=Kind.TUNED,
        model="scripted:",
        adapter=changed.pop("adapter", f"adapters/{slug}"),
        parent=parent,
        template=changed.pop("template", None),
    )
    return Tuning(
        contender=contender,
        method="dpo",
        dataset=None,
        adapter_sha256=slug,
        generation=1,
        trained_at=NOON,
        standing=changed.pop("standing", Standing.ENTERED),
    )


async def meeting(town: Town, *slugs: str) -> Battle:
    """A battle of these two on the newest message of the bot."""
    await town.services.guilds.set(town.guild.id, "contenders", list(slugs), by=NOBODY)
    battle = await asked(town, f"{' against '.join(slugs)}")
    assert {answer.contender for answer in battle.answers} == set(slugs)
    return battle


async def test_one_that_enters_answers_without_a_restart_and_one_that_rests_does_not(
    open_town: OpenTown,
) -> None:
    adapters = Adapters()
    async with open_town(make=adapters, max_tokens=77) as town:
        store, look = town.services.store, town.services.newcomers.look
        await store.tunings.record(tuning(CHILD, BASE, standing=Standing.TRAINED))
        await look()
        assert CHILD not in adapters.made, "it was trained, and has not entered"
        with pytest.raises(ConfigError, match="takes no"):
            await town.services.guilds.set(town.guild.id, "contenders", [CHILD], by=NOBODY)

        await store.tunings.set_standing(CHILD, Standing.ENTERED)
        await store.tunings.record(tuning(GRANDCHILD, CHILD))
        await look()
        assert CHILD in town.services.guilds.options("contenders")
        served = adapters.made[GRANDCHILD].config
        assert (served.model, served.max_tokens) == ("scripted:", 77)
        for pair in ((BASE, CHILD), (CHILD, GRANDCHILD), (GRANDCHILD, INSTRUCT)):
            await meeting(town, *pair)
        stored = {one.slug: one for one in await store.contenders.all()}
        assert stored[CHILD].revision == f"of adapters/{CHILD}"
        assert stored[CHILD].sampling.max_tokens == 77

        battle = await meeting(town, CHILD, INSTRUCT)
        await store.tunings.set_standing(CHILD, Standing.RESTING)
        await look()
        assert CHILD not in {one.slug for one in town.services.roster.contenders}
        assert buttons(town.ballot()) == [LABELS]
        assert "was the tuned model" in texts(await voted(town, town.bob))
        assert len(await store.votes.for_battle(battle.id)) == 1
        assert not adapters.made[CHILD].closed
        await look()
        assert adapters.made[CHILD].closed, "nobody can ask it any more"
        before = adapters.made[CHILD]
        await store.tunings.set_standing(CHILD, Standing.ENTERED)
        await look()
        assert adapters.made[CHILD] is not before
        await meeting(town, BASE, CHILD)
    assert all(engine.closed for engine in adapters.made.values())


async def test_those_that_entered_before_are_there_from_the_start(open_town: OpenTown) -> None:
    async with open_town() as town:
        await town.services.store.tunings.record(tuning(CHILD, BASE))
    async with open_town(make=Adapters()) as town:
        await meeting(town, BASE, CHILD)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"adapter": "gone"}, "The folder of the adapter is gone"),
        ({"adapter": "broken"}, "The log says what"),
        ({"adapter": None}, "it has no adapter"),
        ({"template": "lost"}, "its prompt template lost is not there"),
    ],
)
async def test_one_that_cannot_be_served_is_told_of_and_the_others_go_on(
    open_town: OpenTown, changed: dict[str, Any], why: str
) -> None:
    adapters = Adapters()
    async with open_town(make=adapters) as town:
        await town.services.store.tunings.record(tuning(CHILD, BASE, **changed))
        await town.services.store.tunings.record(tuning(GRANDCHILD, CHILD))
        await town.services.newcomers.look()
        await meeting(town, BASE, GRANDCHILD)
        report = await town.services.health.report()
        assert why in report.kept_out[CHILD]
        view = health_views.report(report)
        told = [i.content for i in view.walk_children() if isinstance(i, discord.ui.TextDisplay)]
        assert f"{CHILD} is not: " in "".join(told)
        await town.services.store.tunings.set_standing(CHILD, Standing.RESTING)
        await town.services.newcomers.look()
        assert (await town.services.health.report()).kept_out == {}
        assert all(engine.closed for slug, engine in adapters.made.items() if slug == CHILD)


async def test_one_whose_template_says_something_else_now_is_kept_out(
    open_town: OpenTown, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}", "utf-8")
    place = adapter(tmp_path / CHILD, base=base)
    async with open_town(make=Adapters()) as town:
        known = tuning(CHILD, BASE, adapter=str(place), template="transcript")
        await town.services.store.tunings.record(known)
        await town.services.newcomers.look()
        report = await town.services.health.report()
        assert "or says something else now" in report.kept_out[CHILD]
        learnt = record.read(place)
        digest = town.services.templates["transcript"].digest
        record.write(place, learnt.model_copy(update={"template_digest": digest}))
        await town.services.newcomers.look()
        assert CHILD in {one.slug for one in town.services.roster.contenders}


async def test_one_that_the_settings_call_something_else_is_refused(open_town: OpenTown) -> None:
    async with open_town() as town:
        await town.services.store.tunings.record(tuning(CHILD, BASE))
    far = {"model": "openai:far", "base_url": "http://127.0.0.1:1/v1", "adapter": CHILD}
    renamed = ContenderConfig(slug="mine", kind=Kind.TUNED, **far)
    with pytest.raises(ConfigError, match=f"mine in the settings was trained as {CHILD}"):
        async with open_town(more=[renamed]):
            pass


async def test_without_a_base_model_there_is_nothing_to_guess(open_town: OpenTown) -> None:
    async with open_town(make=Adapters()) as town:
        await town.services.store.tunings.record(tuning(CHILD, BASE))
        await town.services.newcomers.look()
        battle = await meeting(town, CHILD, INSTRUCT)
        told = await voted(town, town.bob)
        assert buttons(told.message) == [REVEALED]
        said = texts(told)
        assert f"was the tuned model: {CHILD}, tuned from {BASE}, prompted as transcript" in said
        assert "guess" not in said
        changed = await voted(town, town.bob, "B is better")
        assert buttons(changed.message) == [REVEALED]
        [vote] = await town.services.store.votes.for_battle(battle.id)
        assert (vote.blind, vote.guessed_at) == (False, None)
        await voted(town, town.alice)
        votes = await town.services.store.votes.for_battle(battle.id)
        assert [vote.blind for vote in votes] == [False, True]

        await town.services.closing.close(battle.id, Closing.TIME)
        await town.wait(hours=1)
        closed = town.ballot()
        assert f"{CHILD}, tuned from {BASE} · template transcript" in texts(closed)
        assert "guess" not in texts(closed)
        assert KIND_COLOURS[Kind.TUNED] in {
            part.accent_color.value for part in closed.components if hasattr(part, "accent_color")
        }


async def test_with_a_base_model_the_guess_is_asked_as_ever(open_town: OpenTown) -> None:
    async with open_town(make=Adapters()) as town:
        await town.services.store.tunings.record(tuning(CHILD, BASE))
        await town.services.newcomers.look()
        battle = await meeting(town, BASE, CHILD)
        question = await voted(town, town.bob)
        assert buttons(question.message) == [["A", "B", "Not sure"]]
        side = next(answer.side for answer in battle.answers if answer.kind is Kind.BASE)
        told = (await town.bob.click(question, label=Side(side).upper())).response
        assert f"You guessed **{side.upper()}**: right." in texts(told)


async def test_who_is_erased_is_told_which_models_learnt_from_them(town: Town) -> None:
    await learnt_from(town)
    sure = await town.alice.slash(town.lounge, "mydata delete")
    await town.alice.click(sure.response, label="Delete all of it")
    assert f"learnt from you before and cannot forget: {CHILD}." in texts(sure.response)


@pytest.mark.parametrize("place", ["here", "everywhere"])
async def test_who_takes_consent_back_is_told_which_models_learnt_from_them(
    town: Town, place: str
) -> None:
    told = f"learnt from you before and cannot forget: {CHILD}."
    panel = (await town.alice.slash(town.hall, "privacy")).response
    await town.alice.click(panel, custom_id=f"twofold-privacy:1:{place}:train:1")
    await learnt_from(town)
    assert told not in texts(panel)
    await town.alice.click(panel, custom_id=f"twofold-privacy:1:{place}:none:1")
    assert told in texts(panel)


async def learnt_from(town: Town) -> None:
    """Have Alice ask, and a tuned contender learn from it."""
    battle, store = await asked(town), town.services.store
    await store.exports.record(
        format="dpo",
        purpose=Consent.TRAIN,
        manifest={},
        sha256="ab",
        dataset="cd",
        rows=[(battle.id, 1)],
        at=NOON,
    )
    await store.tunings.record(replace(tuning(CHILD, BASE), dataset="cd"))
