"""Files that come with the package: a network's name opens its own.

``mnv2-64-dws`` is in fp32, ``mnv2-64-dws:int8`` in int8. A file that is there by that name goes
first.
"""

from __future__ import annotations

import difflib
import stat
from pathlib import Path

from fastdepth.errors import ModelFileError, quoted
from fastdepth.runtime.onnx_file import OF_OTHERS

FOLDER = Path(__file__).parents[1] / "ready"
"""Where they lie in the package."""

INT8 = ":int8"
"""Ends the name of a file in int8."""

SUFFIX = ".onnx"


def path_of(name: str, folder: Path = FOLDER) -> Path:
    """Where the ready file of a name lies, if it is there."""
    return folder / f"{name.replace(':', '.')}{SUFFIX}"


def ready_files() -> dict[str, Path]:
    """The files in the package by name, in the order of the names."""
    ending = path_of(INT8).name
    files = {
        path.name.removesuffix(ending) + INT8
        if path.name.endswith(ending)
        else path.name.removesuffix(SUFFIX): path
        for path in FOLDER.glob(f"*{SUFFIX}")
    }
    return dict(sorted(files.items()))


def find_model(path: Path) -> Path:
    """The path itself, or that of the ready file that it names.

    Args:
        path: of a file, or a name without folder and suffix.

    Raises:
        ModelFileError: it is a name, and there is neither such a file nor such a network.
    """
    name = str(path)
    if path.name != name or name.endswith(SUFFIX) or not name or _is_there(path):
        return path
    ready = ready_files()
    if name in ready:
        return ready[name]
    near = difflib.get_close_matches(name.lower(), ready, n=1)
    hint = f" did you mean {near[0]!r}?" if near else ""
    known = f"ready are {', '.join(ready)}" if ready else "no network comes with this copy"
    raise ModelFileError(
        f"{quoted(name)} is no file and no network that is ready for use;{hint} {known}; "
        "others are written by fastdepth-export"
    )


def _is_there(path: Path) -> bool:
    """Whether it is a file or a package; a name that cannot be a path is told elsewhere."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode) or path.suffix in OF_OTHERS
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
