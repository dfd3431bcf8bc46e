"""Results of ``fastdepth-bench anchors``: how much known distances help, as JSON."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from fastdepth.documents import parse
from fastdepth.errors import InputError
from fastdepth.files import read_bytes
from fastdepth.size import Size
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.figures import Amount, Digits, Natural, Text
from fastdepth_bench.results.file import FOLDER, MOST_BYTES, OF_OTHERS

SCHEMA: Literal[1] = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys do not raise it."""

(END,) = OF_OTHERS
"""Of the names of such files among the committed results."""

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Change = Annotated[float, msgspec.Meta(ge=-1, le=1)]


@dataclass(frozen=True)
class AnchorRow:
    """What an estimator makes of a kind of points; intervals are of 95 %, over draws and images.

    Attributes:
        kind: of points
        number: of random points that were asked for; None of other kinds
        points: mean number that an image had
        estimator: what used them
        d1: mean over draws and images
        d1_interval: of it
        d1_draws: of each draw of points, over all images
        gain: d1 less that of the network alone
        gain_interval: of it, of the same images and draws
        rmse: mean [m]
        rmse_interval: of it [m]
        rmse_draws: of each draw [m]
        coverage: share of pixels whose truth the estimator's interval holds, see
            ``AnchorStudy.interval``; None where it has none
    """

    kind: Text
    number: Natural | None
    points: Amount
    estimator: Text
    d1: Share
    d1_interval: tuple[Share, Share]
    d1_draws: tuple[Share, ...]
    gain: Change
    gain_interval: tuple[Change, Change]
    rmse: Amount
    rmse_interval: tuple[Amount, Amount]
    rmse_draws: tuple[Amount, ...]
    coverage: Share | None = None


@dataclass(frozen=True)
class ClipRow:
    """How much depth flickers where distances are known in some frames of a video.

    Attributes:
        known: in which
        flicker: mean |change of ln depth| from frame to frame x 100
    """

    known: Text
    flicker: Amount


@dataclass(frozen=True)
class ClipStudy:
    """Flicker on a video, as :mod:`fastdepth_bench.anchors.clip` defines it.

    Attributes:
        video: name of the file
        video_hash: of its bytes
        frames: number of frames
        visible: share of pixels that were compared from frame to frame
        rows: a choice of frames in which distances are known each
    """

    video: Text
    video_hash: Digits
    frames: Natural
    visible: Share
    rows: Annotated[tuple[ClipRow, ...], msgspec.Meta(min_length=1, max_length=1000)]

    def describe(self) -> str:
        """What the figures are of, in one line."""
        return (
            f"{self.video}: {self.frames} frames, hash {self.video_hash}; mean |change of ln "
            f"depth| x 100 along optical flow (DIS), {100 * self.visible:.0f} % of pixels seen in "
            "both frames"
        )


@dataclass(frozen=True)
class AnchorStudy:
    """All that a run found of one network.

    Attributes:
        environment: the machine, its software, and when
        variant: network, or an ONNX file's name without its suffix
        weights: tag, or file name
        weights_hash: of the weights' tensors or of the ONNX file; None for random weights
        input: of the network
        prior: whether the network has a prior of its own; else the default was used
        data: name of the data
        depth_kind: which depth of it, where there are several; else empty
        samples: number of images
        sample_hash: hash of their names
        protocol: rules of the accuracy
        protocol_description: them in words
        stride: of every so many rows and columns one pixel was scored
        draws: times that points were drawn of each image
        noise: standard deviation of a distance as a share of it
        rows: an estimator and a kind of points each
        interval: share of pixels that intervals are meant to hold; None where there are none
        clip: flicker on a video; None where it was not measured
        schema: number of this layout
    """

    environment: Environment
    variant: Text
    weights: Text
    weights_hash: Digits | None
    input: Size
    prior: bool
    data: Text
    depth_kind: Text
    samples: Natural
    sample_hash: Digits
    protocol: Text
    protocol_description: Text
    stride: Natural
    draws: Natural
    noise: Share
    rows: Annotated[tuple[AnchorRow, ...], msgspec.Meta(min_length=1, max_length=1000)]
    interval: Share | None = None
    clip: ClipStudy | None = None
    schema: Literal[1] = SCHEMA

    @property
    def kinds(self) -> list[str]:
        """Kinds of points, in their order."""
        return list(dict.fromkeys(row.kind for row in self.rows))

    @property
    def estimators(self) -> list[str]:
        """Names of estimators, in their order."""
        return list(dict.fromkeys(row.estimator for row in self.rows))

    def describe(self) -> str:
        """What the figures are of, and by which rules, in one line."""
        kind = f" ({self.depth_kind})" if self.depth_kind else ""
        times = f"points drawn {self.draws} time{'s' * (self.draws > 1)}"
        return (
            f"{self.weights}, {self.input}; {self.data}{kind}, {self.samples} samples, hash "
            f"{self.sample_hash}; {self.protocol_description}; one of {self.stride}x{self.stride} "
            f"pixels scored; {times}, with {100 * self.noise:g} % noise where nothing else is said"
        )

    def to_json(self) -> str:
        """One JSON object with a line at its end; no NaN in it."""
        return json.dumps(msgspec.to_builtins(self), indent=1, allow_nan=False) + "\n"


Studies = Mapping[Path, AnchorStudy]
"""Results files by their paths."""


def read_studies(paths: Iterable[Path]) -> dict[Path, AnchorStudy]:
    """Several results files.

    Raises:
        InputError: one cannot be read, or is not such a file.
    """
    return {path: read_study(path) for path in paths}


def read_study(path: Path) -> AnchorStudy:
    """A results file.

    Raises:
        InputError: it cannot be read, or is not such a file.
    """
    data = read_bytes(path, InputError, MOST_BYTES).removeprefix(codecs.BOM_UTF8)
    mend = "give what fastdepth-bench anchors --json wrote"
    return parse(data, AnchorStudy, str(path), mend, InputError)


def committed_studies(checkout: Path) -> list[Path]:
    """The results files of a checkout, by name; there may be none."""
    return sorted((checkout / FOLDER).glob(f"*{END}"))
