"""Several images in one inference."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ImageError
from fastdepth.runtime.steps import Prepared

if TYPE_CHECKING:
    from fastdepth.runtime.model import DepthModel

MOST_AT_ONCE = 32
"""Images of one inference; each takes memory for all layers."""


def predict_batch(
    model: DepthModel, images: Collection[NDArray[np.uint8]], focal: float | None
) -> list[NDArray[np.float32]]:
    """See :meth:`fastdepth.runtime.model.DepthModel.batch`."""
    prepared = [_prepare(model, index, image, focal) for index, image in enumerate(images)]
    depths: dict[int, NDArray[np.float32]] = {}
    most = model.metadata.batch or MOST_AT_ONCE
    for size in model.sizes:
        mine = [index for index, one in enumerate(prepared) if one.batch.shape[1:3] == size]
        for start in range(0, len(mine), most):
            part = mine[start : start + most]
            answers = model.infer(np.concatenate([prepared[index].batch for index in part]))
            for place, index in enumerate(part):
                depths[index] = model.postprocess(answers[place : place + 1], prepared[index])
    return [depths[index] for index in range(len(prepared))]


def _prepare(
    model: DepthModel, index: int, image: NDArray[np.uint8], focal: float | None
) -> Prepared:
    """One of the images, ready to run."""
    try:
        return model.preprocess(image, focal=focal)
    except ImageError as error:
        raise ImageError(f"number {index} of the images, from 0: {error}") from None
