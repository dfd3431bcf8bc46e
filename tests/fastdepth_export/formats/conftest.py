"""A page around the shipped network, served, and a browser with it."""

from __future__ import annotations

import pytest
from a_browser import browsers, ready, served, shipped

import fastdepth
from fastdepth_export import ExportRecipe, export
from fastdepth_export.formats.web_page import MODEL


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A page around the file of a network that comes with the package."""
    made = tmp_path_factory.mktemp("web") / "page"
    recipe = ExportRecipe("mnv2-64-dws-70", format="web", compact=True)
    export(recipe, made, onnx_file=shipped("mnv2-64-dws-70"))
    return made


@pytest.fixture(scope="session")
def in_python(folder):
    """The page's model, opened in Python."""
    return fastdepth.load(folder / MODEL, threads=1)


@pytest.fixture(scope="module")
def launch():
    with browsers() as start:
        yield start


@pytest.fixture(scope="module")
def browser(launch):
    return launch()


@pytest.fixture(scope="module")
def address(folder):
    with served(folder) as url:
        yield url


@pytest.fixture(scope="module")
def numbers(browser, address):
    """A page whose module is asked, and which nobody looks at."""
    opened = browser.new_page()
    ready(opened, address)
    return opened


@pytest.fixture
def page(browser, address):
    """The page, loaded once more by its service worker and ready."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    ready(opened, address)
    yield opened
    context.close()
    assert faults == []
