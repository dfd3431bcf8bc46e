"""Results as Markdown, made from the JSON that a run left, for README files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from fastdepth.errors import UsageError
from fastdepth.size import Size
from fastdepth_bench.report.terminal import signed
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.reading import SINGLE_STREAM, YARDSTICK, Row, network, scenario, target

Cell = Callable[[Row], str]
"""What stands in a column of a row, empty where nothing was measured."""


def number(value: float | None, digits: int) -> str:
    """A cell of a table; empty where there is no value."""
    return "" if value is None else f"{value:.{digits}f}"


def millions(value: float | None, digits: int) -> str:
    """A cell in units of 10^6; empty where there is no value."""
    return number(value and value / 1e6, digits)


def _of(key: str, name: str, digits: int) -> Cell:
    """A number out of a part of the row that can be missing."""
    return lambda row: number((row.get(key) or {}).get(name), digits)


def _difference(row: Row) -> str:
    return "" if row["d1_minus_torch"] is None else signed(row["d1_minus_torch"])


def _interval(row: Row) -> str:
    low, high = row.get("fps_interval") or (None, None)
    return "" if low is None else f"{low:.3g} to {high:.3g}"


def _against(row: Row) -> str:
    """``2.41x unet128 [2.30, 2.52]``: how many times faster than which."""
    other = row.get("against")
    if not other:
        return ""
    return f"{other['ratio']:.2f}x {other['name']} [{other['low']:.2f}, {other['high']:.2f}]"


def _ceiling(row: Row) -> str:
    ceiling = row.get("ceiling")
    return f"{100 * ceiling['share']:.0f} %, {ceiling['binds']}" if ceiling else ""


def _scenario(row: Row) -> str:
    """The scenario, with the rate and the 99th percentile of its queries where it has some."""
    queries = row.get("queries")
    if not queries:
        return scenario(row)
    rate = f" {queries['rate']:.3g}/s" if queries.get("rate") else ""
    late = " overloaded" if queries.get("overloaded") else ""
    return f"{scenario(row)}{rate}, p99 {number(queries['p99_ms'], 0)} ms{late}"


COLUMNS: Mapping[str, Cell] = {
    "variant": network,
    "runtime": lambda row: target(row) + (f" ({row['error']})" if row["error"] else ""),
    "input": lambda row: str(Size(*row["size"])),
    "frames/s": lambda row: number(row["fps"], 1),
    "p50 ms": _of("latency_ms", "p50", 0),
    "p90 ms": _of("latency_ms", "p90", 0),
    "p99 ms": _of("latency_ms", "p99", 0),
    "MB": lambda row: millions(row["bytes"], 1),
    "params M": lambda row: millions(row["deployed_params"], 2),
    "GMAC": lambda row: number(row["gmac"], 1),
    "d1": _of("metrics", "d1", 3),
    "d2": _of("metrics", "d2", 3),
    "d3": _of("metrics", "d3", 3),
    "AbsRel": _of("metrics", "abs_rel", 3),
    "RMSE m": _of("metrics", "rmse", 3),
    "d1 - PyTorch": _difference,
}
"""Heading, and what stands below it, of the columns that every table has."""

HEADINGS = tuple(COLUMNS)

OPTIONAL: Mapping[str, Mapping[str, Cell]] = {
    "input": {
        "scenario": lambda row: "" if _plain_scenario(row) else _scenario(row),
        "batch": lambda row: "" if row["batch"] == 1 else str(row["batch"]),
    },
    "frames/s": {
        "frames/s, 95 %": _interval,
        "against": _against,
        "end-to-end frames/s": lambda row: number(row.get("end_to_end_fps"), 1),
    },
    "p99 ms": {
        "end-to-end p50 ms": _of("end_to_end_ms", "p50", 0),
        "of ceiling": _ceiling,
        "J/picture": lambda row: number(row.get("joules_per_picture"), 2),
    },
    "MB": {
        "peak memory MB": lambda row: millions(row.get("peak_resident_bytes"), 0),
        "peak GPU MB": lambda row: millions(row.get("peak_gpu_bytes"), 0),
    },
}
"""Columns that a table has only where a row has something to put there, by the one before them."""


def _plain_scenario(row: Row) -> bool:
    return scenario(row) == SINGLE_STREAM


def to_markdown(report: Mapping[str, Any]) -> str:
    """Tables of a report, one per data set and protocol, each with what is needed to repeat it.

    Args:
        report: a parsed results file, as ``result.schema.json`` describes it.

    Returns:
        Markdown that ends in the machine's description.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in report["rows"]:
        key = (*(row[name] for name in YARDSTICK), row["device"], row["threads"])
        groups.setdefault(key, []).append(row)
    parts = [_table(rows) + "\n\n" + caption(rows) for rows in groups.values()]
    machine = Environment.from_dict(report["environment"]).describe()
    return "\n\n".join([*parts, f"Measured on {machine}."]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Iterable[str]], *, texts: int) -> str:
    """A Markdown table; the first ``texts`` columns stand to the left, numbers to the right."""
    rule = ["---"] * texts + ["---:"] * (len(headings) - texts)
    rows = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *rows))


def marks(section: str) -> tuple[str, str]:
    """The lines between which a section of a page is generated."""
    return f"<!-- {section}: begin -->", f"<!-- {section}: end -->"


def between(page: str, section: str, content: str, name: str = "the README") -> str:
    """A page with this content in a section.

    Raises:
        UsageError: it has no such section; the message calls it by its name.
    """
    begin, end = marks(section)
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise UsageError(f"{name} lacks the lines {begin} and {end}")
    return f"{before}{begin}\n\n{content}\n{end}{after}"


def _table(rows: Sequence[Row]) -> str:
    columns = dict(_columns(rows))
    texts = list(columns).index("frames/s")
    lines = [[cell(row) for cell in columns.values()] for row in rows]
    return table(list(columns), lines, texts=texts)


def _columns(rows: Sequence[Row]) -> Iterator[tuple[str, Cell]]:
    """Headings and cells of the columns in which there is something to say of these rows."""
    for heading, cell in COLUMNS.items():
        yield heading, cell
        for extra, optional in OPTIONAL.get(heading, {}).items():
            if any(map(optional, rows)):
                yield extra, optional


def caption(rows: Sequence[Row]) -> str:
    """What is needed to read and to repeat rows of one yardstick, device and number of threads."""
    row = rows[0]
    kind = f" ({row['depth_kind']})" if row["depth_kind"] else ""
    batches = {row["batch"] for row in rows}
    batch = f", batch {row['batch']}" if len(batches) == 1 else ""
    return (
        f"{row['data']}{kind}, {row['samples']} samples, hash {row['sample_hash']}; "
        f"{row['protocol_description']}. {row['device']}, {row['threads']} thread(s)"
        f"{batch}; frames/s at the median latency, network input in host memory to depth in "
        f"host memory; MB of 10^6 bytes.{''.join(_remarks(rows))}"
    )


def _remarks(rows: Sequence[Row]) -> Iterator[str]:
    """Sentences that explain columns which not every table has, and rows to be doubted."""
    if any(row.get("end_to_end_ms") for row in rows):
        yield " End to end: from a camera's image to depth of its size."
    if any(row.get("fps_interval") for row in rows):
        yield " 95 %: bootstrap interval over restarts of the process."
    noisy = [f"{network(row)} {target(row)}" for row in rows if row.get("noisy")]
    if noisy:
        yield f" Noisy, because single latencies scatter by more than 15 %: {', '.join(noisy)}."
