"""Turn a trained checkpoint into weights that the package ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from fastdepth.data import open_source
from fastdepth.files import replacing
from fastdepth.metrics import Evaluation
from fastdepth.models import create_model
from fastdepth.models.loading import load_weights
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.validation import predict_sample
from fastdepth.variants import get_variant
from fastdepth.weights import SUFFIX, WeightsCard, read_card

ROOMS = "rooms:4"
"""Test rooms that every shipped file is scored on."""

STORED = ("d1", "abs_rel")
"""Scores on them that its card holds."""


def ship(checkpoint: str | Path, folder: str | Path, card: WeightsCard) -> Path:
    """Write the network of a checkpoint as fp16 weights named by their tag.

    What was shipped already may be given as the checkpoint, with a new card: its tensors stay as
    they are, bit for bit.

    Args:
        checkpoint: any file by fastdepth-train.
        folder: where the file goes; :data:`fastdepth.weights.FOLDER` is the package's own.
        card: what the file says of itself; its variant is taken from the checkpoint, its scores on
            rooms are measured on the tensors as they are written.

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
    card = replace(card, variant=variant)
    with replacing(path) as temporary:
        save_weights(temporary, network, card, half=True)
        card = replace(card, rooms=score_on_rooms(temporary))
        save_weights(temporary, network, card, half=True)
    return path


@torch.inference_mode()
def score_on_rooms(weights: str | Path) -> dict[str, float]:
    """d1 and AbsRel of a weights file on the rooms of ``ROOMS``, by the default protocol.

    The network as trained, in PyTorch in fp32, at its variant's own size.

    Raises:
        WeightsError: the file cannot be read.
    """
    variant = get_variant(read_card(weights).variant)
    network = create_model(variant)
    load_weights(network, weights, variant.name)
    network.eval()
    evaluation, source = Evaluation(), open_source(ROOMS, "test")
    for index in range(len(source)):
        sample = source[index]
        depth, _ = predict_sample(network, sample.image, variant.size)
        evaluation.add(depth[0, 0].numpy(), sample.depth)
    scores = evaluation.scores().as_dict()
    return {name: round(scores[name], 4) for name in STORED}
