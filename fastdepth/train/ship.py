"""Turn a trained checkpoint into weights that the package ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fastdepth.models import create_model
from fastdepth.models.loading import load_weights
from fastdepth.train.checkpoint import save_weights
from fastdepth.weights import SUFFIX, WeightsCard, read_card


def ship(checkpoint: str | Path, folder: str | Path, card: WeightsCard) -> Path:
    """Write the network of a checkpoint as fp16 weights named by their tag.

    Args:
        checkpoint: any file by fastdepth-train.
        folder: where the file goes; :data:`fastdepth.weights.FOLDER` is the package's own.
        card: what the file says of itself; its variant is taken from the checkpoint.

    Returns:
        Path of the file, ``folder/TAG.safetensors``.

    Raises:
        WeightsError: the checkpoint cannot be read.
        OutputError: the file cannot be written.
    """
    variant = read_card(checkpoint).variant
    network = create_model(variant)
    load_weights(network, checkpoint, variant)
    path = Path(folder) / f"{card.tag}{SUFFIX}"
    save_weights(path, network, replace(card, variant=variant), half=True)
    return path
