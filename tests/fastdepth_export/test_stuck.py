"""A runtime that loads a file, runs it and gives one depth whatever it sees writes nothing."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fastdepth.errors import ParityError
from fastdepth_export import ExportRecipe, export, targets
from fastdepth_export.targets import Target
from fastdepth_export.verify import run_network, stuck

ANSWERS = {
    "constant": lambda depth: np.full_like(depth, 1.5),
    "NaN": lambda depth: depth * np.nan,
    "saturated": lambda depth: np.minimum(depth, np.quantile(depth, 0.3)),
    "same for different": lambda depth: np.repeat(depth[:1], len(depth), axis=0),
}
"""What broken runtimes make of the depth."""

DEPTH = np.random.default_rng(0).uniform(1, 9, (2, 1, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("word", ANSWERS)
def test_it_is_told_what_they_do(word):
    assert word in stuck(ANSWERS[word](DEPTH), DEPTH)


def test_what_follows_the_image_passes():
    assert stuck(DEPTH, DEPTH) == ""
    assert stuck(DEPTH * 1.3, DEPTH) == ""
    assert stuck(np.round(DEPTH), DEPTH) == ""
    assert stuck(np.minimum(DEPTH, 5), np.minimum(DEPTH, 5)) == ""  # a network that clamps


def test_a_network_that_hardly_looks_at_the_image_is_not_blamed():
    flat = np.float32(2) + 1e-6 * DEPTH
    assert stuck(np.full_like(flat, 2), flat) == ""


@pytest.fixture
def broken(network, monkeypatch, request):
    """A format whose runtime answers what the test says, and how to export to it."""
    recipe = ExportRecipe("tiny", format="broken", precision="fp16")
    monkeypatch.setattr("fastdepth_export.network.build_network", lambda recipe: network)

    def build(network, files, metadata, verify):
        files[0].write_bytes(b"a file that loads")
        answer = ANSWERS[request.param]
        return replace(
            metadata, **verify(lambda images: answer(run_network(network, images)["depth"]))
        )

    target = Target(
        name="broken",
        summary="for tests",
        devices=("cpu",),
        precisions=("fp32", "fp16"),
        package="numpy",
        extra="cpu",
        format="broken",
        suffixes=(".broken",),
        builder="broken:build",
        from_network=True,
    )
    name = "fastdepth_export.formats.broken"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(build=build))
    monkeypatch.setattr(targets, "FORMATS", {**targets.FORMATS, "broken": target})
    return recipe


@pytest.mark.parametrize("broken", ["constant", "NaN", "saturated"], indirect=True)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_nothing_is_written_even_if_forced(broken, precision, tmp_path):
    recipe = replace(broken, precision=precision)
    data = {"data": "rooms:1", "force": True} if precision == "fp16" else {}
    with pytest.raises(ParityError, match=r"(constant|NaN|saturated).*nothing was written"):
        export(recipe, tmp_path / "m.broken", **data)
    assert not list(tmp_path.iterdir())
