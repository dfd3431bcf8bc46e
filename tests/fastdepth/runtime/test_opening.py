"""What an application chooses reaches ONNX Runtime, or is one line; models close and tell time."""

from __future__ import annotations

import json
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest

from fastdepth import load
from fastdepth.errors import FastDepthError, OutputError, UnknownNameError, UsageError
from fastdepth.runtime.model import DepthModel
from fastdepth.runtime.opening import OPTIMISATIONS, Opening

CORE = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


@pytest.mark.parametrize("arena", [True, False])
def test_the_arena(tiny_file: Path, photo: np.ndarray, arena: bool) -> None:
    model = load(tiny_file, threads=1, arena=arena)
    options = model.session.get_session_options()
    assert (options.enable_cpu_mem_arena, options.enable_mem_pattern) == (arena, arena)
    np.testing.assert_array_equal(model(photo), load(tiny_file, threads=1)(photo))


@pytest.mark.parametrize("name", OPTIMISATIONS)
def test_how_far_the_graph_is_rewritten(tiny_file: Path, photo: np.ndarray, name: str) -> None:
    model = load(tiny_file, threads=1, graph_optimisation=name)
    level = model.session.get_session_options().graph_optimization_level
    assert level.name == f"ORT_{OPTIMISATIONS[name]}"
    np.testing.assert_allclose(model(photo), load(tiny_file, threads=1)(photo), rtol=1e-6)


def test_threads_are_kept_on_cores(tiny_file: Path, photo: np.ndarray) -> None:
    model = load(tiny_file, threads=2, affinity=[CORE])
    options = model.session.get_session_options()
    entry = options.get_session_config_entry("session.intra_op_thread_affinities")
    assert entry == str(CORE + 1)  # ONNX Runtime counts from 1
    assert model(photo).shape == photo.shape[:2]
    assert load(tiny_file, threads=1, affinity=[])(photo).shape == photo.shape[:2]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"threads": 2, "affinity": [0, 1]}, UsageError, "affinity names 2 core"),
        ({"affinity": [0]}, UsageError, "give threads, and one core less"),
        ({"threads": 2, "affinity": [9999]}, UsageError, "affinity names core 9999; this process"),
        ({"threads": 2, "affinity": [-1]}, UsageError, "affinity names core -1"),
        ({"graph_optimisation": "al"}, UnknownNameError, "did you mean 'all'"),
        ({"profile": "/nowhere/p.json"}, OutputError, "written to /nowhere/p.json; give a file"),
        ({"profile": "/"}, OutputError, "cannot be written to /; give a file"),
        ({"threads": 0}, UsageError, "threads is 0"),
        ({"threads": 100_000}, UsageError, "threads is 100000; give 1 to 1024"),
    ],
)
def test_what_cannot_work_is_one_line(
    tiny_file: Path, options: dict, error: type[FastDepthError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        load(tiny_file, **options)
    assert "\n" not in str(caught.value)


def test_an_opening_can_be_compared_and_hashed(tiny_file: Path) -> None:
    options = {"threads": 2, "affinity": [CORE], "arena": False, "graph_optimisation": "basic"}
    first, second = (load(tiny_file, **options).opening for _ in range(2))
    assert first == second and hash(first) == hash(second) and first != Opening(first.source)
    assert pickle.loads(pickle.dumps(load(tiny_file, **options))).opening == first


def test_a_profile_is_written_when_the_model_is_closed(
    tiny_file: Path, tmp_path: Path, photo: np.ndarray
) -> None:
    path = tmp_path / "profiles" / "p.json"
    path.parent.mkdir()
    with load(tiny_file, threads=1, profile=path) as model:
        model(photo)
        assert pickle.loads(pickle.dumps(model)).opening.profile is None
    events = json.loads(path.read_text())
    assert {"model_run", "SequentialExecutor::Execute"} <= {event["name"] for event in events}
    assert list(path.parent.iterdir()) == [path]
    model.close()
    assert json.loads(path.read_text()) == events


def test_a_profile_that_cannot_be_written(tiny_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    model = load(tiny_file, threads=1, profile=path)
    path.mkdir()
    (path / "a file").touch()
    with pytest.raises(OutputError, match=r"the profile cannot be written to .*p.json; give"):
        model.close()


def test_a_closed_model_says_so(tiny_file: Path, photo: np.ndarray) -> None:
    with load(tiny_file, threads=1) as model:
        expected = model(photo)
        batch = model.preprocess(photo).batch
    for use in (
        lambda: model(photo),
        lambda: model.timed(photo),
        lambda: model.infer(batch),
        lambda: model.batch([photo]),
        lambda: model.depth_and_std(photo),
    ):
        with pytest.raises(UsageError, match="model is closed; open it again with"):
            use()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model))(photo), expected)
    assert repr(model) == "DepthModel(tiny, 64x48, cpu)"


def test_an_error_inside_the_block_comes_out(tiny_file: Path) -> None:
    with pytest.raises(ZeroDivisionError), load(tiny_file, threads=1) as model:
        raise ZeroDivisionError
    with pytest.raises(UsageError, match="closed"):
        model(np.zeros((48, 64, 3), np.uint8))


def test_the_steps_add_up_to_the_call(tiny_model: DepthModel, photo: np.ndarray) -> None:
    large, out = photo.repeat(10, axis=0).repeat(10, axis=1), np.empty((960, 1280), np.float32)
    start = time.perf_counter()
    timed = tiny_model.timed(large, out=out)
    elapsed = time.perf_counter() - start
    steps = (timed.preprocess, timed.infer, timed.postprocess)
    assert all(step > 0 for step in steps) and timed.anchoring < min(steps)
    assert sum(steps) + timed.anchoring <= elapsed
    assert timed.depth is out
    np.testing.assert_array_equal(out, tiny_model(large))


def test_anchoring_is_timed_apart(tiny_model: DepthModel, photo: np.ndarray) -> None:
    points = [[48, 64, 3.0]]
    timed = tiny_model.timed(photo, points=points, focal=100.0)
    assert timed.anchoring > 0
    np.testing.assert_array_equal(timed.depth, tiny_model(photo, points=points, focal=100.0))
