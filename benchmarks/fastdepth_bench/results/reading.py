"""Results files as their readers see them: parsed, checked, and with names for what stands in them.

Keys that a later fastdepth added are missing in older files; what is here lives without them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastdepth.errors import InputError, UsageError
from fastdepth.size import Size
from fastdepth_bench.results.result import SCHEMA, SCHEMA_FILE

Row = Mapping[str, Any]
"""A row of a results file, as ``result.schema.json`` describes it."""

SINGLE_STREAM = "single-stream"
"""Scenario of rows that name none: one inference after the other."""

OFFLINE = "offline"
"""Scenario whose batch is found by the run, and so is no part of what was asked for."""

CHECKPOINT_BYTES = 12
"""Bytes a parameter of a training checkpoint: float32 weights and AdamW's two moments."""

LEARNT = " train"
"""Ends the name of data of the training split: that a network knows them shows that its recipe
learns, and says nothing of accuracy."""


def read_results(path: str | Path) -> dict[str, Any]:
    """Parse a results file, of ``fastdepth-bench`` or of the folding benchmark.

    Raises:
        InputError: it cannot be read, or is not such a file.
    """
    try:
        content = json.loads(Path(path).read_text())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError:
        raise InputError(f"{path} is not JSON; give what fastdepth-bench --json wrote") from None
    if not isinstance(content, dict) or not content.get("rows"):
        raise InputError(f"{path} has no rows; give what fastdepth-bench --json wrote")
    if content.get("schema") != SCHEMA:
        found = content.get("schema")
        raise InputError(f"{path} has schema {found}, this fastdepth reads {SCHEMA}; update it")
    rows = SCHEMA_FILE.with_name("folding.schema.json") if is_folding(content) else SCHEMA_FILE
    parts = (
        (SCHEMA_FILE, "environment", [content.get("environment")]),
        (rows, "rows", content["rows"]),
    )
    for schema, part, entries in parts:
        needed = _required(schema, part)
        for entry in entries:
            lacking = needed - entry.keys() if isinstance(entry, dict) else needed
            if lacking:
                raise InputError(f"{path} lacks {min(lacking)} in its {part}; measure it again")
    return content


def read_all(paths: Iterable[Path]) -> dict[Path, dict[str, Any]]:
    """Several results files, each as :func:`read_results`."""
    return {path: read_results(path) for path in paths}


@cache
def _required(schema: Path, part: str) -> set[str]:
    """Keys that every row, or the environment, has."""
    described = json.loads(schema.read_text())["properties"][part]
    return set(described.get("items", described)["required"])


def is_folding(report: Mapping[str, Any]) -> bool:
    """Whether a parsed file is of ``python -m fastdepth_bench.measure.folding``."""
    return "rates" in report


def committed_results(checkout: Path) -> list[Path]:
    """The results files of a checkout, by name.

    Raises:
        UsageError: there are none.
    """
    found = sorted((checkout / "benchmarks" / "results").glob("*.json"))
    if not found:
        raise UsageError(
            "no benchmarks/results/*.json here; name results files, or run in a checkout"
        )
    return found


def machine(report: Mapping[str, Any]) -> str:
    """What times depend on of the machine: processor, cores, GPUs; no versions."""
    environment = report["environment"]
    cores = f"{environment['usable_cores']} of {environment['cores']} cores"
    gpus = [name.partition(", driver")[0] for name in environment["gpus"]]
    return "; ".join([environment["cpu"], cores, *gpus])


def network(row: Row) -> str:
    """Name of the network, with ``:plain`` where it was timed as written instead of folded."""
    return f"{row['variant']}{'' if row.get('fold', True) else ':plain'}"


def target(row: Row) -> str:
    """Runtime, and precision where it is not fp32."""
    return f"{row['runtime']}{'' if row['precision'] == 'fp32' else ' ' + row['precision']}"


def scenario(row: Row) -> str:
    """In what way the network was asked: a word of MLPerf's."""
    return str(row.get("scenario") or SINGLE_STREAM)


def checkpoint_bytes(row: Row) -> int | None:
    """Bytes of a training checkpoint; counted from the parameters where the row does not say."""
    params: int | None = row["params"]
    said: int | None = row.get("checkpoint_bytes")
    return said or (params and params * CHECKPOINT_BYTES)


def is_learnt(row: Row) -> bool:
    """Whether the row's scores are of images that the network was trained on."""
    return bool(row["data"].endswith(LEARNT))


YARDSTICK = ("data", "depth_kind", "sample_hash", "protocol_description")
"""Keys that must agree before two rows' scores compare."""

CIRCUMSTANCES = ("device", "threads")
"""Keys, beside the machine, that must agree before two rows' speeds share a plot."""


def name_of(row: Row) -> dict[str, str]:
    """What tells a row from others, in words, by what it is."""
    model, queries = row.get("model"), row.get("queries") or {}
    rate = f" {queries['rate']:g}/s" if queries.get("rate") else ""
    batched = row["batch"] != 1 and scenario(row) != OFFLINE
    return {
        "network": network(row),
        "weights": model["file"] if model else row["weights"],
        "runtime": target(row),
        "size": str(Size(*row["size"])),
        "device": row["device"],
        "threads": f"{row['threads']} thread" + ("s" if row["threads"] != 1 else ""),
        "batch": f"batch {row['batch']}" if batched else "",
        "data": f"{row['data']} ({row['samples']} samples)",
        "scenario": ("" if scenario(row) == SINGLE_STREAM else scenario(row)) + rate,
    }


def short_names(rows: Sequence[Row], *without: str) -> list[str]:
    """A name for each row: its network, and what else differs between the rows.

    Args:
        rows: of one table or plot.
        without: keys of :func:`name_of` that are told in another way.
    """
    names = [name_of(row) for row in rows]
    if not names:
        return []
    keys = [key for key in names[0] if key not in without and _differs(names, key)]
    keys = ["network", *(key for key in keys if key != "network")]
    return [" ".join(filter(None, (name[key] for key in keys))) for name in names]


def _differs(names: Iterable[Mapping[str, str]], key: str) -> bool:
    """Whether a part tells rows apart; weights do only between rows of one network."""
    if key != "weights":
        return len({name[key] for name in names}) > 1
    pairs = {(name["network"].partition(":")[0], name[key]) for name in names}
    return len(pairs) > len({own for own, _ in pairs})
