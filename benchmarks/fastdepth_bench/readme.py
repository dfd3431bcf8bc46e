"""Put committed results into the README: ``python -m fastdepth_bench.readme`` in a checkout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fastdepth.errors import UsageError
from fastdepth.files import write_text
from fastdepth_bench.markdown import to_markdown

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def with_results(readme: str, results: Sequence[Path]) -> str:
    """The README with the tables of these results files between its two marks.

    Raises:
        UsageError: the README has no such marks.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UsageError(f"the README lacks the lines {BEGIN} and {END}")
    tables = "\n".join(to_markdown(json.loads(path.read_text())) for path in results)
    return f"{before}{begin}\n\n{tables}\n{end}{after}"


def update(checkout: Path) -> None:
    """Rewrite the README of a checkout from its ``benchmarks/results``.

    Raises:
        UsageError: the README has no marks.
        OutputError: it cannot be written.
    """
    readme = checkout / "README.md"
    results = sorted((checkout / "benchmarks" / "results").glob("*.json"))
    write_text(readme, with_results(readme.read_text(), results))


if __name__ == "__main__":
    update(Path.cwd())
