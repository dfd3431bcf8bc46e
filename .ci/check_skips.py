"""Fail on a skipped test that the allow list does not name: a skip is a test that is not run."""

from __future__ import annotations

import fnmatch
import sys
from pathlib import Path
from xml.etree import ElementTree


def main(report: str, allow_list: str) -> int:
    """Compare the skips of a JUnit report with the patterns in a file, one a line, # comments."""
    lines = Path(allow_list).read_text().splitlines()
    allowed = [line.split("#")[0].strip() for line in lines]
    unexpected = [
        f"{case.get('classname')}::{case.get('name')}: {skip.get('message')}"
        for case in ElementTree.parse(report).iter("testcase")
        for skip in case.findall("skipped")
        if not any(
            fnmatch.fnmatch(f"{case.get('classname')}::{case.get('name')}", p) for p in allowed if p
        )
    ]
    for line in unexpected:
        print(f"skipped and not in {allow_list}: {line}")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
