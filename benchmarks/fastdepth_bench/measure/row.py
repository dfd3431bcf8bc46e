"""From what was measured to the row that is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fastdepth.metrics import ALL_METRICS
from fastdepth.size import Size
from fastdepth.variants import get_variant
from fastdepth_bench.case import REFERENCE, Case
from fastdepth_bench.machine.roofline import Rates, Roofline
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.exactness import Differences
from fastdepth_bench.measure.pooling import Pooled
from fastdepth_bench.measure.trial import Examined
from fastdepth_bench.results.figures import Against, RooflineFigures, Stages
from fastdepth_bench.results.row import SINGLE_STREAM, Row


@dataclass(frozen=True)
class Figures:
    """What was found of a case.

    Attributes:
        examined: cost, accuracy, and depth of the first timed images.
        pooled: speed and memory over all restarts.
        frame_size: of the frames that were timed.
        against: what the case was timed in turns with; None where with nothing.
        differences: to the other's depth, and to float64's.
        rates: what the machine does at best; None where it was not measured.
        training: images per second of training steps; None where they were not timed.
    """

    examined: Examined
    pooled: Pooled
    frame_size: Size
    against: Case | None = None
    differences: Differences = field(default_factory=Differences)
    rates: Rates | None = None
    training: float | None = None


def row_of(case: Case, yardstick: Yardstick, figures: Figures) -> Row:
    """The row of a case by a yardstick, its figures all there, not yet compared with PyTorch."""
    cost, pooled = figures.examined.cost, figures.pooled
    scores = figures.examined.scores.get(yardstick)
    timing, fps, whole = pooled.timing, pooled.fps, pooled.end_to_end_fps
    return replace(
        empty_row(case, yardstick),
        deployed_params=cost.params,
        gmac=cost.macs / 1e9,
        bytes=cost.bytes,
        weights_bytes=cost.weights_bytes,
        fps=fps.value,
        latency_ms=timing.latency,
        n=timing.n,
        cv=timing.cv,
        warm_up=timing.warm_up,
        noisy=timing.noisy,
        restarts=pooled.restarts,
        fps_interval=(fps.low, fps.high),
        fps_wall=pooled.fps_wall,
        end_to_end_fps=whole.value,
        end_to_end_fps_interval=(whole.low, whole.high),
        end_to_end_ms=pooled.end_to_end,
        stages_ms=pooled.stages,
        host_copies_ms=_host_copies(pooled.stages),
        peak_resident_bytes=pooled.peak_resident,
        peak_gpu_bytes=pooled.peak_gpu,
        joules_per_picture=pooled.joules_per_picture,
        queries=None if case.scenario == SINGLE_STREAM else pooled.queries,
        from_disk=pooled.from_disk,
        training_images_per_second=figures.training,
        frame_size=figures.frame_size,
        ceiling=_roofline(case, figures),
        against=_against(figures),
        metrics=scores.as_dict() if scores else None,
        max_difference_to_against=figures.differences.to_against,
        max_difference_to_float64=figures.differences.to_float64,
    )


def empty_row(case: Case, yardstick: Yardstick, error: str | None = None) -> Row:
    """What is known of a case before anything is measured.

    Args:
        case: what the row is of.
        yardstick: what accuracy is measured on.
        error: why it gets no figures, in one line.
    """
    variant = None if case.model else get_variant(case.variant)
    return Row(
        variant=case.variant,
        weights=case.weights_name,
        weights_hash=case.weights_hash,
        untrained=not case.trained,
        runtime=case.runtime,
        precision=case.precision,
        size=case.size,
        device=case.device,
        threads=case.threads,
        batch=case.batch,
        params=variant.params if variant else None,
        deployed_params=None,
        gmac=None,
        bytes=None,
        fps=None,
        latency_ms=None,
        n=None,
        cv=None,
        warm_up=None,
        data=yardstick.data,
        depth_kind=yardstick.depth_kind,
        samples=yardstick.samples,
        sample_hash=yardstick.sample_hash,
        protocol=yardstick.protocol,
        protocol_description=yardstick.rules,
        alignment=yardstick.alignment,
        flip=yardstick.flip,
        metrics=None,
        d1_minus_torch=None,
        error=error,
        form=case.form,
        scenario=case.scenario,
        model=case.model.figures() if case.model else None,
        initialisation=case.initialisation,
        spinning=case.spinning,
        checkpoint_bytes=variant.checkpoint_bytes if variant else None,
    )


@dataclass(frozen=True)
class Answered:
    """A row, and what its network answered.

    Attributes:
        row: without a comparison with PyTorch.
        depth: (B, 1, H, W) float32 [m] of the first timed images; None where the row failed.
    """

    row: Row
    depth: NDArray[np.float32] | None = field(default=None, compare=False)


def compare_with_torch(answered: Sequence[Answered]) -> tuple[Row, ...]:
    """The rows, compared with PyTorch wherever it was measured beside them."""

    def key(row: Row) -> tuple[object, ...]:
        return row.variant, row.weights, row.weights_hash, row.size, row.batch, row.yardstick

    references = {
        key(each.row): each
        for each in answered
        if (each.row.runtime, each.row.precision) == REFERENCE
    }
    return tuple(_compared(each, references.get(key(each.row))) for each in answered)


def _compared(own: Answered, torch: Answered | None) -> Row:
    """A row with its differences to the one measured in PyTorch."""
    row = own.row
    if torch and row.metrics and torch.row.metrics:
        own_scores, others = row.metrics, torch.row.metrics
        both = [name for name in ALL_METRICS if name in own_scores and name in others]
        differences = {name: own_scores[name] - others[name] for name in both}
        row = replace(row, d1_minus_torch=differences["d1"], metrics_minus_torch=differences)
    if torch and own.depth is not None and torch.depth is not None:
        row = replace(row, max_difference_to_torch=float(np.abs(own.depth - torch.depth).max()))
    return row


def _host_copies(stages: Stages) -> float | None:
    if stages.copy_in is None or stages.copy_out is None:
        return None
    return stages.copy_in + stages.copy_out


def _roofline(case: Case, figures: Figures) -> RooflineFigures | None:
    if figures.rates is None:
        return None
    roofline = Roofline.of(figures.examined.cost, case.size, figures.rates, case.batch)
    return roofline.figures(figures.pooled.stages.inference, figures.rates)


def _against(figures: Figures) -> Against | None:
    other, in_turns = figures.against, figures.pooled.in_turns
    if other is None or in_turns is None:
        return None
    return Against(
        name=other.name,
        size=other.size,
        ratio=in_turns.inference.value,
        low=in_turns.inference.low,
        high=in_turns.inference.high,
        end_to_end_ratio=in_turns.end_to_end.value,
        end_to_end_low=in_turns.end_to_end.low,
        end_to_end_high=in_turns.end_to_end.high,
        p50_ms=in_turns.p50,
        rounds=in_turns.rounds,
    )
