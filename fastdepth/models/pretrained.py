"""Begin with an encoder that was trained on ImageNet.

A network says by :attr:`~fastdepth.models.DepthNetwork.encoder_path` which part of it is a network
of timm's; that part itself knows its name and its classifier.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fastdepth.errors import UsageError, WeightsError
from fastdepth.models._timm import import_timm
from fastdepth.models.loading import check_tensors, load_tensors
from fastdepth.models.network import DepthNetwork
from fastdepth.weights import SUFFIX

COUNTERS = "num_batches_tracked"  # batch norm's, which old files lack and nothing here reads


RANDOM = "random"
"""Asks for an encoder without pretrained weights; how a description of one begins."""


def load_encoder(network: DepthNetwork, weights: str | None) -> str:
    """Give a network's encoder pretrained weights: those of a file, or timm's from the hub.

    Args:
        network: changed in place.
        weights: safetensors file in timm's key names; a classifier in it is ignored. ``RANDOM``
            loads nothing. None asks the hub, and where that cannot be reached the encoder stays
            random.

    Returns:
        How the encoder was initialised, for the log and the weights' card.

    Raises:
        UsageError: a file is given for a network without such an encoder.
        WeightsError: the file is missing, truncated, no safetensors file, or of another encoder.
        MissingExtraError: timm or safetensors is not installed.
    """
    encoder = network.timm_encoder()
    if weights == RANDOM or (encoder is None and weights is None):
        return RANDOM
    if encoder is None:
        raise UsageError("this network has no pretrained encoder; leave --encoder-weights out")
    name = encoder_name(encoder)
    if weights is not None:
        path = Path(weights)
        encoder.load_state_dict(_read(path, encoder, name), strict=False)
        return f"encoder {name} from {path.name}, the rest random"
    timm = import_timm()
    try:
        pretrained = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # hub, network and timm each have a tree of errors of their own
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        return (
            f"{RANDOM}, the encoder too: pretrained {name} could not be downloaded ({reason}); "
            f"give --encoder-weights FILE{SUFFIX}"
        )
    encoder.load_state_dict(_without_classifier(pretrained.state_dict(), encoder))
    return f"encoder {name} pretrained, by timm; the rest random"


def encoder_name(encoder: nn.Module) -> str:
    """The name by which timm knows a network and its pretrained weights: ``resnet50.a1_in1k``."""
    known: Any = encoder.pretrained_cfg
    return f"{known['architecture']}.{known['tag']}"


def _read(path: Path, encoder: nn.Module, name: str) -> dict[str, Tensor]:
    """The tensors of a file that are the encoder's.

    Raises:
        WeightsError: see :func:`load_encoder`.
    """
    if path.suffix != SUFFIX:
        raise WeightsError(
            f"{path} is not a {SUFFIX} file, others are never unpickled; convert it: python -c "
            '"import torch; from safetensors.torch import save_file; save_file('
            f"torch.load('{path}', weights_only=True), '{path.with_suffix(SUFFIX)}')\""
        )
    tensors = load_tensors(path)
    counters = {k: v for k, v in encoder.state_dict().items() if k.endswith(COUNTERS)}
    tensors = counters | _without_classifier(tensors, encoder)
    check_tensors(tensors, encoder, path, name)
    return tensors


def _without_classifier(tensors: dict[str, Tensor], encoder: nn.Module) -> dict[str, Tensor]:
    """The tensors less those of the classifier and of what the encoder left out with it."""
    known: Any = encoder.pretrained_cfg
    classifiers = known["classifier"]
    names = (classifiers,) if isinstance(classifiers, str) else classifiers
    return {key: value for key, value in tensors.items() if key.rpartition(".")[0] not in names}
