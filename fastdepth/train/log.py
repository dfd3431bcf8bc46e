"""The log of a training run: one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class TrainingLog:
    """Appends entries to a JSONL file; every line is whole, even after a kill."""

    def __init__(self, path: Path) -> None:
        """Open a log; what a killed writer left of its last line is cut off."""
        self.path = path
        if path.exists():
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                with path.open("r+b") as stream:
                    stream.truncate(whole)

    def write(self, **entry: Any) -> None:
        """Append an entry.

        Args:
            entry: numbers, texts, and dictionaries and lists of them, by name.
        """
        with self.path.open("a") as stream:
            stream.write(json.dumps(entry) + "\n")
