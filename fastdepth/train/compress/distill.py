"""Distillation: ONNX depth networks as teachers, and the weighted sum of losses that they join.

The teacher's answer takes the place of the truth, weighted against it (Touvron et al., "Training
data-efficient image transformers & distillation through attention", ICML 2021, eq. 3: half and
half). It sees the very image that the student sees, crop and colours included (Beyer et al.,
"Knowledge distillation: a good teacher is patient and consistent", CVPR 2022), and answers at every
pixel, those without truth too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fastdepth.camera import TRAINING_WIDTH
from fastdepth.files import file_hash
from fastdepth.models.network import Prediction
from fastdepth.preprocess import resize
from fastdepth.runtime.third_party import ThirdPartyFile
from fastdepth.runtime.third_party_model import ThirdPartyModel
from fastdepth.size import Size
from fastdepth.train.compress.distill_features import FeatureTeacher
from fastdepth.train.losses import Loss, disparity
from fastdepth.train.recipes import Augmentation

Term = Callable[[Prediction, Tensor, Tensor], Tensor]
"""Loss of a prediction, given the images (B, 3, H, W) float32 in [0, 1] in the host's memory, and
the truth (B, 1, H, W) [m]."""


class Teacher:
    """An ONNX depth network, or several in metres, which answer the mean of their ln depth."""

    def __init__(
        self,
        files: Sequence[ThirdPartyFile],
        augmentation: Augmentation,
        depth_range: tuple[float, float],
        provider: str = "cpu",
        threads: int | None = None,
    ) -> None:
        """Open the files.

        Args:
            files: one, or several in metres.
            augmentation: what happens to images before student and teacher see them.
            depth_range: least and greatest depth of the student [m]; what a teacher puts beyond
                is brought to its ends.
            provider: of ONNX Runtime: ``cpu`` or ``cuda``.
            threads: for one operator on the CPU; None takes all cores.

        Raises:
            FastDepthError: see :class:`fastdepth.runtime.third_party_model.ThirdPartyModel`.
        """
        self.in_metres = all(file.in_metres for file in files)
        self._models = [ThirdPartyModel(file, provider, threads) for file in files]
        self._depth_range = depth_range
        # Resized to the teacher's input, a crop narrower than the image is magnified: a longer
        # lens, not a nearer camera. Zoom needs nothing: there the metres are meant to shrink, and
        # the teacher sees the enlarged image itself.
        self._magnified = TRAINING_WIDTH * augmentation.scale / augmentation.crop.width

    def __call__(self, image: Tensor) -> Tensor:
        """What the teachers answer for images, at the images' size.

        Args:
            image: (B, 3, H, W) float32 in [0, 1], in the host's memory.

        Returns:
            (B, 1, H, W) float32: depth [m], or disparity of no known scale and shift.

        Raises:
            ModelFileError, UsageError: a file cannot be run on them.
        """
        images = (image * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        answers = [torch.from_numpy(_infer(model, images)) for model in self._models]
        if not self.in_metres:
            return answers[0]
        logs = [(a * self._magnified).clamp(*self._depth_range).log() for a in answers]
        return torch.stack(logs).mean(dim=0).exp()


def open_teacher(
    files: Sequence[ThirdPartyFile],
    augmentation: Augmentation,
    depth_range: tuple[float, float],
    provider: str,
    threads: int | None,
) -> Teacher | None:
    """A :class:`Teacher` of these files; None where there are none."""
    return Teacher(files, augmentation, depth_range, provider, threads) if files else None


def _infer(model: ThirdPartyModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Answer (B, 1, H, W) of a model for images (B, H, W, 3) of any size."""
    size = Size(*images.shape[1:3])
    resized = np.stack([resize(image, model.graph.size) for image in images])
    count = model.graph.batch or len(resized)
    parts = [model.infer(resized[i : i + count]) for i in range(0, len(resized), count)]
    return np.stack([resize(part[0], size) for part in np.concatenate(parts)])[:, None]


class Objective:
    """A weighted sum of losses, each of which has a figure of its own."""

    def __init__(self, terms: Mapping[str, tuple[float, Term]]) -> None:
        """Take weight and loss of each term, by name."""
        self._terms = terms
        self._seen: dict[str, list[Tensor]] = {name: [] for name in terms}

    def __call__(self, prediction: Prediction, image: Tensor, truth: Tensor) -> Tensor:
        """The sum; arguments as for a :data:`Term`."""
        total = truth.new_zeros(())
        for name, (weight, term) in self._terms.items():
            loss = term(prediction, image, truth)
            self._seen[name].append(loss.detach())
            total = total + weight * loss
        return total

    def means(self) -> dict[str, Tensor]:
        """``NAME_loss``: the mean of each term since this was last asked; nothing of a sole one."""
        seen, self._seen = self._seen, {name: [] for name in self._terms}
        if len(seen) == 1:
            return {}
        return {f"{name}_loss": torch.stack(losses).mean() for name, losses in seen.items()}


def make_objective(
    loss: Loss,
    teacher: Teacher | None,
    weight: float,
    features: tuple[float, FeatureTeacher] | None = None,
) -> Objective:
    """``(1 - weight) * loss(truth) + weight * loss(teacher)``, or the former alone.

    Args:
        loss: of a stage; a teacher's metres are compared by it as the truth is, disparity by
            :func:`fastdepth.train.losses.disparity`.
        teacher: None for none.
        weight: in [0, 1], that of the teacher.
        features: weight and loss of the encoder's features, added to the rest.
    """
    terms: dict[str, tuple[float, Term]] = {
        "truth": (1.0, lambda prediction, _, truth: loss(prediction, truth))
    }
    if teacher is not None:
        compare = loss if teacher.in_metres else disparity
        terms = {
            "truth": (1 - weight, terms["truth"][1]),
            "teacher": (
                weight,
                lambda prediction, image, truth: compare(
                    prediction, teacher(image).to(truth.device)
                ),
            ),
        }
    if features is not None:
        terms["features"] = features
    return Objective(terms)


def describe(
    files: Sequence[ThirdPartyFile], weight: float, features: tuple[float, FeatureTeacher] | None
) -> str:
    """What a weights' card says of its teachers, in one line; empty where there are none."""
    said = []
    if files:
        named = [
            f"{file.path.name} ({file.output or 'metres'}, sha256 {file_hash(file.path)[:12]})"
            for file in files
        ]
        said.append(f"{weight:g} of the loss: {', '.join(named)}")
    if features:
        said.append(f"{features[0]:g} times what is left of {features[1].described}")
    return "; ".join(said)
