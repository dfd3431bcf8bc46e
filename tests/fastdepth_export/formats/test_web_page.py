"""A page for browsers: whole, without anything from elsewhere, around a file that was verified."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastdepth.errors import OutputError, ParityError
from fastdepth_export import ExportRecipe, export, verify
from fastdepth_export.export import files_of
from fastdepth_export.formats.web_page import MAIN, MODEL, content_of, members
from fastdepth_export.targets import PAGE

ROOT = Path(__file__).parents[3]
RECIPE = ExportRecipe("tiny", format="web")
MOST_BYTES = 25e6


def texts() -> dict[str, str]:
    names = [name for name in members() if Path(name).suffix in {".html", ".js", ".css"}]
    return {name: content_of(name).decode() for name in names}


@pytest.fixture(scope="module")
def page(exported, tmp_path_factory):
    """The folder of the tiny network's page, and its metadata."""
    folder = tmp_path_factory.mktemp("web") / "page"
    return folder, export(RECIPE, folder, onnx_file=exported[0])


def test_the_folder_holds_the_page_and_the_verified_file(page, exported):
    folder, metadata = page
    assert sorted(path.name for path in folder.iterdir()) == sorted(members())
    assert (folder / MODEL).read_bytes() == exported[0].read_bytes()
    assert metadata == exported[1]
    assert (folder / MAIN).read_text().startswith("<!doctype html>")


def test_an_export_over_an_older_one_leaves_other_files_alone(page, exported, tmp_path):
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / MAIN).write_text("old")
    export(RECIPE, folder, onnx_file=exported[0])
    assert (folder / "mine.txt").read_text() == "mine"
    assert (folder / MAIN).read_bytes() == (page[0] / MAIN).read_bytes()


def test_what_differs_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "TOLERANCE", 0)
    with pytest.raises(ParityError, match="nothing was written"):
        export(RECIPE, tmp_path / "page")
    assert not list(tmp_path.rglob("*.*"))


def test_a_file_in_the_folders_place_is_one_line(exported, tmp_path):
    (tmp_path / "page").write_text("a file")
    with pytest.raises(OutputError, match="page"):
        export(RECIPE, tmp_path / "page", onnx_file=exported[0])
    assert (tmp_path / "page").read_text() == "a file"


def test_the_page_to_open_is_moved_into_place_last():
    first, *_ = files_of("page", PAGE)
    assert first == Path("page") / MAIN


def test_nothing_comes_from_another_host():
    for name, text in texts().items():
        found = set(re.findall(r"""(?:src|href)=["']?(https?://[^"' >]+)""", text))
        found |= set(
            re.findall(r"""(?:import|fetch|importScripts)\(["'`](https?://[^"'`]+)""", text)
        )
        assert found == set(), name
    policy = re.search(r'content="(default-src[^"]+)"', texts()[MAIN])
    assert policy and "http" not in policy[1] and "*" not in policy[1]


def test_every_file_that_the_page_names_is_there():
    for name, text in texts().items():
        named = re.findall(r"""["'`]\./([\w.-]+\.(?:js|css|svg|txt|wasm))["'`]""", text)
        if not name.startswith("ort-"):
            assert set(named) <= set(members()), name
    assert {f"ort-wasm-simd-threaded{kind}" for kind in (".js", ".wasm")} <= set(members())


def test_licences_of_what_is_bundled_are_there():
    text = content_of("licences.txt").decode()
    for words in ("onnxruntime-web 1.", "three 0.", "MIT License", "Microsoft Corporation"):
        assert words in text


def test_it_takes_little_of_the_package():
    folder = ROOT / "export" / "fastdepth_export" / "web_page"
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES


@pytest.mark.slow
def test_the_sources_build_what_is_committed(tmp_path):
    if not (ROOT / "web" / "node_modules").exists():
        pytest.skip("needs Node.js and: npm ci --ignore-scripts, in web/")
    folder = tmp_path / "built"
    subprocess.run(
        [sys.executable, str(ROOT / "web" / "build.py"), "--plain", str(folder)], check=True
    )
    built = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert built == {name: content_of(name) for name in members() if name != MODEL}
