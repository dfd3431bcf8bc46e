"""Several formats and precisions in one folder: each is written or says in a line why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from fastdepth.console import progress
from fastdepth.errors import FastDepthError, UnknownNameError, UsageError, look_up
from fastdepth.files import check_output
from fastdepth.metadata import ModelMetadata
from fastdepth_export.export import DEFAULT_DATA, export, files_of, require_extras
from fastdepth_export.recipe import PRECISIONS, ExportRecipe
from fastdepth_export.targets import ALL, FORMATS, Target


@dataclass(frozen=True)
class Written:
    """What became of a format in a precision.

    Attributes:
        format: name of the kind of file.
        precision: of the file.
        path: the file to open, or the folder; None where nothing was written.
        bytes: of all its files.
        metadata: what it says of itself; None where nothing was written.
        refused: why there is none, in one line; empty where there is.
    """

    format: str
    precision: str
    path: Path | None = None
    bytes: int = 0
    metadata: ModelMetadata | None = None
    refused: str = ""

    @property
    def cells(self) -> tuple[str, str]:
        """MB of its files and the change of d1, as tables show them."""
        if self.metadata is None:
            return "-", "-"
        change = self.metadata.d1_change
        return f"{self.bytes / 1e6:.2f}", "-" if change is None else f"{change:+.4f}"


def pairs_of(formats: Sequence[str], precisions: Sequence[str]) -> list[tuple[Target, str]]:
    """Formats and precisions, each pair once; of all formats those pairs that there can be.

    Args:
        formats: names, or ``all`` alone.
        precisions: names.

    Raises:
        UnknownNameError: there is no format or no precision of a name.
    """
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UnknownNameError("precision", precision, PRECISIONS)
    every = list(formats) == [ALL]
    targets = [look_up("format", name, FORMATS) for name in (FORMATS if every else formats)]
    pairs = dict.fromkeys((target, precision) for target in targets for precision in precisions)
    return [pair for pair in pairs if not every or pair[1] in pair[0].precisions]


def export_every(
    recipe: ExportRecipe,
    folder: Path,
    pairs: Iterable[tuple[Target, str]],
    *,
    data: str = DEFAULT_DATA,
    force: bool = False,
) -> list[Written]:
    """Export every one of several formats and precisions.

    ONNX files of which others are built are exported once for all of them.

    Args:
        recipe: network, weights, size and the rest; its format and precision do not count.
        folder: where files go; a name is the variant's, with the precision behind it unless that is
            fp32. Files there of earlier exports stay whole where the new ones are refused.
        pairs: formats, as what runs them, and precisions.
        data: depth data on which the loss of reduced precision is measured.
        force: write files of reduced precision whatever they lost.

    Returns:
        What became of each, ONNX files first; what refuses one does not end the others.

    Raises:
        UnknownNameError: no such variant or weights.
        UsageError, SizeError: the recipe cannot be in any format, or a file is in the folder's
            place, or none but its name is one's.
        OutputError: nothing can be written into the folder.
    """
    replace(recipe, format="onnx", precision="fp32", quantisation=None).resolved()
    suffixes = tuple(suffix for target in FORMATS.values() for suffix in target.suffixes)
    if not folder.is_dir() and (folder.exists() or folder.name.endswith(suffixes)):
        raise UsageError(f"several files go into a folder, which {folder} is not; name another")
    check_output(folder / ".fastdepth")
    wanted = sorted(pairs, key=lambda pair: bool(pair[0].builder))
    with TemporaryDirectory() as sources, progress("exporting", len(wanted)) as advance:
        shared = _OnnxFiles(Path(sources), data, force)
        found = []
        for target, precision in wanted:
            advance(0, note=f"{target.format} {precision}")
            own = replace(recipe, format=target.format, precision=precision)
            found.append(_export(own, target, folder, shared))
            advance()
    return found


class _OnnxFiles:
    """ONNX files that were exported, or why they were not, by their recipes."""

    def __init__(self, folder: Path, data: str, force: bool) -> None:
        """Name the folder of those that are built from alone, and options of each export."""
        self._folder, self.data, self.force = folder, data, force
        self._made: dict[ExportRecipe, tuple[Path, ModelMetadata] | FastDepthError] = {}

    def get(self, recipe: ExportRecipe, path: Path | None = None) -> tuple[Path, ModelMetadata]:
        """A file, exported when it is first asked for: to a path, or to the folder.

        Raises:
            FastDepthError: it cannot be exported, whoever asks.
        """
        key = recipe.resolved().recipe
        if key not in self._made:
            path = path or self._folder / f"{len(self._made)}.onnx"
            try:
                metadata = export(recipe, path, data=self.data, force=self.force)
                self._made[key] = path, metadata
            except FastDepthError as error:
                self._made[key] = error
        made = self._made[key]
        if isinstance(made, FastDepthError):
            raise made
        return made


def _export(recipe: ExportRecipe, target: Target, folder: Path, onnx_files: _OnnxFiles) -> Written:
    """One format in one precision."""
    behind = "" if recipe.precision == "fp32" else f"-{recipe.precision}"
    path = folder / f"{recipe.variant}{behind}{target.suffixes[0]}"
    data, force = onnx_files.data, onnx_files.force
    try:
        resolved = recipe.resolved()
        if not target.builder:
            _, metadata = onnx_files.get(recipe, path)
        else:
            require_extras(target)  # before minutes are spent on what it is built from
            source = None if target.from_network else onnx_files.get(resolved.as_onnx)[0]
            metadata = export(recipe, path, onnx_file=source, data=data, force=force)
    except FastDepthError as error:
        return Written(target.format, recipe.precision, refused=str(error))
    size = sum(file.stat().st_size for file in files_of(path, target))
    return Written(target.format, recipe.precision, path, size, metadata)


HEADINGS = ("format", "precision", "file", "MB", "off by", "d1 change")


def cells(found: Sequence[Written]) -> list[tuple[str, ...]]:
    """Rows of the table under :data:`HEADINGS`; what was not written has no figures."""
    return [_row(each, *each.cells) for each in found]


def _row(each: Written, size: str, change: str) -> tuple[str, ...]:
    name = each.path.name if each.path else "not written"
    apart = f"{each.metadata.parity:.1e} m" if each.metadata else "-"
    return each.format, each.precision, name, size, apart, change


def refusals(found: Iterable[Written]) -> list[str]:
    """Why files were not written, a line each."""
    lines = (
        f"{each.format} {each.precision} not written: "
        + each.refused.replace("; nothing was written", "")
        for each in found
        if each.refused
    )
    return list(dict.fromkeys(lines))
