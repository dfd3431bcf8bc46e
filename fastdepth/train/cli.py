"""The command ``fastdepth-train``: its verbs."""

from __future__ import annotations

from collections.abc import Sequence

from fastdepth.console import Verb, run_verb

PROG = "fastdepth-train"

VERBS = (
    Verb("train", "train a network; what is done without a verb", "fastdepth.train.command"),
    Verb(
        "prune",
        "leave out the least useful channels of a trained network",
        "fastdepth.train.compress.prune",
        "prune",
    ),
    Verb(
        "rooms",
        "draw rooms onto the disk, to train from often",
        "fastdepth.data.rooms.to_disk",
    ),
    Verb(
        "ship",
        "give weights their card and halve their bytes, to ship them",
        "fastdepth.train.ship",
        "train",
    ),
    Verb(
        "uncertainty",
        "fit and calibrate the head that tells how sure a trained network is",
        "fastdepth.train.uncertainty.command",
        "train",
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    return run_verb(PROG, VERBS, arguments)
