"""A row is its JSON, both ways."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_results import old_row
from made_up_results import report as made_up
from msgspec import Meta

from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row


def values(hint: Any, meta: Meta | None = None) -> st.SearchStrategy[Any]:
    """Every value that a field of this type may have, within the bounds that are annotated."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return values(parts[0], parts[1])
    if kind is Literal:
        return st.sampled_from(parts)
    if kind in (Union, UnionType):
        return st.one_of(*map(values, parts))
    if kind is tuple:
        whole = len(parts) == 2 and parts[1] is Ellipsis
        return (
            st.lists(values(parts[0]), max_size=2).map(tuple)
            if whole
            else st.tuples(*map(values, parts))
        )
    if kind is dict:
        return st.dictionaries(st.text(max_size=5), values(parts[1]), max_size=2)
    if is_dataclass(hint):
        hints = get_type_hints(hint, vars(sys.modules[hint.__module__]), include_extras=True)
        return st.builds(hint, **{f.name: values(hints[f.name]) for f in fields(hint)})
    if issubclass(hint, tuple):  # a named one
        return st.builds(hint, *map(values, get_type_hints(hint).values()))
    return _plain(hint, meta or Meta())


def _plain(hint: type, meta: Meta) -> st.SearchStrategy[Any]:
    if hint is str:
        text = st.from_regex(meta.pattern, fullmatch=True) if meta.pattern else st.text(max_size=9)
        return text.filter(lambda value: len(value) >= (meta.min_length or 0))
    least = meta.ge if meta.ge is not None else meta.gt
    if hint is int:
        return st.integers(least, 2**53)
    if hint is float:
        bounds = {"allow_nan": False, "allow_infinity": False}
        return st.floats(least, meta.le, exclude_min=meta.gt is not None, **bounds)
    return {bool: st.booleans(), NoneType: st.none()}[hint]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=values(Row), environment=values(Environment))
def test_what_is_written_is_read(row: Row, environment: Environment) -> None:
    report = Report(environment, (row,))
    assert Report.from_json(json.loads(report.to_json())) == report


def test_a_number_that_is_none_is_never_written(environment: Environment) -> None:
    (row,) = Report.from_json(made_up(old_row())).rows
    for wrong in (float("nan"), float("inf")):
        broken = Report(environment, (Row(**{**vars(row), "cv": wrong}),))
        with pytest.raises(ValueError, match="not JSON compliant"):
            broken.to_json()


def test_a_row_says_what_it_is() -> None:
    rows = Report.from_json(
        made_up(
            old_row(precision="int8"),
            old_row(fold=False),
            old_row(form="last-axis", data="nyu train"),
        )
    ).rows
    assert [row.name for row in rows] == [
        "unet128-dws",
        "unet128-dws:plain",
        "unet128-dws:last-axis",
    ]
    assert [row.target for row in rows] == ["onnxruntime int8", "onnxruntime", "onnxruntime"]
    assert [row.learnt for row in rows] == [False, False, True]
    assert [(row.form, row.fold) for row in rows][1:] == [("plain", False), ("last-axis", False)]
    assert rows[0].yardstick != rows[2].yardstick
    assert rows[0].checkpoint == 12 * 6_472_944
