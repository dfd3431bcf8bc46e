"""Which networks are timed beside fastdepth's own, and the options of that run.

All go through ``fastdepth-bench run``: each in processes of its own, restarts in turns, with the
same clock, guards, frames, runtime and threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fastdepth.console import Advance, silent
from fastdepth.errors import MissingExtraError
from fastdepth.extras import missing
from fastdepth.metrics import OF_DISPARITY
from fastdepth_bench.case import Case
from fastdepth_bench.measure.isolate import ProcessError, in_own_process
from fastdepth_bench.options import Options
from fastdepth_bench.results.rivals import Rival
from fastdepth_bench.rivals.files import export, exported_case, given_case, own_case


@dataclass(frozen=True, kw_only=True)
class Compared(Options):
    """Options of ``fastdepth-bench run``, with cases of rivals before fastdepth's own.

    Attributes:
        others: those cases.
    """

    others: tuple[Case, ...] = ()

    def cases(self) -> list[Case]:
        """See :meth:`Options.cases`."""
        return list(dict.fromkeys([*self.others, *super().cases()]))

    def alignments_of(self, case: Case) -> tuple[str, ...]:
        """See :meth:`Options.alignments_of`; disparity has one alone, whatever was asked for."""
        return super().alignments_of(case) if case.in_metres else (OF_DISPARITY.name,)


@dataclass(frozen=True)
class Found:
    """What can be timed of the rivals.

    Attributes:
        cases: in the rivals' order.
        failed: why nothing can be, by name, where that is not for want of a library that has it.
    """

    cases: tuple[Case, ...]
    failed: Mapping[str, str]


def find(
    rivals: Sequence[Rival],
    files: Mapping[str, Path],
    threads: int,
    advance: Advance = silent,
    *,
    needed: bool = False,
) -> Found:
    """Files of rivals, the user's or exported now; the first time that takes minutes.

    Args:
        rivals: those that are looked for.
        files: the user's, by the rival's name.
        threads: CPU threads of every case.
        advance: moves a progress bar of a step a rival.
        needed: whether a library that is not installed is an error.

    Raises:
        ModelFileError, UsageError: a user's file cannot be run.
        MissingExtraError: a library is needed and not installed.
    """
    cases: list[Case] = []
    failed: dict[str, str] = {}

    def say(text: str) -> None:
        advance(0, text)

    for rival in rivals:
        try:
            if rival.name in files:
                cases.append(given_case(rival, files[rival.name], threads))
            elif rival.library == "fastdepth":
                cases += [own_case(rival, size, threads) for size in rival.sizes]
            elif rival.library:
                if find_spec(rival.library) is None:
                    raise missing(rival.library, "rivals")
                for size in rival.sizes:
                    path = in_own_process(export, say, rival, size)
                    cases.append(exported_case(rival, path, size, threads))
        except MissingExtraError as error:
            if needed:
                raise
            failed[rival.name] = f"not timed: {error}"
        except ProcessError as error:
            failed[rival.name] = f"not timed: its export failed: {error}"
        advance()
    return Found(tuple(cases), failed)
