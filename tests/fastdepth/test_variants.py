from __future__ import annotations

import dataclasses

import pytest

from fastdepth.errors import UnknownNameError
from fastdepth.size import Size
from fastdepth.train.recipes import get_recipe
from fastdepth.variants import VARIANTS, get_variant

SEEDS = ("effb5-256", "effb0-256", "unet256", "unet128", "unet128-dws", "unet128-dws-75")


def test_all_six_rows_of_the_seeds_are_there():
    assert set(SEEDS) <= set(VARIANTS)


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_each_variant_takes_its_default_size(variant):
    assert variant.sizes.check(variant.size, variant.name) == variant.size


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_each_variant_has_a_recipe(variant):
    assert get_recipe(variant.recipe).epochs > 0


def test_three_quarters_of_the_input():
    assert get_variant("unet128-dws-75").size == Size(360, 480)


def test_an_unknown_variant_is_answered_with_the_list_and_the_nearest():
    with pytest.raises(UnknownNameError, match=r"did you mean 'unet128-dws'\? known: effb5-256, "):
        get_variant("unet128-dsw")


def test_a_variant_cannot_be_changed():
    variant = get_variant("unet128")
    with pytest.raises(dataclasses.FrozenInstanceError):
        variant.params = 1
    with pytest.raises(TypeError):
        variant.options["bins"] = 1
