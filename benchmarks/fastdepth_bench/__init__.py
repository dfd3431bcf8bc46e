"""Speed and accuracy of the same file, measured so that a sceptic can repeat it.

::

    import fastdepth_bench

    report = fastdepth_bench.run(fastdepth_bench.Options(variant=("unet128-dws",)))
    for row in report.rows:
        print(row.name, row.target, row.fps, row.metrics)

Needs the extra ``bench``; importing it does not import torch.
"""

from __future__ import annotations

from fastdepth_bench.case import Case
from fastdepth_bench.measure.run import run
from fastdepth_bench.options import Data, Models, Networks, Options
from fastdepth_bench.results.file import Report
from fastdepth_bench.results.row import Row
from fastdepth_export.targets import TARGETS

__all__ = ["TARGETS", "Case", "Data", "Models", "Networks", "Options", "Report", "Row", "run"]
