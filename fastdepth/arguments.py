"""Arguments of public functions, checked by the types that their signatures declare."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from fastdepth.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

NAMES = {float: "a number", int: "a whole number", str: "a text", np.ndarray: "an array"}
"""What types are called in messages."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """A function that raises UsageError where an argument is of another type than it declares.

    Numbers, texts, classes, and tuples, collections and unions of them are looked at, and arrays
    of depth that are not optional. Of images and arrays to write into more must be said.
    """
    signature = inspect.signature(function)

    @functools.cache
    def hints() -> dict[str, Any]:
        return get_type_hints(function)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in hints():
                check_type(name, value, hints()[name])
        return function(*args, **kwargs)

    return call


def check_type(name: str, value: Any, hint: Any) -> None:
    """Raise UsageError unless a value is of a type."""
    needed = get_origin(hint) is np.ndarray and get_args(hint)[-1] != np.dtype[np.uint8]
    if not _is(value, hint) or (needed and not isinstance(value, np.ndarray)):
        raise UsageError(f"{name} is {_said(value)}; give {_name(hint)}")


def _is(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; of those that are not looked at all are."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_is(value, part) for part in parts)
    if origin is tuple:
        right = isinstance(value, tuple | list) and len(value) == len(parts)
        return right and all(map(_is, value, parts))
    if origin is Collection:
        several = isinstance(value, Collection) and getattr(value, "ndim", 1) > 0
        return several and all(_is(each, parts[0]) for each in value)
    if hint is float:
        return _is_number(value)
    if hint is int:
        return isinstance(value, Integral)
    if not isinstance(hint, type) or vars(hint).get("_is_protocol"):
        return True
    if hint.__module__ == "typing":  # as BinaryIO, which nothing is
        return True
    return isinstance(value, hint) and _holds(value)


def _is_number(value: Any) -> bool:
    """Whether it is a real number that a float can hold; which ones may be is said elsewhere."""
    try:
        return isinstance(value, Real) and isinstance(float(value), float)
    except OverflowError:
        return False


def _holds(value: Any) -> bool:
    """Whether the fields of a named tuple are of their types."""
    declared = get_type_hints(type(value)) if hasattr(value, "_fields") else {}
    return all(_is(getattr(value, name), hint) for name, hint in declared.items())


def _said(value: Any) -> str:
    beyond = isinstance(value, Real) and not _is_number(value)
    return "too large" if beyond else f"of type {type(value).__name__}"


def _name(hint: Any) -> str:
    """A type in words."""
    parts = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(_name, parts)))
    if get_origin(hint) is tuple:
        return f"{len(parts)} of: {_name(parts[0])}"
    if get_origin(hint) is Collection:
        return f"several of: {_name(parts[0])}"
    kind = get_origin(hint) or hint
    return NAMES.get(kind, f"a {getattr(kind, '__name__', kind)}")
