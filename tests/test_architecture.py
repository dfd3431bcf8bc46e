"""Where things are, and what knows of what: the rules that import-linter cannot see."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
PACKAGES = {
    "fastdepth": ROOT / "fastdepth",
    "fastdepth_export": ROOT / "export" / "fastdepth_export",
    "fastdepth_bench": ROOT / "benchmarks" / "fastdepth_bench",
}
MOST_MODULES = 18
"""In one folder, ``__init__`` aside: what is read at a glance."""

MOST_LINES = 400

COMMITTED_RESULTS = r"benchmarks\W{1,6}results|committed_results\(ROOT"
MAY_READ_RESULTS = {
    "fastdepth_bench/results/test_schema.py",
    "fastdepth_bench/report/test_pages.py",
}
"""A new measurement must break no other test."""

RUN_AS_MODULES = {"pytest", "pip", "mkdocs", "venv"}
"""What is ours is a verb of a command."""

NO_MIRROR = {"docs", "fuzz"}
"""Folders of tests of what is in no package."""


def folder_of(package: str, *inside: str) -> Path:
    return PACKAGES[package].joinpath(*inside)


def modules(package: str) -> list[Path]:
    return sorted(PACKAGES[package].rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_folder_is_read_at_a_glance(package):
    found = [path.parent for path in modules(package) if path.name != "__init__.py"]
    counts = {name_of(folder): found.count(folder) for folder in set(found)}
    assert {name: count for name, count in counts.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_is_long(package):
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules(package)}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize("package", ["fastdepth", "fastdepth_export"])
def test_nothing_below_names_the_benchmark(package):
    """In whatever string, name or remark; import-linter sees imports alone."""
    for path in modules(package):
        assert not re.search("fastdepth[-_]bench", path.read_text()), name_of(path)


def test_the_core_does_not_name_the_exporter():
    """A message may name the command; modules are what its user need not have."""
    for path in modules("fastdepth"):
        assert "fastdepth_export" not in path.read_text(), name_of(path)


def test_tests_mirror_the_packages():
    for path in TESTS.rglob("test_*.py"):
        package, *inside = path.relative_to(TESTS).parts[:-1] or ("docs",)
        if package not in NO_MIRROR:
            assert folder_of(package, *inside).is_dir(), name_of(path)


def test_committed_results_are_read_by_two_tests_alone():
    found = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if path != Path(__file__) and re.search(COMMITTED_RESULTS, path.read_text())
    }
    assert found <= MAY_READ_RESULTS


def rank(name: str) -> tuple[int, str]:
    """Constants, classes, functions, each by the alphabet: the order of ruff's RUF022."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_sorted_and_there(package):
    module = import_module(package)
    assert module.__all__ == sorted(module.__all__, key=rank)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert {name for name in module.__all__ if name.startswith("_")} == set()


def strings(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    nodes = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [value for value in nodes if isinstance(value, str)]


@pytest.mark.parametrize("package", PACKAGES)
def test_help_names_commands_and_no_modules(package):
    for path in modules(package):
        for text in strings(path):
            named = set(re.findall(r"python3? -m (\w+)", text))
            assert named <= RUN_AS_MODULES, f"{name_of(path)}: {named}"
