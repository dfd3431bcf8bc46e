"""What calibration writes into third-party files, so that they open by themselves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from msgspec import Meta

from fastdepth.calibrate.correction import Correction, DisparityCorrection
from fastdepth.documents import parse
from fastdepth.errors import ModelFileError
from fastdepth.size import MAX_SIDE, Size

RECORD_KEY = "fastdepth-correction"
"""Key of the ONNX file's metadata under which :class:`CalibrationRecord` stands as JSON."""

_Name = Annotated[str, Meta(min_length=1, max_length=1000)]


@dataclass(frozen=True)
class CalibrationRecord:
    """How a third-party file is called, and what makes metres of its answer.

    Exactly one of the two corrections is there: which one says what the file answers with.

    Attributes:
        input: name of the tensor that is the image.
        output: name of the tensor that is the depth.
        channels_first: whether the image is (B, 3, H, W) and not (B, H, W, 3).
        dtype: type of the image.
        batch: images per inference where that is fixed in the graph; None takes any.
        size: network input, [height, width].
        normalise: a name of :data:`fastdepth.runtime.third_party.NORMALISE`.
        version: fastdepth that wrote it.
        correction: of depth [m].
        disparity: of disparity.
    """

    input: _Name
    output: _Name
    channels_first: bool
    dtype: Literal["float32", "float16", "uint8"]
    batch: Annotated[int, Meta(ge=1, le=10**6)] | None
    size: Size
    normalise: Literal["imagenet", "half", "unit", "raw"]
    version: str
    correction: Correction | None = None
    disparity: DisparityCorrection | None = None

    def __post_init__(self) -> None:
        """Refuse what no single field's type can."""
        if (self.correction is None) == (self.disparity is None):
            raise ValueError("one of `correction` and `disparity` is needed")
        if not 1 <= min(self.size) <= max(self.size) <= MAX_SIDE:
            raise ValueError(f"`size` is {self.size}; sides are 1 to {MAX_SIDE} px")

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str, path: str) -> CalibrationRecord:
        """Read what :meth:`to_json` wrote; ``path`` names the file in errors.

        Raises:
            ModelFileError: it is something else.
        """
        name, mend = f"the calibration in {path}", "calibrate it again with fastdepth-calibrate"
        return parse(text, cls, name, mend, ModelFileError)
