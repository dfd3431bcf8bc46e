"""How much depth flickers on a video, where distances are known in none, some or all frames.

Flicker is that of :mod:`fastdepth_bench.visual.flicker` on a video: 100 times the mean |change of
ln depth| from each frame to the next along the optical flow, over the pixels that are visible in
both, then over pairs of frames. The camera's own way to or from things is in it.

A video has no true depth. Distances are of what stands in for it: the network's ln depth,
averaged over time along the flow, which is steady as a sensor is. So the figures say how steady the
answer is, and nothing of how right. Distances are taken at corners, with noise, and followed to
other frames by :class:`fastdepth.anchors.tracked.PointTrack`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fastdepth.anchors.field import anchored
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.anchors.tracked import PointTrack
from fastdepth.console import Advance
from fastdepth.data import Sample
from fastdepth.data.sample import Depth, Image
from fastdepth.errors import UsageError
from fastdepth.files import file_hash
from fastdepth.preprocess import resize
from fastdepth.size import Size
from fastdepth_bench.anchors.placing import AT_CORNERS
from fastdepth_bench.case import Case
from fastdepth_bench.measure.accuracy import infer_image
from fastdepth_bench.results.anchors import ClipRow, ClipStudy
from fastdepth_bench.runners.protocol import Infers
from fastdepth_bench.visual.flicker import mean_change
from fastdepth_bench.visual.motion import Motion, find_motion, read_video

EVERY = 10
"""Distance of the frames in which distances are known, where it is not all of them."""

KEPT = 0.9
"""Weight of the frames before in the depth that stands in for the truth."""

KNOWN: Mapping[str, Callable[[int], bool]] = MappingProxyType(
    {
        "no frame": lambda number: False,
        "the first frame": lambda number: number == 0,
        f"every {EVERY}th frame": lambda number: number % EVERY == 0,
        "every frame": lambda number: True,
    }
)
"""In which frames, by number, distances are known."""


def measure_clip(
    runner: Infers,
    case: Case,
    video: Path,
    prior: AnchorPrior | None,
    noise: float,
    advance: Advance,
) -> ClipStudy:
    """Run a network on a video, and correct its depth by the distances of each of ``KNOWN``.

    Args:
        runner: of the network.
        case: it.
        video: any file that OpenCV reads.
        prior: of the network; None where it has none of its own.
        noise: standard deviation of a distance as a share of it.
        advance: moves a progress bar, a step a frame.

    Raises:
        ImageError: it is missing, or no video.
        UsageError: no two frames share a pixel.
    """
    clips = {name: _Clip(known, prior) for name, known in KNOWN.items()}
    shares: list[float] = []
    steady, before = _Steady(), None
    for number, image in enumerate(read_video(video)):
        advance(1, f"frame {number + 1}")
        motion = None if before is None else find_motion(before, image)
        depth = resize(infer_image(runner, image, case.size), Size(*image.shape[:2]))
        depth = np.maximum(depth, np.float32(1e-3))
        truth = Sample(image, steady.see(depth, motion), str(number), video.name)
        shares += [float(motion.visible.mean())] if motion else []
        for clip in clips.values():
            clip.see(number, truth, depth, motion, noise)
        before = image
    rows = tuple(ClipRow(name, clip.flicker(video)) for name, clip in clips.items())
    name, digits = video.name, file_hash(video)[:12]
    return ClipStudy(name, digits, len(shares) + 1, float(np.mean(shares)), rows)


class _Steady:
    """Depth that stands in for the truth: a mean over time, that begins anew where nothing was."""

    def __init__(self) -> None:
        self._last: Depth | None = None

    def see(self, depth: Depth, motion: Motion | None) -> Depth:
        """Take in the depth (H, W) of a frame; that which stands in for its truth [m]."""
        logs = np.log(depth)
        if self._last is not None and motion is not None:
            kept = np.where(motion.visible, np.float32(KEPT), np.float32(0))
            logs += kept * (motion.carry(self._last) - logs)
        self._last = logs
        return np.exp(logs)


class _Clip:
    """The answers for one choice of frames in which distances are known."""

    def __init__(self, known: Callable[[int], bool], prior: AnchorPrior | None) -> None:
        self._known = known
        self._prior = prior
        self._track = PointTrack()
        self._last: Depth | None = None
        self._changes: list[float] = []

    def see(
        self, number: int, truth: Sample, depth: Depth, motion: Motion | None, noise: float
    ) -> None:
        """Take in a frame, what stands in for its truth, and what the network says of it."""
        logs = np.log(self._answer(number, truth, depth, noise))
        if self._last is not None and motion is not None and motion.visible.any():
            self._changes.append(mean_change(logs - motion.carry(self._last), motion.visible))
        self._last = logs

    def _answer(self, number: int, truth: Sample, depth: Depth, noise: float) -> Depth:
        given = None
        if self._known(number):
            everywhere = np.ones(depth.shape, bool)
            given = AT_CORNERS.draw(np.random.default_rng(number), truth, everywhere, noise)
        image: Image = truth.image
        return anchored(depth, self._track.update(image, given), image, prior=self._prior)

    def flicker(self, video: Path) -> float:
        """The mean over pairs of frames.

        Raises:
            UsageError: no two frames share a pixel.
        """
        if not self._changes:
            raise UsageError(
                f"{video}: no frame shows what the one before it showed; give one take"
            )
        return float(np.mean(self._changes))
