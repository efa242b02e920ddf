"""Which prompts a tuned model is tried on."""

from __future__ import annotations

from bot.training.recipe import Method
from bot.training.trial import held_out
from tests.unit.answered import answered
from tests.unit.exports import exported


async def test_what_it_was_trained_on_is_not_held_out_by_another_dataset(tmp_path):
    await answered(tmp_path)
    own, other = tmp_path / "own", tmp_path / "other"
    template = {"render_with": "transcript"}
    await exported(tmp_path, "own", "dpo", validation=0, test=0.4, **template)
    await exported(tmp_path, "other", "dpo", validation=0.9, test=0, seed=2, **template)
    fresh = held_out(other, Method.DPO, own=own)
    assert set(fresh) < set(held_out(other, Method.DPO)), "some of them it has learnt from"
    assert set(fresh) <= set(held_out(own, Method.DPO))
    assert len(held_out(other, Method.DPO, own=own, most=1)) == 1
