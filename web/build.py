"""Build the page into the package: npm ci, npm run build, and what is large compressed.

    python web/build.py
    python web/build.py --plain FOLDER

Needs Node.js 20 or later, and Python alone. The same sources give the same files; --plain puts them
into a folder as they are, uncompressed.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WEB = Path(__file__).parent
PACKAGE = WEB.parent / "export" / "fastdepth_export" / "web_page"
LARGE = 10**5
"""Bytes from which a file is compressed."""


def build() -> None:
    """Build the page into the package, in the place of what is there."""
    with tempfile.TemporaryDirectory() as built:
        build_plain(Path(built))
        contents = dict(_packed(path) for path in sorted(Path(built).iterdir()))
    shutil.rmtree(PACKAGE, ignore_errors=True)
    PACKAGE.mkdir(parents=True)
    for name, content in contents.items():
        (PACKAGE / name).write_bytes(content)


def build_plain(folder: Path) -> None:
    """Build the page into a folder."""
    if not (WEB / "node_modules").exists():
        npm("ci", "--ignore-scripts")
    npm("run", "build", "--", "--outDir", str(folder.absolute()), "--emptyOutDir")


def _packed(path: Path) -> tuple[str, bytes]:
    """Name and content of a file in the package; what has not changed is not packed again."""
    content, before = path.read_bytes(), PACKAGE / f"{path.name}.xz"
    if len(content) < LARGE:
        return path.name, content
    if before.exists() and lzma.decompress(known := before.read_bytes()) == content:
        return before.name, known
    return before.name, lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)


def npm(*words: str) -> None:
    """Run npm here."""
    subprocess.run(["npm", *words], cwd=WEB, check=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            build()
        case ["--plain", folder]:
            build_plain(Path(folder))
        case _:
            sys.exit(__doc__)
