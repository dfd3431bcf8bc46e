from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest
from hostile import HOSTILE_TEXT, Family, as_json
from hypothesis import strategies as st
from made_up_results import new_row, report, results

import fastdepth.calibrate.cli
import fastdepth.data.rooms.to_disk
import fastdepth.predict
import fastdepth.train.cli
import fastdepth.train.command
import fastdepth.train.compress.prune
import fastdepth.train.uncertainty.command
import fastdepth_bench.anchors.command
import fastdepth_bench.cli
import fastdepth_bench.command
import fastdepth_bench.machine.doctor
import fastdepth_bench.measure.gpu
import fastdepth_bench.profile.command
import fastdepth_bench.rivals.command
import fastdepth_bench.visual.flicker
import fastdepth_bench.visual.sheet
import fastdepth_export.cli
from fastdepth.errors import UsageError
from fastdepth.ranges import check_ranges
from fastdepth.streams import printable
from fastdepth.variants import get_variant

COMMANDS = {
    "fastdepth-bench": fastdepth_bench.cli.main,
    "fastdepth-train": fastdepth.train.cli.main,
    "fastdepth-export": fastdepth_export.cli.main,
    "fastdepth-calibrate": fastdepth.calibrate.cli.main,
    "fastdepth-predict": fastdepth.predict.main,
}
KNOWN = (Path(__file__).parents[1] / "command_lines.txt").read_text().splitlines()
OPTIONS = {verb: words.split() for verb, words in (line.split(":") for line in KNOWN)}
"""Options by command and verb."""

NUMBERS = "0 1 2 -1 8 1024 1e6 0.5 -0.0 nan inf -inf 1e999 1e-400 99999999999999999999 0x10 ٣ 1_0"
NAMES = (
    "unet128-dws mnv2-64-dws:plain unet128-dws.nyu nobody cpu cuda tensorrt tpu cuda:99 torch "
    "onnxruntime openvino fp32 fp16 int8 rooms rooms:1 rooms:0 rooms:99999999999 nyu: nyu:nowhere "
    "rooms=nan pictures:nowhere imagenet metres disparity eigen median test all-train server "
    "offline here process ray depth depth,std folded onnx engine u8s8 - . results.json "
    "nowhere.onnx x.png guidedepth-s guidedepth-s=nowhere.onnx =x None"
)
SIZES = "640x480 320x240 0x0 64x 1x99999999999 -1x5 640X480x3"
VALUES = st.one_of(
    *(st.sampled_from(words.split(" ")) for words in (NUMBERS, NAMES, NAMES, SIZES)),
    HOSTILE_TEXT.filter(lambda word: word != "/dev/zero"),  # a root user's output may replace it
)


GOOD = {
    "fastdepth-bench run": "--variant unet128-dws --runtime onnxruntime --data rooms:1",
    "fastdepth-bench compare": "results.json results.json",
    "fastdepth-bench report": "results.json",
    "fastdepth-bench table": "results.json",
    "fastdepth-bench sheet": "--variant mnv2-64-dws --data rooms:1",
    "fastdepth-bench flicker": "video.avi",
    "fastdepth-bench anchors": "--variant mnv2-64-dws --data rooms:1",
    "fastdepth-bench rivals": "--network guidedepth-s --variant mnv2-64-dws --data rooms:1",
    "fastdepth-bench profile": "model.onnx --threads 1",
    "fastdepth-bench gpu": "--dry-run",
    "fastdepth-bench doctor": "",
    "fastdepth-train train": "--variant mnv2-64-dws --data rooms:2 --output run",
    "fastdepth-train prune": "--variant mnv2-64-dws --weights own.safetensors --data rooms:2 "
    "--output cut --keep 0.5",
    "fastdepth-train rooms": "--output rooms",
    "fastdepth-train uncertainty": "--variant mnv2-64-dws --data rooms:2",
    "fastdepth-train ship": "own.safetensors --licence MIT --tag mnv2-64-dws.x",
    "fastdepth-export": "--variant mnv2-64-dws",
    "fastdepth-calibrate": "model.onnx photo.jpg --known-distance 1,2,3",
    "fastdepth-predict": "model.onnx photo.jpg --output out",
}
"""A line of each that is accepted, or fails for a file that is not there."""


@st.composite
def command_line(draw: st.DrawFn) -> list[str]:
    """Words of a command: a verb, some of its options or others' with one value, two or none."""
    verb = draw(st.sampled_from(sorted(OPTIONS)))
    foreign = sorted({name for names in OPTIONS.values() for name in names})
    words = [*verb.split(" "), *draw(st.sampled_from(("", GOOD[verb]))).split()]
    for _ in range(draw(st.integers(0, 6))):
        own = OPTIONS[verb] if OPTIONS[verb] and draw(st.integers(0, 19)) else foreign
        name = draw(st.sampled_from(own))
        values = draw(st.lists(VALUES, max_size=2)) or [draw(VALUES)] * draw(st.integers(0, 1))
        if name.startswith("--") and values and draw(st.booleans()):
            words.append(f"{name}={values.pop(0)}")
        elif name.startswith("--"):
            words.append(name)
        words += values
    return words


def stop(options: object, *_: object, **__: object) -> None:
    """The end of a command line that was accepted."""
    raise UsageError("what would take long is left out here")


def measured(command: fastdepth_bench.command.Command, advance: object) -> object:
    """Stands for a measurement; the options are checked, the data opened."""
    command.check()
    command.open_data()
    return results(new_row())


@dataclass
class Checked:
    """Stands for work on options that check themselves."""

    check: Callable[[object], object]

    def __call__(self, options: object, *_: object, **__: object) -> None:
        """Check, and end."""
        self.check(options)
        stop(options)


STAND_INS = (
    (fastdepth_bench.command, "run", measured),
    (fastdepth_bench.machine.doctor, "report", lambda: "fine"),
    (fastdepth_bench.anchors.command, "measure", stop),
    (fastdepth_bench.rivals.command, "find", stop),
    (fastdepth_bench.measure.gpu, "prove", lambda *_, **__: iter(())),
    (fastdepth_bench.profile.command, "measure_rates", stop),
    (fastdepth_bench.measure.gpu, "measure_gpu", Checked(lambda options: options.open_data())),
    (fastdepth_bench.visual.sheet, "contact_sheet", Checked(lambda options: options.open_data())),
    (fastdepth_bench.visual.flicker, "measure", Checked(lambda options: options.check())),
    (fastdepth_export.cli, "export", Checked(lambda recipe: recipe.resolved())),
    (fastdepth_export.cli, "_export_fastest", Checked(lambda recipe: recipe.resolved())),
    (fastdepth_export.cli, "sensitivity", Checked(lambda recipe: recipe.resolved())),
    (fastdepth.train.command, "train", Checked(lambda run: run.check())),
    (
        fastdepth.train.compress.prune,
        "prune_weights",
        Checked(lambda options: get_variant(options.variant)),
    ),
    (fastdepth.train.uncertainty.command, "fit_uncertainty", Checked(check_ranges)),
    (fastdepth.data.rooms.to_disk, "draw", Checked(lambda options: options.image_size)),
)
"""For what takes long: everything up to it is done."""


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Commands with stand-ins."""
    with contextlib.ExitStack() as stack:
        for module, name, stand_in in STAND_INS:
            stack.enter_context(patch.object(module, name, stand_in))
        yield


def read(data: bytes, folder: Path) -> None:
    """Run the command in an empty folder but for a results file."""
    command, *words = json.loads(data)
    (folder / "results.json").write_text(json.dumps(report(new_row())))
    out, err = io.StringIO(), io.StringIO()
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with streams[0], streams[1], contextlib.chdir(folder), quick():
        try:
            status = COMMANDS[command](words)
        except SystemExit as left:  # help
            status = left.code or 0
    for text in (out.getvalue(), err.getvalue()):
        assert all(line == printable(line) for line in text.split("\n"))
    assert status in (0, 1, 2)
    if status == 2:
        lines = err.getvalue().splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("fastdepth-")
        assert len(lines[0]) < 2000
        raise UsageError(lines[0])


FAMILY = Family("command lines", command_line().map(as_json), read)


@pytest.mark.thorough
def test_command_lines(try_to_break):
    try_to_break(FAMILY)
