"""Import timm also where torchvision's compiled operators cannot be loaded.

torchvision's operators of a CUDA build do not load beside a CPU-only torch, and then
``import torchvision``, hence ``import timm``, dies because ``torchvision::nms`` is not known.
Declaring the two operators first cures it; encoders and transforms never call them. A failed
import would leave modules behind, so the case is recognised before importing.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from fastdepth.extras import require

_declared: list[torch.library.Library] = []  # a Library withdraws its operators when collected


def _operators_load() -> bool:
    """Whether torchvision's compiled operators fit this torch."""
    spec = find_spec("torchvision")
    if spec is None or not spec.origin:
        return True  # absent: the import itself will say so
    folder = Path(spec.origin).parent
    try:
        for library in (*folder.glob("_C*.so"), *folder.glob("_C*.pyd")):
            torch.ops.load_library(str(library))  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True


def prepare_torchvision() -> None:
    """Make ``import torchvision`` safe; call before the first import of it or of timm."""
    if _declared or _operators_load():
        return
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)


def import_timm() -> ModuleType:
    """The timm package.

    Raises:
        MissingExtraError: it is not installed.
    """
    prepare_torchvision()
    return require("timm", "train")


def create_encoder(name: str, unused: tuple[str, ...] = ()) -> Any:
    """A network of timm's without its classifier, with random weights.

    Args:
        name: under which timm knows it.
        unused: modules that are left out like the classifier, and passed over in pretrained
            weights: what stands between the last features and the classifier.

    Raises:
        MissingExtraError: timm is not installed.
    """
    encoder = import_timm().create_model(name, pretrained=False, num_classes=0)
    for part in unused:
        setattr(encoder, part, torch.nn.Identity())
    if unused:
        known = encoder.pretrained_cfg
        encoder.pretrained_cfg = known | {"classifier": (known["classifier"], *unused)}
    return encoder
