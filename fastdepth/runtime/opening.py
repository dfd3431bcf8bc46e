"""How a file is opened: what an application chooses, checked before the file is read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastdepth.arguments import checked
from fastdepth.errors import OutputError, UsageError, look_up
from fastdepth.runtime.onnx_file import Source
from fastdepth.size import Size

LONGEST = 86_400.0
"""Greatest time limit of an inference [s]."""

MOST_THREADS = 1024
"""No machine that this was written for has more cores, and runtimes hang or die of too many."""

OPTIMISATIONS = {
    "all": "ENABLE_ALL",
    "extended": "ENABLE_EXTENDED",
    "basic": "ENABLE_BASIC",
    "none": "DISABLE_ALL",
}
"""How far ONNX Runtime rewrites the graph: our name, and ONNX Runtime's."""


@dataclass(frozen=True)
class Opening:
    """How a file is opened.

    Attributes:
        source: the file's path, or its bytes.
        provider: our name of it.
        threads: threads for one operator on the CPU; None takes all cores.
        allow_fallback: let the CPU run the nodes that the provider leaves to it.
        spinning: let threads wait for the next inference at work, not asleep.
        time_limit: for an inference [s]; None waits.
        size: the one input that is used; None for all that the file has.
        arena: keep the memory of an inference for the next.
        affinity: cores, by number from 0, of the threads beside the caller's own; None for any.
        graph_optimisation: one of :data:`OPTIMISATIONS`.
        profile: file that is written when the model is closed; None for none.
    """

    source: Source = field(repr=False)
    provider: str = "cpu"
    threads: int | None = None
    allow_fallback: bool = False
    spinning: bool = False
    time_limit: float | None = None
    size: Size | None = None
    arena: bool = True
    affinity: tuple[int, ...] | None = None
    graph_optimisation: str = "all"
    profile: Path | None = None

    def check(self) -> None:
        """Refuse options that cannot work, before the file is read.

        Raises:
            UsageError: no number of threads, no time, no such optimisation, cores that are not
                there or not one for each thread.
            OutputError: the profile cannot be written where it should be.
        """
        check_threads(self.threads)
        check_time_limit(self.time_limit)
        look_up("graph optimisation", self.graph_optimisation, OPTIMISATIONS)
        if self.affinity is not None:
            _check_affinity(self.affinity, self.threads)
        if self.profile is not None:
            folder = self.profile.parent
            there = folder.is_dir() and not self.profile.is_dir()
            if not there or not os.access(folder, os.W_OK | os.X_OK):
                raise OutputError(
                    f"the profile cannot be written to {self.profile}; give a file in a folder "
                    "that is there and can be written"
                )


@checked
def check_threads(threads: int | None) -> None:
    """Raise UsageError unless a CPU can be given so many threads."""
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise UsageError(
            f"threads is {threads}; give 1 to {MOST_THREADS}, or leave it out for all cores"
        )


def _check_affinity(cores: Sequence[int], threads: int | None) -> None:
    """Raise UsageError unless there is a core for each thread beside the caller's own."""
    if threads is None or len(cores) != threads - 1:
        raise UsageError(
            f"affinity names {len(cores)} core(s); give threads, and one core less: the caller's "
            "own thread is one of them and stays where it is"
        )
    there = _cores()
    if missing := set(cores) - there:
        raise UsageError(
            f"affinity names core {min(missing)}; this process has {sorted(there)}, give of these"
        )


def _cores() -> set[int]:
    """Numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


@checked
def check_time_limit(seconds: float | None) -> None:
    """Raise UsageError unless an inference can be given so long [s]; None is for ever."""
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise UsageError(f"time limit {seconds:g} must be above 0 and at most {LONGEST:g} seconds")
