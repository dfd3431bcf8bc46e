"""What a user does first, by the commands that pip installed; any Python that has fastdepth.

Run in an empty folder: ``python smoke.py TESTS``, the folder of fastdepth's tests, whose helpers
write a model of a few nodes and made-up results.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path


def run(line: str, expected: str = "") -> None:
    """Run a command line; it must end with status 0 and say what is expected."""
    done = subprocess.run(line.split(), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode != 0 or expected not in said:
        sys.exit(f"{line}: status {done.returncode}, expected {expected!r}\n{said}")
    print(f"ok: {line}")


def prepare() -> None:
    """Write what the commands read into the current folder."""
    import made_up_results
    import numpy as np
    from tiny_onnx import write_model

    from fastdepth.images.io import write_png

    write_model(Path("model.onnx"))
    write_model(Path("other.onnx"), metres=0.03)
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        write_png(Path(f"{name}.png"), random.integers(0, 256, (48, 64, 3), np.uint8))
    rows = made_up_results.new_row(), made_up_results.new_row("unet128", 200.0)
    for name in ("old", "new"):
        Path(f"{name}.json").write_text(json.dumps(made_up_results.report(*rows)))


def public_names() -> None:
    """Every public name can be imported where its packages are."""
    for package in ("fastdepth", "fastdepth.data", "fastdepth_bench"):
        module = importlib.import_module(package)
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        if missing:
            sys.exit(f"{package} lacks {missing}")
    print("ok: public names")


def main(tests: str) -> None:
    """Run all that a machine without torch can."""
    sys.path.insert(0, tests)
    public_names()
    prepare()
    for command in ("predict", "bench", "export", "train"):
        run(f"fastdepth-{command} --help", f"fastdepth-{command}")
    run("fastdepth-predict model.onnx a.png b.png --output out")
    for name in ("a", "b"):
        if not Path(f"out/{name}_colour.png").exists():
            sys.exit(f"no colour image of {name}.png")
    run("fastdepth-predict model.onnx a.png b.png --compare other.onnx --output compared")
    run("fastdepth-export --list", "unet128-dws")
    run("fastdepth-bench --doctor", "onnxruntime")
    run("fastdepth-bench compare old.json new.json", "unet128-dws")
    run("fastdepth-bench report old.json --plot plots", "plots")


if __name__ == "__main__":
    main(*sys.argv[1:])
