"""Run a network in PyTorch on one picture, as the exported file does."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from fastdepth.models.network import DepthNetwork, upsample
from fastdepth.preprocess import resize
from fastdepth.size import Size


@torch.inference_mode()
def predict_image(
    network: DepthNetwork, image: NDArray[np.uint8], size: Size
) -> NDArray[np.float32]:
    """Depth of one picture at the network's input size.

    Args:
        network: in evaluation mode.
        image: (H, W, 3) uint8 RGB of any size.
        size: network input.

    Returns:
        (size.height, size.width) float32 [m].
    """
    device = next(network.parameters()).device
    pixels = torch.from_numpy(np.ascontiguousarray(resize(image, size))).to(device)
    depth = network(pixels.permute(2, 0, 1)[None].float() / 255).depth
    return upsample(depth.float(), *size)[0, 0].cpu().numpy()
