from __future__ import annotations

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
