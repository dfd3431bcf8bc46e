"""How each network is trained: recipes are data, the loop has no special cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from fastdepth.errors import look_up
from fastdepth.size import Size


@dataclass(frozen=True)
class Augmentation:
    """Joint random changes of a picture and its depth, in the order in which they happen.

    Attributes:
        border: left, top, right, bottom [px at 640x480] of what is kept of the whole picture.
        scale: fixed resize of the kept part; metres stay (the network sees all pictures so).
        zoom: least and greatest random enlargement; depth is divided by it, because an enlarged
            picture is what the camera would see from nearer.
        rotation: greatest angle to either side [degrees].
        crop: size of the random crop that enters the network.
        flip: probability of mirroring.
        colour: probability of the three colour changes below.
        gamma: range of the exponent.
        brightness: range of the factor.
        channels: range of the factor per channel.
    """

    border: tuple[int, int, int, int] = (43, 45, 608, 472)
    scale: float = 1.0
    zoom: tuple[float, float] = (1.0, 1.0)
    rotation: float = 2.5
    crop: Size = Size(416, 544)
    flip: float = 0.5
    colour: float = 0.5
    gamma: tuple[float, float] = (0.9, 1.1)
    brightness: tuple[float, float] = (0.75, 1.25)
    channels: tuple[float, float] = (0.9, 1.1)


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides a training run besides network and data.

    Attributes:
        source: where the recipe comes from.
        loss: name in :data:`fastdepth.train.losses.LOSSES`.
        epochs: passes through the data.
        batch: pictures per step.
        learning_rate: peak of the one-cycle schedule.
        encoder_rate: factor on the learning rate of a pretrained encoder.
        weight_decay: AdamW's decoupled weight decay.
        warm_up: share of the steps in which the learning rate rises.
        start_divisor: peak by initial learning rate.
        final_divisor: initial by final learning rate.
        momentum: least and greatest beta1 of the cycle.
        clip: greatest norm of the gradient.
        augmentation: random changes of the pictures.
    """

    source: str
    loss: str = "adabins"
    epochs: int = 25
    batch: int = 16
    learning_rate: float = 3.57e-4
    encoder_rate: float = 0.1
    weight_decay: float = 0.1
    warm_up: float = 0.3
    start_divisor: float = 25.0
    final_divisor: float = 100.0
    momentum: tuple[float, float] = (0.85, 0.95)
    clip: float = 0.1
    augmentation: Augmentation = Augmentation()


_ADABINS = TrainingRecipe(source="Bhat, Alhashim, Wonka, CVPR 2021")
_LIGHT = replace(
    _ADABINS, source="Horazny, Pospisil, Sevcik, 2021", epochs=10, batch=5, encoder_rate=1.0
)

RECIPES: Mapping[str, TrainingRecipe] = MappingProxyType(
    {
        "adabins": _ADABINS,
        "adabins-light": _LIGHT,
        "silog-half": TrainingRecipe(
            source="fastdepth: quick training of a U-Net alone, to begin one with bins from",
            loss="silog",
            epochs=60,
            batch=16,
            learning_rate=2e-3,
            weight_decay=0.01,
            augmentation=Augmentation(scale=0.5, crop=Size(208, 272), zoom=(1.0, 1.3)),
        ),
        "adabins-light-75": replace(
            _LIGHT, augmentation=Augmentation(scale=0.75, crop=Size(312, 408))
        ),
    }
)
"""Training recipes by the name that a variant's ``recipe`` field gives."""


def get_recipe(name: str) -> TrainingRecipe:
    """Look a recipe up.

    Raises:
        UnknownNameError: there is none of that name.
    """
    return look_up("training recipe", name, RECIPES)
