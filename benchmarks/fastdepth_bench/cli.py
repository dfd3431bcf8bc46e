"""The command ``fastdepth-bench``: its verbs."""

from __future__ import annotations

from collections.abc import Sequence

from fastdepth.console import Verb, run_verb

PROG = "fastdepth-bench"

VERBS = (
    Verb(
        "run",
        "speed and accuracy; what is done without a verb",
        "fastdepth_bench.command",
        "bench",
    ),
    Verb(
        "compare",
        "what got faster, slower or less accurate between two results files",
        "fastdepth_bench.report.compare",
        "bench",
    ),
    Verb(
        "report",
        "tables, CSV and plots of results files; renews README and docs",
        "fastdepth_bench.report.command",
        "bench",
    ),
    Verb(
        "table",
        "published figures beside those measured here",
        "fastdepth_bench.report.table",
        "bench",
    ),
    Verb(
        "sheet",
        "images, truth, predictions and errors on one contact sheet",
        "fastdepth_bench.visual.sheet",
        "bench",
    ),
    Verb(
        "flicker",
        "how much depth flickers on a video",
        "fastdepth_bench.visual.flicker",
        "bench",
    ),
    Verb(
        "anchors",
        "how much a few known distances help, and what else could be made of them",
        "fastdepth_bench.anchors.command",
        "bench",
    ),
    Verb(
        "rivals",
        "speed of networks that you would pick instead, and what is printed of their accuracy",
        "fastdepth_bench.rivals.command",
        "bench",
    ),
    Verb(
        "profile",
        "where the time of a file goes, operator by operator",
        "fastdepth_bench.profile.command",
        "bench",
    ),
    Verb(
        "gpu",
        "all that wants a GPU, in one run and one results file",
        "fastdepth_bench.measure.gpu",
        "bench",
    ),
    Verb(
        "doctor",
        "what is installed, what works here, and what to install",
        "fastdepth_bench.machine.doctor",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_verb(PROG, VERBS, arguments)
