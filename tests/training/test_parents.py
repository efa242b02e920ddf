"""Which base model an adapter is taken to have been trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bot.config import Config
from bot.contenders import ContenderConfig
from bot.engines.factory import EngineFactory
from bot.errors import ConfigError, EngineError
from bot.prompting import library
from bot.training import record
from bot.training.parents import base_of, parent_of
from bot.training.registering import tuning_of
from bot.training.trial import trial
from storage.records import Kind
from tests.training.adapters import learnt

if TYPE_CHECKING:
    from pathlib import Path


def weights(folder: Path, config: str) -> Path:
    """A folder that has the hash of its configuration, as it has no weights."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config, "utf-8")
    return folder


def contender(slug: str, folder: Path, kind: Kind = Kind.BASE, **more: object) -> ContenderConfig:
    return ContenderConfig(slug=slug, kind=kind, model=f"path:{folder}", **more)


def settings(home: Path, *contenders: ContenderConfig) -> Config:
    polite = ContenderConfig(slug="polite", kind=Kind.INSTRUCT, model="scripted:")
    return Config(home=home, contenders=(*contenders, polite))


def left(config: Config, of: record.TrainingRecord) -> Path:
    folder = config.adapters_folder / of.slug
    folder.mkdir(parents=True)
    record.write(folder, of)
    return folder


@pytest.mark.parametrize("same", [False, True])
def test_of_two_folders_of_one_name_it_is_the_parents(tmp_path: Path, *, same: bool) -> None:
    gemma = weights(tmp_path / "gemma" / "final", "{}")
    qwen = weights(tmp_path / "qwen" / "final", "{}" if same else "[]")
    config = settings(tmp_path, contender("gemma", gemma), contender("qwen", qwen))
    of_qwen = learnt("qwen", qwen)
    adapter = left(config, of_qwen)
    assert tuning_of(of_qwen, adapter, config).contender.model == f"path:{qwen}"
    assert parent_of(config, of_qwen.slug).model == f"path:{qwen}"
    of_gemma = learnt("gemma", gemma)
    assert tuning_of(of_gemma, adapter, config).contender.model == f"path:{gemma}"


def test_of_two_contenders_on_one_model_it_is_the_parents(tmp_path: Path) -> None:
    folder = weights(tmp_path / "gemma", "{}")
    roster = (
        contender("cool", folder, temperature=0.2),
        contender("hot", folder, temperature=1.5),
    )
    config = settings(tmp_path, *roster)
    for base in roster:
        one = learnt(base.slug, folder)
        assert tuning_of(one, tmp_path, config).contender.sampling == base.sampling


def test_a_childs_child_draws_as_the_nearest_that_it_descends_from(tmp_path: Path) -> None:
    folder = weights(tmp_path / "gemma", "{}")
    cool = contender("cool", folder, temperature=0.2)
    hot = contender("hot", folder, temperature=1.5)
    config = settings(tmp_path, cool, hot)
    child = learnt("hot", folder)
    left(config, child)
    grandchild = learnt(child.slug, folder, generation=2)
    assert tuning_of(grandchild, tmp_path, config).contender.sampling == hot.sampling
    left(config, grandchild.model_copy(update={"slug": "hot"}))
    assert tuning_of(grandchild, tmp_path, config).contender.sampling == hot.sampling, "a circle"
    more = {"adapter": child.slug, "parent": "hot", "temperature": 0.9}
    own = contender(child.slug, folder, Kind.TUNED, **more)
    config = settings(tmp_path, cool, own, hot)
    assert tuning_of(grandchild, tmp_path, config).contender.sampling == own.sampling


def test_where_its_parent_is_gone_or_has_other_weights_now_its_weights_tell(tmp_path: Path) -> None:
    gemma = weights(tmp_path / "gemma" / "final", "{}")
    qwen = weights(tmp_path / "qwen" / "final", "[]")
    roster = [
        contender("away", tmp_path / "nowhere" / "final"),
        contender("talks", gemma, Kind.INSTRUCT),
        contender("gemma", gemma),
        contender("moved", qwen),
    ]
    for parent in ("gone", "gone-dpo-1", "gemma"):
        of_qwen = learnt(parent, qwen, generation=2 if "-" in parent else 1)
        assert base_of(of_qwen, roster).slug == "moved"
    of_others = learnt("gone", weights(tmp_path / "others" / "final", '"others"'))
    assert base_of(of_others, roster).slug == "away", "as many as can be right"
    assert base_of(of_others, roster[1:]).slug == "gemma", "a base one if it can be"
    with pytest.raises(ConfigError, match="which is the model of no contender"):
        base_of(learnt("gemma", weights(tmp_path / "else", "{}")), roster)


async def test_a_childs_child_is_tried_on_the_model_that_it_descends_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemma, qwen = (weights(tmp_path / name / "final", "{}") for name in ("gemma", "qwen"))
    config = settings(tmp_path, contender("gemma", gemma), contender("qwen", qwen))
    child = learnt("qwen", qwen)
    left(config, child)
    asked = []

    def make(_: EngineFactory, key: object) -> object:
        asked.append(key.model)
        raise EngineError("This is enough.")

    monkeypatch.setattr(EngineFactory, "make", make)
    with pytest.raises(EngineError, match="enough"):
        await trial(
            learnt(child.slug, qwen, generation=2),
            tmp_path,
            (),
            config=config,
            template=library({})["transcript"],
            parent=None,
        )
    assert asked == [f"path:{qwen}"]
