"""What is known of a network's error before any distance is: fitted on images with depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Deviation = Annotated[float, Meta(ge=1e-4, le=3)]
Length = Annotated[float, Meta(ge=1e-3, le=1e3)]


@dataclass(frozen=True)
class AnchorPrior:
    """Covariance of a network's error, ln(true depth) - ln(predicted depth), within an image.

    ``scale_sd^2 + local_sd^2 exp(-r)``, where ``r^2 = (d place / length)^2 + (d ln depth /
    log_length)^2 + (d colour / colour_length)^2``: the error of the whole image, and one that
    pixels share the more, the nearer they are to each other in the image, in predicted depth and
    in colour. Defaults are near what
    :func:`fastdepth.anchors.fitting.fit_prior` found for ``mnv2-64-dws-wide`` on scenes that it was
    not trained on, where the likelihood is flat.

    Attributes:
        scale_sd: standard deviation of the error of a whole image [ln depth].
        local_sd: standard deviation of the local error [ln depth].
        length: distance in the image at which local errors have e-times less in common [longer
            sides of the image].
        log_length: difference of predicted ln depth at which they do.
        colour_length: difference of colour at which they do [CIE L*a*b*, L* 0 to 1].
    """

    scale_sd: Deviation = 0.0803
    local_sd: Deviation = 0.263
    length: Length = 0.636
    log_length: Length = 0.713
    colour_length: Length = 2.18

    @property
    def total_sd(self) -> float:
        """Standard deviation of the error of a pixel where nothing is known [ln depth]."""
        return math.hypot(self.scale_sd, self.local_sd)


DEFAULT = AnchorPrior()
"""For a network whose prior was not fitted."""
