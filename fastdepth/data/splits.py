"""Which samples of a source are trained on, and which are held out."""

from __future__ import annotations

import hashlib
import re

from fastdepth.errors import UnknownNameError

FOLDS = 5
"""Parts of the training scenes for cross-validation."""

SPLITS = ("train", "validation", "test", "all-train")
"""``train`` and ``validation`` part the scenes of ``all-train``."""

HELD_OUT = tuple(f"fold-{number}" for number in range(1, FOLDS + 1))
"""One fold of the scenes of ``all-train`` each ..."""

REST = tuple(f"without-{fold}" for fold in HELD_OUT)
"""... and the other folds."""

VALIDATION_SHARE = 10
"""One scene in so many is for validation."""


def is_validation_scene(scene: str) -> bool:
    """Whether a training scene is held out for validation; decided by its name alone.

    ``kitchen_0028a`` and ``kitchen_0028b`` are two parts of one recording and stay together.
    """
    return _number(scene, 0) % VALIDATION_SHARE == 0


def fold_of(scene: str) -> str:
    """The one of ``HELD_OUT`` that a training scene is in; decided by its name alone."""
    return HELD_OUT[_number(scene, 4) % FOLDS]


def has_scene(split: str, scene: str) -> bool:
    """Whether a scene, of the right half of the set, is in a split."""
    if split in ("test", "all-train"):
        return True
    if split in ("train", "validation"):
        return is_validation_scene(scene) == (split == "validation")
    return (fold_of(scene) == split.removeprefix("without-")) == (split in HELD_OUT)


def check_split(split: str) -> str:
    """Which of ``train``, ``validation`` and ``test`` a split is like, where scenes do not matter.

    Raises:
        UnknownNameError: there is no such split.
    """
    if split in ("all-train", *REST):
        return "train"
    if split in HELD_OUT:
        return "validation"
    if split not in SPLITS:
        raise UnknownNameError("split", split, [*SPLITS, *HELD_OUT, *REST])
    return split


def _number(scene: str, first: int) -> int:
    """A number that four bytes of the hash of a recording's name are."""
    place = re.sub(r"(?<=\d)[a-z]$", "", scene)
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[first : first + 4], "big")
