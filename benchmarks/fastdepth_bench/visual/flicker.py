"""The command ``fastdepth-bench flicker``: how much depth changes where the scene does not.

All figures are 100 times a mean |change of ln depth|, so per cent of depth for small ones; ratios,
because a network that answers with half the depth flickers half as many metres.

* ``video``: from each frame to the next along the optical flow, over the pixels that are visible in
  both; the mean over pixels, then over pairs of frames. It is the warping error of Lai et al.,
  "Learning blind video temporal consistency", ECCV 2018, for depth, with |.| instead of squares as
  in OPW of Wang et al., "Neural video depth stabilizer", ICCV 2023. The camera's own way to or from
  things is in it, the same for all networks.
* ``noise``: some frames against themselves with Gaussian noise of ``NOISE`` added.
* ``shift``: the same frames against themselves moved by a pixel, right and down.

The last two have no motion and no flow in them: zero is what a camera on a tripod should see.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from numpy.typing import NDArray

from fastdepth.console import (
    Advance,
    print_table,
    progress,
    run_command,
    silent,
    tell,
    values_of,
)
from fastdepth.data.sample import Image
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input, file_hash, output
from fastdepth.preprocess import resize
from fastdepth.ranges import MANY, whole
from fastdepth.size import Size
from fastdepth.video.smoothing import Smoother
from fastdepth_bench.case import Case
from fastdepth_bench.machine.environment import EnvironmentRecorder
from fastdepth_bench.measure.accuracy import infer_image
from fastdepth_bench.options import Networks, Options
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.runners.opening import open_runner
from fastdepth_bench.runners.protocol import Infers
from fastdepth_bench.visual.motion import Motion, count_frames, find_motion, frame_rate, read_video

PROG = "fastdepth-bench flicker"

NOISE = 2.0
"""Standard deviation of the noise on stills [grey levels of 255], a camera's indoors."""

STILL_EVERY = 20
"""Distance of the frames that are looked at as stills."""

HEADINGS = ("variant", "weights", "input", "video %", "noise %", "shift %")

SCHEMA = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys do not raise it."""

DESCRIPTION = """Measure how much predicted depth flickers on a video.

Per cent of depth, by the exported file, folded, in ONNX Runtime: from frame to frame along the
optical flow (video), and of single frames when noise is added (noise) or the image moves by a
pixel (shift). The camera's own way to or from things is in the first, the same for all networks.

Examples:

  fastdepth-bench flicker video.mp4

  fastdepth-bench flicker video.mp4 --variant unet128-dws --variant mnv2-64-dws --json flicker.json

  fastdepth-bench flicker video.mp4 --weights runs/first/best.safetensors --frames 100
"""


@dataclass(frozen=True)
class Command(Networks):
    """Options of ``fastdepth-bench flicker``."""

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="VIDEO")]
    """Video file, of a scene in which nothing but the camera moves."""

    frames: Annotated[int, whole(2, MANY)] | None = None
    """Stop after so many frames; all if absent."""

    smooth: bool = False
    """Filter the depth of the video as fastdepth-predict --smooth does; noise and shift are not."""

    json: str | None = None
    """File for the results; - for stdout."""

    def options(self) -> Options:
        """The same as options of ``fastdepth-bench``, which checks them and finds weights."""
        return Options(runtime=("onnxruntime",), **values_of(self, Networks))


@dataclass(frozen=True)
class Flicker:
    """How much a network's depth flickers, in per cent of depth; see the module.

    Attributes:
        case: the network.
        video: from frame to frame, along the optical flow.
        noise: of a still with noise.
        shift: of a still moved by a pixel.
    """

    case: Case
    video: float
    noise: float
    shift: float

    def cells(self) -> tuple[str, ...]:
        """The row of a table below ``HEADINGS``."""
        case, figures = self.case, (self.video, self.noise, self.shift)
        return (case.name, case.weights_name, str(case.size), *(f"{v:.2f}" for v in figures))

    def to_row(self) -> dict[str, Any]:
        """The row as it stands in the JSON."""
        case = self.case
        return {
            "variant": case.name,
            "weights": case.weights_name,
            "weights_hash": case.weights_hash,
            "size": list(case.size),
            "video": self.video,
            "noise": self.noise,
            "shift": self.shift,
        }


@dataclass(frozen=True)
class FlickerReport:
    """What a run measured.

    Attributes:
        environment: machine and versions; OpenCV's decides the flow.
        name: of the video file.
        sha256: of its bytes, the first 12 hexadecimal digits.
        frames: number of frames.
        visible: share of pixels that were compared from frame to frame.
        smooth: whether the depth of the video was filtered.
        rows: a network each.
    """

    environment: Environment
    name: str
    sha256: str
    frames: int
    visible: float
    smooth: bool
    rows: tuple[Flicker, ...]

    def describe(self) -> str:
        """One line to print with the figures."""
        filtered = ", depth filtered" if self.smooth else ""
        return (
            f"{self.name}: {self.frames} frames, hash {self.sha256}; mean |change of ln depth| "
            f"x 100; video: along optical flow (DIS), {100 * self.visible:.0f} % of pixels seen in "
            f"both frames{filtered}; noise: standard deviation {NOISE:g} of 255; shift: 1 px right "
            "and down"
        )

    def to_json(self) -> str:
        """JSON with a line at its end."""
        content = {
            "schema": SCHEMA,
            "environment": asdict(self.environment),
            "video": self.name,
            "video_hash": self.sha256,
            "frames": self.frames,
            "visible": self.visible,
            "smooth": self.smooth,
            "description": self.describe(),
            "rows": [row.to_row() for row in self.rows],
        }
        return json.dumps(content, indent=2, allow_nan=False) + "\n"


def measure(
    options: Options,
    video: str | Path,
    frames: int | None = None,
    advance: Advance = silent,
    *,
    smooth: bool = False,
) -> FlickerReport:
    """Run every case of ``options`` on a video, all on the same flow.

    Args:
        options: variants, weights, runtime, size and threads are used.
        video: any file that OpenCV reads.
        frames: stop after so many.
        advance: moves a progress bar, a step a frame.
        smooth: filter the depth of the video as :func:`fastdepth.stream` does.

    Raises:
        UsageError: fewer than two frames were asked for or found.
        FastDepthError: an option that cannot work, no such video, or a file that cannot be
            exported.
    """
    if frames is not None and frames < 2:
        raise UsageError(f"{frames} frames show no flicker; give 2 or more")
    options.check()
    cases, recorder = options.cases(), EnvironmentRecorder()
    images = read_video(video, frames)
    shares: list[float] = []
    with ExitStack() as stack:
        advance(0, "loading")
        rate = frame_rate(video) if smooth else None
        watched = [_Watched(case, stack.enter_context(open_runner(case)), rate) for case in cases]
        previous: Image | None = None
        for number, image in enumerate(images):
            advance(1, f"frame {number + 1}")
            motion = None if previous is None else find_motion(previous, image)
            if motion:
                shares.append(float(motion.visible.mean()))
            for each in watched:
                each.see(number, image, motion)
            previous = image
    if not shares:
        raise UsageError(f"{video} has fewer than two frames; give a longer video")
    return FlickerReport(
        recorder.finish(),
        Path(video).name,
        file_hash(Path(video))[:12],
        len(shares) + 1,
        float(np.mean(shares)),
        smooth,
        tuple(each.flicker() for each in watched),
    )


def mean_change(change: NDArray[np.float32], where: NDArray[np.bool_] | None = None) -> float:
    """100 times the mean |change of ln depth| (H, W), over all pixels or those ``where``."""
    counted = change if where is None else change[where]
    return 100 * float(np.abs(counted).mean(dtype=np.float64))


class _Watched:
    """A network that sees one frame after the other; filtered where these have a rate."""

    def __init__(self, case: Case, runner: Infers, rate: float | None) -> None:
        self._rate = rate
        self._smoother = Smoother()
        self._case = case
        self._runner = runner
        self._last: NDArray[np.float32] | None = None
        self._changes: dict[str, list[float]] = {"video": [], "noise": [], "shift": []}

    def see(self, number: int, image: Image, motion: Motion | None) -> None:
        """Take in a frame; ``motion`` is None for the first."""
        logs = self._log_depth(image)
        video = logs
        if self._rate is not None:
            video = np.log(self._smoother(image, np.exp(logs), number / self._rate))
        if self._last is not None and motion is not None and motion.visible.any():
            self._note("video", video - motion.carry(self._last), motion.visible)
        if number % STILL_EVERY == 0:
            self._note("noise", self._log_depth(_with_noise(image, number)) - logs)
            moved = self._log_depth(_moved(image))
            self._note("shift", moved[1:, 1:] - logs[:-1, :-1])
        self._last = video

    def flicker(self) -> Flicker:
        """The means over frames.

        Raises:
            UsageError: no two frames share a pixel.
        """
        if not self._changes["video"]:
            raise UsageError("no frame shows what the one before it showed; give one take")
        return Flicker(self._case, **{k: float(np.mean(v)) for k, v in self._changes.items()})

    def _note(
        self, name: str, change: NDArray[np.float32], where: NDArray[np.bool_] | None = None
    ) -> None:
        self._changes[name].append(mean_change(change, where))

    def _log_depth(self, image: Image) -> NDArray[np.float32]:
        """ln of the depth (H, W) [ln m], at the size of the image."""
        depth = infer_image(self._runner, image, self._case.size)
        return np.asarray(np.log(resize(depth, Size(*image.shape[:2]))), np.float32)


def _with_noise(image: Image, seed: int) -> Image:
    """The image with Gaussian noise, the same for every network."""
    noise = np.random.default_rng(seed).normal(0, NOISE, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _moved(image: Image) -> Image:
    """The image a pixel further right and down, its first row and column repeated."""
    moved = image.copy()
    moved[1:, 1:] = image[:-1, :-1]
    return moved


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Command, _body, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _body(command: Command) -> None:
    check_no_input(command.json, [command.file, *command.weights])
    options, count = command.options(), count_frames(command.file)
    total = min(filter(None, (count, command.frames)), default=None)
    with output(command.json) as write:
        with progress(PROG, total) as advance:
            report = measure(options, command.file, command.frames, advance, smooth=command.smooth)
        write(report.to_json())
    if command.json != "-":
        print_table(HEADINGS, [row.cells() for row in report.rows])
    tell(report.describe())
