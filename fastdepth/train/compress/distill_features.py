"""Feature distillation: the student's encoder learns to say what a teacher's encoder says.

At every level that both encoders have, the student's channels should explain the teacher's by a
linear map, as in FitNets (Romero et al., "FitNets: Hints for thin deep nets", ICLR 2015), whose map
is a layer that is trained beside. Here it is the best map for the batch, found by ridge regression:
nothing to train or to store, and the loss is a share, 1 - R^2, whatever the features' scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.errors import UsageError
from fastdepth.models import DepthNetwork, Prediction, create_model
from fastdepth.models.device import computes_bf16
from fastdepth.models.loading import load_weights
from fastdepth.size import Size
from fastdepth.train.mixed_precision import keep_float32
from fastdepth.train.options import TrainingRun
from fastdepth.train.recipes import Augmentation, TrainingRecipe, get_recipe
from fastdepth.variants import get_variant
from fastdepth.weights import find_weights, read_card, weights_hash

RIDGE = 1e-2  # of the mean variance of the student's channels: fewer positions than channels occur


class FeatureTeacher:
    """The share of a teacher's features that the student's features do not explain; a loss term."""

    def __init__(
        self,
        student: DepthNetwork,
        weights: str,
        augmentation: Augmentation,
        device: torch.device,
    ) -> None:
        """Open the teacher and watch the student's levels.

        Args:
            student: the network that is trained; its features are taken as it computes them.
            weights: tag or file of a network of ours.
            augmentation: of the images that the student sees: their fixed resize, and their size.
            device: where the teacher runs.

        Raises:
            WeightsError, UnknownNameError: no such weights.
            UsageError: student and teacher have no level in common, or the teacher cannot take
                images of the size that it would see.
        """
        path = find_weights(weights)
        variant = get_variant(read_card(path).variant)
        teacher = create_model(variant)
        load_weights(teacher, path, variant.name)
        self._teacher = teacher.to(device).eval().requires_grad_(False)
        keep_float32(teacher, device)
        self.described = f"{path.name} (features, sha256 {weights_hash(path)})"
        usual = get_recipe(variant.recipe).augmentation.scale
        # Levels are powers of two apart, so the teacher's images are the student's, halved or
        # doubled until they are nearest to those that it knows.
        self._factor = 2.0 ** round(math.log2(usual / augmentation.scale))
        seen = self._seen(augmentation.crop)
        if teacher.timm_encoder() is None and not variant.sizes.allows(seen):  # all of it runs
            raise UsageError(
                f"--feature-teacher {variant.name} would see {seen} of crops of "
                f"{augmentation.crop}, which it cannot take; give another, or another --crop"
            )
        own, known = student.encoder_levels(), teacher.encoder_levels()
        pairs = {stride: int(stride * self._factor) for stride in own}
        self._pairs = {mine: theirs for mine, theirs in pairs.items() if theirs in known}
        if not self._pairs:
            raise UsageError(
                f"the levels of {variant.name} have no counterpart in the student; a "
                "--feature-teacher is for networks with an encoder, such as a U-Net"
            )
        self._own = _watch({stride: own[stride] for stride in self._pairs})
        self._known = _watch({stride: known[stride] for stride in self._pairs.values()})

    def _seen(self, size: Size) -> Size:
        """Size of what the teacher sees of images that the student sees at a size."""
        return Size(*(round(side * self._factor) for side in size))

    @torch.no_grad()
    def _look(self, image: Tensor) -> None:
        """Let the teacher's encoder see images (B, 3, H, W) in [0, 1]."""
        teacher = self._teacher
        if self._factor != 1:
            size = self._seen(Size(*image.shape[-2:]))
            image = F.interpolate(image, size, mode="bilinear", antialias=self._factor < 1)
        encoder: Any = teacher.timm_encoder()
        if encoder is None:
            teacher(image)
        else:
            encoder.forward_features((image - teacher.mean) / teacher.std)

    def __call__(self, prediction: Prediction, image: Tensor, truth: Tensor) -> Tensor:
        """Mean over the levels of :func:`unexplained`; a :data:`~.distillation.Term`.

        The student's features are those of its last forward pass, which must be that of ``image``.
        """
        device = prediction.depth.device
        with torch.autocast(device.type, torch.bfloat16, enabled=computes_bf16(device)):
            self._look(image.to(device, memory_format=torch.channels_last))
        shares = []
        for mine, theirs in self._pairs.items():
            own, known = self._own.pop(mine), self._known.pop(theirs)
            known = F.interpolate(known.float(), own.shape[-2:], mode="bilinear")
            shares.append(unexplained(own, known))
        return torch.stack(shares).mean()


def open_feature_teacher(
    run: TrainingRun, student: DepthNetwork, recipe: TrainingRecipe, device: torch.device
) -> tuple[float, FeatureTeacher] | None:
    """The teacher of features and its weight in the loss, where a run asks for one.

    Raises:
        FastDepthError: see :class:`FeatureTeacher`.
    """
    if run.feature_teacher is None:
        return None
    teacher = FeatureTeacher(student, run.feature_teacher, recipe.augmentation, device)
    return run.feature_weight, teacher


def unexplained(features: Tensor, target: Tensor) -> Tensor:
    """Share of a target's variance that no linear map of some features explains: 1 - R^2.

    Positions of all images of the batch are the samples of a ridge regression with intercept;
    every channel of the target counts alike.

    Args:
        features: (B, C, h, w).
        target: (B, D, h, w).

    Returns:
        Scalar in [0, 1], differentiable by ``features``.
    """
    own, known = (part.float().transpose(0, 1).flatten(1) for part in (features, target))
    own = own - own.mean(dim=1, keepdim=True)
    known = known - known.mean(dim=1, keepdim=True)
    known = known / known.std(dim=1, keepdim=True).clamp(min=1e-6)
    count = own.shape[1] - 1
    covariance, cross = own @ own.T / count, own @ known.T / count
    mean = covariance.diagonal().mean().clamp(min=1e-12)
    ridge = RIDGE * mean * torch.eye(len(own), device=own.device)
    factor, failed = torch.linalg.cholesky_ex(covariance + ridge)
    factor = torch.where(failed > 0, math.nan, factor)  # features that are no numbers
    explained: Tensor = torch.linalg.solve_triangular(factor, cross, upper=False).square().sum()
    return 1 - explained / len(known)


def _watch(modules: Mapping[int, nn.Module]) -> dict[int, Tensor]:
    """A dictionary in which each module's last output is found."""
    seen: dict[int, Tensor] = {}
    for stride, module in modules.items():

        def keep(_: nn.Module, __: Any, output: Tensor, stride: int = stride) -> None:
            seen[stride] = output

        module.register_forward_hook(keep)
    return seen
