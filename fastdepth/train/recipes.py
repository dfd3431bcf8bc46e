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
        turn: greatest turn of the camera to a side, and up or down [degrees]; depth changes as it
            would for the turned camera, and what comes into view has none.
        rotation: greatest angle to either side [degrees].
        crop: size of the random crop that enters the network.
        flip: probability of mirroring.
        colour: probability of the colour changes below, taken together.
        gamma: range of the exponent.
        brightness: range of the factor.
        channels: range of the factor per channel.
        contrast: range of the factor on the distance to the mean brightness.
        saturation: range of the factor on the distance to grey.
        blur: greatest standard deviation of a Gaussian blur, drawn anew for each picture [px].
        noise: greatest standard deviation of noise added to each pixel, drawn for each picture.
    """

    border: tuple[int, int, int, int] = (43, 45, 608, 472)
    scale: float = 1.0
    zoom: tuple[float, float] = (1.0, 1.0)
    turn: float = 0.0
    rotation: float = 2.5
    crop: Size = Size(416, 544)
    flip: float = 0.5
    colour: float = 0.5
    gamma: tuple[float, float] = (0.9, 1.1)
    brightness: tuple[float, float] = (0.75, 1.25)
    channels: tuple[float, float] = (0.9, 1.1)
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (1.0, 1.0)
    blur: float = 0.0
    noise: float = 0.0


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

# Seven hundred pictures are learnt by heart in an hour: these changes make them many.
_STRONG = Augmentation(
    border=(10, 10, 630, 470),
    zoom=(1.0, 1.6),
    turn=6.0,
    rotation=5.0,
    colour=0.9,
    gamma=(0.7, 1.4),
    brightness=(0.6, 1.4),
    channels=(0.8, 1.2),
    contrast=(0.6, 1.4),
    saturation=(0.0, 1.6),
    blur=1.0,
    noise=0.03,
)

_TRUNK_HALF = TrainingRecipe(
    source="fastdepth: quick training of a U-Net alone, to begin one with bins from",
    loss="silog-gradient",
    epochs=100,
    batch=16,
    learning_rate=2e-3,
    weight_decay=0.01,
    augmentation=replace(_STRONG, scale=0.5, crop=Size(224, 288)),
)

RECIPES: Mapping[str, TrainingRecipe] = MappingProxyType(
    {
        "adabins": _ADABINS,
        "adabins-light": _LIGHT,
        "trunk-half": _TRUNK_HALF,
        "trunk": replace(
            _TRUNK_HALF,
            source="fastdepth: the same at full size",
            epochs=20,
            batch=8,
            learning_rate=1e-3,
            augmentation=replace(_STRONG, crop=Size(448, 576)),
        ),
        "bins": TrainingRecipe(
            source="fastdepth: a bins head on a trained U-Net; at higher rates the head dies",
            loss="adabins-gradient",
            epochs=10,
            batch=4,
            learning_rate=2e-4,
            augmentation=replace(_STRONG, zoom=(1.05, 1.4), crop=Size(480, 640)),
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
