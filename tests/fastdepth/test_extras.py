from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest

from fastdepth.errors import MissingExtraError
from fastdepth.extras import require


def test_what_is_installed_is_imported():
    assert require("json.decoder", "train").__name__ == "json.decoder"


def test_a_missing_package_prints_its_pip_line():
    with pytest.raises(MissingExtraError, match=r"pip install 'fastdepth\[train\]'"):
        require("no_such_package.part", "train")


def test_a_package_that_is_broken_inside_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("import no_such_package\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ModuleNotFoundError, match="no_such_package") as caught:
        require("broken_inside", "train")
    assert not isinstance(caught.value, MissingExtraError)


def test_what_an_exporter_leaves_unfolded_is_none_of_a_users_business():
    pytest.importorskip("onnxscript", reason="it is of the extra export")
    require("onnxscript", "export")
    logger = logging.getLogger("onnxscript.optimizer._constant_folding")
    assert not logger.isEnabledFor(logging.WARNING)


@pytest.mark.parametrize(
    ("package", "logger"),
    [("litert_torch", "torchao"), ("executorch", "torch.utils._pytree")],
)
def test_a_talkative_package_is_imported_without_its_lines(
    package, logger, tmp_path, monkeypatch, capfd
):
    talk = "import logging, warnings\nwarnings.warn('old')\n"
    talk += f"logging.getLogger('{logger}').warning('Failed to load _C_mxfp8')\n"
    (tmp_path / f"{package}.py").write_text(talk)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr(logging.getLogger(logger), "level", logging.NOTSET)
    require(package, "litert")
    monkeypatch.delitem(sys.modules, package)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ('raise ModuleNotFoundError("No module named cv2")', "pip install opencv-python-headless"),
        ('raise ImportError("libGL.so.1")', "libGL.so.1.*pip uninstall -y opencv-python"),
    ],
)
def test_without_opencv_the_pip_line_is_what_a_user_reads(tmp_path, broken, message):
    (tmp_path / "cv2.py").write_text(broken)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import fastdepth"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(f"MissingExtraError: .*{message}", done.stderr)
