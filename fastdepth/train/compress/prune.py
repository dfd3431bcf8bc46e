"""Leave out a trained network's least useful channels: ``fastdepth-train prune``.

What a channel is worth is the loss that it moves by, to first order: the sum of weight times
gradient over all that goes with it (Molchanov et al., "Importance Estimation for Neural Network
Pruning", CVPR 2019), in all layers that it passes through (Fang et al., "DepGraph: Towards Any
Structural Pruning", CVPR 2023, whose torch-pruning finds them).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from fastdepth.console import progress, run_command, say, tell
from fastdepth.data import DataOptions
from fastdepth.errors import DataError, UsageError
from fastdepth.extras import require
from fastdepth.files import check_no_input, write_text
from fastdepth.lock import locked
from fastdepth.models import DepthNetwork, count_parameters, create_model
from fastdepth.models.loading import load_weights
from fastdepth.models.pruned import Layer, channel_by_channel, layer_widths
from fastdepth.ranges import Seed, check_ranges, real
from fastdepth.size import Size
from fastdepth.train.checkpoint import save_weights
from fastdepth.train.loader import EpochSampler, error_list, make_loader, parse_sources
from fastdepth.train.losses import LOSSES
from fastdepth.train.recipes import get_recipe
from fastdepth.variants import Variant, get_variant, pruned
from fastdepth.weights import SUFFIX, WeightsCard, find_weights

PROG = "fastdepth-train prune"

DESCRIPTION = """Leave out the least useful channels of a trained network.

Writes its weights, and the widths of its layers, which with the line that is printed make a variant
of it. Train that further: what was cut is felt until then.

Examples:

  fastdepth-train prune --variant mnv2-64-dws --weights runs/whole/best.safetensors
      --keep 0.6 --data nyu:PATH --output pruned

  fastdepth-train --variant mnv2-64-dws-p40 --weights pruned/mnv2-64-dws-p40.safetensors
      --data nyu:PATH --output runs/p40
"""

UNIT = 8  # channels that go together: vector units take 4, 8 or 16 at once
STEP = 0.02  # of the multiply-adds are removed between two looks at the gradients
EPOCHS = 1000  # more than is ever looked at
NARROWEST = 0.5  # with less, the finest levels of a decoder shrink to eight channels
WEIGHTED = (nn.Conv2d, nn.Linear)  # where multiply-adds are


@dataclass(frozen=True)
class Pruning(DataOptions):
    """Options of ``fastdepth-train prune``.

    Attributes:
        variant: network to prune.
        weights: its trained weights, tag or file.
        data: source of images with depth that tell what each channel is worth, as for training.
        output: folder for the widths, NAME.json, and the weights, NAME.safetensors.
        keep: share of the multiply-adds that stays, above 0 to 1.
        narrowest: share of its channels that every layer keeps, from 0 to 1.
        seed: decides which images are looked at.
    """

    variant: str
    weights: str
    data: tuple[str, ...]
    output: Path
    keep: Annotated[float, real(0, 1, above=True)]
    narrowest: Annotated[float, real(0, 1)] = NARROWEST
    seed: Seed = 0


def prune_weights(options: Pruning) -> Variant:
    """Prune trained weights and write the narrower ones with their widths; returns what they are.

    Raises:
        UsageError: a share that cannot be, or a network that cannot be pruned so, or a folder that
            another process writes to.
        UnknownNameError, DataError, WeightsError: see fastdepth-train.
        OutputError: the folder cannot be written.
        MissingExtraError: torch-pruning is not installed.
    """
    check_ranges(options)
    whole = get_variant(options.variant)
    if whole.widths:
        raise UsageError(f"{whole.name} is pruned already; prune the network that it is left of")
    weights = find_weights(options.weights)
    network = create_model(whole)
    card = load_weights(network, weights, whole.name)
    before, loss = layer_widths(network), LOSSES[get_recipe(whole.recipe).loss]
    batches = _batches(options, whole)

    def next_loss() -> Tensor:
        image, depth = next(batches)
        return loss(network(image), depth)

    with locked(options.output):
        prune(network.eval(), options.keep, whole.size, next_loss, options.narrowest)
        percent = round(100 * (1 - options.keep))
        left = pruned(whole, percent, count_parameters(network))
        narrowed = options.output / f"{left.name}{SUFFIX}"
        check_no_input(narrowed, [weights])
        after = layer_widths(network)
        widths = {name: after[name] for name in before if after[name] != before[name]}
        lines = [f"{json.dumps(name)}: {json.dumps(pair)}" for name, pair in widths.items()]
        write_text(options.output / left.widths, "{\n" + ",\n".join(lines) + "\n}\n")
        begun = f"{whole.name} ({options.weights}) without {percent} % of its multiply-adds"
        own = WeightsCard(left.name, licence=card.licence, data=card.data, initialisation=begun)
        save_weights(narrowed, network, own)
    return left


def prune(
    network: DepthNetwork,
    keep: float,
    size: Size,
    loss: Callable[[], Tensor],
    narrowest: float = NARROWEST,
) -> None:
    """Remove channels, eight at a time, changed in place, until so many multiply-adds are left.

    First go those that cost the loss least by the root of the multiply-adds that they save: by all
    of them, the finest levels would go first. The layers that the network answers by, whose
    channels no other reads, keep all of theirs.

    Args:
        network: in evaluation mode.
        keep: share of the multiply-adds of convolutions and linear layers that stays.
        size: of the image that is counted for.
        loss: of the network on other images at each call.
        narrowest: share of its channels that every layer keeps.

    Raises:
        UsageError: a share that cannot be, or cannot be reached, or layers that cannot be pruned.
        MissingExtraError: torch-pruning is not installed.
    """
    if not 0 < keep <= 1:
        raise UsageError(f"keep {keep} must be above 0 and at most 1; write 0.6")
    if not 0 <= narrowest <= 1:
        raise UsageError(f"narrowest {narrowest} must be from 0 to 1; write {NARROWEST}")
    pruning = require("torch_pruning", "prune")
    _check_layers(network)
    image = torch.rand(1, 3, *size)
    graph = pruning.DependencyGraph().build_dependency(
        network, image, output_transform=lambda prediction: prediction.depth
    )
    worth = pruning.importance.GroupTaylorImportance(group_reduction="sum", normalizer=None)
    answers, pixels = _answers(graph), _pixels(network, image)
    whole = left = _macs(pixels)
    least = {layer: math.ceil(narrowest * layer.weight.shape[0]) for layer in pixels}
    with progress("multiply-adds removed [%]", round(100 * (1 - keep))) as advance:
        while left > keep * whole:
            network.zero_grad()
            loss().backward()  # type: ignore[no-untyped-call]
            goal = max(keep * whole, left - STEP * whole)
            candidates = sorted(
                _candidates(graph, answers, worth, pixels, least), key=lambda c: c.price
            )
            if not candidates:
                raise UsageError(
                    f"keep {keep} is too little; with narrowest {narrowest} "
                    f"{left / whole:.2f} is the least"
                )
            for candidate in candidates:
                candidate.remove()
                if _macs(pixels) <= goal:
                    break
            advance(round(100 * (left - _macs(pixels)) / whole))
            left = _macs(pixels)
    network.zero_grad()


@dataclass(frozen=True)
class _Candidate:
    """Channels that can go; ``price`` is the loss by the root of the multiply-adds."""

    price: float
    remove: Callable[[], object]


def _candidates(
    graph: Any,
    answers: list[nn.Module],
    worth: Any,
    pixels: dict[Any, int],
    least: dict[Any, int],
) -> Iterator[_Candidate]:
    """The least useful channels of each group of layers that must be cut alike.

    Args:
        graph: torch-pruning's of the network.
        answers: layers that keep all channels.
        worth: of the channels of a group.
        pixels: how often each layer uses its weights.
        least: channels that each layer keeps at least.
    """
    seen = set(answers)
    for layer in pixels:
        if layer in seen or channel_by_channel(layer):  # these follow a layer that mixes channels
            continue
        handler = graph.get_pruner_of_module(layer).prune_out_channels
        group = graph.get_pruning_group(layer, handler, list(range(layer.weight.shape[0])))
        worths, saved = worth(group), 0.0
        count = len(worths) % UNIT or UNIT
        for dependency, channels in group:
            cut = dependency.target.module
            outwards = graph.is_out_channel_pruning_fn(dependency.handler)
            if outwards:
                seen.add(cut)
            if cut in pixels:
                of = graph.get_out_channels(cut) if outwards else graph.get_in_channels(cut)
                share = len(channels) / len(worths) * count / of
                saved += share * _macs({cut: pixels[cut]})
        if len(worths) - count >= max(1, least[layer]):
            worst = worths.argsort()[:count]
            remove = partial(_remove, graph, layer, handler, worst.tolist())
            yield _Candidate(float(worths[worst].sum()) / saved**0.5, remove)


def _remove(graph: Any, layer: nn.Module, handler: Any, channels: list[int]) -> None:
    """Cut a layer and all that goes with it, as the others are now: concatenations have moved."""
    graph.get_pruning_group(layer, handler, channels).prune()


def _check_layers(network: nn.Module) -> None:
    for name, layer in network.named_modules():
        grouped = isinstance(layer, nn.Conv2d) and layer.groups > 1
        if next(layer.parameters(recurse=False), None) is not None and (
            not isinstance(layer, Layer) or (grouped and not channel_by_channel(layer))
        ):
            raise UsageError(
                f"{name} is a {type(layer).__name__}; prune a network of convolutions, batch norm "
                "and linear layers"
            )


def _answers(graph: Any) -> list[nn.Module]:
    """Layers whose channels no other layer reads: those that the network answers by."""
    found = []
    for layer, node in graph.module2node.items():
        seen, ahead = set(), list(node.outputs)
        while ahead:
            reader = ahead.pop()
            if reader not in seen:
                seen.add(reader)
                ahead += reader.outputs
        if not any(isinstance(reader.module, WEIGHTED) for reader in seen):
            found.append(layer)
    return found


def _pixels(network: nn.Module, image: Tensor) -> dict[Any, int]:
    """How often each layer uses its weights for an image: once per pixel that it answers with."""
    pixels: dict[Any, int] = {}

    def note(layer: Any, _: Any, answer: Tensor) -> None:
        pixels[layer] = answer.numel() // layer.weight.shape[0]

    layers = [layer for layer in network.modules() if isinstance(layer, WEIGHTED)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return pixels


def _macs(pixels: dict[Any, int]) -> int:
    return sum(count * layer.weight.numel() for layer, count in pixels.items())


def _batches(options: Pruning, variant: Variant) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and depths as the variant's recipe shows them."""
    if not options.data:
        raise UsageError("no data; give --data nyu:PATH or --data rooms")
    recipe = get_recipe(variant.recipe)
    sources = parse_sources(options.data, "train", follow_outside=options.follow_outside)
    sampler = EpochSampler(sources, recipe.batch, EPOCHS, options.seed)
    for batch in make_loader(sampler, recipe.augmentation, options.seed, 0):
        if batch.unreadable:
            raise DataError(error_list(batch.unreadable))
        yield batch.image, batch.depth


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_command(Pruning, _run, prog=PROG, description=DESCRIPTION, arguments=arguments)


def _run(options: Pruning) -> None:
    left = prune_weights(options)
    percent = left.name.rpartition("-p")[2]
    tell(
        f"wrote {options.output / left.name}{SUFFIX}; move {options.output / left.widths} to "
        "fastdepth/models/widths and add to _PRUNED in fastdepth/variants.py:"
    )
    say(f'("{options.variant}", {percent}, {left.params:_}),')
