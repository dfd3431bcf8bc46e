"""The documents as their readers see them: links, headings, tables and code, from Markdown."""

from __future__ import annotations

import re
import textwrap
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
SITE = sorted((ROOT / "docs").rglob("*.md"))
OTHERS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md")
PAGES = [*map(ROOT.joinpath, OTHERS), *SITE]

_PARSER = MarkdownIt("commonmark").enable("table")


def name(page: Path) -> str:
    """Path of a page within the checkout; names it in the list of tests."""
    return page.relative_to(ROOT).as_posix()


def tokens(page: Path) -> list[Token]:
    return _PARSER.parse(page.read_text())


def inline(page: Path) -> list[Token]:
    """Everything that stands within lines: text, code, links, images."""
    return [child for token in tokens(page) for child in token.children or ()]


def written_text(page: Path) -> str:
    """Text without code, and without what ``fastdepth-bench report`` writes between marks."""
    text = re.sub(
        r"<!-- (\S+): begin -->.*?<!-- \1: end -->", "", page.read_text(), flags=re.DOTALL
    )
    found = [child for token in _PARSER.parse(text) for child in token.children or ()]
    return " ".join(child.content for child in found if child.type == "text")


def links(page: Path) -> list[str]:
    """Targets of links and images, in their order."""
    targets = [token.attrGet("href") or token.attrGet("src") for token in inline(page)]
    return [str(target) for target in targets if target]


def anchors(page: Path) -> set[str]:
    """What a link to a place within a page can name: headings, and what the API documents."""
    parsed = tokens(page)
    titles = [
        "".join(child.content for child in after.children or ())
        for token, after in pairwise(parsed)
        if token.type == "heading_open"
    ]
    return {slug(title) for title in titles} | set(documented(page))


def slug(title: str) -> str:
    """The anchor of a heading, where GitHub and MkDocs agree on it."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())


def documented(page: Path) -> list[str]:
    """Names that a page of the API documents: its lines ``::: package.name``."""
    return re.findall(r"^::: ([\w.]+)$", page.read_text(), re.MULTILINE)


def table_widths(page: Path) -> list[int]:
    """Number of columns of each table."""
    widths: list[int] = []
    for token in tokens(page):
        if token.type == "table_open":
            widths.append(0)
        elif token.type == "th_open":
            widths[-1] += 1
    return widths


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a language, those in lists included."""
    fences = [token for token in tokens(page) if token.type == "fence"]
    return [textwrap.dedent(fence.content) for fence in fences if fence.info == language]


def languages(page: Path) -> set[str]:
    """Languages of the code blocks; empty for one without."""
    return {token.info for token in tokens(page) if token.type in ("fence", "code_block")}


def command_lines(page: Path) -> list[str]:
    """Commands of the shell blocks, one each, however they are joined or broken into lines."""
    text = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    parts = [part for line in text.splitlines() for part in line.partition("  #")[0].split("&&")]
    return list(dict.fromkeys(" ".join(part.split()) for part in parts if part.strip()))
