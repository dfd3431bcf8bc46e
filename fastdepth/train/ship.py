"""Make weights ready to ship, with card, in fp16: ``fastdepth-train ship``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import torch
import tyro

from fastdepth.anchors.fitting import fit_prior
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.console import progress, run_command, tell, values_of
from fastdepth.data import open_source
from fastdepth.data.sample import Depth, Image
from fastdepth.errors import UsageError
from fastdepth.files import check_no_input, remove_leftovers_of, replacing
from fastdepth.metadata import IntervalFactors
from fastdepth.metrics import Evaluation
from fastdepth.models import DepthNetwork, create_model
from fastdepth.models.loading import load_weights
from fastdepth.models.uncertainty import attach_head
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.validation import predict_sample
from fastdepth.variants import get_variant
from fastdepth.weights import SUFFIX, WeightsCard, read_card

PROG = "fastdepth-train ship"

DESCRIPTION = """Make weights ready to ship: with a card, in fp16, named by their tag.

The card says what the options say, and of the rest what the card of the checkpoint does. Test rooms
are drawn and scored, so that anybody can check a copy of the file.

Of several files the mean of their tensors is shipped: of one training at several moments, or of
trainings that began from the same weights, it is often better than each.

Examples:

  fastdepth-train ship runs/first/best.safetensors --tag unet128-dws.nyu --licence Apache-2.0
      --scores d1 0.66 --scores abs_rel 0.216 --protocol eigen --evaluated-on "NYU Depth V2 test"

  fastdepth-train ship runs/first/best.safetensors runs/first/last.safetensors
      --tag unet128-dws.mean --licence Apache-2.0

  fastdepth-train ship unet128-dws.nyu.safetensors --licence MIT --folder again

  fastdepth-train ship mnv2-64-dws.nyu-furnished.safetensors --prior-data nyu:PATH --folder again
"""

ROOMS = "rooms:4"
"""Test rooms that every shipped file is scored on."""

STORED = ("d1", "abs_rel")
"""Scores on them that its card holds."""


@dataclass(frozen=True)
class Shipping(WeightsCard):
    """Options of ``fastdepth-train ship``: the card, and where the weights come from and go to.

    Attributes:
        tag: VARIANT.DATA, for example unet128-dws.nyu: names the file.
        scores: a metric under that protocol, its name and its value.
    """

    checkpoint: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")] = field(
        kw_only=True
    )
    """Weights by fastdepth-train: best.safetensors of a run, or a file that was shipped already."""

    others: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="[OTHER ...]")
    ] = ()
    """More of the same variant, to ship the mean of all."""

    prior_data: str = ""
    """Images with depth, such as nyu:PATH, on whose validation split, which training leaves out,
    the prior of anchored depth is fitted; without it the card keeps the one it has."""

    folder: Path = Path()
    """Where TAG.safetensors goes; the current folder if absent."""

    variant: tyro.conf.Suppress[str] = ""
    rooms: tyro.conf.Suppress[dict[str, float]] = field(default_factory=dict)
    anchor_prior: tyro.conf.Suppress[AnchorPrior | None] = None
    interval: tyro.conf.Suppress[IntervalFactors | None] = None
    initialisation: str = ""

    def card(self) -> WeightsCard:
        """The checkpoint's card with what is said here.

        Raises:
            UsageError: neither says a licence, or scores are given alone or cannot be.
            WeightsError: the checkpoint cannot be read.
        """
        said = {name: value for name, value in values_of(self, WeightsCard).items() if value}
        card = replace(read_card(self.checkpoint), **said)
        if self.scores and not (self.protocol and self.evaluated_on):
            raise UsageError("--scores need --protocol and --evaluated-on: by what rules, on what")
        card.check_scores(UsageError, "the card")
        if not card.licence:
            raise UsageError("no --licence; say on what terms others may use the weights")
        return card


def ship(
    checkpoint: str | Path,
    folder: str | Path,
    card: WeightsCard,
    *,
    others: Sequence[str | Path] = (),
) -> Path:
    """Write the network of a checkpoint as fp16 weights named by their tag.

    What was shipped already may be given as the checkpoint, with a new card: its tensors stay as
    they are, bit for bit.

    Args:
        checkpoint: any file by fastdepth-train.
        folder: where the file goes; :data:`fastdepth.weights.FOLDER` is the package's own.
        card: what the file says of itself; its variant is taken from the checkpoint, its scores on
            rooms are measured on the tensors as they are written.
        others: further files of the same variant, of which and the first the mean is written
            (Wortsman et al., "Model soups", ICML 2022), without the first's uncertainty head and
            prior, which are of its own errors.

    Returns:
        Path of the file, ``folder/TAG.safetensors``.

    Raises:
        UsageError: the card has no tag of this variant, the file would replace a checkpoint, or
            one is of another variant.
        WeightsError: the checkpoint cannot be read.
        OutputError: the file cannot be written.
    """
    variant = read_card(checkpoint).variant
    if not re.fullmatch(rf"{re.escape(variant)}\.\w[\w-]*", card.tag):
        raise UsageError(f"tag {card.tag!r} must be {variant}.DATA; write --tag {variant}.nyu")
    path = Path(folder) / f"{card.tag}{SUFFIX}"
    check_no_input(path, [checkpoint, *others])
    network = create_model(variant)
    if others:
        _average(network, [checkpoint, *others], variant)
        card = replace(card, variant=variant, interval=None, anchor_prior=None)
    else:
        interval = load_weights(network, checkpoint, variant).interval
        attach_head(network, checkpoint)
        card = replace(card, variant=variant, interval=interval)
    remove_leftovers_of(path)
    with replacing(path) as temporary:
        save_weights(temporary, network, card, half=True)
        card = replace(card, rooms=score_on_rooms(temporary))
        save_weights(temporary, network, card, half=True)
    return path


def _average(network: DepthNetwork, files: Sequence[str | Path], variant: str) -> None:
    """Give a network the mean of the tensors of weights files of its variant."""
    total: dict[str, torch.Tensor] = {}
    for file in files:
        if (own := read_card(file).variant) != variant:
            raise UsageError(f"{file} is of {own}, not of {variant}; give files of one variant")
        load_weights(network, file, variant)
        for name, value in network.state_dict().items():
            total[name] = total.get(name, 0) + value.double()
    state = network.state_dict()
    network.load_state_dict({n: (total[n] / len(files)).to(state[n].dtype) for n in state})


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


@torch.inference_mode()
def prior_of(weights: str | Path, data: str) -> AnchorPrior:
    """The prior of a weights file's errors on the validation split of a source.

    Raises:
        WeightsError: the file cannot be read.
        DataError: the source cannot, or has too few images with depth.
        UsageError: there is no such source.
    """
    variant = get_variant(read_card(weights).variant)
    network = create_model(variant)
    load_weights(network, weights, variant.name)
    network.eval()
    source = open_source(data, "validation")

    def answers() -> Iterator[tuple[Image, Depth, Depth]]:
        with progress("predicting", len(source)) as advance:
            for index in range(len(source)):
                sample = source[index]
                depth, _ = predict_sample(network, sample.image, variant.size)
                yield sample.image, depth[0, 0].numpy(), sample.depth
                advance()

    return fit_prior(answers())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Shipping, _run, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _run(options: Shipping) -> None:
    card = options.card()
    if options.prior_data:
        if options.others:
            raise UsageError("--prior-data is of one file; ship the mean, then that once more")
        card = replace(card, anchor_prior=prior_of(options.checkpoint, options.prior_data))
    path = ship(options.checkpoint, options.folder, card, others=options.others)
    scores = ", ".join(f"{name} {value:.4f}" for name, value in read_card(path).rooms.items())
    tell(f"wrote {path}; {ROOMS}: {scores}")
