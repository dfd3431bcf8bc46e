from __future__ import annotations

import math

from fastdepth.train.stopping import Improvement


def test_more_is_better_for_d1():
    improvement = Improvement("d1", patience=2)
    assert improvement.best == -math.inf
    assert [improvement.update({"d1": v}) for v in (0.3, 0.5, 0.4)] == [True, True, False]
    assert (improvement.best, improvement.stale, improvement.exhausted) == (0.5, 1, False)
    improvement.update({"d1": 0.5})  # as good is not better
    assert improvement.exhausted


def test_less_is_better_for_errors():
    improvement = Improvement("mse", patience=None)
    assert [improvement.update({"mse": v}) for v in (0.3, 0.5, 0.1)] == [True, False, True]
    for _ in range(9):
        improvement.update({"mse": math.nan})
    assert (improvement.best, improvement.stale, improvement.exhausted) == (0.1, 9, False)
