"""The table of rivals: every figure says whose, of what and where it is printed."""

from __future__ import annotations

import pytest
from made_up_results import new_row, read_rows

from fastdepth.metrics import ALIGNMENTS
from fastdepth.runtime.third_party import NORMALISE, OUTPUTS
from fastdepth.variants import VARIANTS
from fastdepth_bench.results.rivals import NYU, OURS, RIVALS, is_part, rival_of


@pytest.mark.parametrize("rival", RIVALS.values(), ids=lambda rival: rival.name)
def test_every_figure_has_its_protocol_and_source(rival):
    for score in rival.scores:
        assert 0 < score.d1 < 1 and score.alignment in ALIGNMENTS
        assert score.source and score.differs and score.data
    assert rival.normalise in NORMALISE and rival.output in OUTPUTS
    assert rival.title and rival.weights and rival.sizes


def test_what_no_library_has_says_how_it_can_be_timed():
    for rival in RIVALS.values():
        whole = rival.library and not rival.part
        assert bool(rival.untimed) == (not whole)
        assert whole or f"--onnx {rival.name}=FILE" in rival.untimed
    assert "no library has it" in RIVALS["guidedepth-s"].untimed
    assert "the encoder alone" in RIVALS["midas-v2.1-small"].untimed


def test_what_stands_in_is_a_variant_of_ours():
    own = [rival.name for rival in RIVALS.values() if rival.library == "fastdepth"]
    assert {*own, *OURS} <= {*VARIANTS}


def test_only_figures_of_the_very_network_are_drawn():
    """Neither those of a pruned one, nor of other data, nor without an input."""
    assert RIVALS["fastdepth-mnv1"].drawn("none") == ()
    assert RIVALS["lite-mono-tiny"].drawn("median") == ()
    assert RIVALS["midas-v2.1-small"].drawn("affine") == ()
    (found,) = RIVALS["midas-v2.1-small"].drawn("affine-disparity")
    assert (str(found.size), found.d1) == ("256x256", 0.866)
    found = RIVALS["depth-anything-v2-small"].drawn("affine-disparity")
    assert {score.data for score in found} == {NYU}
    assert {str(score.size): score.d1 for score in found} == {"518x518": 0.962, "448x336": 0.921}


def test_a_row_of_a_part_says_so():
    encoder, whole, given, ours = read_rows(
        new_row("midas-v2.1-small (encoder alone)"),
        new_row("depth-anything-v2-small"),
        new_row("midas-v2.1-small", weights="midas.onnx"),
        new_row("mnv2-64-dws"),
    )
    assert [is_part(row) for row in (encoder, whole, given, ours)] == [True, False, False, False]
    assert rival_of(encoder) is rival_of(given) is RIVALS["midas-v2.1-small"]
    assert rival_of(ours) is None
