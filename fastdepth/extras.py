"""Optional packages: imported when first needed, and named with their pip line when missing."""

from __future__ import annotations

import contextlib
import importlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType, ModuleType

from fastdepth.errors import MissingExtraError

TALKATIVE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "coremltools": ("coremltools",),
        "executorch": ("torch.utils._pytree",),
        "litert_torch": ("torchao", "torch.utils._pytree"),
        "onnxscript": ("onnxscript",),
    }
)
"""Packages that log and warn of what is no concern of fastdepth's users, and the loggers that do.
"""


def require(module: str, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        module: its import name.
        extra: the extra of fastdepth that installs it.

    Raises:
        MissingExtraError: it is not installed; the message is the pip line that installs it.
    """
    package = module.partition(".")[0]
    try:
        with _quietly(package):
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise  # the package is there, something inside it is broken: do not hide that
        raise missing(error.name, extra) from None


@contextlib.contextmanager
def _quietly(package: str) -> Iterator[None]:
    """Where a package that is talkative is imported without its lines."""
    with warnings.catch_warnings():
        for logger in TALKATIVE.get(package, ()):
            logging.getLogger(logger).setLevel(logging.ERROR)
            warnings.simplefilter("ignore")
        yield


def load(module: str, extra: str) -> ModuleType:
    """Import a module of fastdepth's that imports optional packages.

    Args:
        module: its import name.
        extra: the extra of fastdepth that installs what it needs; empty for none.

    Raises:
        MissingExtraError: one is not installed; the message is the pip line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name = error.name or ""
        if not extra or "." in name or name.startswith("fastdepth"):
            raise  # something of ours, or inside a package that is there
        raise missing(name, extra) from None


def missing(package: str, extra: str) -> MissingExtraError:
    """The error that names the pip line of a package that is not installed."""
    return MissingExtraError(f"{package} is not installed; run: pip install 'fastdepth[{extra}]'")


def check_opencv() -> None:
    """See that OpenCV can be imported, whichever of its two packages brought it.

    Raises:
        MissingExtraError: it is not there, or is the build with windows on a machine without them.
    """
    try:
        importlib.import_module("cv2")
    except ModuleNotFoundError:
        raise MissingExtraError(
            "OpenCV is not installed; run: pip install opencv-python-headless "
            "(opencv-python, with windows, does as well)"
        ) from None
    except ImportError as error:
        raise MissingExtraError(
            f"OpenCV cannot be imported ({error}); without a display run: "
            "pip uninstall -y opencv-python && pip install opencv-python-headless"
        ) from None
