"""docs/models.md is made of what ships and of what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_up_results import new_row, old_row, report
from safetensors.numpy import save_file

from fastdepth import weights
from fastdepth.errors import UsageError
from fastdepth.weights import WeightsCard, shipped_weights, weights_hash
from fastdepth_bench.report.markdown import marks
from fastdepth_bench.report.models import PAGE, image_path, with_cards
from fastdepth_bench.results.reading import committed_results, read_results

ROOT = Path(__file__).parents[3]
SCORES = {"d1": 0.6123, "abs_rel": 0.2345}
CARD = WeightsCard(
    "unet-dws",
    "unet-dws.here",
    licence="whatever | it is",
    data="drawn",
    protocol="eigen",
    scores=SCORES,
    rooms={"d1": 0.9, "abs_rel": 0.1},
    command="fastdepth-train --variant unet-dws",
)


def page_of(*tags):
    return "# Weights\n" + "".join("{}\n{}\nby hand\n".format(*marks(tag)) for tag in tags)


@pytest.fixture
def ship(monkeypatch, tmp_path):
    """Ships made-up weights in place of the package's; returns the file's hash."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)

    def write(**changes):
        card = replace(CARD, **changes)
        path = tmp_path / f"{card.tag}.safetensors"
        save_file({"a": np.full(5, len(card.tag), np.float16)}, path, metadata=card.to_header())
        return weights_hash(path)

    return write


def test_the_committed_page_is_what_is_generated():
    page = (ROOT / PAGE).read_text()
    assert with_cards(page, [read_results(path) for path in committed_results(ROOT)]) == page


@pytest.mark.parametrize("tag", shipped_weights())
def test_every_shipped_file_has_words_and_a_small_image(tag):
    after = (ROOT / PAGE).read_text().partition(marks(tag)[1])[2].partition("\n## ")[0]
    assert "Known failures" in after
    assert 10_000 < (ROOT / image_path(tag)).stat().st_size < 300_000


def test_a_card_says_what_the_header_says(ship):
    ship()
    page = with_cards(page_of("unet-dws.here"), [])
    for words in ("whatever \\| it is", "drawn", "d1 0.6123, AbsRel 0.2345", "d1 0.9000", "fp16"):
        assert words in page
    assert "unet-dws.here.png" in page
    assert "by hand" in page
    assert "measured on" not in page


def test_rows_of_these_tensors_are_shown_once_for_all_runtimes(ship):
    own = {"variant": "unet-dws", "weights_hash": ship()}
    rows = [
        new_row(**own, runtime="torch", metrics={"d1": 0.611}),
        new_row(**own, runtime="onnxruntime", metrics={"d1": 0.612}),
        new_row(**own, runtime="openvino", metrics={"d1": 0.613}),
        new_row(**own, precision="int8", metrics={"d1": 0.605}),
        new_row(**own, flip=True, protocol_description="with flip", metrics={"d1": 0.621}),
        new_row(**own, data="nyu train", metrics={"d1": 0.999}),
        new_row(**own, fold=False, precision="fp16", metrics={"d1": 0.998}),
        old_row("unet-dws", weights_hash="another", metrics={"d1": 0.997}),
    ]
    page = with_cards(page_of("unet-dws.here"), [report(*rows)])
    lines = [line.split(" | ") for line in page.splitlines() if " images | " in line]
    assert [(line[2], line[3], line[4]) for line in lines] == [
        ("fp32", "no", "0.612"),
        ("int8", "no", "0.605"),
        ("fp32", "mean of image and mirror", "0.621"),
    ]
    assert "with flip" in page


def test_another_file_needs_no_more_than_its_marks(ship):
    ship()
    ship(tag="unet-dws.other", variant="unet-dws", licence="MIT")
    with pytest.raises(UsageError, match=r"models.md lacks the lines <!-- unet-dws.other: begin"):
        with_cards(page_of("unet-dws.here"), [])
    assert "MIT" in with_cards(page_of("unet-dws.here", "unet-dws.other"), [])


def test_a_card_of_what_does_not_ship_is_refused(ship):
    ship()
    with pytest.raises(UsageError, match="a card of gone, which does not ship; remove it"):
        with_cards(page_of("unet-dws.here", "gone"), [])
