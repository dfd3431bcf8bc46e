"""The JSON schema of results files, generated from the types that they are written from."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import docstring_parser
import msgspec

from fastdepth_bench.results.file import Report

SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
"""The schema as it ships; ``fastdepth-bench report`` renews it."""


@cache
def attributes(cls: type) -> dict[str, tuple[str, str]]:
    """Description and unit, empty where there is none, of the documented fields of a type."""
    found = {}
    for entry in docstring_parser.parse(cls.__doc__ or "").params:
        text = " ".join((entry.description or "").split())
        before, bracket, unit = text.removesuffix("]").rpartition("[")
        closed = text.endswith("]") and bool(bracket)
        found[entry.arg_name] = (before.rstrip(), unit) if closed else (text, "")
    return found


def schema() -> str:
    """The schema as JSON Schema, draft 2020-12."""
    (root,), parts = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    for cls in _types(Report):
        described = parts[cls.__name__]
        described["description"] = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
        for name, (text, unit) in attributes(cls).items():
            entry = described["properties"][name]
            described["properties"][name] = {**entry, "description": text, **_unit(unit)}
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "$defs": parts}
    return json.dumps(content, indent=2) + "\n"


def _unit(unit: str) -> dict[str, str]:
    return {"unit": unit} if unit else {}


def _types(cls: type) -> Iterator[type]:
    """A dataclass and those that its fields hold, each once."""
    seen: set[type] = set()
    waiting: list[Any] = [cls]
    while waiting:
        hint = waiting.pop()
        if is_dataclass(hint) and isinstance(hint, type) and hint not in seen:
            seen.add(hint)
            yield hint
            hints = get_type_hints(hint, vars(sys.modules[hint.__module__]))
            waiting += [hints[field.name] for field in fields(hint)]
        else:
            waiting += get_args(hint)
