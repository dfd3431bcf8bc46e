"""A runner that is not done when it returns is caught; those that are done never are."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import write_model

from fastdepth.errors import ParityError, UsageError
from fastdepth.runtime.model import load
from fastdepth.size import Size
from fastdepth_bench.measure.guards import check_complete
from fastdepth_bench.measure.timing import measure
from fastdepth_export.formats.openvino_ir import core

BUSY = 0.005
BLOCK = bytes(1 << 16)


def images(count=4, size=(8, 8)):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (1, *size, 3), np.uint8) for _ in range(count)]


def depth_of(batch):
    """What all runners here compute: the mean colour of each pixel."""
    return batch.mean(axis=3, dtype=np.float32)[:, None]


def spin(seconds):
    """Keep a core busy for so long; other threads run meanwhile, for hashing frees Python."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        hashlib.sha256(BLOCK)


class Honest:
    """Has so many threads spin for 5 ms, and answers when all have done so."""

    def __init__(self, threads):
        self.pool, self.threads, self.took = ThreadPoolExecutor(threads), threads, []

    def infer(self, batch):
        start = time.perf_counter()
        for _ in self.pool.map(spin, [BUSY] * self.threads):
            pass
        depth = depth_of(batch)
        self.took.append(time.perf_counter() - start)
        return depth


class Threaded:
    """Works in a thread of its own, one inference after the other; subclasses cheat with it."""

    def __init__(self):
        self.worker = ThreadPoolExecutor(1)


class FillsLater(Threaded):
    """Answers with an array that its thread fills when it gets round to it."""

    def infer(self, batch):
        answer = np.ones((len(batch), 1, *batch.shape[1:3]), np.float32)
        self.worker.submit(self.fill, answer, batch)
        return answer

    def fill(self, answer, batch):
        spin(BUSY)
        answer[:] = depth_of(batch)


class FillsAsleep(FillsLater):
    """The same while the process uses no time at all, as when another one does the work."""

    def fill(self, answer, batch):
        time.sleep(0.05)
        answer[:] = depth_of(batch)


class OneBehind(Threaded):
    """Answers with the depth of the image before, and works on this one meanwhile."""

    coming = None

    def infer(self, batch):
        ready, self.coming = self.coming, self.worker.submit(self.work, batch)
        return depth_of(batch) if ready is None else ready.result()

    def work(self, batch):
        spin(BUSY)
        return depth_of(batch)


class Constant:
    """Looks at no image."""

    def infer(self, batch):
        return np.full((len(batch), 1, *batch.shape[1:3]), 2, np.float32)


class PutsOff(Threaded):
    """Answers right and leaves most of its work for later."""

    def infer(self, batch):
        self.worker.submit(spin, BUSY)
        return depth_of(batch)


class Lazy(np.ndarray):
    """An array that could compute itself when somebody reads it."""


class AnswersLazily:
    """Leaves the work to whoever reads the answer."""

    def infer(self, batch):
        return depth_of(batch).view(Lazy)


CHEATS = {
    FillsLater: "changed at .* pixels after infer had returned",
    FillsAsleep: "changed at 64 of 64 pixels",
    OneBehind: "not of this image",
    Constant: "different images with the same depth",
    PutsOff: "CPU time after the last of",
    AnswersLazily: "answered a Lazy",
}


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
def test_a_runner_that_is_not_done_is_caught(cheat):
    runner = cheat()
    runner.infer(images()[0])
    with pytest.raises(ParityError, match=CHEATS[cheat]) as caught:
        check_complete(runner, images())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("warm", range(4))
def test_one_behind_is_caught_whatever_came_first_and_with_two_images(warm, monkeypatch):
    monkeypatch.setattr("fastdepth_bench.measure.guards.PAUSE", 0.02)
    for found in (images(4), images(2)):
        runner = OneBehind()
        for batch in found[: warm % len(found)]:
            runner.infer(batch)
        with pytest.raises(ParityError):
            check_complete(runner, found)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_time_is_read_as_it_is_at_one_thread_and_at_two(threads):
    """What holds the runner up it reads as well, so that a busy machine fails no test."""
    runner = Honest(threads)
    passes = measure(runner, images(), Size(8, 8), seconds=0.3).passes
    times = np.array([one.inference for one in passes])
    own = np.array(runner.took[-len(times) :])
    assert times.min() >= BUSY
    assert times.min() == pytest.approx(own.min(), rel=0.03)
    assert np.median(times) == pytest.approx(np.median(own), rel=0.03)
    assert times.min() < 10 * BUSY  # loose: where cores are shared, two threads take turns


def test_an_honest_runner_passes_in_about_a_second():
    start = time.perf_counter()
    check_complete(Honest(2), images())
    assert time.perf_counter() - start < 3


def test_a_process_that_is_never_quiet_delays_the_check_no_end(monkeypatch):
    """Some other thread that keeps busy is not the runner's, and costs it nothing."""
    monkeypatch.setattr("fastdepth_bench.measure.guards.LONGEST", 0.2)
    stop = threading.Event()

    def background():
        while not stop.is_set():
            spin(0.001)

    thread = threading.Thread(target=background)
    thread.start()
    try:
        start = time.perf_counter()
        check_complete(Honest(1), images())
        assert time.perf_counter() - start < 4
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_onnx_runtime_passes_though_its_threads_spin(tmp_path: Path, threads):
    model = load(write_model(tmp_path / "tiny.onnx", Size(480, 640)), threads=threads)
    check_complete(model, images(3, (480, 640)))


@pytest.mark.parametrize("threads", [1, 2])
def test_pytorch_passes(threads):
    torch = pytest.importorskip("torch")
    layer = torch.nn.Conv2d(3, 32, 3, padding=1)

    class Runner:
        def infer(self, batch):
            with torch.inference_mode():
                image = torch.from_numpy(batch).permute(0, 3, 1, 2).float()
                return layer(image).mean(1, keepdim=True).numpy()

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check_complete(Runner(), images(3, (120, 160)))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_passes(tmp_path: Path, threads):
    pytest.importorskip("openvino")
    path = write_model(tmp_path / "tiny.onnx", Size(480, 640))
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    request = core().compile_model(path, "CPU", options).create_infer_request()

    class Runner:
        def infer(self, batch):
            request.infer({"image": batch}, share_inputs=True)
            return request.get_output_tensor(0).data.copy()

    check_complete(Runner(), images(3, (480, 640)))


class Device:
    """A device that works by itself; waiting for it takes as long as it still has to do."""

    def __init__(self, waits):
        self.waits, self.done = waits, 0.0

    def infer(self, batch):
        self.done = time.perf_counter() + 0.01
        if self.waits:
            self.synchronise()
        return depth_of(batch)

    def synchronise(self):
        time.sleep(max(0.0, self.done - time.perf_counter()))


def test_a_device_must_be_idle_when_the_answer_is_there(monkeypatch):
    monkeypatch.setattr("fastdepth_bench.measure.guards.PAUSE", 0.02)
    waiting = Device(waits=True)
    check_complete(waiting, images(), synchronise=waiting.synchronise)
    hasty = Device(waits=False)
    check_complete(hasty, images())  # nobody has asked the device
    with pytest.raises(ParityError, match=r"device was at work for \d+"):
        check_complete(hasty, images(), synchronise=hasty.synchronise)


def test_the_inputs_must_differ_and_answers_be_depth():
    with pytest.raises(UsageError, match="different images"):
        check_complete(Honest(1), images(1) * 3)

    class Nan:
        def infer(self, batch):
            return np.full((1, 1, 8, 8), np.nan, np.float32)

    with pytest.raises(ParityError, match="NaN"):
        check_complete(Nan(), images())
