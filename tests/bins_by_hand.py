"""What the bins imply, computed directly from the network as written."""

from __future__ import annotations

import torch


def std_by_hand(network, image):
    """sqrt(E[c^2] - E[c]^2) of the plain network's softmax, (B, 1, h, w)."""
    with torch.inference_mode():
        prediction = network(image)
        _, queries = network.bins.mini_vit.tokens(prediction.features)
        pixels = network.bins.mini_vit.pixel_conv(prediction.features)
        attention = (queries @ pixels.flatten(2)).reshape(pixels.shape)
        shares = network.bins.conv_out(attention).softmax(dim=1)
        first, second = (
            (shares * prediction.centres[:, :, None, None] ** power).sum(dim=1, keepdim=True)
            for power in (1, 2)
        )
        return (second - first**2).clamp(min=0).sqrt()
