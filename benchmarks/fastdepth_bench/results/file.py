"""Results files: all rows of a run and the machine that they were measured on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from fastdepth.documents import MOST, plain
from fastdepth.errors import InputError, UsageError
from fastdepth.files import read_bytes
from fastdepth.metrics import ALIGNMENTS, DEFAULT_ALIGNMENT
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.row import Row

SCHEMA: Literal[1] = 1
"""Raised when a key of the JSON changes its meaning or goes; new keys do not raise it."""

MOST_BYTES = 16_000_000
"""Size of a file; those of a dozen rows have 50,000."""

MOST_ROWS = 1000
"""Rows of a file; more fit into no table or plot."""

FOLDER = Path("benchmarks") / "results"
"""Of the committed results files, in a checkout."""

OF_OTHERS = (".anchors.json",)
"""Ends of the names of files there that hold something else; see
:mod:`fastdepth_bench.results.anchors`."""


@dataclass(frozen=True)
class Report:
    """All rows of a run.

    Attributes:
        environment: the machine, its software, and when
        rows: what was measured, in the order in which it was asked for
        schema: number of this layout
    """

    environment: Environment
    rows: Annotated[tuple[Row, ...], msgspec.Meta(max_length=MOST_ROWS)]
    schema: Literal[1] = SCHEMA

    @property
    def failed(self) -> bool:
        """Whether any row is without figures."""
        return any(row.error for row in self.rows)

    def to_json(self) -> str:
        """One JSON object, as ``result.schema.json`` describes it; no NaN in it."""
        return json.dumps(msgspec.to_builtins(self), indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, content: Any, name: str = "the file") -> Report:
        """What :meth:`to_json` wrote, parsed; files of any earlier fastdepth too.

        Args:
            content: parsed JSON. Keys that a later fastdepth added are ignored.
            name: what messages call it.

        Raises:
            InputError: it is no such content; the message names the key at fault.
        """
        if not isinstance(content, dict) or not content.get("rows"):
            raise InputError(f"{name} has no rows; give what fastdepth-bench --json wrote")
        if content.get("schema") != SCHEMA:
            found = str(content.get("schema"))[:9]
            raise InputError(f"{name} has schema {found}, this fastdepth reads {SCHEMA}; update it")
        try:
            return msgspec.convert(_upgraded(content), cls)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{name}: {str(error)[:MOST]}; measure it again") from None


def read_report(path: str | Path) -> Report:
    """Read a results file.

    Raises:
        InputError: it cannot be read, or is not such a file.
    """
    data = plain(read_bytes(path, InputError, MOST_BYTES), str(path), InputError)
    try:
        content = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        raise InputError(
            f"{path} is not JSON, which has no NaN; give what fastdepth-bench --json wrote"
        ) from None
    return Report.from_json(content, str(path))


def read_reports(paths: Iterable[Path]) -> dict[Path, Report]:
    """Several results files, each as :func:`read_report`."""
    return {path: read_report(path) for path in paths}


def committed_results(checkout: Path) -> list[Path]:
    """The results files of a checkout, by name.

    Raises:
        UsageError: there are none.
    """
    names = sorted((checkout / FOLDER).glob("*.json"))
    found = [name for name in names if not name.name.endswith(OF_OTHERS)]
    if not found:
        raise UsageError(f"no {FOLDER}/*.json here; name results files, or run in a checkout")
    return found


def _upgraded(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Content as it is written now; files of the folding benchmark, which is gone, were others."""
    rows = content["rows"]
    if "rates" in content:
        plain = {row["variant"]: row for row in reversed(rows) if row["form"] == "plain"}
        rows = [_of_folding(content, row, plain) for row in rows if row["fps"]]
    return {**content, "rows": [_reworded(row) for row in rows]}


def _reworded(row: Any) -> Any:
    """A row whose rules are told in today's words, so that it compares with what is told so."""
    said = row.get("protocol_description") if isinstance(row, dict) else None
    if not isinstance(said, str):
        return row
    said, fitted = re.subn("; disparity, fitted to the truth of each (picture|image) .*", "", said)
    said = re.sub("picture(?= and mirror| by scale)", "image", said)
    name = row.get("alignment", "affine-disparity" if fitted else DEFAULT_ALIGNMENT)
    if isinstance(name, str) and name in ALIGNMENTS:
        told = f"; alignment {ALIGNMENTS[name].describe()}; "
        said = re.sub(r"^(protocol \w+); (?!alignment )", lambda found: found[1] + told, said)
    return {**row, "alignment": name, "protocol_description": said}


def _of_folding(
    content: Mapping[str, Any], row: Mapping[str, Any], plain: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """A row of the folding benchmark with today's keys; ``plain``: what they were timed with."""
    rates, bound, speedup = content["rates"], row["ceiling_ms"], row["speedup"]
    against = speedup and {
        "name": f"{row['variant']}:plain",
        "size": row["size"],
        "ratio": speedup["value"],
        "low": speedup["low"],
        "high": speedup["high"],
        "p50_ms": plain[row["variant"]]["latency_ms"]["p50"],
    }
    ceiling = {
        "least_ms": max(bound["arithmetic"], bound["memory"]),
        "share": row["ceiling_share"],
        "binds": bound["binds"],
        "macs_per_second": rates["macs_per_second"],
        "bytes_per_second": rates["bytes_per_second"],
    }
    same = {key: content[key] for key in ("data", "samples", "sample_hash")}
    return {
        **dict.fromkeys(("params", "metrics", "d1_minus_torch", "error")),
        **row,
        **same,
        "runtime": "onnxruntime",
        "precision": "fp32",
        "device": "cpu",
        "threads": rates["threads"],
        "depth_kind": "",
        "protocol": "exactness",
        "protocol_description": "no accuracy; depth compared pixel by pixel",
        "flip": False,
        "fold": row["form"] == "folded",
        "ceiling": ceiling,
        "against": against,
        "max_difference_to_against": row["difference_to_plain"] if against else None,
        "max_difference_to_float64": row["difference_to_float64"],
    }
