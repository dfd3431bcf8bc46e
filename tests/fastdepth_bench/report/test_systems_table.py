from __future__ import annotations

import json
from pathlib import Path

import pytest

from fastdepth.published import SYSTEMS
from fastdepth_bench.report.pages import SECTIONS, marks, with_results
from fastdepth_bench.report.systems_table import HEADINGS, measured, systems_to_markdown
from fastdepth_bench.results.reading import read_all

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
EMPTY = "".join(f"{mark}\n" for section in SECTIONS for mark in marks(section))


@pytest.fixture
def report():
    """A committed report, of which tests make up rows."""
    return json.loads((RESULTS / "amd-epyc-2-of-4-cores.nyu.json").read_text())


def made_up(report, **changes):
    """A row of the report with other figures."""
    row = report["rows"][0]
    return {**row, "metrics": {**row["metrics"], "d1": 0.6125}, **changes}


def lines(markdown, variant):
    """Cells by heading of a system's lines; of headings that come twice, those to the right."""
    found = [line for line in markdown.splitlines() if line.startswith(f"| {variant} |")]
    return [
        dict(zip(HEADINGS, (c.strip() for c in line.strip("|").split("|")), strict=True))
        for line in found
    ]


def test_without_results_nothing_is_measured():
    markdown = systems_to_markdown([])
    for name, system in SYSTEMS.items():
        (line,) = lines(markdown, name)
        assert line["measured here d1 / d2 / d3"] == "not measured"
        assert line["reported by"] == system.authors
    (best,) = lines(markdown, "effb5-256")
    assert best["reported d1 / d2 / d3"] == "0.903 / 0.984 / 0.997"
    (fast,) = lines(markdown, "fastdepth-mnv1")
    assert fast["trained on"] == "NYU Depth V2, 48,000 frames"
    assert "178 (Jetson TX2)" in markdown


def test_every_remark_is_printed_once_with_all_that_it_is_about():
    markdown = systems_to_markdown([])
    for system in SYSTEMS.values():
        for remark in system.remarks:
            (line,) = [line for line in markdown.splitlines() if line.endswith(f": {remark}")]
            assert f"`{system.variant}`" in line


def test_the_exported_file_stands_for_a_system(report):
    own = {"variant": "eigen", "weights": "eigen.nyu"}
    report["rows"] = [
        made_up(report, **own, runtime="openvino", fps=3),
        made_up(report, **own, runtime="torch", fps=1),
        made_up(report, **own, runtime="onnxruntime", fps=2.25, bytes=4_560_000),
        made_up(report, **own, runtime="onnxruntime", precision="int8", fps=4),
    ]
    (line,) = lines(systems_to_markdown([report]), "eigen")
    assert line["measured here d1 / d2 / d3"] == "0.613 / 0.902 / 0.972"
    assert line["frames/s"] == "2.2"
    assert line["MB"] == "4.6"
    assert (line["input"], line["weights"]) == ("640x480", "`eigen.nyu`")


def test_what_it_was_measured_on_is_named(report):
    report["rows"] = [made_up(report, variant="eigen"), made_up(report, variant="unet256")]
    other = json.loads(json.dumps(report))
    other["rows"] = [made_up(report, variant="eigen", samples=71, sample_hash="abc")]
    markdown = systems_to_markdown([report, other])
    assert [line["on"] for line in lines(markdown, "eigen")] == ["a", "b"]
    assert lines(markdown, "unet256")[0]["on"] == "a"
    (first,) = [line for line in markdown.splitlines() if line.startswith("On a: ")]
    (second,) = [line for line in markdown.splitlines() if line.startswith("On b: ")]
    assert "nyu (in-painted), 498 samples, hash 903e649ece66; protocol eigen; crop" in first
    assert "thread(s), batch 1; AMD EPYC; 2 of 4 cores" in first
    assert "71 samples, hash abc" in second


def test_untrained_networks_have_a_speed_alone(report):
    rows = [made_up(report, variant="eigen", metrics=None, untrained=True, data="rooms", fps=7)]
    markdown = systems_to_markdown([{**report, "rows": rows}])
    (line,) = lines(markdown, "eigen")
    assert line["measured here d1 / d2 / d3"] == "not measured"
    assert (line["frames/s"], line["weights"]) == ("7.0", "untrained")
    assert "On a: Speed alone. torch fp32, cpu" in markdown


def test_rooms_failures_and_other_networks_are_left_out(report):
    rows = [
        made_up(report, variant="unet-dws"),
        made_up(report, variant="eigen", data="rooms"),
        made_up(report, variant="unet256", error="no memory", metrics=None, fps=None),
    ]
    assert systems_to_markdown([{**report, "rows": rows}]) == systems_to_markdown([])


def test_files_for_this_table_do_not_enter_the_other(report, tmp_path):
    path = tmp_path / "machine.systems.json"
    path.write_text(json.dumps({**report, "rows": [made_up(report, variant="eigen")]}))
    readme = with_results(EMPTY, read_all([path]))
    others, _, rest = readme.partition(marks("systems")[0])
    systems, _, after = rest.partition(marks("systems")[1])
    assert "| eigen |" not in others + after
    assert lines(systems, "eigen")[0]["on"] == "a"


def test_images_that_were_learnt_by_heart_are_no_measurement(report):
    report["rows"] = [made_up(report, variant="eigen", data="nyu train")]
    (line,) = lines(systems_to_markdown([report]), "eigen")
    assert line["measured here d1 / d2 / d3"].startswith("over-fits: 0.")
    assert measured([report]) == {}
    report["rows"].append(made_up(report, variant="eigen", weights="eigen.nyu", data="nyu"))
    assert measured([report])["eigen"]["d1"] == report["rows"][1]["metrics"]["d1"]
