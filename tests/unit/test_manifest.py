"""What a manifest tells, and what it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from storage.records import Consent, Contender, Kind, Outcome
from tests.engines.fake_openai import FakeServer
from tests.unit.exports import exported
from tests.unit.records import NOON
from tests.unit.test_battles import ask, services
from tests.unit.test_export import twofold
from tests.unit.town import AUTHOR, town

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bot.app import Services

MEMBER, SERVER = 1, 5
"""Who asks in tests of battles, and where."""


def told(manifest: Mapping[str, Any]) -> set[tuple[str, str | None, str | None]]:
    return {(c["contender"], c["model"], c["template"]) for c in manifest["contenders"]}


async def fought(s: Services, number: int) -> None:
    battle = await s.battles.answer(await s.battles.open(ask(number)))
    await s.store.votes.cast(
        battle_id=battle.id,
        voter_id=MEMBER,
        outcome=Outcome.WIN,
        winner_answer_id=battle.answers[0].id,
        by_author=True,
        at=NOON,
    )


async def test_models_and_templates_that_answered_are_named(tmp_path: Path) -> None:
    first, system = "scripted:text=It%20is%20late.", "Be brief."
    async with services(tmp_path, first, system_prompt=system) as s:
        await s.store.members.set_consent(MEMBER, Consent.TRAIN, version=1, at=NOON)
        await fought(s, 1)
        await s.store.guilds.update(SERVER, "template", "qa", by=MEMBER, at=NOON)
        await fought(s, 2)
        made = await s.serving.export(SERVER, limit=10**7, by=MEMBER)
    base = {("plain", first, "transcript"), ("plain", first, "qa")}
    assert told(made.manifest) == {*base, ("polite", "scripted:", "chat")}

    def by_command(out: str, **variables: str) -> set[tuple[str, str | None, str | None]]:
        words = ("export", "--purpose", "evaluate", "--out", str(tmp_path / out))
        done = twofold(tmp_path, *words, **variables)
        assert done.returncode == 0, done.stderr
        return told(json.loads((tmp_path / out / "manifest.json").read_bytes()))

    assert by_command("same", TWOFOLD_SYSTEM_PROMPT=system) == told(made.manifest)
    card = (tmp_path / "same" / "README.md").read_text("utf-8")
    assert "| plain | base | scripted:text=It%20is%20late. | transcript |" in card
    assert by_command("other") == {*base, ("polite", None, None)}, "the system text is another"
    async with services(tmp_path, "scripted:") as s:
        made = await s.serving.export(SERVER, limit=10**7, by=MEMBER)
    assert told(made.manifest) == {("plain", None, None), ("polite", None, None)}


async def test_a_model_is_named_whose_server_has_refused_arguments(tmp_path: Path) -> None:
    far = FakeServer(text="It is late.", refuses=("top_k", "seed"))
    runner = await far.start()
    try:
        async with services(tmp_path, "openai:far-model", openai_base_url=far.url) as s:
            await s.store.members.set_consent(MEMBER, Consent.TRAIN, version=1, at=NOON)
            await fought(s, 1)
            made = await s.serving.export(SERVER, limit=10**7, by=MEMBER)
    finally:
        await runner.cleanup()
    assert ("plain", "openai:far-model", "transcript") in told(made.manifest)


async def test_models_in_folders_do_not_tell_where_they_lie(tmp_path: Path) -> None:
    async with town(tmp_path) as t:
        own = Contender(
            slug="base", kind=Kind.BASE, model="path:/home/dana/own-7b", fingerprint="print-0"
        )
        await t.store.contenders.register([own], at=NOON)
        await t.agree(AUTHOR)
        await t.vote(await t.battle("worse", "better"), AUTHOR, 0)
    (base, _) = (await exported(tmp_path))["contenders"]
    assert base["model"] == "path:own-7b"
    for told in ("manifest.json", "README.md"):
        assert "dana" not in (tmp_path / "out" / told).read_text()
