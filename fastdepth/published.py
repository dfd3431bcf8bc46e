"""What others reported of their networks: figures as they were published.

They were measured under other protocols and on other machines: to be shown beside measured figures
with the remarks here, never in one column with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from fastdepth.size import Size


@dataclass(frozen=True)
class PublishedSystem:
    """What the authors of a network reported of it; None or empty where they reported nothing.

    Attributes:
        variant: fastdepth's name of the network.
        authors: who and when, short.
        source: the publication.
        d1: share of pixels within a ratio of 1.25.
        d2: within 1.25^2.
        d3: within 1.25^3.
        abs_rel: mean |p - g| / g.
        rmse: root mean square error [m].
        fps: frames per second.
        fps_on: machine of ``fps``.
        megabytes: size as reported, whatever was counted.
        frames: frames trained on.
        data: what is known of the training data.
        epochs: passes through them.
        remarks: what a comparison must say; sentences.
        unscored: why its accuracy is not measured here, where it is not.
    """

    variant: str
    authors: str
    source: str
    d1: float | None = None
    d2: float | None = None
    d3: float | None = None
    abs_rel: float | None = None
    rmse: float | None = None
    fps: float | None = None
    fps_on: str = ""
    megabytes: float | None = None
    frames: int | None = None
    data: str = ""
    epochs: int | None = None
    remarks: tuple[str, ...] = ()
    unscored: str = ""


_NEEDS = "needs a pretrained {} or a GPU"

_NO_TIMING_CODE = "The project has no timing code, so its frames/s cannot be traced to a protocol."
_CHECKPOINT = "Its size is that of a training checkpoint: 12 bytes a parameter with AdamW's state."


def _brno(
    variant: str,
    scores: tuple[float, float, float],
    fps: float,
    megabytes: float,
    epochs: int,
    *remarks: str,
    unscored: str = "not trained yet",
) -> PublishedSystem:
    return PublishedSystem(
        variant,
        "Horazny et al. 2021",
        "Horazny, Pospisil, Sevcik, FIT VUT Brno, 2021, on AdaBins (Bhat, Alhashim, Wonka, 2020)",
        *scores,
        fps=fps,
        fps_on="RTX 2070 Super",
        megabytes=megabytes,
        data="NYU Depth V2",
        epochs=epochs,
        remarks=(*remarks, _NO_TIMING_CODE, _CHECKPOINT),
        unscored=unscored,
    )


_SCRATCH = "Trained from scratch."
_EVALUATION_FAULT = (
    "Its accuracy is an evaluation fault: ground truth with holes was resized bicubically, the "
    "Eigen mask was not scaled, and train and test scale differ by 12 %."
)


def _fcrn(
    variant: str, name: str, d1: float, abs_rel: float, rmse: float, layers: str
) -> PublishedSystem:
    return PublishedSystem(
        variant,
        "Tang, Pham 2022",
        f"Tang, Pham, 2022 ({name}), after Laina et al. 2016",
        d1=d1,
        abs_rel=abs_rel,
        rmse=rmse,
        remarks=(
            "Its AbsRel was divided by invalid pixels; fastdepth masks them.",
            "Its predictions are mapped back to the 228x304 crop that enters the network.",
            "Its training recipe is not given; Laina's is assumed.",
            *([layers] if layers else []),
        ),
        unscored=_NEEDS.format("ResNet-50"),
    )


_LAYERS = "Its layers are not given; they follow the ablations of Laina et al."


_PUBLISHED = (
    _brno(
        "effb5-256",
        (0.903, 0.984, 0.997),
        11.53,
        940,
        25,
        "Pretrained encoder.",
        unscored=_NEEDS.format("EfficientNet-B5"),
    ),
    _brno(
        "effb0-256",
        (0.836, 0.974, 0.995),
        18.20,
        326,
        25,
        "Pretrained encoder.",
        unscored=_NEEDS.format("EfficientNet-B0"),
    ),
    _brno("unet256", (0.721, 0.932, 0.984), 27.04, 131, 10, _SCRATCH),
    _brno("unet128", (0.728, 0.936, 0.983), 34.84, 130, 10, _SCRATCH),
    _brno("unet128-dws", (0.689, 0.919, 0.981), 34.85, 78, 10, _SCRATCH),
    _brno("unet128-dws-75", (0.298, 0.627, 0.847), 52.3, 55.9, 10, _EVALUATION_FAULT, _SCRATCH),
    _fcrn("fcrn-res50", "CNN+Res", 0.634, 2.35e4, 1.74, ""),
    _fcrn("fcrn-fc", "CNN+FC", 0.307, 3.4e5, 1.12, _LAYERS),
    _fcrn("fcrn-conv", "CNN", 0.195, 1.2e6, 1.22, _LAYERS),
    _fcrn("fcrn-deconv", "CNN+trans", 0.143, 3.2e5, 1.23, _LAYERS),
    PublishedSystem(
        "eigen",
        "Gao",
        "Gao, CS172, after Eigen, Puhrsch, Fergus 2014",
        epochs=100,
        remarks=("The reproduction's figures are not given; Eigen et al. published d1 .611.",),
    ),
    PublishedSystem(
        "densenet201-unet",
        "model card",
        "model card of a U-Net with a pretrained DenseNet-201",
        epochs=10,
        remarks=("It reports its validation loss only: .1315, then .1182.",),
        unscored=_NEEDS.format("DenseNet-201"),
    ),
    PublishedSystem(
        "densenet201-fast",
        "Bharadwaj et al.",
        "Bharadwaj, Gutmann, Moothart, Reinertson",
        frames=1159,
        data="NYU Depth V2, labelled set",
        remarks=(
            "It reports L1 .7426 and MSE .1442 at epoch 7, impossible on one scale: the squared "
            "mean error exceeds the MSE.",
            "Its split 1159 + 159 + 159 is not the 1449 of the labelled set.",
            '"Converges in fewer than 170 iterations."',
        ),
        unscored=_NEEDS.format("DenseNet-201"),
    ),
    PublishedSystem(
        "fastdepth-mnv1",
        "Wofk et al. 2019",
        "Wofk, Ma, Yang, Karaman, Sze, ICRA 2019",
        d1=0.771,
        rmse=0.604,
        fps=178,
        fps_on="Jetson TX2",
        frames=48_000,
        data="NYU Depth V2",
        remarks=(
            "The figures are of the pruned network, under its authors' own protocol: 224x224, "
            "metrics there.",
        ),
    ),
)

PUBLISHED: Mapping[str, PublishedSystem] = MappingProxyType({s.variant: s for s in _PUBLISHED})
"""Published figures by the name of the variant that reproduces the system."""


@dataclass(frozen=True)
class AlignedScore:
    """Accuracy that a project reports, and the fit to the truth of each image before it.

    Attributes:
        network: as the project calls it.
        alignment: a name of :data:`fastdepth.metrics.ALIGNMENTS`.
        d1: share of pixels within a ratio of 1.25.
        abs_rel: mean |p - g| / g; None where it is not reported.
        params: parameters [10^6]; None where they are not reported.
        source: where it is printed.
        differs: what else differs from what is measured here.
        size: network input, where that is told or follows from what is; None elsewhere.
        data: whose images.
    """

    network: str
    alignment: str
    d1: float
    abs_rel: float | None
    params: float | None
    source: str
    differs: str
    size: Size | None = None
    data: str = "NYU Depth V2"


_ULTRALYTICS = "docs.ultralytics.com/tasks/depth"
_ZIPDEPTH = "github.com/fabiotosi92/ZipDepth"
_EFFICIENTVIT = "huggingface.co/Petrouil/EfficientViT-Depth-5M"
_ONE_VIEW = "654 images; trained on 2.19 M images of many data sets"
_VIEWS = "654 images; several scales and mirror images averaged; trained on 2.19 M images"
_MARIGOLD = (
    "Marigold's protocol; that disparity is fitted, not depth, its table does not say, but its "
    "later scripts/eval.py does so"
)
_TAUGHT = f"{_MARIGOLD}; taught by Depth Anything V2 Large on 14.1 M images"
_RETRAINED = f"{_TAUGHT}, by ZipDepth's authors"
_OWN_WEIGHTS = f"{_MARIGOLD}; with the weights of its authors"
_RELATIVE = "654 images at 448x336; answers with disparity"

ALIGNED_SCORES = (
    AlignedScore("YOLO26n-depth", "median", 0.783, None, 6.4, _ULTRALYTICS, _ONE_VIEW),
    AlignedScore("YOLO26s-depth", "median", 0.793, None, 13.2, _ULTRALYTICS, _ONE_VIEW),
    AlignedScore("YOLO26m-depth", "median", 0.840, None, 23.3, _ULTRALYTICS, _ONE_VIEW),
    AlignedScore("YOLO26n-depth", "log-affine", 0.882, 0.109, 6.4, _ULTRALYTICS, _VIEWS),
    AlignedScore("YOLO26s-depth", "log-affine", 0.896, 0.104, 13.2, _ULTRALYTICS, _VIEWS),
    AlignedScore("YOLO26m-depth", "log-affine", 0.921, 0.089, 23.3, _ULTRALYTICS, _VIEWS),
    AlignedScore(
        "GTR-S",
        "log-affine",
        0.946,
        0.074,
        11.5,
        "github.com/Intellindust-AI-Lab/GTR",
        "six views averaged; no fine-tuning on NYU",
    ),
    AlignedScore("PyDNet", "affine-disparity", 0.871, 0.114, 1.9, _ZIPDEPTH, _RETRAINED),
    AlignedScore(
        "FastDepth",
        "affine-disparity",
        0.898,
        0.103,
        4.0,
        _ZIPDEPTH,
        f"{_RETRAINED}; its 2.2 GMAC are those of 384x384",
        Size(384, 384),
    ),
    AlignedScore("GuideDepth", "affine-disparity", 0.918, 0.092, 5.8, _ZIPDEPTH, _RETRAINED),
    AlignedScore("ZipDepth", "affine-disparity", 0.933, 0.084, 6.1, _ZIPDEPTH, _TAUGHT),
    AlignedScore("Lite-Mono", "affine-disparity", 0.927, 0.087, 8.3, _ZIPDEPTH, _RETRAINED),
    AlignedScore("MiDaS small", "affine-disparity", 0.868, 0.115, 21.3, _ZIPDEPTH, _OWN_WEIGHTS),
    AlignedScore(
        "Depth Anything V2 Small",
        "affine-disparity",
        0.962,
        0.061,
        24.8,
        _ZIPDEPTH,
        f"{_OWN_WEIGHTS}; its 57.8 GMAC are those of 518x518",
        Size(518, 518),
    ),
    AlignedScore(
        "EfficientViT-Depth-5M",
        "affine-disparity",
        0.855,
        None,
        4.85,
        _EFFICIENTVIT,
        _RELATIVE,
        Size(336, 448),
    ),
    AlignedScore(
        "EfficientViT-Depth-5M int8",
        "affine-disparity",
        0.832,
        None,
        4.85,
        f"{_EFFICIENTVIT}-int8",
        _RELATIVE,
        Size(336, 448),
    ),
    AlignedScore(
        "Depth Anything V2 Small",
        "affine-disparity",
        0.921,
        None,
        24.8,
        _EFFICIENTVIT,
        _RELATIVE,
        Size(336, 448),
    ),
)
"""What projects print, each under its own alignment; a figure compares with those of its alignment
alone."""
