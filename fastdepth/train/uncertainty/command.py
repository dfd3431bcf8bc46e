"""Fit a trained network's uncertainty head: ``fastdepth-train uncertainty``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from fastdepth.console import print_table, run_command, tell
from fastdepth.data import DataOptions, open_source
from fastdepth.errors import UsageError
from fastdepth.files import remove_leftovers_of
from fastdepth.metadata import IntervalFactors
from fastdepth.models import DepthNetwork, create_model
from fastdepth.models.loading import load_weights
from fastdepth.models.uncertainty import UncertaintyHead
from fastdepth.ranges import Seed, Threads, check_ranges, whole
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.uncertainty.calibrate import calibrate, held_out_factors, scale, spread
from fastdepth.train.uncertainty.fit import STEPS, fit_head
from fastdepth.train.uncertainty.pixels import Pixels, draw_pixels, recolour
from fastdepth.train.uncertainty.scores import UncertaintyScores, score
from fastdepth.variants import get_variant
from fastdepth.weights import default_tag, find_weights

PROG = "fastdepth-train uncertainty"

DESCRIPTION = """Fit the head that tells how sure a trained network is, and calibrate it.

The network stays as it is. The head is fitted on the training split of --data in colours that the
network has not seen; its scale and the factors of its intervals are those of the validation split,
whose scenes neither the network nor the head was fitted on.

Prints how well it tells errors apart and how often its intervals hold, beside a standard deviation
that is the same share of the depth everywhere: on the validation split, with the factors of the
other scenes, and on the test split if asked to.

Examples:

  fastdepth-train uncertainty --variant mnv2-64-dws --data nyu:PATH

  fastdepth-train uncertainty --variant mnv2-64-dws --weights runs/first/best.safetensors
      --data nyu:PATH --folder runs/first --test
"""


@dataclass(frozen=True)
class UncertaintyFit(DataOptions):
    """Options of ``fastdepth-train uncertainty``.

    Attributes:
        variant: network.
        data: images with depth: nyu:PATH or rooms:COUNT.
        weights: of the network, tag or file; those shipped with it if absent.
        folder: where the weights go with their head, under their own name; what stands there of
            that name is replaced.
        test: score on the test split, too.
        steps: of the fit.
        threads: CPU threads; PyTorch's choice if absent.
        seed: decides initial weights and pixels.
    """

    variant: str
    data: str
    weights: str | None = None
    folder: Path = Path()
    test: bool = False
    steps: Annotated[int, whole(1, 1_000_000)] = STEPS
    threads: Threads | None = None
    seed: Seed = 0


def fit_uncertainty(options: UncertaintyFit) -> tuple[Path, dict[str, UncertaintyScores]]:
    """Fit and calibrate a head and write it into the weights.

    Returns:
        The file, and scores by what was scored.

    Raises:
        UsageError: an option that cannot work, a variant without weights, or a network that takes
            no head.
        UnknownNameError, DataError, WeightsError: see fastdepth-train.
        OutputError: the file cannot be written.
    """
    check_ranges(options)
    variant = get_variant(options.variant)
    weights = options.weights or default_tag(variant.name)
    if weights is None:
        raise UsageError(f"{variant.name} ships no weights; give --weights FILE")
    network, path = create_model(variant), find_weights(weights)
    card = load_weights(network, path, variant.name)
    half = card.tag != ""
    seen = {split: _draw(options, network, split) for split in _splits(options)}
    head = fit_head(seen["train"], options.seed, options.steps)
    head = _as_stored(head, half)
    scale(head, seen["validation"])
    head = _as_stored(head, half)
    factors = calibrate(spread(head, seen["validation"]), seen["validation"])
    network.uncertainty = head
    output = options.folder / path.name
    remove_leftovers_of(output)
    save_weights(output, network, replace(card, interval=factors), half=half)
    return output, _scores(head, seen, factors)


def _splits(options: UncertaintyFit) -> list[str]:
    return ["train", "validation", *(["test"] if options.test else [])]


def _draw(options: UncertaintyFit, network: DepthNetwork, split: str) -> Pixels:
    source = open_source(options.data, split, follow_outside=options.follow_outside)
    size = get_variant(options.variant).size
    change = recolour if split == "train" else None
    return draw_pixels(network, source, size, seed=options.seed, change=change, title=split)


def _as_stored(head: UncertaintyHead, half: bool) -> UncertaintyHead:
    """Rounded as the file will hold it, so that what is calibrated is what is stored."""
    return head.half().float() if half else head


def _scores(
    head: UncertaintyHead, seen: dict[str, Pixels], factors: IntervalFactors
) -> dict[str, UncertaintyScores]:
    """Scores on what the head was not fitted on, beside those of a constant share of the depth."""
    found = {}
    held_out = seen["validation"]
    flat = calibrate(np.ones(held_out.error.shape), held_out)
    for split, pixels in seen.items():
        if split == "train":
            continue
        for name, told, own in (
            ("constant", np.ones(pixels.error.shape), flat),
            ("head", spread(head, pixels), factors),
        ):
            inside = split == "validation"
            each = held_out_factors(told, pixels) if inside else [own] * len(pixels.scenes)
            found[f"{split}, {name}"] = score(told, pixels, each)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(
        UncertaintyFit, _run, prog=PROG, description=DESCRIPTION, arguments=arguments
    )


def _run(options: UncertaintyFit) -> None:
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    path, scores = fit_uncertainty(options)
    names = [entry.name for entry in fields(UncertaintyScores)]
    rows = [(name, *(f"{getattr(of, n):.3f}" for n in names)) for name, of in scores.items()]
    print_table(("scored", *names), rows)
    tell(f"wrote {path}")
