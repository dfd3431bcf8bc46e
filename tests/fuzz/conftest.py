"""How long the attacks last, and the table of how they ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import Family, attack

ATTACK = "attack"
SECONDS = 3.0
"""New inputs are drawn for so long [s] where pytest is not told ``tests/fuzz`` and an option."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-seconds", type=float, default=SECONDS, help="of new inputs a family")
    group.addoption("--fuzz-seed", type=int, default=0, help="seed of the first round of inputs")


@pytest.fixture
def try_to_break(
    request: pytest.FixtureRequest, tmp_path: Path, record_property: Callable[[str, object], None]
) -> Callable[[Family], None]:
    """Attack a family, note its figures for the table, and fail with what fell."""

    def run(family: Family) -> None:
        seconds = request.config.getoption("--fuzz-seconds", SECONDS)
        first = request.config.getoption("--fuzz-seed", 0)
        tally = attack(family, tmp_path, seconds, first)
        figures = (family.name, tally.tried, tally.answered, tally.refused, len(tally.fell))
        record_property(ATTACK, figures)
        assert not tally.fell, "\n".join(sorted(set(tally.fell)))

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of ``docs/reliability.md``."""
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
    rows = sorted(value for each in reports for key, value in each.user_properties if key == ATTACK)
    if not rows:
        return
    terminalreporter.section("hostile inputs")
    terminalreporter.line("| reader | tried | answered | refused | fell |")
    terminalreporter.line("| --- | --- | --- | --- | --- |")
    for row in [*rows, ("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))]:
        terminalreporter.line("| " + " | ".join(str(cell) for cell in row) + " |")
