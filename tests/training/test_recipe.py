"""Recipes: what is advised, and that nothing changes unnoticed."""

from __future__ import annotations

from math import inf, nan

import pytest
from pydantic import ValidationError

from bot.training.recipe import LARGE, TELLING, UPDATES, Method, Recipe, advised, hyperparameters


@pytest.mark.parametrize("rows", [60, 300, 2000])
@pytest.mark.parametrize("method", list(Method))
def test_few_rows_are_seen_more_often_than_many(method, rows):
    few = advised(method, rows=rows, liked=rows // 2, held_out=0, parameters=10**8)
    many = advised(method, rows=20 * rows, liked=10 * rows, held_out=0, parameters=10**8)
    assert few.epochs >= many.epochs >= 1
    assert few.epochs == 1 or few.updates(rows) <= UPDATES * 1.5
    assert few.evaluate_every <= few.updates(rows)


def test_what_is_chosen_goes_before_what_is_advised():
    recipe = advised(
        Method.DPO, rows=300, liked=300, held_out=0, parameters=10**8, learning_rate=3e-5, batch=2
    )
    assert (recipe.learning_rate, recipe.batch) == (3e-5, 2)
    assert recipe.batch * recipe.accumulation == 8


def test_the_rarer_kind_of_answers_weighs_more_in_kto():
    recipe = advised(Method.KTO, rows=400, liked=100, held_out=0, parameters=10**8)
    assert (recipe.desirable_weight, recipe.undesirable_weight) == (3.0, 1.0)
    assert recipe.desirable_weight * 100 == recipe.undesirable_weight * 300


def test_hyperparameters_of_the_settings_are_as_a_recipe_has_them():
    assert hyperparameters({"batch": 8.0, "method": "kto"}) == {"batch": 8, "method": Method.KTO}
    for table, words in (
        ({"epochs": 0}, "epochs: Input should be greater than 0"),
        ({"epoch": 2}, "epoch: Extra inputs"),
        ({"method": "kto", "batch": 1}, "--batch must be 2 or more"),
        ({"max_grad_norm": inf}, "max_grad_norm: Input should be a finite number"),
        ({"epochs": inf}, "epochs: Input should be a finite number"),
        ({"weight_decay": nan}, "weight_decay: Input should be a finite number"),
        ({"target_modules": ["all-linear", "q_proj"]}, "all-linear is every linear layer"),
        ({"target_modules": []}, "target_modules: "),
    ):
        with pytest.raises(ValueError, match=words):
            hyperparameters(table)


def test_large_models_compute_twice_to_save_memory():
    assert not advised(
        Method.DPO, rows=300, liked=300, held_out=0, parameters=LARGE
    ).gradient_checkpointing
    assert advised(
        Method.DPO, rows=300, liked=300, held_out=0, parameters=LARGE + 1
    ).gradient_checkpointing


def test_few_held_out_rows_neither_end_a_training_nor_choose_its_weights():
    few, many = (
        advised(Method.DPO, rows=300, liked=300, held_out=held_out, parameters=10**8)
        for held_out in (TELLING - 1, TELLING)
    )
    assert (few.patience, many.patience) == (0, 3)


def test_a_recipe_has_a_digest_that_changes_with_anything_in_it():
    digests = {Recipe(seed=seed, rank=rank).digest for seed in (0, 1) for rank in (8, 16)}
    assert len(digests) == 4
    assert Recipe().digest == Recipe().digest


@pytest.mark.parametrize("wrong", [{"learning_rate": 0}, {"dropout": 1}, {"unknown": 1}])
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        Recipe(**wrong)


def test_kto_wants_more_than_one_answer_in_a_batch():
    with pytest.raises(ValidationError, match="2 or more"):
        Recipe(method=Method.KTO, batch=1)
