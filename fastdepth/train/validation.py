"""Validate a network in training on scenes held out of it."""

from __future__ import annotations

import torch

from fastdepth.data import Source
from fastdepth.metrics import Evaluation
from fastdepth.models.inference import predict_pictures
from fastdepth.models.network import DepthNetwork
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth.train.losses import Loss


@torch.inference_mode()
def validate(
    network: DepthNetwork, source: Source, size: Size, loss: Loss
) -> tuple[float, dict[str, float]]:
    """Mean loss and mean metrics over whole pictures, one by one.

    Args:
        network: put into evaluation mode, and back into the mode it was in.
        source: pictures with depth; scored at the depth's own size.
        size: network input.
        loss: the training loss.

    Returns:
        Loss, and metrics under the default protocol.
    """
    training, device = network.training, next(network.parameters()).device
    network.eval()
    evaluation, losses = Evaluation(), []
    for index in range(len(source)):
        sample = source[index]
        picture = torch.from_numpy(resize(sample.image, size)).to(device)
        truth = torch.from_numpy(sample.depth).to(device)[None, None]
        depth, prediction = predict_pictures(network, picture[None])
        losses.append(float(loss(prediction, truth)))
        evaluation.add(depth[0, 0].cpu().numpy(), sample.depth)
    network.train(training)
    return sum(losses) / len(losses), evaluation.scores().as_dict()
