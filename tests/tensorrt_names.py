"""What the real TensorRT bindings offer of the names that fastdepth uses.

``python tests/tensorrt_names.py`` writes tensorrt_names.json anew: it downloads the wheels of the
bindings alone, about 1 MB each, and imports them beside three empty libraries that define the C
symbols which they look for. Needs pip, a C compiler and Linux on x86-64.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

NAMES = Path(__file__).with_suffix(".json")

WHEELS = {
    "10.8.0.43": "tensorrt-cu12-bindings",
    "10.16.1.11": "tensorrt-cu13-bindings",
    "11.4.0.106": "tensorrt-cu13-bindings",
}
"""The oldest release that the extra takes, and the newest of both majors."""

SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)


CONSTRUCTED = ("Logger", "Builder", "OnnxParser", "Runtime")
"""Classes of which fastdepth itself makes instances; TensorRT makes those of the others."""


def surface(module) -> dict[str, list[str]]:
    """Classes of the fake and their members; of methods the names of their parameters."""
    found: dict[str, list[str]] = {}
    for name, kind in vars(module).items():
        if not inspect.isclass(kind) or kind.__module__ != module.__name__ or "Fake" in name:
            continue
        found[name] = _parameters(kind.__init__) if name in CONSTRUCTED else []
        for member, value in vars(kind).items():
            if not member.startswith("_"):
                found[f"{name}.{member}"] = _parameters(value) if callable(value) else []
    return found


def _parameters(function) -> list[str]:
    return list(inspect.signature(function).parameters)[1:]


DUMP = """
import ctypes, json, re, sys
for library in sys.argv[2:]:
    ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
import tensorrt_bindings as trt

def overloads(function, name):
    lines = (function.__doc__ or "").splitlines()
    found = [re.match(rf"(?:\\d+\\. )?{name}\\(self: [^,)]*(?:, )?(.*)\\) -> ", l) for l in lines]
    return [re.findall(r"(?:^|, )(\\w+): ", match[1]) for match in found if match]

answer = {}
for path in json.loads(sys.argv[1]):
    kind, _, member = path.partition(".")
    owner = getattr(trt, kind, None)
    value = getattr(owner, member, None) if member else owner
    if value is None:
        continue
    if member:
        answer[path] = overloads(value, member) if callable(value) else []
    else:
        answer[path] = overloads(value.__init__, "__init__")
print(json.dumps({"version": trt.__version__, "names": answer}))
"""


def read(version: str, names: list[str]) -> dict[str, list[list[str]]]:
    """Those of the names that a release has; of callables the parameters of each overload.

    Raises:
        OSError, subprocess.CalledProcessError: no compiler, or the wheel cannot be had.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--dest", name]
        pip += ["--only-binary=:all:", f"{WHEELS[version]}=={version}"]
        subprocess.run(pip, check=True, capture_output=True)
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        libraries = _stubs(folder, version.partition(".")[0])
        dump = [sys.executable, "-c", DUMP, json.dumps(names), *libraries]
        done = subprocess.run(dump, check=True, capture_output=True, text=True, cwd=folder)
    answer = json.loads(done.stdout)
    assert answer["version"] == version
    return answer["names"]


def _stubs(folder: Path, major: str) -> list[str]:
    source = folder / "stub.c"
    source.write_text("".join(f"void *{symbol}(void) {{ return 0; }}\n" for symbol in SYMBOLS))
    paths = []
    for library in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
        path = folder / f"lib{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{path.name}", "-o", path, source]
        subprocess.run(command, check=True, capture_output=True)
        paths.append(str(path))
    return paths


if __name__ == "__main__":
    import fake_tensorrt

    wanted = list(surface(fake_tensorrt))
    found = {version: read(version, wanted) for version in WHEELS}
    blocks = (
        f'"{version}": {{\n'
        + ",\n".join(f"  {json.dumps(name)}: {json.dumps(real)}" for name, real in names.items())
        + "\n}"
        for version, names in found.items()
    )
    NAMES.write_text("{\n" + ",\n".join(blocks) + "\n}\n")
