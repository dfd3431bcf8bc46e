"""Targets of the table are opened by name, and honest about what is missing."""

from __future__ import annotations

import pytest

from fastdepth.errors import DeviceError, MissingExtraError, UnknownNameError, UsageError
from fastdepth_bench.case import REFERENCE, Case, check_precision
from fastdepth_bench.options import Options
from fastdepth_bench.runners import opening
from fastdepth_bench.runners.opening import check_target, runner_class
from fastdepth_export.targets import TARGETS, get_target


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_a_runner(name: str) -> None:
    runner = runner_class(get_target(name))
    assert {"infer", "cost", "check_device", "__enter__", "__exit__"} <= set(dir(runner))


def test_reference_exists() -> None:
    runtime, precision = REFERENCE
    assert precision in TARGETS[runtime].precisions


@pytest.mark.parametrize("name", [t.name for t in TARGETS.values() if not t.runs_on("cpu")])
def test_what_needs_a_gpu_is_refused_on_a_cpu(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} runs on cuda alone; .* torch, onnxruntime"):
        Options(runtime=(name,)).cases()


def test_a_precision_that_no_runtime_of_the_device_has() -> None:
    with pytest.raises(UsageError, match="cannot compute in fp16; runtimes on cpu that can: "):
        Options(precision=("fp16",), runtime=("torch",)).cases()
    cases = Options(precision=("fp16",), runtime=("torch-graph",), device="cuda").cases()
    assert [case.precision for case in cases] == ["fp16"]
    assert cases[0].recipe().resolved().recipe.precision == "fp32"  # built as it was trained


def test_unknown_precision_tells_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'fp32'"):
        check_precision("fp23")


@pytest.mark.parametrize(
    "name", [t.name for t in TARGETS.values() if t.runs_on("cuda") and t.installed]
)
def test_check_names_the_missing_gpu(name: str) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(DeviceError, match="--device cpu"):
        check_target(get_target(name), "cuda")


def test_check_prints_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(module: str, extra: str) -> None:
        raise MissingExtraError(f"pip install 'fastdepth[{extra}]'")

    monkeypatch.setattr(opening, "require", missing)
    with pytest.raises(MissingExtraError, match=r"fastdepth\[bench\]"):
        check_target(get_target("torch"), "cpu")


def test_case_becomes_the_recipe_of_the_same_network(case: Case) -> None:
    recipe = case.recipe()
    assert (recipe.variant, recipe.sizes, recipe.precision) == (case.variant, (case.size,), "fp32")
    assert recipe.resolved().weights == case.weights
    assert not case.trained
