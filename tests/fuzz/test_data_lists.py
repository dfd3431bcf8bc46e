from __future__ import annotations

import re

import pytest
from hostile import HOSTILE_TEXT, Family, damaged
from hypothesis import strategies as st
from pairs_on_disk import check_answer, lay_out

from fastdepth.data.nyu.dataset import open_nyu
from fastdepth.errors import DataError

GOOD_LINES = [
    "test/a.jpg test/a.png 518.8579",
    "/test/a.jpg /test/a.png 519",
    "test/a.jpg\ttest/a.png",
    "test/a.jpg None 518.8579",
]
WORDS = (
    "test/a.jpg /test/a.png test/../test/a.jpg nothing.jpg test None ~/a.jpg é.jpg C:\\a.jpg",
    "../secret.jpg test/../../secret.png /dev/zero /etc/passwd test/pipe",
)
NAMES = st.sampled_from(
    [*" ".join(WORDS).split(), "test/b c.jpg", f"{'x' * 5000}.jpg", "test/" * 1000 + "a.jpg"]
)
FOCAL = st.sampled_from(
    ("518.8579", "nan", "inf", "-inf", "0", "-518.8579", "1e999", "5188579", "f", "0x207", "٥١٨")
)
LINE = st.one_of(
    st.sampled_from(GOOD_LINES),
    st.builds("{} test/a.png 519".format, NAMES),
    st.builds("test/a.jpg {} 519".format, NAMES),
    st.builds("test/a.jpg test/a.png {}".format, FOCAL),
    st.lists(st.one_of(NAMES, FOCAL, HOSTILE_TEXT), max_size=5).map(" ".join),
    st.sampled_from(("# image depth focal", "", " ", "image,depth,focal")),
)

PLACES = st.integers(0, len(GOOD_LINES))
WRONG_FOCAL = re.compile(rb"\.png (nan|-?inf|0|1e999|f|0x207|5188579|-518\.8579)\s*$", re.MULTILINE)


def listing(lines=GOOD_LINES, separator=" ", end="\n", encoding="utf-8"):
    text = "".join(line.replace(" ", separator) + end for line in lines)
    return text.encode(encoding, errors="replace")


GOOD = listing()
LISTS = st.fixed_dictionaries(
    {},
    optional={
        "lines": st.one_of(
            st.lists(LINE, max_size=4),
            st.builds(lambda line, at: [*GOOD_LINES[:at], line, *GOOD_LINES[at:]], LINE, PLACES),
        ),
        "separator": st.sampled_from((",", ";", "\t", ", ", "  ", "\u00a0")),
        "end": st.sampled_from(("\r\n", "\r", "\n\n", "\u2028", "")),
        "encoding": st.sampled_from(("utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32")),
    },
).map(lambda changes: listing(**changes))
FAMILY = Family(
    "data-lists",
    st.one_of(damaged([GOOD]), LISTS, st.binary(max_size=200)),
    lambda data, folder: read(data, folder),
)


def read(data, folder):
    """The list as it is found in its folder, and as it is named."""
    base = lay_out(folder)
    path = base / "nyu_test.txt"
    path.write_bytes(data)
    try:
        named = open_nyu(path, "test", look=False)
    except DataError:
        with pytest.raises(DataError):  # the folder holds nothing that could be taken instead
            open_nyu(base, "test", look=False)
        raise
    found = open_nyu(base, "test", look=False)
    assert found.names == named.names
    check_answer(named, base)
    assert not WRONG_FOCAL.search(data)
    assert len(named) >= data.count(b"test/a.jpg test/a.png 518.8579\n")


@pytest.mark.thorough
def test_data_lists(try_to_break):
    try_to_break(FAMILY)
