"""Fakes that cost nothing, and one real measurement that all end-to-end tests share."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from fastdepth.data import Sample
from fastdepth.metadata import UNTRAINED
from fastdepth.metrics import METRICS, Scores
from fastdepth.size import Size
from fastdepth.weights import WeightsCard
from fastdepth_bench.case import Case
from fastdepth_bench.measure.accuracy import Yardstick
from fastdepth_bench.measure.bootstrap import Interval
from fastdepth_bench.measure.pooling import Pooled
from fastdepth_bench.measure.row import Figures
from fastdepth_bench.measure.run import run
from fastdepth_bench.measure.timing import Timing
from fastdepth_bench.measure.trial import Examined
from fastdepth_bench.options import Options
from fastdepth_bench.results.environment import Environment
from fastdepth_bench.results.figures import Latency, QueryFigures, Stages, WarmUp
from fastdepth_bench.results.file import Report, read_report

VARIANT = "unet128-dws-75"
"""The quickest network of its kind."""


BARE = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *rest):
        missing = name.partition(".")[0] in ("torch", "onnx", "onnxruntime")
        return None if missing else self.finder.find_spec(name, *rest)

sys.meta_path[:] = map(Without, sys.meta_path)
from fastdepth_bench.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""Runs the command in a Python where torch, onnx and onnxruntime are not installed."""


class FakeRunner:
    """Computes depth by a function of the batch; busy for so many seconds an inference.

    Attributes:
        seen: batches that it was given.
        took: how long each took by its own reading of the clock [s].
    """

    def __init__(self, depth: Callable[[NDArray[np.uint8]], object], busy: float = 0.0) -> None:
        self.depth = depth
        self.busy = busy
        self.seen: list[NDArray[np.uint8]] = []
        self.took: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def infer(self, batch: NDArray[np.uint8]) -> object:
        start = time.perf_counter()
        self.seen.append(batch)
        answer = self.depth(batch)
        while time.perf_counter() < start + self.busy:
            pass
        self.took.append(time.perf_counter() - start)
        return answer

    def on_device(self) -> None:
        return None

    def cost(self) -> object:
        from fastdepth_export.cost import GraphCost

        return GraphCost(params=1_000_000, macs=2_000_000_000, bytes=4_000_000)


def bright(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
    """One to two metres, the brighter the farther."""
    return 1 + batch.mean(axis=3, dtype=np.float32)[:, None] / 255


@pytest.fixture
def fake_runner() -> Callable[..., FakeRunner]:
    """Makes a runner; the brighter the farther if no function is given."""
    return lambda depth=bright, busy=0.0: FakeRunner(depth, busy)


class FakeClock:
    """Stands in for the module ``time``: moves only when something works."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock by which the benchmark times, so that other processes cannot disturb a test."""
    clock = FakeClock()
    for module in ("measure.timing", "measure.interleaved", "machine.roofline"):
        monkeypatch.setattr(f"fastdepth_bench.{module}.time", clock)
    return clock


@pytest.fixture
def samples() -> list[Sample]:
    """Three images of 32x48 with depth equal to the mean of their colours by 50 [m]."""
    found = []
    for number in range(3):
        image = np.random.default_rng(number).integers(50, 250, (32, 48, 3), np.uint8)
        depth = image.mean(axis=2, dtype=np.float32) / 50
        found.append(Sample(image, depth, f"image/{number}", "scene"))
    return found


@pytest.fixture
def yardstick() -> Yardstick:
    return Yardstick("nyu", "in-painted", 654, "0123456789ab", "eigen")


@pytest.fixture
def case() -> Case:
    return Case("unet128-dws", UNTRAINED, "torch", "fp32", Size(480, 640))


@pytest.fixture
def timing() -> Timing:
    warm = WarmUp(n=12, seconds=3.0, stable=True)
    latency = Latency(p50=400.0, p90=410.0, p95=430.0, p99=450.0, min=390.0, max=460.0, iqr=9.0)
    return Timing(latency, cv=0.03, n=25, batch=1, warm_up=warm)


@pytest.fixture
def pooled(timing: Timing) -> Pooled:
    """Restarts of a row whose frames take 410 ms, of which the network takes 400."""
    return Pooled(
        timing,
        end_to_end=replace(timing.latency, p50=410.0),
        stages=Stages(3.0, 4.0, None, 400.0, None, 6.0),
        fps=Interval(2.5, 2.4, 2.6),
        end_to_end_fps=Interval(1000 / 410, 2.3, 2.5),
        fps_wall=2.2,
        restarts=5,
        queries=QueryFigures(25, 1, achieved_rate=2.5, p99_ms=450.0),
        peak_resident=512_000_000,
    )


@pytest.fixture
def scores() -> Scores:
    values = {"d1": 0.867, "abs_rel": 0.122, "rmse": 0.449}
    return Scores(dict.fromkeys(METRICS, 0.1) | values, pixels=9, nonfinite=0)


@pytest.fixture
def figures(pooled: Pooled, scores: Scores, yardstick: Yardstick) -> Figures:
    """What was found of a case."""
    from fastdepth_export.cost import GraphCost

    depth = np.full((1, 1, 4, 6), 2, np.float32)
    cost = GraphCost(6_000_000, 17_600_000_000, 26_000_000, weights_bytes=24_000_000)
    return Figures(Examined(cost, depth, {yardstick: scores}), pooled, Size(480, 640))


@pytest.fixture
def environment() -> Environment:
    return Environment(
        cpu="Model of the CPU",
        cores=8,
        usable_cores=4,
        gpus=(),
        os="Linux 6 x86_64",
        python="3.11.7",
        packages={"torch": "2.9.0", "onnxruntime-gpu": None},
        fastdepth="0.1.0",
        commit=None,
        governor=None,
        date="2025-01-01T00:00:00+00:00",
        load_before=0.1,
        load_after=1.0,
        other_load=0.1,
        busy=False,
    )


@pytest.fixture
def bare_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in a process that has neither torch, onnx nor onnxruntime."""
    return lambda *words: subprocess.run(
        [sys.executable, "-c", BARE, *words], capture_output=True, text=True
    )


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the quickest network that pass for trained ones: random, with a card."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from fastdepth.models import create_model

    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = create_model(VARIANT)
        with torch.no_grad():  # the four transformer layers begin alike; training parts them
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=1e-3)
    path = tmp_path_factory.mktemp("weights") / f"{VARIANT}.random.safetensors"
    card = WeightsCard(VARIANT, f"{VARIANT}.random", licence="Apache-2.0")
    save_file(network.state_dict(), path, metadata=card.to_header())
    return path


@pytest.fixture(scope="session")
def cache_folder(common_folder: Path) -> Iterator[Path]:
    """A cache of exports that lasts as long as the tests, the same for all workers."""
    with pytest.MonkeyPatch.context() as patch:
        folder = common_folder / "cache"
        patch.setenv("FASTDEPTH_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def tiny_weights(shared_graphs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Weights of the network ``tiny``, whose graphs the tests of the export make as well."""
    from tiny_network import known, random_network, write_weights

    with known():
        yield write_weights(tmp_path_factory.mktemp("tiny"), random_network())


@pytest.fixture(scope="session")
def options(tiny_weights: Path) -> Options:
    """Options of the shared measurement."""
    weights = (str(tiny_weights),)
    short = {"seconds": 0.2, "restarts": 1}
    runtimes = ("torch", "onnxruntime", "openvino")  # what else is installed has tests of its own
    return Options(weights=weights, runtime=runtimes, threads=1, data="rooms:2", **short)


@pytest.fixture(scope="session")
def report(options: Options, cache_folder: Path, common_folder: Path) -> Report:
    """A real measurement, exported, timed and scored, which one worker makes for all."""
    file = common_folder / "report.json"
    with (common_folder / "report.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            text = run(options, isolated=False).to_json()
            file.write_text(text)
    return read_report(file)
