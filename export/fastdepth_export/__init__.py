"""Export networks to files that run without PyTorch, checked before they are written.

::

    from fastdepth_export import ExportRecipe, export

    export(ExportRecipe("unet128-dws"), "unet128-dws.onnx")

Needs the extra ``export``.
"""

from __future__ import annotations

from fastdepth_export.export import export
from fastdepth_export.recipe import ExportRecipe

__all__ = ["ExportRecipe", "export"]
