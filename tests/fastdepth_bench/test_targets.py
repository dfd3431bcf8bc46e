"""The table of targets: complete, loadable, and honest about what is missing."""

from __future__ import annotations

import pytest

from fastdepth.errors import DeviceError, MissingExtraError, UnknownNameError
from fastdepth_bench import targets
from fastdepth_bench.targets import REFERENCE, TARGETS, Case, check_precision, get_target


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_runner(name: str) -> None:
    runner = get_target(name).runner_class()
    assert {"infer", "cost", "check_device", "__enter__", "__exit__"} <= set(dir(runner))
    assert get_target(name).name == name


def test_reference_exists() -> None:
    runtime, precision = REFERENCE
    assert precision in TARGETS[runtime].precisions


def test_unknown_names_tell_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'onnxruntime'"):
        get_target("onnx-runtime")
    with pytest.raises(UnknownNameError, match="did you mean 'fp32'"):
        check_precision("fp23")


@pytest.mark.parametrize("name", TARGETS)
def test_check_names_the_missing_gpu(name: str) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(DeviceError, match="--device cpu"):
        get_target(name).check("cuda")


def test_check_prints_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str, extra: str) -> None:
        raise MissingExtraError(f"pip install 'fastdepth[{extra}]'")

    monkeypatch.setattr(targets, "require", missing)
    with pytest.raises(MissingExtraError, match=r"fastdepth\[bench\]"):
        get_target("torch").check("cpu")


def test_case_becomes_the_recipe_of_the_same_network(case: Case) -> None:
    recipe = case.recipe()
    assert (recipe.variant, recipe.size, recipe.precision) == (case.variant, case.size, "fp32")
    assert recipe.resolved().weights == case.weights
    assert not case.trained
