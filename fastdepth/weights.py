"""Trained weights: which are shipped, and the card that each file carries.

Weights are safetensors files. Their header is the only place where licence, data, protocol and
scores are written; it is read here without torch. The stored tensors are the network as trained.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated

import msgspec

from fastdepth.anchors.prior import AnchorPrior
from fastdepth.documents import parse
from fastdepth.errors import InputError, UnknownNameError, UsageError, WeightsError
from fastdepth.files import check_regular
from fastdepth.metadata import IntervalFactors
from fastdepth.metrics import METRICS

FOLDER = Path(__file__).parent / "trained"
SUFFIX = ".safetensors"
CARD_KEY = "fastdepth"
MAX_HEADER = 10_000_000  # a tenth of safetensors' own limit; ours have 0.2 MB [bytes]
MAX_FILE = 2**34  # the largest checkpoint of ours has a tenth [bytes]
LONGEST = 10_000
"""Characters of a text of a card at most; the rest is left out."""

UNCERTAINTY = "uncertainty."
"""Prefix of the tensors of an uncertainty head, which stand beside the network's."""

DTYPE_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8"), 1),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F64", "I64", "U64"), 8),
}
"""What a number takes in a safetensors file, of the kinds that weights are stored as."""

NotNegative = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
TensorName = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,300}\Z")]
VariantName = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]*\Z", max_length=100)]
Tag = Annotated[str, msgspec.Meta(pattern=r"^(?!.*\.\.)[\w.-]*\Z", max_length=200)]
ScoreName = Annotated[str, msgspec.Meta(pattern=r"^\w{1,50}\Z")]
Score = Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class WeightsCard:
    """What a weights file says of itself; its texts are of one line that can be printed.

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
        anchor_prior: of the network's errors, by ``fastdepth-train ship --prior-data``; None where
            it was not fitted.
        interval: factors of intervals, by the uncertainty head that the file holds; None without.
    """

    variant: VariantName
    tag: Tag = ""
    licence: str = ""
    data: str = ""
    initialisation: str = "random"
    teacher: str = ""
    protocol: str = ""
    scores: dict[ScoreName, Score] = field(default_factory=dict)
    evaluated_on: str = ""
    rooms: dict[ScoreName, Score] = field(default_factory=dict)
    command: str = ""
    anchor_prior: AnchorPrior | None = None
    interval: IntervalFactors | None = None

    def __post_init__(self) -> None:
        for name in (entry.name for entry in fields(WeightsCard)):
            if isinstance(text := getattr(self, name), str):
                object.__setattr__(self, name, _printable(text))

    def check_scores(self, error: type[InputError | UsageError], name: str) -> None:
        """See that each score can be: a finite number, not negative, and d1 to d3 at most 1.

        Args:
            error: what is raised.
            name: what the message calls the card.

        Raises:
            FastDepthError: ``error``.
        """
        for metric, value in {**self.rooms, **self.scores}.items():
            share = metric in METRICS and METRICS[metric].higher_is_better
            if not 0 <= value <= (1 if share else math.inf) or math.isinf(value):
                raise error(f"{name}: {metric} {value} cannot be; score the weights again")

    def to_header(self) -> dict[str, str]:
        """The card as safetensors' string-to-string metadata."""
        return {CARD_KEY: json.dumps(asdict(self), sort_keys=True)}


def _printable(text: str) -> str:
    """A text on one line without what moves a terminal's cursor or turns writing round."""
    text = " ".join(text.split())[:LONGEST]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


@dataclass(frozen=True)
class TensorEntry:
    """Where a tensor lies in a safetensors file.

    Attributes:
        dtype: as the format has it, for example ``F32``.
        shape: of the tensor.
        data_offsets: its first byte and the one after its last, from the end of the header on.
    """

    dtype: str
    shape: Annotated[tuple[NotNegative, ...], msgspec.Meta(max_length=8)]
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
    size = check_regular(path, WeightsError, f"; give a {SUFFIX} file").st_size
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(MAX_HEADER, size - 8):
                raise WeightsError(f"{path} is not a whole safetensors file; copy it again")
            text = stream.read(length)
    except OSError as error:
        raise WeightsError(
            f"cannot read weights {path}: {error.strerror}; give a {SUFFIX} file"
        ) from None
    header = _parse_header(text, path)
    _check_places(header.tensors, size - 8 - length, path)
    return header


def _check_places(tensors: Mapping[str, TensorEntry], size: int, path: Path) -> None:
    """See that the tensors fill what follows the header, one after the other, without gaps."""
    end = 0
    for name, entry in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        where = f"the header of {path}: tensor {name}"
        if entry.dtype not in DTYPE_BYTES:
            known = ", ".join(DTYPE_BYTES)
            raise WeightsError(f"{where} is none of {known}; store it as F32")
        length = math.prod(entry.shape) * DTYPE_BYTES[entry.dtype]
        if entry.data_offsets != (end, end + length):
            raise WeightsError(f"{where} is not where it should be; copy it again, or train")
        end += length
    if size > MAX_FILE:
        raise WeightsError(f"{path} is larger than any weights; is it the right file?")
    if end != size:
        state = "truncated" if end > size else "longer than its tensors"
        raise WeightsError(f"{path} is {state}; copy or train it again")


def _parse_header(text: bytes, path: Path) -> WeightsHeader:
    """The header's JSON, in which the metadata stand among the tensors."""
    what = (f"the header of {path}", "copy it again, or train", WeightsError)
    entries = parse(text, dict[TensorName, msgspec.Raw], *what)
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
    card = parse(text, WeightsCard, f"the card of {path}", mend, WeightsError)
    card.check_scores(WeightsError, f"the card of {path}")
    return card


def shipped_weights() -> dict[str, Path]:
    """Weights in the package by tag, in order."""
    paths = {path.name.removesuffix(SUFFIX): path for path in FOLDER.glob(f"*{SUFFIX}")}
    return dict(sorted(paths.items()))


def default_tag(variant: str) -> str | None:
    """Tag of the weights that a variant ships with, its first, or None where it is untrained."""
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
    if os.path.exists(weights):  # noqa: PTH110 (no error, whatever the text)
        return Path(weights)
    if weights.endswith(SUFFIX):
        raise WeightsError(f"{weights} does not exist; give a file by fastdepth-train, or a tag")
    raise UnknownNameError("weights", weights, [*shipped, f"FILE{SUFFIX}"])


def weights_hash(path: str | Path) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the network's tensors in a weights file.

    The header and an uncertainty head are left out, so that writing scores or a head into the file
    does not make other weights of them.

    Raises:
        WeightsError: the file is missing, truncated or no safetensors file.
    """
    own = {n: t for n, t in read_header(path).tensors.items() if not n.startswith(UNCERTAINTY)}
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        start = 8 + int.from_bytes(stream.read(8), "little")
        for begin, end in sorted(entry.data_offsets for entry in own.values()):
            stream.seek(start + begin)
            digest.update(stream.read(end - begin))
    return digest.hexdigest()[:12]
