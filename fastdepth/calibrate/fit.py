"""Fitting a correction: as many parameters as the data bear, robustly, and only where it helps.

All is decided on groups (images, scenes, or places of one image) that were left out of the fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fastdepth.metrics import METRICS
from fastdepth.metrics.evaluation import Compared

Values = NDArray[np.floating]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

FEWEST = 6
"""Groups that a correction is fitted to, and at least as many that it is tried on."""

FOLDS = 10
"""Parts of cross-validation, or as many as there are groups."""

_HUBER = 1.345
"""Standard deviations beyond which a residual counts less; 95 % efficient where none is wrong."""

_ROUNDS = 30
_LEAST = 1e-6  # [m], or units of disparity: where the logarithm of an answer is taken


@dataclass(frozen=True)
class Observations:
    """What a network answered where the distance is known.

    Attributes:
        answer: (n,) metres or disparity before any correction.
        truth: (n,) [m].
        unit: (n,) number of the image, or of the place in a fixed camera's image, that a point
            counts with; all units count the same.
        group: (n,) number of what a unit is left out with: itself, or its scene.
        image: (n,) number of the image.
        current: (n,) [m] what the file answers as it is; None where that is no depth.
        what: the groups, for messages.
    """

    answer: Values
    truth: Values
    unit: Numbers
    group: Numbers
    image: Numbers
    current: Values | None = None
    what: str = "images"

    @property
    def weight(self) -> Values:
        """(n,), with which all units count the same."""
        _, place, count = np.unique(self.unit, return_inverse=True, return_counts=True)
        return 1.0 / count[place]

    def part(self, mask: Mask) -> Observations:
        """Those where the mask (n,) is true."""
        return replace(
            self,
            answer=self.answer[mask],
            truth=self.truth[mask],
            unit=self.unit[mask],
            group=self.group[mask],
            image=self.image[mask],
            current=None if self.current is None else self.current[mask],
        )

    def without(self, groups: Numbers) -> tuple[Observations, Mask]:
        """What is left without these groups, and where they are (n,)."""
        inside = np.isin(self.group, groups)
        return self.part(~inside), inside


@dataclass(frozen=True)
class Form:
    """A family of corrections, linear in its parameters.

    Attributes:
        name: for the user's eyes.
        parameters: how many.
        system: of answer and truth, the columns (n, parameters) and the target (n,) that they are
            to come near to; the difference is a relative or logarithmic error.
        depth: of parameters and answer, the depth [m].
    """

    name: str
    parameters: int
    system: Callable[[Values, Values], tuple[Sequence[Values], Values]]
    depth: Callable[[Values, Values], Values]

    def fit(self, seen: Observations) -> Values:
        """The parameters, by Huber's estimator."""
        if not self.parameters:
            return np.empty(0)
        columns, target = self.system(seen.answer, seen.truth)
        return huber(np.stack(columns, axis=1), target, seen.weight)


def huber(columns: Values, target: Values, weight: Values) -> Values:
    """Parameters p of the least Huber loss of target - columns @ p.

    By iteratively re-weighted least squares; the scale is the median absolute residual.

    Args:
        columns: (n, k).
        target: (n,).
        weight: (n,) positive.
    """
    size = np.sqrt(np.average(columns**2, axis=0, weights=weight)) + np.finfo(float).tiny
    scaled, now = columns / size, weight
    found: Values = np.zeros(columns.shape[1])
    for _ in range(_ROUNDS):
        before, root = found, np.sqrt(now)
        found = np.linalg.lstsq(scaled * root[:, None], target * root, rcond=1e-9)[0]
        if np.abs(found - before).max() < 1e-6:
            break
        rest = np.abs(target - scaled @ found)
        limit = _HUBER * 1.4826 * max(_weighted_median(rest, weight), 1e-6)
        now = weight * np.minimum(1, limit / np.maximum(rest, 1e-12))
    parameters: Values = found / size
    return parameters


def _weighted_median(values: Values, weight: Values) -> float:
    order = np.argsort(values)
    summed = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(summed, summed[-1] / 2)])


def _log(values: Values) -> Values:
    return np.log(np.maximum(values, _LEAST))


def _ones(values: Values) -> Values:
    return np.ones_like(values)


def _inverse(values: Values) -> Values:
    """Depth of inverse depth, positive."""
    return 1 / np.maximum(values, _LEAST)


NONE = Form("none", 0, lambda x, t: ([], t), lambda p, x: x)
SCALE = Form("scale", 1, lambda x, t: ([_ones(x)], _log(t) - _log(x)), lambda p, x: x * np.exp(p))
SLOPE = Form(
    "scale and slope",
    2,
    lambda x, t: ([_ones(x), _log(x)], _log(t)),
    lambda p, x: np.exp(p[0] + p[1] * _log(x)),
)
CONSTANT = Form("constant", 1, lambda x, t: ([_ones(x)], _log(t)), lambda p, x: np.exp(p + 0 * x))
DISPARITY_SCALE = Form(
    "scale of disparity", 1, lambda x, t: ([t * x], _ones(x)), lambda p, x: _inverse(p * x)
)
DISPARITY_OFFSET = Form(
    "scale and offset of disparity",
    2,
    lambda x, t: ([t * x, t], _ones(x)),
    lambda p, x: _inverse(p[0] * x + p[1]),
)

FORMS = MappingProxyType(
    {
        "metres": (NONE, SCALE, SLOPE),
        "disparity": (CONSTANT, DISPARITY_SCALE, DISPARITY_OFFSET),
    }
)
"""By what the file answers with, the simplest first, which stores nothing: the network as it is, or
one depth for all."""


def choose(forms: Sequence[Form], seen: Observations) -> Form:
    """The simplest form than which none is better by more than a standard error.

    By leave-group-out cross-validation of the mean absolute error of ln d, after Breiman et al.,
    "Classification and regression trees", 1984, section 3.4.3.
    """
    best, *others = forms
    if not others:
        return best
    losses = _losses(best, seen)
    for form in others:
        own = _losses(form, seen)
        gain, error = mean_and_error(losses - own)
        if gain > error:
            best, losses = form, own
    return best


def _losses(form: Form, seen: Observations) -> Values:
    """(groups,) mean absolute error of ln d of each group, by the fit to the other ones."""
    guess = np.empty_like(seen.truth)
    for held in folds(seen):
        rest, inside = seen.without(held)
        guess[inside] = form.depth(form.fit(rest), seen.answer[inside])
    wrong = np.abs(_log(guess) - _log(seen.truth)) * seen.weight
    place = np.unique(seen.group, return_inverse=True)[1]
    return np.bincount(place, wrong) / np.bincount(place, seen.weight)


def folds(seen: Observations) -> list[Numbers]:
    """The groups in so many parts; neighbours, which look alike, stay together."""
    groups = np.unique(seen.group)
    return np.array_split(groups, min(FOLDS, len(groups)))


def mean_and_error(values: Values) -> tuple[float, float]:
    """Mean, and its standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
    return float(np.mean(values)), float(error)


@dataclass(frozen=True)
class HeldOut:
    """Scores of what was left out of the fit.

    Attributes:
        d1: (groups, 2) before and after the correction.
        abs_rel: the same.
    """

    d1: Values
    abs_rel: Values

    @property
    def gain(self) -> tuple[str, float, float]:
        """Name of the metric that decides, by how much it is better, standard error of that.

        Where no d1 is left to be gained AbsRel decides, of which less is better.
        """
        if self.d1[:, 0].min() == 1:
            return "AbsRel", *mean_and_error(self.abs_rel[:, 0] - self.abs_rel[:, 1])
        return "d1", *mean_and_error(self.d1[:, 1] - self.d1[:, 0])


def hold_out(
    forms: Sequence[Form], seen: Observations, parts: Sequence[tuple[Numbers, Numbers]]
) -> HeldOut:
    """Scores by corrections that were chosen and fitted without what they are scored on.

    Args:
        forms: to choose from.
        seen: everything.
        parts: groups to fit to, and groups to score.
    """
    found = []
    for fitted, scored in parts:
        rest = seen.part(np.isin(seen.group, fitted))
        held = seen.part(np.isin(seen.group, scored))
        form = choose(forms, rest)
        after = form.depth(form.fit(rest), held.answer)
        before = held.current
        if before is None:
            before = CONSTANT.depth(CONSTANT.fit(rest), held.answer)
        found += [_scores(held, group, (before, after)) for group in np.unique(held.group)]
    scores = np.array(found)
    return HeldOut(scores[:, 0], scores[:, 1])


def _scores(held: Observations, group: int, depths: Sequence[Values]) -> list[list[float]]:
    """d1 and AbsRel of one group by each of the depths: means over its units."""
    units = np.unique(held.unit[held.group == group])
    pixels = [
        [Compared(depth[held.unit == unit], held.truth[held.unit == unit]) for unit in units]
        for depth in depths
    ]
    return [
        [float(np.mean([METRICS[name].function(each) for each in row])) for row in pixels]
        for name in ("d1", "abs_rel")
    ]
