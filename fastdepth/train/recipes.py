"""How each network is trained: recipes are data, the loop has no special cases."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from types import MappingProxyType

from fastdepth.errors import UsageError, look_up
from fastdepth.size import Size


@dataclass(frozen=True)
class Augmentation:
    """Joint random changes of an image and its depth, in the order in which they happen.

    Attributes:
        border: left, top, right, bottom [px at 640x480] of what is kept of the whole image.
        scale: fixed resize of the kept part; metres stay (the network sees all images so).
        stretch: fixed factor on the height besides, where the network's input has another shape
            than the camera's image.
        zoom: least and greatest random enlargement; depth is divided by it, because an enlarged
            image is what the camera would see from nearer.
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
        blur: greatest standard deviation of a Gaussian blur, drawn anew for each image [px].
        noise: greatest standard deviation of noise added to each pixel, drawn for each image.
        cut_depth: probability that an upright strip of the image shows its depth instead.
    """

    border: tuple[int, int, int, int] = (43, 45, 608, 472)
    scale: float = 1.0
    stretch: float = 1.0
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
    cut_depth: float = 0.0

    @classmethod
    def whole(cls, size: Size) -> Augmentation:
        """Nothing random: whole images at this size."""
        scale = size.width / 640
        return cls(
            border=(0, 0, 640, 480),
            scale=scale,
            stretch=size.height / 480 / scale,
            rotation=0.0,
            crop=size,
            flip=0.0,
            colour=0.0,
        )


@dataclass(frozen=True)
class Stage:
    """A part of a training run with an optimiser and a learning-rate schedule of its own.

    Attributes:
        name: stands in the log.
        epochs: passes through the data; ``--epochs`` scales all stages alike.
        trained: prefixes of the names of the parameters that are trained, the others are frozen.
        loss: name in :data:`fastdepth.train.losses.LOSSES`.
    """

    name: str
    epochs: int
    trained: tuple[str, ...]
    loss: str


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides a training run besides network and data.

    Attributes:
        source: where the recipe comes from; what that does not say is marked ``assumed``.
        loss: name in :data:`fastdepth.train.losses.LOSSES`.
        epochs: passes through the data, of all stages together.
        stages: trained one after the other; none means one stage of the whole network and ``loss``.
        batch: images per pass through the network, of all processes together.
        accumulation: batches per optimiser step; at the end of an epoch there may be fewer, and the
            step is the mean of those.
        optimiser: ``adamw``, ``adam`` or ``sgd``.
        learning_rate: of the optimiser; the peak of a one-cycle schedule.
        rates: factors on the learning rate by prefix of parameter names, the first that fits; 1 for
            the rest.
        momentum: of SGD, or Adam's beta1, where no one-cycle schedule changes it.
        weight_decay: decoupled for AdamW, added to the gradient for the others.
        frozen: prefixes of the names of parameters that are never trained; their modules stay in
            evaluation mode, batch norm too.
        schedule: of the learning rate: ``one-cycle``, ``constant``, ``step`` or ``plateau``.
        warm_up: one-cycle: share of the steps in which the learning rate rises.
        start_divisor: one-cycle: peak by initial learning rate.
        final_divisor: one-cycle: initial by final learning rate.
        momentum_cycle: one-cycle: least and greatest momentum.
        fall: step, plateau: factor on the learning rate when it falls.
        fall_epochs: step: epochs of a stage after which it falls.
        fall_patience: plateau: validations without a lesser loss before it falls.
        clip: greatest norm of the gradient; infinity for any.
        ema: decay of an exponential moving average of the weights, which is what is validated and
            shipped; less in the first steps; 0 for none.
        monitor: ``loss`` or a metric of :class:`fastdepth.metrics.Scores`, measured on validation
            scenes; its best decides which weights are kept, and when training stops early.
        patience: validations without a better one until a stage ends early; None for never.
        augmentation: random changes of the images.
    """

    source: str
    loss: str = "adabins"
    epochs: int = 25
    stages: tuple[Stage, ...] = ()
    batch: int = 16
    accumulation: int = 1
    optimiser: str = "adamw"
    learning_rate: float = 3.57e-4
    rates: tuple[tuple[str, float], ...] = ()
    momentum: float = 0.9
    weight_decay: float = 0.1
    frozen: tuple[str, ...] = ()
    schedule: str = "one-cycle"
    warm_up: float = 0.3
    start_divisor: float = 25.0
    final_divisor: float = 100.0
    momentum_cycle: tuple[float, float] = (0.85, 0.95)
    fall: float = 0.1
    fall_epochs: tuple[int, ...] = ()
    fall_patience: int = 2
    clip: float = 0.1
    ema: float = 0.0
    monitor: str = "d1"
    patience: int | None = None
    augmentation: Augmentation = Augmentation()

    def plan(self) -> tuple[Stage, ...]:
        """The stages with the epochs that each has of ``epochs``.

        Raises:
            UsageError: too few epochs for so many stages.
        """
        stages = self.stages or (Stage("all", self.epochs, ("",), self.loss),)
        ends = [0, *accumulate(stage.epochs for stage in stages)]
        scaled = [round(end * self.epochs / ends[-1]) for end in ends]
        lengths = [end - start for start, end in pairwise(scaled)]
        if min(lengths) < 1:
            raise UsageError(f"{self.epochs} epochs are too few for {len(stages)} stages; add some")
        return tuple(
            replace(stage, epochs=epochs) for stage, epochs in zip(stages, lengths, strict=True)
        )


_ADABINS = TrainingRecipe(source="Bhat, Alhashim, Wonka, CVPR 2021", rates=(("encoder.", 0.1),))
_LIGHT = replace(_ADABINS, source="Horazny, Pospisil, Sevcik, 2021", epochs=10, batch=5, rates=())

# Seven hundred images are learnt by heart in an hour: these changes make them many.
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
    rates=(("encoder.", 0.1),),
    weight_decay=0.01,
    augmentation=replace(_STRONG, scale=0.5, crop=Size(224, 288)),
)

_MOBILE = TrainingRecipe(
    source="fastdepth: networks of a pretrained MobileNet",
    loss="silog-gradient",
    epochs=60,
    batch=16,
    learning_rate=1.5e-3,
    rates=(("encoder.", 0.2),),
    weight_decay=0.02,
    warm_up=0.15,
    ema=0.999,
    augmentation=replace(
        _STRONG,
        border=(0, 0, 640, 480),
        scale=0.5,
        zoom=(1.0, 1.5),
        turn=4.0,
        rotation=4.0,
        crop=Size(240, 320),
    ),
)

# Whole images, halved.
_WHOLE_HALF = Augmentation.whole(Size(240, 320))
_EIGEN_ZOOM = 20 / 19
# 320x240 cut to 304x228; in use whole images become 304x228, so metres are of that scale.
_EIGEN_CROP = replace(
    _WHOLE_HALF,
    scale=0.475,
    zoom=(_EIGEN_ZOOM, _EIGEN_ZOOM),
    rotation=5.0,
    crop=Size(228, 304),
    flip=0.5,
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
            rates=(("encoder.", 0.1),),
            augmentation=replace(_STRONG, zoom=(1.05, 1.4), crop=Size(480, 640)),
        ),
        "adabins-light-75": replace(
            _LIGHT, augmentation=Augmentation(scale=0.75, crop=Size(312, 408))
        ),
        "regression-224": replace(
            _TRUNK_HALF,
            source="fastdepth: trunk-half for networks that see a whole image as 224x224",
            augmentation=replace(
                _STRONG, scale=0.35, stretch=4 / 3, zoom=(1.05, 1.6), crop=Size(224, 224)
            ),
        ),
        "mobile": _MOBILE,
        "mobile-70": replace(
            _MOBILE,
            source="fastdepth: mobile on 70 % of its sides",
            augmentation=replace(_MOBILE.augmentation, scale=0.35, crop=Size(168, 224)),
        ),
        "mobile-50": replace(
            _MOBILE,
            source="fastdepth: mobile on 50 % of its sides",
            augmentation=replace(_MOBILE.augmentation, scale=0.25, crop=Size(120, 160)),
        ),
        "mobile-224": replace(
            _MOBILE,
            source="fastdepth: mobile for networks that see a whole image as 224x224",
            augmentation=replace(
                _MOBILE.augmentation, scale=0.35, stretch=4 / 3, crop=Size(224, 224)
            ),
        ),
        "eigen": TrainingRecipe(
            source="Eigen, Puhrsch, Fergus, NeurIPS 2014, as Gao, CS172; assumed: the share of the "
            "stages (theirs of samples), when the rate falls, and no weight decay",
            loss="eigen",
            epochs=100,
            stages=(
                Stage("coarse", 57, ("coarse.",), "eigen-coarse"),
                Stage("fine", 43, ("fine.",), "eigen"),
            ),
            batch=32,
            optimiser="sgd",
            learning_rate=1e-3,
            rates=(("coarse.full", 100.0), ("fine.conv2.", 10.0)),
            weight_decay=0.0,
            schedule="step",
            fall_epochs=(30,),
            clip=math.inf,
            monitor="loss",
            augmentation=_EIGEN_CROP,
        ),
        "laina": TrainingRecipe(
            source="Laina et al., 3DV 2016, assumed for Tang, Pham, 2022, who give no recipe",
            loss="berhu",
            epochs=20,
            optimiser="sgd",
            learning_rate=0.01,
            weight_decay=0.0,
            frozen=("body.",),
            schedule="plateau",
            clip=math.inf,
            augmentation=replace(
                _EIGEN_CROP,
                zoom=(_EIGEN_ZOOM, 1.5 * _EIGEN_ZOOM),
                colour=1.0,
                gamma=(1.0, 1.0),
                brightness=(1.0, 1.0),
                channels=(0.8, 1.2),
            ),
        ),
        "densenet201-unet": TrainingRecipe(
            source="model card of a U-Net on DenseNet-201 (--seed 42); assumed: size, plateau",
            loss="ssim-l1-edges",
            epochs=10,
            optimiser="adam",
            learning_rate=1e-4,
            weight_decay=0.0,
            schedule="plateau",
            clip=math.inf,
            monitor="loss",
            augmentation=_WHOLE_HALF,
        ),
        "densenet201-fast": TrainingRecipe(
            source="Bharadwaj, Gutmann, Moothart, Reinertson; assumed: size, epochs, patience",
            loss="l1",
            epochs=10,
            batch=8,
            accumulation=8,
            optimiser="adam",
            learning_rate=1e-4,
            weight_decay=1e-4,
            frozen=("encoder.",),
            schedule="constant",
            clip=math.inf,
            monitor="mse",
            patience=3,
            augmentation=Augmentation.whole(Size(224, 320)),
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
