from __future__ import annotations

import pytest
from hostile import HOSTILE_TEXT, Family, damaged
from hypothesis import strategies as st
from pairs_on_disk import check_answer, lay_out

from fastdepth.data.nyu.dataset import open_nyu

COLUMNS = ("image", "depth", "split", "scene")
GOOD_ROWS = [
    ("test/a.jpg", "test/a.png", "test", "hall"),
    ("test/b c.jpg", "test/a.png", "test", "café"),
    ("/test/a.jpg", "./test/../test/a.png", "test", "hall"),
]
WORDS = (
    "test/a.jpg /test/a.jpg test/../test/a.jpg test/A.jpg nothing.jpg test ~/a.jpg C:\\a.jpg",
    '../secret.jpg test/../../secret.png /dev/zero /etc/passwd test/pipe "quoted" a,b.jpg',
)
PATHS = st.sampled_from([*" ".join(WORDS).split(), "a\nb", "x" * 5000, "test/" * 1000 + "a.jpg"])
CELL = st.one_of(PATHS, HOSTILE_TEXT, st.sampled_from(("test", "train", "validation", "", " ")))
ROW = st.one_of(
    st.sampled_from(GOOD_ROWS),
    st.tuples(PATHS, st.just("test/a.png"), st.just("test"), st.just("hall")),
    st.tuples(st.just("test/a.jpg"), PATHS, st.just("test"), st.just("hall")),
    st.lists(CELL, max_size=6).map(tuple),
)
HEADER = st.one_of(
    st.permutations(COLUMNS).map(tuple),
    st.lists(st.one_of(st.sampled_from(COLUMNS), HOSTILE_TEXT), max_size=6).map(tuple),
)


def table(header=COLUMNS, rows=GOOD_ROWS, separator=",", end="\r\n", encoding="utf-8", quote=False):
    cells = [[f'"{cell}"' if quote else cell for cell in row] for row in (header, *rows)]
    text = "".join(separator.join(row) + end for row in cells)
    return text.encode(encoding, errors="replace")


GOOD = table()
TABLES = st.fixed_dictionaries(
    {},
    optional={
        "header": HEADER,
        "rows": st.one_of(
            st.lists(ROW, max_size=4), ROW.map(lambda row: [GOOD_ROWS[0], row, GOOD_ROWS[1]])
        ),
        "separator": st.sampled_from((", ", ";", "\t", "|", " ")),
        "end": st.sampled_from(("\n", "\r", "\n\n", "\n#\n", "\u2028", "")),
        "encoding": st.sampled_from(("utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32")),
        "quote": st.just(True),
    },
).map(lambda changes: table(**changes))
FAMILY = Family(
    "manifests",
    st.one_of(damaged([GOOD]), TABLES, st.binary(max_size=200)),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    base = lay_out(folder)
    (base / "manifest.csv").write_bytes(data)
    source = open_nyu(base, "test", look=False)
    check_answer(source, base)
    assert len(source) >= data.count(b",test,hall\r\n")  # no row is passed over


@pytest.mark.thorough
def test_manifests(try_to_break):
    try_to_break(FAMILY)
