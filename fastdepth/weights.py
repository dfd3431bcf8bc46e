"""Trained weights: which are shipped, and the card that each file carries.

Weights are safetensors files. Their header is the only place where licence, data, protocol and
scores are written; it is read here without torch. The stored tensors are the network as trained.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from fastdepth.errors import UnknownNameError, WeightsError

FOLDER = Path(__file__).parent / "trained"
SUFFIX = ".safetensors"
CARD_KEY = "fastdepth"
MAX_HEADER = 100_000_000  # safetensors' own limit [bytes]


@dataclass(frozen=True)
class WeightsCard:
    """What a weights file says of itself.

    Attributes:
        variant: network that the weights belong to.
        tag: ``variant.data``, for example ``unet128-dws.nyu``; empty for a training checkpoint.
        licence: SPDX identifier or a sentence.
        data: what they were trained on.
        initialisation: what training began from.
        teacher: what it was distilled from, and with what weight; empty for nothing.
        protocol: evaluation protocol of ``scores``.
        scores: metrics by name under that protocol.
        evaluated_on: data of ``scores``.
        rooms: d1 and AbsRel on a few drawn rooms, by which anybody can check a copy; see
            :func:`fastdepth.train.ship.score_on_rooms`. Empty for a training checkpoint.
        command: command that trained them.
    """

    variant: str
    tag: str = ""
    licence: str = ""
    data: str = ""
    initialisation: str = "random"
    teacher: str = ""
    protocol: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    evaluated_on: str = ""
    rooms: dict[str, float] = field(default_factory=dict)
    command: str = ""

    def to_header(self) -> dict[str, str]:
        """The card as safetensors' string-to-string metadata."""
        return {CARD_KEY: json.dumps(asdict(self), sort_keys=True)}


def read_header(path: str | Path) -> dict[str, Any]:
    """Header of a safetensors file: tensor entries and ``__metadata__``.

    The format is eight bytes of little-endian length, then JSON, then the tensors' bytes.

    Raises:
        WeightsError: the file is missing, truncated or no safetensors file.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(MAX_HEADER, size - 8):
                raise WeightsError(f"{path} is not a whole safetensors file; copy it again")
            header = json.loads(stream.read(length))
    except OSError as error:
        raise WeightsError(
            f"cannot read weights {path}: {error.strerror}; give a .safetensors file"
        ) from None
    except ValueError as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(
            f"{path} is not a safetensors file; give one by fastdepth-train"
        ) from None
    _check_length(path, header, size - 8 - length)
    return dict(header)


def _check_length(path: Path, header: Any, available: int) -> None:
    """Find a truncated file before anything reads its tensors."""
    if not isinstance(header, dict):
        raise WeightsError(f"{path} is not a safetensors file; give one by fastdepth-train")
    ends = [v["data_offsets"][1] for k, v in header.items() if k != "__metadata__"]
    if max(ends, default=0) != available:
        raise WeightsError(f"{path} is truncated; copy or train it again")


def read_card(path: str | Path) -> WeightsCard:
    """The card in a weights file's header.

    Raises:
        WeightsError: the file is missing, truncated, or was not written by fastdepth.
    """
    text = read_header(path).get("__metadata__", {}).get(CARD_KEY)
    if text is None:
        raise WeightsError(f"{path} was not written by fastdepth; give a file by fastdepth-train")
    known = {entry.name for entry in fields(WeightsCard)}
    return WeightsCard(**{k: v for k, v in json.loads(text).items() if k in known})


def shipped_weights() -> dict[str, Path]:
    """Weights in the package by tag."""
    return {path.name.removesuffix(SUFFIX): path for path in sorted(FOLDER.glob(f"*{SUFFIX}"))}


def default_tag(variant: str) -> str | None:
    """Tag of the weights that a variant ships with, or None where it is untrained."""
    tags = [tag for tag in shipped_weights() if tag.rpartition(".")[0] == variant]
    return tags[0] if tags else None


def shipped_card(variant: str) -> WeightsCard | None:
    """Card of the weights that a variant ships with, or None where it is untrained."""
    tag = default_tag(variant)
    return read_card(find_weights(tag)) if tag else None


def find_weights(weights: str) -> Path:
    """Path of the weights that a tag or a file name means.

    Raises:
        UnknownNameError: neither a shipped tag nor a file.
        WeightsError: a file that does not exist.
    """
    shipped = shipped_weights()
    if weights in shipped:
        return shipped[weights]
    if Path(weights).exists():
        return Path(weights)
    if weights.endswith(SUFFIX):
        raise WeightsError(f"{weights} does not exist; give a file by fastdepth-train, or a tag")
    raise UnknownNameError("weights", weights, [*shipped, f"FILE{SUFFIX}"])


def weights_hash(path: str | Path) -> str:
    """First 12 hexadecimal digits of the SHA-256 of a weights file's tensors.

    The header is left out, so that writing the scores into it does not make other weights of them.
    """
    with Path(path).open("rb") as stream:
        stream.seek(8 + int.from_bytes(stream.read(8), "little"))
        return hashlib.file_digest(stream, "sha256").hexdigest()[:12]
