from __future__ import annotations

import csv
import io

from made_up_results import failed_row, new_row, old_row, report

from fastdepth_bench.report.csv_table import to_csv


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_one_line_a_row_with_units_in_the_headings():
    content = report(new_row(), failed_row(error='no "memory", at all'), gpus=["one", "two"])
    first, failed = read(
        to_csv(
            {
                "results.json": content,
            }
        )
    )
    assert first["file"] == "results.json"
    assert float(first["latency_ms.p50 [ms]"]) == 100
    assert float(first["fps [1/s]"]) == 10
    assert float(first["fps_interval.low [1/s]"]) == 9.8
    assert (first["size.height [px]"], first["size.width [px]"]) == ("480", "640")
    assert float(first["metrics.rmse [m]"]) == 0.8
    assert first["metrics.d1"] == "0.6"
    assert first["bytes [B]"] == "11600000"
    assert first["peak_resident_bytes [B]"] == "300000000"
    assert float(first["stages_ms.inference [ms]"]) == 100
    assert first["environment.gpus"] == "one; two"
    assert first["error"] == ""
    assert failed["error"] == 'no "memory", at all'
    assert failed["fps [1/s]"] == ""


def test_old_and_new_files_share_columns():
    old, new = read(to_csv({"a": report(old_row()), "b": report(new_row())}))
    assert old.keys() == new.keys()
    assert (old["scenario"], new["scenario"]) == ("", "single-stream")
    headings = list(old)
    machine = [heading.startswith("environment.") for heading in headings]
    assert machine == sorted(machine)


def test_every_number_of_a_row_is_there():
    def numbers(value):
        if isinstance(value, dict):
            return [number for each in value.values() for number in numbers(each)]
        if isinstance(value, list):
            return [number for each in value for number in numbers(each)]
        return [] if value is None or isinstance(value, str) else [str(value)]

    row = new_row()
    (line,) = read(to_csv({"a": report(row)}))
    assert set(numbers(row)) <= set(line.values())
