"""Stored outputs of a tiny network: a change of the function by accident shows here."""

from __future__ import annotations

import torch

from fastdepth.models.unet import AdaBinsUNet


def numbered(network):
    """Weights that depend on no random generator: small waves, numbered through."""
    with torch.no_grad():
        for index, parameter in enumerate(network.parameters()):
            wave = torch.arange(parameter.numel(), dtype=torch.float64)
            scale = 2.5 / parameter[0].numel() ** 0.5
            parameter.copy_((wave * 0.7 + index).sin().reshape(parameter.shape) * scale)
    return network.double().eval()


def golden_output():
    network = numbered(AdaBinsUNet(bins=8, separable=True, patch=4))
    ramp = torch.linspace(0, 1, 96, dtype=torch.float64)
    image = torch.stack([ramp.expand(96, 96), ramp.expand(96, 96).T, ramp.outer(ramp)])[None]
    with torch.inference_mode():
        return network(image)


def blocks(depth):
    """Mean depth of 3 x 3 blocks."""
    return torch.nn.functional.avg_pool2d(depth, 16)[0, 0]


def test_golden():
    prediction = golden_output()
    assert prediction.depth.shape == (1, 1, 48, 48)
    torch.testing.assert_close(
        prediction.centres[0],
        torch.tensor(CENTRES, dtype=torch.float64),
        rtol=1e-7,
        atol=1e-9,
    )
    torch.testing.assert_close(
        blocks(prediction.depth),
        torch.tensor(DEPTH, dtype=torch.float64),
        rtol=1e-7,
        atol=1e-9,
    )


CENTRES = [
    2.250517527,
    4.512661099,
    5.486161588,
    6.459662076,
    6.484914167,
    6.695249026,
    6.905583886,
    8.459104966,
]
DEPTH = [
    [6.50920559, 6.512094357, 6.512806967],
    [6.484779288, 6.484765088, 6.484782137],
    [6.555405909, 6.596221163, 6.612341035],
]
