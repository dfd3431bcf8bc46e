"""What a user would pick instead: networks of others, and what is printed of their accuracy.

A figure here, or in :data:`fastdepth.published.ALIGNED_SCORES`, was read where its ``source`` says;
what was found nowhere is left out, and tables say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fastdepth.published import ALIGNED_SCORES, AlignedScore
from fastdepth.size import Size
from fastdepth_bench.results.row import Row

OURS = ("mnv2-64-dws", "mnv2-64-dws-70", "unet128-dws")
"""Variants that are timed beside them unless others are asked for."""

NYU = "NYU Depth V2"
"""The data whose figures a plot may show."""


@dataclass(frozen=True)
class Rival:
    """A network that a user would pick instead.

    Attributes:
        name: as ``--network`` and ``--onnx`` have it.
        title: what it is and whose.
        called: its network's name among published scores; one of another name is of another
            network of theirs, which is not what is timed.
        sizes: inputs at which it is timed.
        weights: where its weights are had, and under which licence.
        library: installed package that has the network; empty where none has it.
        part: what of it that library has; empty where it has all.
        output: what it answers with, a name of :data:`fastdepth.runtime.third_party.OUTPUTS`.
        normalise: how a file of it wants its pixels, a name of
            :data:`fastdepth.runtime.third_party.NORMALISE`.
        figures: published accuracy beside that of ``ALIGNED_SCORES``.
    """

    name: str
    title: str
    called: str
    sizes: tuple[Size, ...]
    weights: str
    library: str = ""
    part: str = ""
    output: str = "disparity"
    normalise: str = "imagenet"
    figures: tuple[AlignedScore, ...] = ()

    @property
    def timed_as(self) -> str:
        """Name of its rows where no file is given: what is less than the network says so."""
        return f"{self.name} ({self.part} alone)" if self.part else self.name

    @property
    def scores(self) -> tuple[AlignedScore, ...]:
        """All that was found printed of its accuracy."""
        found = (score for score in ALIGNED_SCORES if score.network == self.called)
        return (*self.figures, *found)

    def drawn(self, alignment: str) -> tuple[AlignedScore, ...]:
        """Those of the very network, on NYU Depth V2 under one alignment, at a known input."""
        return tuple(
            score
            for score in self.scores
            if (score.network, score.alignment, score.data) == (self.called, alignment, NYU)
            and score.size
        )

    @property
    def untimed(self) -> str:
        """Why it is not timed unless a file of it is given; empty where it is."""
        if self.library and not self.part:
            return ""
        give = f"give its ONNX file by --onnx {self.name}=FILE"
        if self.part:
            return f"of it the {self.part} alone is timed, and the whole is slower; {give}"
        return f"not timed: no library has it; {give}"


_RIVALS = (
    Rival(
        "fastdepth-mnv1",
        "FastDepth, not pruned (Wofk et al., ICRA 2019)",
        "FastDepth",
        (Size(224, 224), Size(384, 384)),
        "datasets.lids.mit.edu/fast-depth; licence not found",
        library="fastdepth",
        output="metres",
        normalise="unit",
        figures=(
            AlignedScore(
                "FastDepth, pruned",
                "none",
                0.771,
                None,
                None,
                "github.com/dwofk/fast-depth",
                "scored at 224x224, centre crop 228x304 of 250 rows, no range; trained on NYU "
                "Depth V2; the pruned network of 0.37 GMAC, not the one that is timed",
                Size(224, 224),
            ),
        ),
    ),
    Rival(
        "guidedepth-s",
        "GuideDepth-S (Rudolph et al., ICRA 2022)",
        "GuideDepth-S",
        (Size(240, 320),),
        "github.com/mic-rud/GuidedDecoding; licence not found",
        normalise="unit",
    ),
    Rival(
        "lite-mono-tiny",
        "Lite-Mono-tiny (Zhang et al., CVPR 2023)",
        "Lite-Mono-tiny",
        (Size(192, 640),),
        "github.com/noahzn/Lite-Mono, which links none of the tiny one; MIT",
        normalise="unit",
        figures=tuple(
            AlignedScore(
                "Lite-Mono-tiny",
                "median",
                d1,
                abs_rel,
                2.2,
                "github.com/noahzn/Lite-Mono",
                "Eigen's split, rows .408 to .992 and columns .036 to .964, 0.001 to 80 m; trained "
                "on KITTI's videos, encoder pretrained on ImageNet",
                size,
                "KITTI",
            )
            for d1, abs_rel, size in (
                (0.880, 0.110, Size(192, 640)),
                (0.892, 0.104, Size(320, 1024)),
            )
        ),
    ),
    Rival(
        "midas-v2.1-small",
        "MiDaS v2.1 small (Ranftl et al., TPAMI 2020)",
        "MiDaS small",
        (Size(256, 256),),
        "github.com/isl-org/MiDaS; MIT",
        library="timm",
        part="encoder",
        figures=(
            AlignedScore(
                "MiDaS small",
                "affine-disparity",
                0.866,
                None,
                21.3,
                "github.com/isl-org/MiDaS",
                "printed as 13.43 % of pixels beyond 1.25, in its mobile/README with the input; "
                "crop and range not said; trained on 10 data sets without NYU",
                Size(256, 256),
            ),
        ),
    ),
    Rival(
        "depth-anything-v2-small",
        "Depth Anything V2 Small (Yang et al., NeurIPS 2024)",
        "Depth Anything V2 Small",
        (Size(518, 518), Size(336, 448), Size(252, 252)),
        "huggingface.co/depth-anything/Depth-Anything-V2-Small-hf; Apache-2.0 (Base, Large and "
        "Giant: CC-BY-NC-4.0)",
        library="transformers",
    ),
    Rival(
        "efficientvit-depth-5m",
        "EfficientViT-Depth-5M (EfficientViT-M2, Lite-DPT; Petrouil)",
        "EfficientViT-Depth-5M",
        (Size(336, 448),),
        "huggingface.co/Petrouil/EfficientViT-Depth-5M; Apache-2.0",
        library="timm",
        part="encoder",
    ),
)

RIVALS: Mapping[str, Rival] = MappingProxyType({rival.name: rival for rival in _RIVALS})
"""All by name, in the order in which tables show them."""


def rival_of(row: Row) -> Rival | None:
    """The rival that a row is of; None of fastdepth's own networks."""
    return RIVALS.get(row.variant.partition(" (")[0])


def is_part(row: Row) -> bool:
    """Whether a row is of less than the network that a user would run."""
    rival = rival_of(row)
    return bool(rival and rival.part) and row.variant == rival.timed_as  # type: ignore[union-attr]
