"""With which settings a tuned contender is served."""

from __future__ import annotations

import pytest

from bot.contenders import ContenderConfig
from bot.errors import ModelError
from bot.newcomers import served_as
from storage.records import Contender, Kind, Sampling, Tuning
from tests.unit.records import NOON

BASE = ContenderConfig(
    slug="plain",
    kind=Kind.BASE,
    model="openai:llama",
    base_url="http://127.0.0.1:1/v1",
    api_key_env="KEY",
    weight=3,
    price_prompt=1,
    price_completion=2,
    temperature=0.3,
    template="qa",
)
THEN = Sampling(temperature=1.5, top_p=0.5, top_k=7, max_tokens=9)


def tuning(
    slug: str,
    parent: str | None,
    *,
    adapter: str | None = "an-adapter",
    model: str = "openai:llama",
    template: str | None = None,
) -> Tuning:
    contender = Contender(
        slug=slug,
        kind=Kind.TUNED,
        model=model,
        adapter=adapter,
        parent=parent,
        template=template,
        sampling=THEN,
        base_url="http://127.0.0.1:2/v1",
    )
    return Tuning(
        contender=contender,
        method="dpo",
        dataset=None,
        adapter_sha256=slug,
        generation=1,
        trained_at=NOON,
    )


def served(*line: Tuning, configured: ContenderConfig = BASE) -> ContenderConfig:
    tunings = {one.contender.slug: one for one in line}
    return served_as(line[-1], tunings=tunings, configured={configured.slug: configured})


def test_all_but_what_it_is_comes_from_the_one_that_it_descends_from() -> None:
    child = served(tuning("child", "plain"))
    grandchild = served(tuning("child", "plain"), tuning("grandchild", "child"))
    for slug, parent, config in (("child", "plain", child), ("grandchild", "child", grandchild)):
        own = {"slug": slug, "kind": Kind.TUNED, "parent": parent, "adapter": "an-adapter"}
        assert config == BASE.model_copy(update=own)
        assert config.price == BASE.price
        assert config.engine.adapter == "an-adapter"


def test_its_prompt_template_is_the_one_that_it_was_trained_with() -> None:
    assert served(tuning("child", "plain", template="irc")).template == "irc"
    assert served(tuning("child", "plain")).template == "qa"


@pytest.mark.parametrize(
    "line",
    [
        [tuning("child", "long-gone")],
        [tuning("child", None)],
        [tuning("child", "plain", model="openai:another")],
        [tuning("one", "child"), tuning("child", "one")],
    ],
    ids=["parent is gone", "no parent", "another model", "a circle"],
)
def test_where_nobody_like_it_is_configured_all_is_as_it_was_then(line: list[Tuning]) -> None:
    config = served(*line)
    contender = line[-1].contender
    assert (config.model, config.base_url) == (contender.model, contender.base_url)
    assert config.sampling == THEN
    assert (config.weight, config.price, config.template) == (1.0, None, None)


def test_without_an_adapter_it_would_be_its_base_model() -> None:
    with pytest.raises(ModelError, match="has no adapter"):
        served(tuning("child", "plain", adapter=None))
