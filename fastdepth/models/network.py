"""What every depth network is: images in, metres out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fastdepth.preprocess import IMAGENET_MEAN, IMAGENET_STD


class Prediction(NamedTuple):
    """What a network computes; the fields are the stages on which an exported file is compared.

    Attributes:
        normalised: (B, 3, H, W) float, the image less mean by standard deviation, where a network
            computes it.
        depth: (B, 1, h, w) float [m], at the network's own output size.
        features: (B, C, h, w) float, output of the encoder-decoder, where there is one.
        centres: (B, bins) float [m], ascending bin centres, where there are bins.
        std: (B, 1, h, w) float [m], standard deviation of the error of ``depth``, where an
            uncertainty head is attached (:mod:`fastdepth.models.uncertainty`).
        coarse: (B, 1, h, w) float [m], the map that ``depth`` refines, where there is one.
    """

    normalised: Tensor | None
    depth: Tensor
    features: Tensor | None = None
    centres: Tensor | None = None
    std: Tensor | None = None
    coarse: Tensor | None = None


class DepthNetwork(nn.Module):
    """Base of all networks: normalisation comes with the network.

    Subclasses write :meth:`predict`; they are called with images
    ``(B, 3, H, W) float32 in [0, 1]``, RGB, and answer with a :class:`Prediction`.

    Attributes:
        encoder_path: name of the submodule that is a network of timm's, and so can begin
            pretrained (:mod:`fastdepth.models.pretrained`); empty where there is none.
        depth_range: least and greatest depth [m].
        uncertainty: head that tells the standard deviation of the error, where one is attached; a
            network that can have one calls :meth:`tell_std`.
    """

    encoder_path = ""

    def __init__(self, depth_range: tuple[float, float] = (1e-3, 10.0)) -> None:
        super().__init__()
        self.depth_range = depth_range
        self.uncertainty: nn.Module | None = None
        self.mean: Tensor
        self.std: Tensor
        self._normalise(IMAGENET_MEAN, IMAGENET_STD)

    def normalise_for(self, encoder: Any) -> None:
        """Normalise images as the pretrained weights of a network of timm's want them."""
        known = encoder.pretrained_cfg
        self._normalise(known["mean"], known["std"])

    def _normalise(self, mean: Sequence[float], std: Sequence[float]) -> None:
        for name, values in (("mean", mean), ("std", std)):
            shaped = torch.tensor(values).reshape(1, 3, 1, 1)
            self.register_buffer(name, shaped, persistent=False)

    def forward(self, image: Tensor) -> Prediction:
        """Predict depth of ``image`` (B, 3, H, W) float32 in [0, 1]."""
        return self.predict((image - self.mean) / self.std)

    def predict_bytes(self, images: Tensor) -> Prediction:
        """Predict depth of a camera's images (B, H, W, 3) uint8 RGB."""
        centred = images.permute(0, 3, 1, 2).to(torch.float32) - 255 * self.mean
        return self.predict(centred / (255 * self.std))

    def predict(self, normalised: Tensor) -> Prediction:
        """Predict depth of a normalised image (B, 3, H, W)."""
        raise NotImplementedError

    def tell_std(self, features: Tensor, deepest: Tensor, depth: Tensor) -> Tensor | None:
        """Standard deviation (B, 1, h, w) [m] of the error of ``depth``, where a head is attached.

        Args:
            features: (B, C, h, w), the decoder's last that every form of the network computes.
            deepest: (B, D, h', w'), of the encoder.
            depth: (B, 1, h, w) [m].
        """
        if self.uncertainty is None:
            return None
        std: Tensor = self.uncertainty(features, deepest, depth)
        return std

    def timm_encoder(self) -> nn.Module | None:
        """The submodule at ``encoder_path``, where there is one."""
        return self.get_submodule(self.encoder_path) if self.encoder_path else None

    def encoder_levels(self) -> dict[int, nn.Module]:
        """The encoder's modules whose outputs are its features, by their stride [px], ascending."""
        encoder: Any = self.timm_encoder()
        if encoder is None:
            return {}
        return {
            stage["reduction"]: encoder.get_submodule(stage["module"])
            for stage in encoder.feature_info
        }

    def squash(self, numbers: Tensor) -> Tensor:
        """Any numbers to depth [m] float32 within the range, by a sigmoid."""
        least, greatest = self.depth_range
        return least + (greatest - least) * numbers.float().sigmoid()

    def limit(self, depth: Tensor) -> Tensor:
        """Depth [m] in single precision, within the range when predicting.

        While training it is left as it is: beyond the range a clamp has no gradient that would
        bring it back.
        """
        depth = depth.float()
        return depth if self.training else depth.clamp(*self.depth_range)


def upsample(depth: Tensor, height: int, width: int) -> Tensor:
    """Bring a depth map (B, C, h, w) to the size of the ground truth, as in training.

    Bilinear with aligned corners; a map that has the size already is returned as it is.
    """
    if depth.shape[-2:] == (height, width):
        return depth
    return F.interpolate(depth, (height, width), mode="bilinear", align_corners=True)


def count_parameters(network: nn.Module, *, trainable: bool = False) -> int:
    """Number of parameters, frozen ones included unless ``trainable`` is set."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable)
