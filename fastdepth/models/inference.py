"""From camera bytes to metres at the same size: what validation, export and benchmark run."""

from __future__ import annotations

from torch import Tensor

from fastdepth.models.network import DepthNetwork, Prediction, upsample


def predict_images(network: DepthNetwork, images: Tensor) -> tuple[Tensor, Prediction]:
    """Depth of images at the network's input size, upsampled as in training.

    Args:
        network: in evaluation mode, on the device of the images.
        images: (B, H, W, 3) uint8 RGB.

    Returns:
        Depth (B, 1, H, W) [m], and all that the network computed.
    """
    prediction = network.predict_bytes(images)
    return upsample(prediction.depth, images.shape[1], images.shape[2]), prediction
