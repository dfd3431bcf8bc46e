"""Validate a network in training on scenes held out of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fastdepth.data import Source
from fastdepth.data.sample import Image
from fastdepth.errors import InputError
from fastdepth.metrics import Evaluation
from fastdepth.models.inference import predict_images
from fastdepth.models.network import DepthNetwork, Prediction
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth.train.loader import sample_name
from fastdepth.train.losses import Loss


def predict_sample(network: DepthNetwork, image: Image, size: Size) -> tuple[Tensor, Prediction]:
    """Depth (1, 1, h, w) [m] of an image (H, W, 3) uint8 at the network input h x w, and the rest.

    Args:
        network: in evaluation mode.
        image: whole image of any size.
        size: network input.
    """
    scaled = torch.from_numpy(resize(image, size)).to(next(network.parameters()).device)
    return predict_images(network, scaled[None])


@torch.inference_mode()
def validate(
    network: DepthNetwork,
    source: Source,
    size: Size,
    loss: Loss,
    unreadable: Callable[[dict[str, str]], None],
) -> tuple[float, dict[str, float]]:
    """Mean loss and mean metrics over whole images, one by one.

    Args:
        network: is put into evaluation mode.
        source: images with depth; scored at the depth's own size.
        size: network input.
        loss: the training loss.
        unreadable: told of samples that are left out because they cannot be read: errors by name.

    Returns:
        Loss, and metrics under the default protocol.

    Raises:
        DataError: none of them can be read or has a pixel that counts.
    """
    device = next(network.parameters()).device
    network.eval()
    evaluation, losses = Evaluation(), []
    for index in range(len(source)):
        try:
            sample = source[index]
        except InputError as error:
            unreadable({sample_name(source, index): str(error)})
            continue
        truth = torch.from_numpy(sample.depth).to(device)[None, None]
        depth, prediction = predict_sample(network, sample.image, size)
        losses.append(float(loss(prediction, truth)))
        evaluation.add(depth[0, 0].cpu().numpy(), sample.depth)
    scores = evaluation.scores().as_dict()
    return sum(losses) / len(losses), scores
