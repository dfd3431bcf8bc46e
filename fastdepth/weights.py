"""Trained weights: which are shipped, and the card that each file carries.

Weights are safetensors files. Their header is the only place where licence, data, protocol and
scores are written; it is read here without torch. The stored tensors are the network as trained.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from fastdepth.documents import parse
from fastdepth.errors import UnknownNameError, WeightsError

FOLDER = Path(__file__).parent / "trained"
SUFFIX = ".safetensors"
CARD_KEY = "fastdepth"
MAX_HEADER = 100_000_000  # safetensors' own limit [bytes]

NotNegative = Annotated[int, msgspec.Meta(ge=0)]


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


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor lies in a safetensors file.

    Attributes:
        dtype: as the format has it, for example ``F32``.
        shape: of the tensor.
        data_offsets: its first byte and the one after its last, from the end of the header on.
    """

    dtype: str
    shape: tuple[NotNegative, ...]
    data_offsets: tuple[NotNegative, NotNegative]


@dataclass(frozen=True)
class WeightsHeader:
    """Header of a safetensors file: its tensors by name, and its metadata."""

    tensors: dict[str, TensorEntry]
    metadata: dict[str, str]


def read_header(path: str | Path) -> WeightsHeader:
    """Header of a safetensors file.

    The format is eight bytes of little-endian length, then JSON, then the tensors' bytes.

    Raises:
        WeightsError: the file is missing, truncated or no safetensors file; the message says which.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(MAX_HEADER, size - 8):
                raise WeightsError(f"{path} is not a whole safetensors file; copy it again")
            text = stream.read(length)
    except OSError as error:
        raise WeightsError(
            f"cannot read weights {path}: {error.strerror}; give a .safetensors file"
        ) from None
    header = _parse_header(text, path)
    ends = (entry.data_offsets[1] for entry in header.tensors.values())
    if max(ends, default=0) != size - 8 - length:
        raise WeightsError(f"{path} is truncated; copy or train it again")
    return header


def _parse_header(text: bytes, path: Path) -> WeightsHeader:
    """The header's JSON, in which the metadata stand among the tensors."""
    what = (f"the header of {path}", "copy it again, or train", WeightsError)
    entries = parse(text, dict[str, msgspec.Raw], *what)
    metadata = entries.pop("__metadata__", b"{}")
    return WeightsHeader(
        {name: parse(entry, TensorEntry, *what) for name, entry in entries.items()},
        parse(metadata, dict[str, str], *what),
    )


def read_card(path: str | Path) -> WeightsCard:
    """The card in a weights file's header.

    Raises:
        WeightsError: the file is missing, truncated, or was not written by fastdepth.
    """
    text = read_header(path).metadata.get(CARD_KEY)
    if text is None:
        raise WeightsError(f"{path} was not written by fastdepth; give a file by fastdepth-train")
    mend = "copy it again, or ship it anew by fastdepth-train ship"
    return parse(text, WeightsCard, f"the card of {path}", mend, WeightsError)


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
