"""A third-party file: timed, costed and named in rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import write_third_party

from fastdepth.files import file_hash
from fastdepth.size import Size
from fastdepth_bench.case import ThirdPartyNetwork
from fastdepth_bench.measure.timing import measure
from fastdepth_bench.results.figures import ThirdPartyFigures
from fastdepth_bench.runners.providers import CPU
from fastdepth_bench.runners.third_party import BoundSession, ThirdPartyRunner

SIZE = Size(12, 16)


@pytest.fixture
def batch() -> np.ndarray:
    """Two images (2, 12, 16, 3) uint8."""
    return np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)


def test_cost_is_for_one_image(tmp_path: Path) -> None:
    path = write_third_party(tmp_path / "m.onnx")
    cost = ThirdPartyRunner(ThirdPartyNetwork(path, SIZE, "unit", "metres")).cost()
    assert (cost.params, cost.macs) == (3, 3 * SIZE.height * SIZE.width)
    assert cost.bytes == path.stat().st_size
    path = write_third_party(tmp_path / "four.onnx", (4, 3, *SIZE))
    assert (
        ThirdPartyRunner(ThirdPartyNetwork(path, None, "unit", "metres")).cost().macs == cost.macs
    )


def test_it_is_timed_as_any_runner(tmp_path: Path) -> None:
    path = write_third_party(tmp_path / "m.onnx")
    images = np.random.default_rng(0).integers(0, 256, (3, 1, *SIZE, 3), np.uint8)
    with ThirdPartyRunner(ThirdPartyNetwork(path, SIZE, "imagenet", "metres"), threads=2) as runner:
        assert runner._session.get_session_options().intra_op_num_threads == 2
        assert runner._session.get_providers() == [CPU]
        assert len(measure(runner, list(images), SIZE, seconds=0.01).passes) >= 20


def test_bound_memory_answers_as_a_call_does(tmp_path: Path, batch: np.ndarray) -> None:
    """ONNX Runtime binds the CPU's memory as it binds a GPU's; sizes of batches may change."""
    path = write_third_party(tmp_path / "m.onnx")
    runner = ThirdPartyRunner(ThirdPartyNetwork(path, SIZE, "imagenet", "metres"))
    turns = [batch, batch[::-1].copy(), batch[:1], batch]
    expected = [runner.infer(images) for images in turns]
    runner._session = BoundSession(runner._session, "cpu")
    for images, depth in zip(turns, expected, strict=True):
        np.testing.assert_array_equal(runner.infer(images), depth)
    first, second = runner.infer(batch), runner.infer(batch + 1)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, expected[0])
    assert runner.on_device() is None


def test_what_is_said_of_it(tmp_path: Path) -> None:
    path = write_third_party(tmp_path / "midas.onnx")
    theirs = ThirdPartyNetwork(path, SIZE, "imagenet", "disparity")
    assert (theirs.name, theirs.in_metres) == ("midas", False)
    assert theirs.figures() == ThirdPartyFigures(
        "midas.onnx", "imagenet", "disparity", file_hash(path)
    )
    assert theirs.describe() == (
        "midas.onnx: pixels ImageNet's mean and standard deviation; answers with disparity, "
        "larger is nearer, of no known scale and shift"
    )
    assert ThirdPartyNetwork(path, SIZE, "imagenet", "metres").in_metres
    assert (
        "pixels 0..1; answers with depth [m]"
        in ThirdPartyNetwork(path, SIZE, "unit", "metres").describe()
    )
    assert "normalised in the file; answers with depth [m]" in ThirdPartyNetwork(path).describe()
