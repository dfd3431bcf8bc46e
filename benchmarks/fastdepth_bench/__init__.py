"""Speed and accuracy of the same file, measured so that a sceptic can repeat it.

::

    import fastdepth_bench

    report = fastdepth_bench.measure.run(fastdepth_bench.Options(variant=("unet128-dws",)))
    for row in report.rows:
        print(row.case, row.timing, row.scores)

Needs the extra ``bench``; importing it does not import torch.
"""

from __future__ import annotations

from fastdepth_bench.case import Case
from fastdepth_bench.measure.run import run
from fastdepth_bench.options import Options
from fastdepth_bench.results.result import Report, Result
from fastdepth_export.targets import TARGETS

__all__ = ["TARGETS", "Case", "Options", "Report", "Result", "run"]
