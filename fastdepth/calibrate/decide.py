"""Whether a correction helps, and which."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from fastdepth.calibrate.correction import (
    LARGEST_SCALE,
    STEEPEST,
    Correction,
    DisparityCorrection,
    Evidence,
    Stored,
)
from fastdepth.calibrate.fit import (
    CONSTANT,
    FEWEST,
    FORMS,
    NONE,
    Form,
    HeldOut,
    Numbers,
    Observations,
    Values,
    choose,
    folds,
    hold_out,
)
from fastdepth.errors import DataError

ALIKE, MOST_ALIKE = 1.5, 0.5
"""Of the points at least such a share must be within such a factor of what they are fitted by."""


SPREAD = 1.5
"""Least ratio of far to near distances, the tenth percentiles, that shows more than a scale."""


@dataclass(frozen=True)
class Found:
    """A correction that helps.

    Attributes:
        form: which one.
        stored: what the file is given.
        scores: of what was held out.
    """

    form: Form
    stored: Stored
    scores: HeldOut


def decide(kind: str, seen: Observations, *, halves: bool) -> Found:
    """Choose, fit and try a correction.

    Args:
        kind: ``metres`` or ``disparity``: what the network answers with.
        seen: answers and truth.
        halves: fit to the first half of the groups and try on the other; else each part is tried
            after a fit to the others, and what is stored is fitted to all.

    Raises:
        DataError: there is too little, it contradicts itself, or no correction helps.
    """
    forms = FORMS[kind] if _differ(seen) else FORMS[kind][:2]
    groups = np.unique(seen.group)
    needed = 2 * FEWEST if halves else FEWEST
    if len(groups) < needed:
        raise DataError(
            f"{len(groups)} {seen.what} are too few to calibrate and to see whether it helps; "
            f"give {needed} or more"
        )
    first = seen.part(np.isin(seen.group, _first_half(seen))) if halves else seen
    form = choose(forms, first)
    parameters = form.fit(first)
    _check_agreement(form, parameters, first)
    if form is forms[0] and not _undoes(form, seen):
        scores = hold_out(forms[1:2], seen, _parts(seen, halves))
        why = f"by more than chance it is not better than {PLAIN[kind]}"
        raise _no_help(forms[1], scores, seen, why)
    stored = _stored(form, parameters, first)
    scores = hold_out((form,) if halves else forms, seen, _parts(seen, halves))
    _, gain, error = scores.gain
    if not gain > error:
        raise _no_help(form, scores, seen, "it must gain more than its standard error")
    before, after = map(float, scores.d1.mean(axis=0))
    rests = Evidence(len(np.unique(first.image)), len(first.truth), before, after)
    return Found(form, replace(stored, evidence=rests), scores)


PLAIN = {"metres": "the network alone", "disparity": "one depth for all"}
"""The forms that store nothing, by what the network answers with."""


def _differ(seen: Observations) -> bool:
    """Whether distances differ enough to bear more than a scale."""
    near, far = np.percentile(seen.truth, (10, 90))
    return bool(far > SPREAD * near)


def _undoes(form: Form, seen: Observations) -> bool:
    """Whether no correction is a gain to think of, for the file has one."""
    now = seen.current
    return form is NONE and now is not None and not np.array_equal(seen.answer, now)


def _no_help(form: Form, scores: HeldOut, seen: Observations, why: str) -> DataError:
    metric, gain, error = scores.gain
    return DataError(
        f"a correction ({form.name}) would not help; {why}: {metric} of {len(scores.d1)} held-out "
        f"{seen.what} gets better by {gain:.3f}, standard error {error:.3f}"
    )


def _first_half(seen: Observations) -> Numbers:
    """Groups, in their order, up to half of the units; at least the fewest that are needed."""
    groups = np.unique(seen.group)
    sizes = [len(np.unique(seen.unit[seen.group == group])) for group in groups]
    half = int(np.searchsorted(np.cumsum(sizes), sum(sizes) / 2)) + 1
    return groups[: min(max(half, FEWEST), len(groups) - FEWEST)]


def _parts(seen: Observations, halves: bool) -> list[tuple[Numbers, Numbers]]:
    """What is fitted, and what is tried."""
    groups = np.unique(seen.group)
    if halves:
        first = _first_half(seen)
        return [(first, np.setdiff1d(groups, first))]
    return [(np.setdiff1d(groups, held), held) for held in folds(seen)]


def _check_agreement(form: Form, parameters: Values, seen: Observations) -> None:
    """Raise DataError where not even most of what was fitted agrees with the fit."""
    depth = np.maximum(form.depth(parameters, seen.answer), 1e-9)
    near = np.maximum(depth / seen.truth, seen.truth / depth) < ALIKE
    share = float(np.average(near, weights=seen.weight))
    if share < MOST_ALIKE and form is not CONSTANT:
        raise DataError(
            f"the points contradict each other or the network: after the best correction only "
            f"{share:.0%} are within a factor of {ALIKE}; check rows, columns and metres"
        )


def _stored(form: Form, parameters: Values, seen: Observations) -> Stored:
    """What a file is given, if it can be."""
    if form in FORMS["disparity"]:
        return _of_disparity(parameters, seen)
    shift, slope = (*map(float, parameters), *(0.0, 1.0)[len(parameters) :])
    usual = float(np.median(seen.answer))
    factor = math.exp(shift) * max(usual, 1e-6) ** (slope - 1)
    limit = LARGEST_SCALE
    if not (1 / limit < factor < limit and abs(shift) < math.log(limit)):
        raise DataError(
            f"the correction would be absurd, a factor of {factor:.3g} at {usual:.3g} m where "
            f"1/{limit:g} to {limit:g} can be; are distances and the network's answer in metres?"
        )
    if not 1 / STEEPEST < slope < STEEPEST:
        raise DataError(
            f"the correction would be absurd, a slope of {slope:.3g} in log depth where "
            f"{1 / STEEPEST:g} to {STEEPEST:g} can be; check rows, columns and metres"
        )
    return Correction(shift, slope)


def _of_disparity(parameters: Values, seen: Observations) -> DisparityCorrection:
    scale = float(parameters[0])
    offset = float(parameters[1]) if len(parameters) > 1 else 0.0
    if not 0 < scale < 1e12 or abs(offset) > 1e4:
        raise DataError(
            "the answer grows with the distance, as no disparity does; give --answer metres, or "
            "check rows, columns and metres"
        )
    nearest, farthest = float(seen.truth.min()) / 2, float(seen.truth.max()) * 2
    return DisparityCorrection(scale, offset, nearest, farthest)
