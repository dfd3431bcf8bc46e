"""Every link within the documents leads somewhere."""

from __future__ import annotations

import re

import pytest
from markdown_pages import PAGES, anchors, links, name


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, place = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if place:
            assert place in anchors(target), link


def test_there_are_such_links():
    assert sum(len(links(page)) for page in PAGES) > 50
