"""The study: on a network of a function, and its command."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from an_interval import FACTORS
from tiny_onnx import METADATA, write_model, write_third_party

from fastdepth.anchors.prior import AnchorPrior
from fastdepth.metrics import evaluate_image
from fastdepth.weights import default_tag
from fastdepth_bench.anchors import command, study
from fastdepth_bench.anchors.coverage import INTERVAL, open_with_std
from fastdepth_bench.anchors.estimators import ESTIMATORS
from fastdepth_bench.anchors.study import STRIDE, Plan, measure
from fastdepth_bench.cli import main
from fastdepth_bench.options import Options
from fastdepth_bench.results.anchors import read_study

pytest.importorskip("scipy")

NETWORK = "mnv2-64-dws"


@pytest.fixture
def network(monkeypatch, fake_runner):
    """Puts a network in the case's place that answers with 0.9 of a ramp; the batches it saw."""
    runner = fake_runner(ramp)
    monkeypatch.setattr(study, "open_runner", lambda case: runner)
    monkeypatch.setattr(study, "open_with_std", lambda case: None)
    return runner.seen


def ramp(batch):
    rows = np.linspace(1, 3, batch.shape[1], dtype=np.float32)
    return np.broadcast_to(0.9 * rows[None, None, :, None], (1, 1, *batch.shape[1:3])).copy()


@pytest.fixture
def source(monkeypatch, samples):
    """Three images whose truth is the ramp, times 1, 1.2 and 1.4, as a source."""

    class Source(list):
        name, names = "ramps", ["a", "b", "c"]

    found = Source()
    for number, sample in enumerate(samples):
        height, width = 96, 128
        image = cv2.resize(sample.image, (width, height), interpolation=cv2.INTER_NEAREST)
        truth = np.linspace(1, 3, height, dtype=np.float32)[:, None] * np.ones((1, width))
        depth = (truth * (1 + 0.2 * number)).astype(np.float32)
        found.append(type(sample)(image, depth, Source.names[number], "scene"))
    monkeypatch.setattr(Options, "open_data", lambda options: found)
    return found


@pytest.fixture
def options():
    return Options(variant=(NETWORK,), runtime=("onnxruntime",), threads=1)


def row(found, kind, estimator):
    (one,) = [row for row in found.rows if (row.kind, row.estimator) == (kind, estimator)]
    return one


def test_every_estimator_sees_every_kind_of_points(network, source, options):
    found = measure(options, Plan((1, 16), draws=2))
    assert len(found.rows) == len(found.kinds) * len(ESTIMATORS)
    assert found.kinds[:2] == ["1 random", "16 random"]
    assert len(network) == len(source)
    assert (found.samples, found.draws, found.variant) == (3, 2, NETWORK)
    for each in found.rows:
        assert len(each.d1_draws) == len(each.rmse_draws) == 2
        assert each.d1 == pytest.approx(np.mean(each.d1_draws))
        assert each.d1_interval[0] - 1e-9 <= each.d1 <= each.d1_interval[1] + 1e-9
        assert each.number is None or each.points == each.number


def test_scores_are_those_of_the_protocol(network, source, options):
    found = row(measure(options, Plan((4,), draws=1)), "4 random", "none")
    alone = [evaluate_image(0.9 * source[0].depth, sample.depth) for sample in source]
    assert found.d1 == pytest.approx(np.mean([scores.d1 for scores in alone]), abs=0.02)
    assert found.rmse == pytest.approx(np.mean([scores.rmse for scores in alone]), rel=0.02)
    assert (found.gain, found.gain_interval) == (0, (0, 0))


def test_what_scales_mends_a_scale(network, source, options):
    found = measure(options, Plan((16,), draws=2, noise=0.01))
    none, median, ours = (row(found, "16 random", name) for name in ("none", "median", "anchored"))
    assert none.d1 == pytest.approx(1 / 3) and none.rmse > 0.5
    assert median.d1 == ours.d1 == 1.0
    assert median.gain == pytest.approx(1 - none.d1)
    assert median.rmse < 0.05


def test_points_do_not_depend_on_what_else_is_asked(network, source, options):
    def figures(plan):
        return row(measure(options, plan), "4 random", "nearest")

    alone, among, more = (figures(Plan(n, draws=d)) for n, d in (((4,), 1), ((1, 4), 1), ((4,), 2)))
    assert alone == among
    assert more.d1_draws[0] == alone.d1_draws[0]
    source.reverse()
    assert figures(Plan((4,), draws=1)).d1 == pytest.approx(alone.d1)


def test_an_image_without_points_or_truth(network, source, options):
    source[0].depth[:] = 0
    source[1].image[:] = 128
    found = measure(options, Plan((4,), draws=1))
    assert row(found, "corners", "nearest").d1 < 1
    assert all(np.isfinite(each.d1) for each in found.rows)
    for sample in source:
        sample.depth[:] = 0
    with pytest.raises(study.DataError, match="no image has a pixel that counts"):
        measure(options, Plan((4,), draws=1))


def test_the_prior_is_the_network_s(network, source, options, monkeypatch):
    seen = []

    def look(network, points):
        seen.append(network.prior)
        return network.depth

    ours = replace(ESTIMATORS["anchored"], estimate=look)
    monkeypatch.setattr(study, "ESTIMATORS", {**ESTIMATORS, "anchored": ours})
    own = AnchorPrior(scale_sd=0.3)
    monkeypatch.setattr(study, "prior_of", lambda case: own)
    assert measure(options, Plan((4,), draws=1)).prior
    assert {*seen} == {own}


def test_one_pixel_of_a_cell_stands_for_it(network, source, options, monkeypatch):
    coarse = measure(options, Plan((16,), draws=1))
    monkeypatch.setattr(study, "STRIDE", 1)
    fine = measure(options, Plan((16,), draws=1))
    assert (coarse.stride, fine.stride) == (STRIDE, 1)
    for one, other in zip(coarse.rows, fine.rows, strict=True):
        assert one.d1 == pytest.approx(other.d1, abs=0.05)


def test_the_command(network, source, capsys, tmp_path):
    json_file, page, plots = tmp_path / "a.json", tmp_path / "a.md", tmp_path / "plots"
    words = f"anchors --variant {NETWORK} --points 1,16 --draws 2 --threads 1"
    more = ["--json", str(json_file), "--markdown", str(page), "--plot", str(plots)]
    assert main([*words.split(), *more]) == 0
    captured = capsys.readouterr()
    lines = [line.split("  ") for line in captured.out.splitlines()]
    assert lines[0][0] == "points" and len(lines) == 1 + 2 + 4
    assert "ramps, 3 samples" in captured.err and "points drawn 2 times" in captured.err
    assert json.loads(json_file.read_text())["rows"][0]["kind"] == "1 random"
    found = read_study(json_file)
    assert found.weights == default_tag(NETWORK)
    assert "| 16 random |" in page.read_text() and "RMSE [m], less is better" in page.read_text()
    assert cv2.imread(str(plots / f"anchors.{NETWORK}.png")).shape[1] > 900
    assert ElementTree.parse(plots / f"anchors.{NETWORK}.svg").getroot().tag.endswith("svg")


def test_json_has_stdout_for_itself(network, source, capsys):
    words = f"anchors --variant {NETWORK} --points 4 --draws 1 --threads 1 --json -"
    assert main(words.split()) == 0
    assert json.loads(capsys.readouterr().out)["draws"] == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--points 1,,4", "points '1,,4': give numbers of 1 to"),
        ("--points 0", "give numbers of 1 to"),
        ("--points 99999999999", "give numbers of 1 to"),
        ("--points 1e3", "give numbers of 1 to"),
        ("--noise 2", "noise 2.0 must be 0 to 1"),
        ("--draws 0", "draws 0 must be 1 to"),
        ("--variant nope", "unknown variant"),
        ("--variant mnv2-64-dws --variant unet128-dws", "2 networks; give one"),
        ("--data nyu:/nowhere", "/nowhere"),
        ("--json a.json --markdown a.json", "share a place"),
        ("--model nowhere.onnx", "nowhere.onnx does not exist"),
        ("--variant mnv2-64-dws --json /", "cannot write /: it is a folder"),
    ],
)
def test_misuse_is_one_line_before_any_work(words, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(study, "open_runner", None)
    assert main(["anchors", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fastdepth-bench anchors: ")
    assert error.count("\n") == 1


def test_without_scipy_its_pip_line_is_told(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "scipy", None)
    assert main(["anchors", "--variant", NETWORK]) == 2
    assert "pip install 'fastdepth[bench]'" in capsys.readouterr().err


def test_disparity_is_refused(tmp_path, capsys):
    path = write_third_party(tmp_path / "theirs.onnx")
    words = f"anchors --model {path} --input-size 64x48 --normalise unit --output disparity"
    assert main(words.split()) == 2
    assert "answers with disparity; distances need metres" in capsys.readouterr().err


def test_a_file_of_ours(tmp_path, source):
    own = AnchorPrior(scale_sd=0.3)
    path = write_model(tmp_path / "own.onnx", metadata=replace(METADATA, anchor_prior=own))
    options = command.Command(model=(path,), threads=1).options()
    assert study.prior_of(study.the_case(options)) == own
    found = measure(options, Plan((4,), draws=1))
    assert (found.variant, found.weights, found.prior) == ("own", "own.onnx", True)


@pytest.fixture
def uncertain(monkeypatch):
    """The network says how far it may be off: by a tenth of its depth."""

    class Model:
        metadata = replace(METADATA, interval=FACTORS)

        def depth_and_std(self, image):
            depth = ramp(image[None])[0, 0]
            return depth, 0.1 * depth

    monkeypatch.setattr(study, "open_with_std", lambda case: Model())


def test_how_often_intervals_hold_the_truth(network, source, options, uncertain):
    found = measure(options, Plan((16,), draws=1, noise=0.01))
    none, ours, median = (row(found, "16 random", n) for n in ("none", "anchored", "median"))
    # ln(1 / .9) = .11, ln(1.2 / .9) = .29, ln(1.4 / .9) = .44 against 1.7 times .1
    assert none.coverage == pytest.approx(1 / 3)
    assert ours.coverage > 0.9 and median.coverage is None
    assert found.interval == INTERVAL


def test_without_intervals_nothing_is_said_of_them(network, source, options):
    found = measure(options, Plan((4,), draws=1))
    assert found.interval is found.clip is None
    assert {each.coverage for each in found.rows} == {None}


def test_a_file_without_intervals_is_not_opened_for_them(tmp_path):
    path = write_model(tmp_path / "own.onnx")
    options = command.Command(model=(path,), threads=1).options()
    assert open_with_std(study.the_case(options)) is None
