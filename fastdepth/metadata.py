"""What an exported file says of itself: enough to use it right without any other file."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Annotated

from msgspec import Meta

from fastdepth.anchors.prior import AnchorPrior
from fastdepth.arguments import checked
from fastdepth.calibrate.correction import Correction
from fastdepth.camera import FOCAL_LENGTHS, TRAINING_FOCAL_LENGTH, TRAINING_WIDTH
from fastdepth.documents import MOST, parse
from fastdepth.errors import ModelFileError, UsageError
from fastdepth.preprocess import RESIZE
from fastdepth.size import MAX_SIDE, Size

METADATA_KEY = "fastdepth"
"""Key of the ONNX file's metadata under which :class:`ModelMetadata` stands as JSON."""

UNTRAINED = "untrained"
"""Weights tag of a network with random weights."""

METRE = "metre"
"""Unit of what a file answers ..."""

UNCORRECTED = "metre before its correction"
"""... and of what one with a correction does: what reads the file and knows of no correction sees
an unknown unit, and refuses it instead of answering with wrong metres."""

Count = Annotated[int, Meta(ge=0, le=10**15)]
Natural = Annotated[int, Meta(ge=1, le=10**6)]
Amount = Annotated[float, Meta(ge=0, le=1e6)]
Depth = Annotated[float, Meta(gt=0, le=1e6)]
FocalLength = Annotated[float, Meta(ge=FOCAL_LENGTHS[0], le=FOCAL_LENGTHS[1])]
Change = Annotated[float, Meta(ge=-1, le=1)]
Coverage = Annotated[float, Meta(gt=0, lt=1)]
Factor = Annotated[float, Meta(gt=0, le=1000)]


@dataclass(frozen=True)
class IntervalFactors:
    """How wide an interval around depth must be to hold the truth so often.

    The interval is ``depth * exp(-f * std / depth)`` to ``depth * exp(f * std / depth)``, symmetric
    in ln depth, with the factor f of the coverage.

    Attributes:
        coverages: shares of pixels whose truth lies in the interval, ascending.
        factors: one each, ascending.
    """

    coverages: Annotated[tuple[Coverage, ...], Meta(min_length=2, max_length=100)]
    factors: Annotated[tuple[Factor, ...], Meta(min_length=2, max_length=100)]

    def __post_init__(self) -> None:
        """Refuse what no single field's type can: lists that differ in length or do not ascend."""
        if len(self.coverages) != len(self.factors):
            raise ValueError("`coverages` and `factors` differ in length")
        for name, values in (("coverages", self.coverages), ("factors", self.factors)):
            if any(before >= after for before, after in pairwise(values)):
                raise ValueError(f"`{name}` does not ascend")

    @checked
    def at(self, coverage: float) -> float:
        """Factor for a coverage, linear between two stored ones in -ln(1 - coverage).

        So a Laplace distribution's factors are.

        Raises:
            UsageError: the coverage lies beyond those that are stored.
        """
        least, *_, most = self.coverages
        if not least <= coverage <= most:
            raise UsageError(f"coverage {coverage:g} cannot be; give {least:g} to {most:g}")
        for (a, b), (low, high) in zip(
            pairwise(self.coverages), pairwise(self.factors), strict=True
        ):
            if coverage <= b:
                share = math.log((1 - a) / (1 - coverage)) / math.log((1 - a) / (1 - b))
                return low + share * (high - low)
        return self.factors[-1]


@dataclass(frozen=True)
class ModelMetadata:
    """Contents of the metadata of an exported file.

    Attributes:
        variant: name of the network.
        weights: tag or file name of the weights, or ``UNTRAINED``.
        licence: licence of the weights.
        sizes: network inputs that the file was compared with PyTorch at, [height, width]; the
            first is the default.
        depth_range: least and greatest depth the network can answer [m], before a correction.
        params: parameters of the network as trained.
        precision: type of the weights in the file.
        opset: ONNX opset of the graph; None of a file that no ONNX graph was made for.
        parity: largest difference of depth to PyTorch after the export [m]; in a file of reduced
            precision that to its fp32 form, which was compared with PyTorch before, and in one
            that was built from such a file a bound of it, the sum of both differences.
        version: fastdepth that exported the file, or calibrated it afterwards.
        batch: images per inference where that is fixed in the graph; None takes any.
        unit: unit of what the file answers: ``METRE``, or ``UNCORRECTED``.
        preprocessing: name of the resize that belongs before the graph; nothing else does.
        training_focal_length: focal length [px] of the training camera ...
        training_width: ... in an image of this width [px].
        d1_change: d1 less that of the fp32 form, in a file of reduced precision; else None.
        quantisation: types of activations and weights in an int8 file; else None.
        calibration: hash of the list of images that an int8 file was calibrated on; else None.
        anchor_prior: of the network's errors, for depth that knows some distances; None where it
            was not fitted.
        interval: factors of intervals, in a file that answers with std; else None.
        correction: of one camera and its room, applied to what the network answers; None where
            ``fastdepth-calibrate`` has written none.
    """

    variant: str
    weights: str
    licence: str
    sizes: Annotated[tuple[Size, ...], Meta(min_length=1, max_length=100)]
    depth_range: tuple[Depth, Depth]
    params: Count
    precision: str
    opset: Natural | None
    parity: Amount
    version: str
    batch: Natural | None = None
    unit: str = METRE
    preprocessing: str = RESIZE
    training_focal_length: FocalLength = TRAINING_FOCAL_LENGTH
    training_width: Natural = TRAINING_WIDTH
    d1_change: Change | None = None
    quantisation: str | None = None
    calibration: str | None = None
    anchor_prior: AnchorPrior | None = None
    interval: IntervalFactors | None = None
    correction: Correction | None = None

    def __post_init__(self) -> None:
        """Refuse what no single field's type can: a range without an inside, an input's sides."""
        near, far = self.depth_range
        if not near < far:
            raise ValueError(f"`depth_range` [{near:g}, {far:g}] is no range")
        for size in self.sizes:
            if not 1 <= min(size) <= max(size) <= MAX_SIDE:
                raise ValueError(f"`sizes` has {size}; sides are 1 to {MAX_SIDE} px")
        if self.unit == UNCORRECTED and self.correction is None:
            raise ValueError(f"`unit` is {UNCORRECTED!r}, and there is no `correction`")

    @property
    def size(self) -> Size:
        """Default network input."""
        return self.sizes[0]

    @property
    def trained(self) -> bool:
        """Whether the weights are more than random numbers."""
        return self.weights != UNTRAINED

    def to_json(self) -> str:
        """One line of JSON; sizes are [height, width]."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, path: str) -> ModelMetadata:
        """Read what :meth:`to_json` wrote; ``path`` names the file in errors.

        Fields that a later fastdepth added are ignored.

        Raises:
            ModelFileError: it is not the metadata of a fastdepth model.
        """
        mend = "export it again with fastdepth-export"
        metadata = parse(text, cls, f"the metadata of {path}", mend, ModelFileError)
        if metadata.preprocessing != RESIZE or metadata.unit not in (METRE, UNCORRECTED):
            raise ModelFileError(
                f"{path} needs preprocessing {metadata.preprocessing[:MOST]!r} and answers in "
                f"{metadata.unit[:MOST]!r}; install the fastdepth that exported it: "
                f"{metadata.version[:MOST]}"
            )
        return metadata
