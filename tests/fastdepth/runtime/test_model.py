"""The runtime answers in metres at the image's size, whatever that is, and never silently."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_onnx import METADATA, write_model

from fastdepth import load
from fastdepth.camera import TRAINING_FOCAL_LENGTH, TRAINING_WIDTH
from fastdepth.errors import (
    DeviceError,
    ImageError,
    MissingExtraError,
    ModelFileError,
    UnknownNameError,
    UsageError,
)
from fastdepth.metadata import METADATA_KEY
from fastdepth.runtime import session
from fastdepth.runtime.model import DepthModel
from fastdepth.size import Size

METRES = 0.04
"""Metres per step of red of the tiny model."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DepthModel:
    return load(write_model(tmp_path_factory.mktemp("model") / "tiny.onnx"), threads=1)


def test_it_says_what_it_is(model: DepthModel) -> None:
    assert model.provider == "cpu"
    assert model.size == (48, 64)
    assert model.metadata == replace(METADATA, sizes=(model.size,))
    assert repr(model) == "DepthModel(tiny, 64x48, cpu)"


@given(height=st.integers(16, 300), width=st.integers(16, 300), red=st.integers(0, 255))
@settings(max_examples=40, deadline=None)
def test_resize_and_crop_keep_metres(model: DepthModel, height: int, width: int, red: int) -> None:
    depth = model(np.full((height, width, 3), (red, 0, 255), np.uint8))
    assert depth.shape == (height, width)
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, red * METRES, rtol=1e-5)


@pytest.mark.parametrize("shape", [(96, 128), (48, 64), (200, 100), (60, 300)])
def test_depth_stays_at_its_place(model: DepthModel, shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    image[..., 0] = np.linspace(20, 220, shape[1])
    depth = model(image)
    edge = shape[1] // 8  # where the resize has no neighbours it is flat
    np.testing.assert_allclose(
        depth[:, edge:-edge], image[:, edge:-edge, 0] * METRES, atol=4 * METRES
    )


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of four inputs: 4:3, the same smaller, upright, and wide."""
    sizes = Size(48, 64), Size(24, 32), Size(64, 48), Size(32, 96)
    return write_model(tmp_path_factory.mktemp("several") / "m.onnx", *sizes)


@pytest.mark.parametrize(
    ("shape", "chosen"),
    [
        ((480, 640), (48, 64)),
        ((24, 32), (48, 64)),
        ((640, 480), (64, 48)),
        ((100, 300), (32, 96)),
        ((300, 300), (48, 64)),
    ],
)
def test_each_image_takes_the_size_nearest_in_shape(several, shape, chosen) -> None:
    model = load(several, threads=1)
    image = np.full((*shape, 3), 100, np.uint8)
    assert model.size_for(Size(*shape)) == chosen
    assert model.preprocess(image).batch.shape == (1, *chosen, 3)
    np.testing.assert_allclose(model(image), np.full(shape, 100 * METRES), rtol=1e-5)
    assert repr(model) == "DepthModel(tiny, 64x48, 32x24, 48x64, 96x32, cpu)"


def test_one_size_can_be_asked_for(several: Path) -> None:
    model = load(several, threads=1, size=Size(24, 32))
    assert model.sizes == (model.size,) == ((24, 32),)
    assert model.preprocess(np.zeros((640, 480, 3), np.uint8)).batch.shape == (1, 24, 32, 3)
    focal = TRAINING_FOCAL_LENGTH / TRAINING_WIDTH
    assert model.training_focal(Size(48, 64)) == pytest.approx(focal * 64)
    with pytest.raises(ImageError, match=r"takes uint8 \(B, 24, 32, 3\), as"):
        model.infer(np.zeros((1, 48, 64, 3), np.uint8))


def test_a_size_that_the_file_lacks_is_named(several: Path) -> None:
    with pytest.raises(UsageError, match="takes 64x48, 32x24, 48x64, 96x32, not 640x480"):
        load(several, size=Size(480, 640))


def test_a_file_of_one_size_does_not_list_another(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", Size(48, 64))
    model = onnx.load(path)
    metadata = replace(METADATA, sizes=(Size(48, 64), Size(64, 48)))
    onnx.helper.set_model_props(model, {METADATA_KEY: metadata.to_json()})
    onnx.save(model, path)
    with pytest.raises(ModelFileError, match="64x48, 48x64"):
        load(path)


def test_a_image_of_the_networks_shape_is_not_padded(model: DepthModel) -> None:
    for size in (48, 64), (96, 128), (480, 640), (24, 32):
        assert model.preprocess(np.zeros((*size, 3), np.uint8)).inner == (
            slice(0, 48),
            slice(0, 64),
        )


def test_padding_repeats_the_edge_and_is_cropped_again(model: DepthModel) -> None:
    image = np.zeros((48, 32, 3), np.uint8)
    image[:, 0, 0], image[:, -1, 0] = 50, 200
    prepared = model.preprocess(image)
    assert prepared.batch.shape == (1, 48, 64, 3)
    assert prepared.inner == (slice(0, 48), slice(16, 48))
    assert (prepared.batch[..., :16, 0] == 50).all()
    assert (prepared.batch[..., 48:, 0] == 200).all()
    np.testing.assert_allclose(model(image), image[..., 0] * METRES, rtol=1e-5)


@pytest.mark.parametrize("shape", [(16, 20_000), (20_000, 16), (400, 20_000)])
def test_very_long_images_work(model: DepthModel, shape: tuple[int, int]) -> None:
    depth = model(np.full((*shape, 3), 100, np.uint8))
    assert depth.shape == shape
    np.testing.assert_allclose(depth, 100 * METRES, rtol=1e-5)


def test_arrays_need_not_be_contiguous(model: DepthModel, photo: np.ndarray) -> None:
    for view in photo[:, ::-1], photo[..., ::-1], photo[::2, ::2], photo[10:90, 20:120]:
        np.testing.assert_array_equal(model(view), model(view.copy()))
        assert model.preprocess(view).batch.flags.c_contiguous


def test_the_image_is_left_alone(model: DepthModel) -> None:
    image = np.full((48, 64, 3), 9, np.uint8)
    image.setflags(write=False)
    assert model(image)[0, 0] == pytest.approx(9 * METRES)


@pytest.mark.parametrize("shape", [(96, 128), (48, 64), (48, 32)])
def test_every_answer_is_a_new_array(model: DepthModel, shape: tuple[int, int]) -> None:
    first = model(np.full((*shape, 3), 10, np.uint8))
    second = model(np.full((*shape, 3), 20, np.uint8))
    assert not np.shares_memory(first, second)
    np.testing.assert_allclose(first, 10 * METRES, rtol=1e-6)


@pytest.mark.parametrize("shape", [(48, 64), (48, 32)])
def test_an_answer_is_no_view_of_the_networks_output(
    model: DepthModel, shape: tuple[int, int]
) -> None:
    prepared = model.preprocess(np.zeros((*shape, 3), np.uint8))
    depth = model.infer(prepared.batch)
    assert not np.shares_memory(model.postprocess(depth, prepared), depth)


def test_the_three_steps_are_the_call(model: DepthModel, photo: np.ndarray) -> None:
    prepared = model.preprocess(photo)
    depth = model.infer(prepared.batch)
    assert depth.shape == (1, 1, 48, 64)
    before = depth.copy()
    np.testing.assert_array_equal(model.postprocess(depth, prepared), model(photo))
    np.testing.assert_array_equal(depth, before)
    assert model.infer(np.zeros((3, 48, 64, 3), np.uint8)).shape == (3, 1, 48, 64)


def test_steps_take_what_the_step_before_answers(model: DepthModel, photo: np.ndarray) -> None:
    prepared = model.preprocess(photo)
    with pytest.raises(ImageError, match=r"batch is uint8 \(0, 48, 64, 3\)"):
        model.infer(prepared.batch[:0])
    depth = model.infer(prepared.batch)
    for wrong in (depth[0], depth[..., 1:], np.concatenate([depth, depth]), None):
        with pytest.raises(UsageError, match="depth "):
            model.postprocess(wrong, prepared)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(96, 128), (48, 64), (60, 33)])
def test_out_is_filled_and_returned(model: DepthModel, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 30, np.uint8)
    out = np.zeros(shape, np.float32)
    assert model(image, out=out) is out
    np.testing.assert_array_equal(out, model(image))


def test_out_must_fit(model: DepthModel, photo: np.ndarray) -> None:
    frozen = np.zeros((96, 128), np.float32)
    frozen.setflags(write=False)
    wrong = np.zeros((96, 127), np.float32), np.zeros((96, 128)), [0.0]
    for out in wrong:
        with pytest.raises(UsageError, match=r"out is .*give float32 \(96, 128\)"):
            model(photo, out=out)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="read-only"):
        model(photo, out=frozen)


def test_std_comes_with_depth_in_its_scale(tmp_path: Path, photo: np.ndarray) -> None:
    both = load(write_model(tmp_path / "std.onnx", std=True), threads=1)
    for focal in (None, 300.0):
        depth, std = both.depth_and_std(photo, focal=focal)
        np.testing.assert_array_equal(depth, both(photo, focal=focal))
        np.testing.assert_allclose(std, depth / 10, rtol=1e-5)
        assert std.dtype == np.float32


def test_a_file_without_std_says_how_to_get_it(model: DepthModel, photo: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"depth alone; export it with --outputs depth,std"):
        model.depth_and_std(photo)


def test_the_training_camera_changes_nothing(model: DepthModel, photo: np.ndarray) -> None:
    focal = TRAINING_FOCAL_LENGTH * photo.shape[1] / TRAINING_WIDTH
    np.testing.assert_allclose(model(photo, focal=focal), model(photo), rtol=1e-6)


def test_a_longer_lens_sees_farther(model: DepthModel, photo: np.ndarray) -> None:
    focal = TRAINING_FOCAL_LENGTH * photo.shape[1] / TRAINING_WIDTH
    np.testing.assert_allclose(model(photo, focal=2 * focal), 2 * model(photo), rtol=1e-6)


def test_focal_length_goes_through_the_letterbox(model: DepthModel) -> None:
    image = np.full((96, 64, 3), 100, np.uint8)  # enters at half its size: 32 of 64 columns
    expected = 100 * METRES * (80 / 2) / (TRAINING_FOCAL_LENGTH * model.size.width / TRAINING_WIDTH)
    np.testing.assert_allclose(model(image, focal=80.0), expected, rtol=1e-6)


def test_the_training_camera_is_the_files_own(tmp_path: Path, photo: np.ndarray) -> None:
    metadata = replace(METADATA, training_focal_length=100.0, training_width=128)
    model = load(write_model(tmp_path / "other.onnx", metadata=metadata), threads=1)
    np.testing.assert_allclose(model(photo, focal=100.0), model(photo), rtol=1e-6)


@pytest.mark.parametrize("size", [(96, 128), (72, 128), (100, 100), (128, 96), (192, 108)])
def test_the_camera_of_points_is_that_of_the_metres(
    model: DepthModel, size: tuple[int, int]
) -> None:
    """An image seen by that camera keeps its metres, in whatever shape it enters the network."""
    image = np.full((*size, 3), 100, np.uint8)
    camera = model.camera(Size(*size))
    assert (camera.cx, camera.cy) == ((size[1] - 1) / 2, (size[0] - 1) / 2)
    np.testing.assert_allclose(model(image, focal=camera.fx), model(image), rtol=1e-6)
    assert model.camera(Size(*size), focal=80.0).fy == 80.0
    with pytest.raises(UsageError, match="focal length"):
        model.camera(Size(*size), focal=0.0)


@pytest.mark.parametrize("focal", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_focal_lengths(model: DepthModel, photo: np.ndarray, focal: float) -> None:
    with pytest.raises(UsageError, match="focal length"):
        model(photo, focal=focal)


def test_names_of_providers(tiny_file: Path) -> None:
    assert load(tiny_file, provider="CPUExecutionProvider", threads=1).provider == "cpu"
    with pytest.raises(UnknownNameError, match="did you mean 'cuda'"):
        load(tiny_file, provider="cudo")


def test_threads_reach_onnxruntime(tiny_file: Path) -> None:
    options = load(tiny_file, threads=3).session.get_session_options()
    assert options.intra_op_num_threads == 3


@pytest.mark.parametrize("spinning", [False, True])
def test_threads_do_not_spin_unless_they_are_asked_to(tiny_file: Path, spinning: bool) -> None:
    chosen = {"spinning": True} if spinning else {}
    options = load(tiny_file, threads=2, **chosen).session.get_session_options()
    entry = options.get_session_config_entry("session.intra_op.allow_spinning")
    assert entry == str(int(spinning))


COPIES: dict[str, Callable[[DepthModel], DepthModel]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize("from_bytes", [False, True])
def test_a_copy_is_opened_again_as_the_first_was(
    several: Path, photo: np.ndarray, copied: str, from_bytes: bool
) -> None:
    source = several.read_bytes() if from_bytes else several
    first = load(source, threads=1, size=Size(64, 48), spinning=True, time_limit=30)
    other = COPIES[copied](first)
    assert other.session is not first.session
    assert (other.opening, other.sizes) == (first.opening, first.sizes)
    assert other.session.get_session_options().intra_op_num_threads == 1
    np.testing.assert_array_equal(other(photo), first(photo))


def test_a_copy_finds_its_file_from_another_folder(
    tiny_file: Path, photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_file.parent)
    content = pickle.dumps(load(tiny_file.name, threads=1))
    assert len(content) < 1000  # of a file of any size
    monkeypatch.chdir("/")
    assert pickle.loads(content)(photo).shape == (96, 128)
    tiny_file.unlink()
    with pytest.raises(ModelFileError, match="does not exist"):
        pickle.loads(content)


def test_a_process_of_its_own_takes_a_model(model: DepthModel, photo: np.ndarray) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(model, photo).result(), model(photo))


def test_threads_must_be_positive(tiny_file: Path) -> None:
    with pytest.raises(UsageError, match="threads is 0"):
        load(tiny_file, threads=0)


class CpuSession:
    """A session that took the CPU although it was asked for more."""

    def __init__(self, *_: object, **options: object) -> None:
        assert options["enable_fallback"] == 0

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]


def test_a_silent_fall_back_is_an_error(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", CpuSession)
    with pytest.raises(DeviceError, match=r"fastdepth\[gpu\]"):
        load(tiny_file, provider="cuda")


CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))


def placing(first: str, **operators: list[str]) -> Callable[..., object]:
    """Opens the file on the CPU, but says that these operators lie on these providers."""
    import onnxruntime

    real = onnxruntime.InferenceSession

    class Placed:
        def __init__(self, path: str, sess_options: object, **_: object) -> None:
            self._session = real(path, sess_options, providers=[CPU])

        def __getattr__(self, name: str) -> object:
            return getattr(self._session, name)

        def get_providers(self) -> list[str]:
            return [first, CPU]

        def get_provider_graph_assignment_info(self) -> list[object]:
            return [
                SimpleNamespace(
                    ep_name=f"{name}ExecutionProvider",
                    get_nodes=lambda kinds=kinds: [SimpleNamespace(op_type=k) for k in kinds],
                )
                for name, kinds in operators.items()
            ]

    return Placed


@pytest.fixture
def all_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])


@pytest.mark.parametrize(
    ("provider", "first", "operators"),
    [
        ("cuda", CUDA, {"CUDA": ["Conv", "Resize"], "CPU": ["Shape", "Gather", "Concat"]}),
        ("tensorrt", TENSORRT, {"Tensorrt": ["Conv"], "CUDA": ["Cast"], "CPU": ["Shape"]}),
    ],
)
def test_the_cpu_may_work_on_shapes(
    tiny_file: Path,
    all_providers: None,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    first: str,
    operators: dict[str, list[str]],
) -> None:
    monkeypatch.setattr("onnxruntime.InferenceSession", placing(first, **operators))
    assert load(tiny_file, provider=provider, threads=1).provider == provider


@pytest.mark.parametrize(
    ("provider", "first", "operators", "said"),
    [
        ("cuda", CUDA, {"CUDA": ["Resize"], "CPU": ["Shape", "Softmax", "Conv"]}, "Conv, Softmax"),
        ("cuda", CUDA, {"CPU": ["Concat"]}, "everything"),
        ("tensorrt", TENSORRT, {"Tensorrt": ["Conv"], "CPU": ["ConvInteger"]}, "ConvInteger"),
        ("tensorrt", TENSORRT, {"CUDA": ["Conv"], "CPU": ["Shape"]}, "everything"),
    ],
)
def test_a_part_that_falls_back_is_an_error_unless_it_is_allowed(
    tiny_file: Path,
    all_providers: None,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    first: str,
    operators: dict[str, list[str]],
    said: str,
) -> None:
    monkeypatch.setattr("onnxruntime.InferenceSession", placing(first, **operators))
    with pytest.raises(DeviceError, match=f"'{provider}' leaves {said} of .*tiny.onnx to others"):
        load(tiny_file, provider=provider, threads=1)
    assert load(tiny_file, provider=provider, threads=1, allow_fallback=True).provider == provider


def test_a_provider_that_is_there_and_takes_nothing(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheels' Azure provider, which runs none of these operators, in the place of CUDA."""
    import onnxruntime

    azure = "AzureExecutionProvider"
    if azure not in onnxruntime.get_available_providers():
        pytest.skip("this build does not list it")
    monkeypatch.setitem(session.PROVIDERS, "cuda", azure)
    with pytest.raises(DeviceError, match="'cuda' leaves Transpose of"):
        load(tiny_file, provider="cuda", threads=1)


def test_a_fall_back_that_is_allowed_is_named(
    tiny_file: Path, monkeypatch: pytest.MonkeyPatch, photo: np.ndarray
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    model = load(tiny_file, provider="tensorrt", threads=1, allow_fallback=True)
    assert model.provider == "cpu"
    assert model(photo).shape == (96, 128)


def test_onnxruntime_missing(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr("fastdepth.extras.importlib.import_module", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastdepth\[cpu\]'"):
        load(tiny_file)


def test_points_anchor_depth_in_the_image_s_own_pixels(tiny_model, photo):
    large = np.asarray(cv2.resize(photo, (500, 333)))
    free = tiny_model(large, focal=700)
    known = 0.8 * float(free[300, 450])
    out = np.empty_like(free)
    depth = tiny_model(large, focal=700, points=[[300, 450, known, 0.01]], out=out)
    assert depth is out
    assert depth[300, 450] == pytest.approx(known, rel=0.02)
    assert np.array_equal(tiny_model(large, focal=700, points=[]), free)


def test_a_map_of_any_size_is_points(tiny_model, photo):
    free = tiny_model(photo)
    assert tiny_model(photo, points=np.full((8, 8), 4.0)).std() < 0.5 * free.std()


def test_wrong_points_are_told_before_the_network_runs(tiny_model, photo):
    out = np.zeros(photo.shape[:2], np.float32)
    with pytest.raises(UsageError, match="outside the image"):
        tiny_model(photo, points=[[96, 0, 1.0]], out=out)
    assert not out.any()


def test_points_lower_the_standard_deviation(tmp_path, photo):
    model = load(write_model(tmp_path / "std.onnx", std=True), threads=1)
    free, free_std = model.depth_and_std(photo)
    depth, std = model.depth_and_std(photo, points=[[48, 64, 1.1 * free[48, 64], 0.01]])
    assert np.array_equal(depth, model(photo, points=[[48, 64, 1.1 * free[48, 64], 0.01]]))
    assert std[48, 64] < 0.4 * free_std[48, 64]
    assert (std <= 1.4 * free_std).all()
