from __future__ import annotations

import dataclasses

import pytest
import torch
from tiny_training import STAGES, PlainNetwork

from fastdepth.errors import UnknownNameError, UsageError
from fastdepth.models import create_model
from fastdepth.train.losses import LOSSES
from fastdepth.train.optimiser import Schedule, freeze, make_optimiser, set_training
from fastdepth.train.recipes import RECIPES, TrainingRecipe, get_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_whole(name):
    recipe = get_recipe(name)
    assert recipe.source
    assert sum(stage.epochs for stage in recipe.plan()) == recipe.epochs
    for stage in recipe.plan():
        assert stage.loss in LOSSES


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_an_optimiser_and_a_schedule(name):
    recipe = get_recipe(name)
    optimiser = make_optimiser(PlainNetwork((1e-3, 10.0)), recipe)
    schedule = Schedule(optimiser, recipe, 100, 10)
    optimiser.step()
    schedule.after_step()
    schedule.after_validation(1.0)


def rates(network, recipe):
    """Learning rate by parameter name."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = make_optimiser(network, recipe).param_groups
    return {names[id(p)]: group["lr"] for group in groups for p in group["params"]}


def test_the_encoder_of_adabins_learns_slower():
    with torch.device("meta"):
        network = create_model("effb0-256")
    found = rates(network, get_recipe("adabins"))
    assert len(found) == len(list(network.parameters()))
    for name, rate in found.items():
        expected = 3.57e-5 if name.startswith("encoder.") else 3.57e-4
        assert rate == pytest.approx(expected)


def test_rates_of_eigen():
    recipe = get_recipe("eigen")
    coarse, fine = recipe.plan()
    assert (coarse.loss, fine.loss) == ("eigen-coarse", "eigen")
    with torch.device("meta"):
        network = create_model("eigen")
    freeze(network, coarse.trained, recipe.frozen)
    found = {name.removesuffix(".weight"): r for name, r in rates(network, recipe).items()}
    for layer in range(1, 6):
        assert found[f"coarse.conv{layer}"] == pytest.approx(0.001)
    assert found["coarse.full6"] == found["coarse.full7"] == pytest.approx(0.1)
    assert not any(name.startswith("fine") for name in found)
    freeze(network, fine.trained, recipe.frozen)
    found = {name.removesuffix(".weight"): r for name, r in rates(network, recipe).items()}
    assert {n: r for n, r in found.items() if not n.endswith(".bias")} == pytest.approx(
        {"fine.conv1": 0.001, "fine.conv2": 0.01, "fine.conv3": 0.001}
    )
    (group, *_) = make_optimiser(network, recipe).param_groups
    assert (group["momentum"], recipe.batch, recipe.epochs) == (0.9, 32, 100)


def test_recipes_of_the_other_seeds():
    laina, unet, fast = (RECIPES[n] for n in ("laina", "densenet201-unet", "densenet201-fast"))
    assert "assumed" in laina.source
    assert (laina.loss, laina.optimiser, laina.momentum) == ("berhu", "sgd", 0.9)
    assert (laina.learning_rate, laina.batch, laina.frozen) == (0.01, 16, ("body.",))
    assert (unet.optimiser, unet.learning_rate, unet.momentum) == ("adam", 1e-4, 0.9)
    assert (unet.batch, unet.schedule, unet.epochs) == (16, "plateau", 10)
    assert "42" in unet.source
    assert fast.batch * fast.accumulation == 64
    assert (fast.weight_decay, fast.monitor, fast.frozen) == (1e-4, "mse", ("encoder.",))


def test_epochs_are_parted_among_stages():
    recipe = TrainingRecipe("tests", epochs=10, stages=STAGES)
    assert [stage.epochs for stage in recipe.plan()] == [6, 4]
    with pytest.raises(UsageError, match="1 epochs are too few for 2 stages"):
        dataclasses.replace(recipe, epochs=1).plan()


def test_frozen_modules_neither_learn_nor_drop_out():
    network = PlainNetwork((1e-3, 10.0), norm=True)
    network(torch.rand(2, 3, 48, 64)).depth.sum().backward()
    freeze(network, ("",), ("coarse.",))
    assert all(parameter.grad is None for parameter in network.parameters())
    set_training(network)
    assert not any(module.training for module in network.coarse.modules())
    assert network.fine.training
    assert {n for n, p in network.named_parameters() if p.requires_grad} == {
        "fine.weight",
        "fine.bias",
    }
    freeze(network, ("",), ())
    set_training(network)
    assert all(module.training for module in network.modules())


def test_a_recipe_that_freezes_everything_is_refused():
    network = PlainNetwork((1e-3, 10.0))
    freeze(network, ("body.",), ())
    with pytest.raises(UsageError, match="freezes the whole network"):
        make_optimiser(network, TrainingRecipe("tests"))


def curve(recipe, steps=6, losses=()):
    """Learning rates before each of some steps, two to an epoch, with a validation after each."""
    optimiser = make_optimiser(PlainNetwork((1e-3, 10.0)), recipe)
    schedule, rates = Schedule(optimiser, recipe, steps, 2), []
    for step in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.after_step()
        if step % 2:
            schedule.after_validation(losses[step // 2] if losses else 1.0)
    return rates


def test_schedules():
    recipe = TrainingRecipe("tests", learning_rate=1.0, optimiser="sgd", schedule="constant")
    assert curve(recipe) == [1.0] * 6
    stepped = dataclasses.replace(recipe, schedule="step", fall_epochs=(1, 2))
    assert curve(stepped) == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    plateau = dataclasses.replace(recipe, schedule="plateau", fall_patience=0)
    assert curve(plateau, 8, [3.0, 2.0, 2.0, 1.0]) == pytest.approx([1, 1, 1, 1, 1, 1, 0.1, 0.1])
    cycle = dataclasses.replace(recipe, schedule="one-cycle", warm_up=0.5)
    rising = curve(cycle, 20)
    assert rising[0] == pytest.approx(1 / 25)
    assert max(rising) == pytest.approx(1.0, rel=0.05)
    assert rising.index(max(rising)) == pytest.approx(10, abs=1)


@pytest.mark.parametrize("name", ["one-cycle", "constant", "step", "plateau"])
def test_a_schedule_is_taken_up_where_it_was(name):
    recipe = TrainingRecipe("tests", schedule=name, fall_epochs=(1, 2), fall_patience=0)

    def begin():
        optimiser = make_optimiser(PlainNetwork((1e-3, 10.0)), recipe)
        return optimiser, Schedule(optimiser, recipe, 20, 2)

    def go(optimiser, schedule, first, last):
        for step in range(first, last):
            optimiser.step()
            schedule.after_step()
            schedule.after_validation(1.0 + step % 3)

    whole, parted, resumed = begin(), begin(), begin()
    go(*whole, 0, 12)
    go(*parted, 0, 5)
    resumed[1].restore(parted[1].state())
    resumed[0].load_state_dict(parted[0].state_dict())
    go(*resumed, 5, 12)
    assert resumed[0].param_groups[0]["lr"] == whole[0].param_groups[0]["lr"]
    assert resumed[0].param_groups[0]["betas"] == whole[0].param_groups[0]["betas"]
    assert resumed[1].state() == whole[1].state()


@pytest.mark.parametrize("field", ["optimiser", "schedule"])
def test_unknown_names_are_answered_with_all(field):
    recipe = TrainingRecipe("tests", **{field: "adamx"})
    with pytest.raises(UnknownNameError, match=f"unknown {field} 'adamx'.*known: "):
        Schedule(make_optimiser(PlainNetwork((1e-3, 10.0)), recipe), recipe, 10, 2)
