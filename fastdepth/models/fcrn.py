"""Fully convolutional residual network with up-projection, and the siblings it was compared with.

Tang, Pham (2022), after Laina, Rupprecht, Belagiannis, Tombari, Navab, "Deeper Depth Prediction
with Fully Convolutional Residual Networks", 3DV 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.models._timm import create_encoder
from fastdepth.models.network import DepthNetwork, Prediction

BODY = 2048
WIDTHS = (1024, 512, 256, 128)
FULL_MAP = (8, 10)  # of the body, for an image of 228x304
FULL_DEPTH = (48, 64)
TYPICAL_DEPTH = 2.0  # [m]


def unpool(features: Tensor) -> Tensor:
    """Twice the size: every value becomes the upper left of 2x2, the others are 0 (Laina, 3.2).

    Args:
        features: (B, C, h, w).

    Returns:
        (B, C, 2h, 2w).
    """
    return F.pixel_shuffle(F.pad(features[:, :, None], (0, 0, 0, 0, 0, 3)).flatten(1, 2), 2)


class UpProjection(nn.Module):
    """Unpooling, then two branches side by side: (B, C, h, w) to (B, C/2, 2h, 2w).

    Tang and Pham concatenate the branches where Laina adds them, and have no batch norm here.
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.deep = nn.Sequential(
            nn.Conv2d(inputs, inputs // 2, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs // 2, inputs // 4, 3, padding=1),
        )
        self.projection = nn.Conv2d(inputs, inputs // 4, 5, padding=2)

    def forward(self, features: Tensor) -> Tensor:
        """Features at twice the size."""
        unpooled = unpool(features)
        return torch.cat([self.deep(unpooled), self.projection(unpooled)], dim=1)


class UpConvolution(nn.Module):
    """Unpooling, 5x5 convolution, ReLU (Laina's UpConv): (B, C, h, w) to (B, C/2, 2h, 2w)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, inputs // 2, 5, padding=2)

    def forward(self, features: Tensor) -> Tensor:
        """Features at twice the size."""
        return F.relu(self.convolution(unpool(features)))


def _transposed(inputs: int) -> nn.Sequential:
    """2x2 transposed convolution and ReLU (Laina's DeConv): (B, C, h, w) to (B, C/2, 2h, 2w)."""
    return nn.Sequential(nn.ConvTranspose2d(inputs, inputs // 2, 2, stride=2), nn.ReLU())


def _ladder(block: Callable[[int], nn.Module]) -> nn.Sequential:
    """Three blocks that double the size, and a 3x3 convolution without padding."""
    return nn.Sequential(*(block(width) for width in WIDTHS[:-1]), nn.Conv2d(WIDTHS[-1], 1, 3))


def _fully_connected() -> nn.Sequential:
    """Dropout and one fully connected layer to the whole map."""
    height, width = FULL_DEPTH
    return nn.Sequential(
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(WIDTHS[0] * FULL_MAP[0] * FULL_MAP[1], height * width),
        nn.Unflatten(1, (1, height, width)),
    )


DECODERS: Mapping[str, Callable[[], nn.Sequential]] = MappingProxyType(
    {
        "projection": lambda: _ladder(UpProjection),
        "convolution": lambda: _ladder(UpConvolution),
        "transposed": lambda: _ladder(_transposed),
        "fully-connected": _fully_connected,
    }
)
"""What stands between the reduced ResNet-50 map and the depth map."""


class FCRN(DepthNetwork):
    """ResNet-50, a 1x1 convolution with batch norm to 1024 channels, a decoder, ReLU.

    From 228x304 (height x width) the ResNet's map is 8x10 and the depth 62x78: three doublings give
    64x80 and the last 3x3 convolution is not padded. The map covers the whole image;
    :func:`fastdepth.models.upsample` brings it back to the image's size, as Tang and Pham map it
    back to the 228x304 crop.

    Layers of ``projection`` are Tang and Pham's. Of its siblings they give none; assumed are the
    ResNet, the 1x1 convolution, three doublings and the last convolution of ``projection``, with
    the block of the same row of Laina's table 1 in between; ``fully-connected`` has dropout of one
    half and one layer from the 1024x8x10 map to 48x64, so that it takes images of one size only.
    Assumed also: layers after the ResNet begin with He's normal weights and biases of 0, the last
    with hardly any weights and a bias of 2 m: the last ReLU would otherwise begin dead at a wrong
    draw, and of the fully connected layer's draw more stays than a short training can unlearn.

    The ReLU can answer with 0 m. Predictions are clamped into the depth range, training is not.

    Args:
        decoder: name in :data:`DECODERS`.
        depth_range: least and greatest depth [m].
    """

    encoder_path = "body"

    def __init__(self, decoder: str, depth_range: tuple[float, float] = (1e-3, 10.0)) -> None:
        super().__init__(depth_range)
        self.body = create_encoder("resnet50")
        self.bridge = nn.Sequential(nn.Conv2d(BODY, WIDTHS[0], 1), nn.BatchNorm2d(WIDTHS[0]))
        self.decoder = DECODERS[decoder]()
        *layers, last = [
            module
            for module in (*self.bridge.modules(), *self.decoder.modules())
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
        ]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight)
            _fill(layer.bias, 0)
        nn.init.normal_(last.weight, std=1e-4)
        _fill(last.bias, TYPICAL_DEPTH)

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        features = self.bridge(self.body.forward_features(normalised))
        depth = self.decoder(features).relu()
        return Prediction(normalised, self.limit(depth), features)


def _fill(bias: Tensor | None, value: float) -> None:
    assert bias is not None
    nn.init.constant_(bias, value)
