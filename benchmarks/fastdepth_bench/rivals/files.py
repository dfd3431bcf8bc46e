"""ONNX files of rivals: exported into the cache, or the user's own."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from fastdepth.errors import UsageError
from fastdepth.extras import require
from fastdepth.files import cache_folder, make_folder, remove_leftovers_in, replacing
from fastdepth.metadata import UNTRAINED
from fastdepth.runtime.third_party import inspect
from fastdepth.size import Size
from fastdepth_bench.case import Case, ThirdPartyNetwork
from fastdepth_bench.machine.environment import package_version
from fastdepth_bench.measure.isolate import Say
from fastdepth_bench.results.rivals import Rival
from fastdepth_bench.runners.cache import EXPORTING_PACKAGES
from fastdepth_export.recipe import ExportRecipe


def cache_path(rival: Rival, size: Size) -> Path:
    """Where the export of what a library has of a rival lies, whether or not it was made yet."""
    packages = dict.fromkeys((*EXPORTING_PACKAGES, rival.library))
    parts = [package_version(name) for name in packages]
    source = Path(__file__).with_name("networks.py").read_text()
    key = hashlib.sha256(json.dumps([*parts, source]).encode()).hexdigest()[:12]
    return cache_folder() / "rivals" / f"{rival.name}-{size}-{key}.onnx"


def export(say: Say, rival: Rival, size: Size) -> Path:
    """Export what a library has of a rival, for one image of one size, unless it is there.

    It goes the way of fastdepth's own networks: bytes of a camera in, a map of their size out.

    Args:
        say: told what is done.
        rival: its library is none of fastdepth's.
        size: network input.

    Raises:
        MissingExtraError: the library is not installed.
        OutputError: the cache folder cannot be written.
    """
    path = cache_path(rival, size)
    if path.exists():
        return path
    say(f"{rival.timed_as} {size}: exporting")
    onnx = require("onnx", "bench")
    from fastdepth_bench.rivals.networks import build
    from fastdepth_export.formats.onnx_graph import to_onnx

    model = to_onnx(build(rival.name), (size,), ExportRecipe.opset, batch=1)
    make_folder(path.parent)
    remove_leftovers_in(path.parent)
    with replacing(path) as temporary:
        onnx.save(model, str(temporary))
    return path


def exported_case(rival: Rival, path: Path, size: Size, threads: int) -> Case:
    """The case of a file by :func:`export`: it is timed, its answers are scored nowhere."""
    model = ThirdPartyNetwork(path, None, "", rival.output)
    name = rival.timed_as
    return Case(name, UNTRAINED, "onnxruntime", "fp32", size, threads=threads, model=model)


def own_case(rival: Rival, size: Size, threads: int) -> Case:
    """The case of a rival that is a variant of fastdepth's, without trained weights."""
    return Case(rival.name, UNTRAINED, "onnxruntime", "fp32", size, threads=threads)


def given_case(rival: Rival, path: Path, threads: int) -> Case:
    """The case of a user's file of a rival, at its own input or else at the first of the rival's.

    Args:
        rival: says what the file wants of pixels, unless it takes bytes, and what it answers with.
        path: the file.
        threads: CPU threads.

    Raises:
        ModelFileError: it is missing, not ONNX, or no network from one image to one map.
        UsageError: it is fastdepth's own, or takes none of the rival's inputs.
    """
    if _says_how_it_is_called(path):
        raise UsageError(
            f"{path} is fastdepth's own or calibrated by it; time it by fastdepth-bench --model"
        )
    for normalise in (rival.normalise, "raw"):
        for size in (None, *rival.sizes):
            file = ThirdPartyNetwork(path, size, normalise, rival.output)
            with suppress(UsageError):  # it takes bytes, leaves its size open or takes another
                case = Case.of_model(file, "cpu", threads)
                return replace(case, variant=rival.name)
    raise UsageError(
        f"{path} leaves a side of its input open and takes none of "
        f"{', '.join(map(str, rival.sizes))}; export it with a fixed size"
    )


def _says_how_it_is_called(path: Path) -> bool:
    try:
        inspect(ThirdPartyNetwork(path))
    except UsageError:
        return False
    return True
