"""Rows and environments with any values that their types allow, for property tests."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import Meta


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
        found = st.fixed_dictionaries({f.name: values(hints[f.name]) for f in fields(hint)})
        return found.map(in_order).map(lambda keys: hint(**keys))
    if issubclass(hint, tuple):  # a named one
        return st.builds(hint, *map(values, get_type_hints(hint, include_extras=True).values()))
    return _plain(hint, meta or Meta())


ORDERED = (
    ("min", "p50", "p90", "p95", "p99", "max"),
    ("low", "high"),
    ("end_to_end_low", "end_to_end_high"),
)
"""Keys of a type whose values grow."""


def in_order(found: dict[str, Any]) -> dict[str, Any]:
    """The same values such that they make a distribution and intervals."""
    for names in ORDERED:
        there = [name for name in names if found.get(name) is not None]
        found |= dict(zip(there, sorted(found[name] for name in there), strict=True))
    if "iqr" in found:
        found["iqr"] = min(found["iqr"], found["max"] - found["min"])
    spans = {name: span for name, span in found.items() if name.endswith("_interval") and span}
    return found | {name: tuple(sorted(span)) for name, span in spans.items()}


def _plain(hint: type, meta: Meta) -> st.SearchStrategy[Any]:
    if hint is str:
        text = st.from_regex(meta.pattern, fullmatch=True) if meta.pattern else st.text(max_size=9)
        return text.filter(lambda value: len(value) >= (meta.min_length or 0))
    least = meta.ge if meta.ge is not None else meta.gt
    if hint is int:
        return st.integers(least, meta.le)
    if hint is float:
        bounds = {"allow_nan": False, "allow_infinity": False}
        return st.floats(least, meta.le, exclude_min=meta.gt is not None, **bounds)
    return {bool: st.booleans(), NoneType: st.none()}[hint]
