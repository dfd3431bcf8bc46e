"""What keeps the documents short enough to be read."""

from __future__ import annotations

import fnmatch
import importlib
import re

import pytest
from markdown_pages import (
    PAGES,
    ROOT,
    SITE,
    documented,
    languages,
    name,
    table_widths,
    written_text,
)

README = ROOT / "README.md"
API = {
    "fastdepth": "fastdepth",
    "fastdepth.train": "train",
    "fastdepth_export": "export",
    "fastdepth_bench": "bench",
}
"""Each package, and its page."""


def test_the_readme_is_read_in_two_minutes():
    assert README.stat().st_size <= 12_000


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_tables_are_no_wider_than_a_screen(page):
    assert max(table_widths(page), default=0) <= (6 if page == README else 8)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_code_says_its_language(page):
    assert languages(page) <= {"sh", "python", "js", "cpp", "kotlin", "swift"}


@pytest.mark.parametrize("package", API)
def test_the_api_is_what_a_package_lists(package):
    names = documented(ROOT / "docs" / "api" / f"{API[package]}.md")
    assert all(name.startswith(f"{package}.") for name in names)
    last = [name.rpartition(".")[2] for name in names]
    assert sorted(last) == sorted(importlib.import_module(package).__all__)


OTHER_WORDS = r"(?i)\b(pictures?|foreign|rivals?|contestants?|(the )?seeds'?|sub-commands?)\b"
"""What the glossary of CONTRIBUTING has another word for."""


@pytest.mark.parametrize("page", [README, *SITE], ids=name)
def test_one_word_for_one_thing(page):
    assert [found[0] for found in re.finditer(OTHER_WORDS, written_text(page))] == []


def test_the_site_shows_every_page():
    """That it builds, ``mkdocs build --strict`` says; see .ci/run."""
    listed = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2].split()
    assert sorted(word for word in listed if fnmatch.fnmatch(word, "*.md")) == sorted(
        page.relative_to(ROOT / "docs").as_posix() for page in SITE
    )
