from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from itertools import islice

import cv2
import numpy as np
import pytest
from hostile import NUMBERS, Family, damaged
from hypothesis import strategies as st

from fastdepth.errors import ImageError
from fastdepth.images.collection import open_images

PNG = cv2.imencode(".png", np.full((16, 16, 3), 7, np.uint8))[1].tobytes()


def tar(kind):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=kind) as shard:
        for name in ("a.png", "b" * 90 + ".png", "\u00fc/c.png"):
            member = tarfile.TarInfo(name)
            member.size = len(PNG)
            shard.addfile(member, io.BytesIO(PNG))
    return stream.getvalue()


GOOD = [tar(kind) for kind in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
KINDS = [bytes([kind]) for kind in b"0LKxgS1257V\0"]
VALUES = [*map(str, NUMBERS), "-1", "-512", "", "1e9", "\0", "a\0.png", "../../x.png", "x" * 5000]
KEYS = "size", "path", "linkpath", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.major", "mtime"


@st.composite
def sizes(draw):
    """The twelve bytes of a size: octal, of 95 bits with a sign, or anything."""
    number = draw(st.sampled_from([len(PNG), *NUMBERS, -512, -1024]))
    octal = b"%011o\0" % (number % 2**33)
    long = (0x80 << 88 | number % 2**80) if number >= 0 else 2**96 + number
    return draw(st.sampled_from([octal, long.to_bytes(12, "big"), draw(st.binary(max_size=12))]))


@st.composite
def records(draw):
    """Contents of an extended header."""
    lines = b""
    for _ in range(draw(st.integers(0, 3))):
        line = f" {draw(st.sampled_from(KEYS))}={draw(st.sampled_from(VALUES))}\n".encode()
        length = len(line) + len(str(len(line) + 3))
        lines += draw(st.sampled_from([str(length), "0", "-3", "99999999999"])).encode() + line
    return lines


@st.composite
def members(draw):
    """A member whose header has a right checksum, whatever else it says."""
    body = draw(st.one_of(st.just(PNG), records(), st.binary(max_size=600)))
    size = b"%011o\0" % len(body) if draw(st.booleans()) else draw(sizes())
    name = draw(
        st.sampled_from([b"a.png", b"\xff\xfe.png", b"x" * 96 + b".png", b"", b"/../b.png"])
    )
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size.ljust(12, b"\0")
    head += b"00000000000\0" + b" " * 8 + draw(st.sampled_from(KINDS)) + bytes(100)
    head = (head + draw(st.sampled_from([b"ustar\00000", b"ustar  \0", b""]))).ljust(512, b"\0")
    if draw(st.booleans()):  # where GNU keeps the parts of sparse files
        at = draw(st.integers(386, 482))
        head = (head[:at] + draw(st.binary(min_size=24, max_size=30)))[:512].ljust(512, b"\0")
    total = b"%06o\0 " % sum(head)
    return head[:148] + total + head[156:] + body + bytes(-len(body) % 512)


def read(data, folder):
    (folder / "a.tar").write_bytes(data)
    for image in islice(open_images(folder / "a.tar"), 200):
        assert image.name.startswith("a.tar/") and "/../" not in f"{image.name}/"
        with suppress(ImageError):
            assert image.read().ndim == 3


@pytest.mark.thorough
def test_tar(try_to_break):
    hostile = st.lists(members(), min_size=1, max_size=4).map(b"".join)
    ended = hostile.map(lambda data: data + bytes(1024))
    try_to_break(Family("tar", st.one_of(damaged(GOOD), hostile, ended), read))
