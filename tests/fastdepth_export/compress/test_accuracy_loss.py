from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fastdepth.errors import ParityError
from fastdepth_export.compress import accuracy_loss
from fastdepth_export.compress.accuracy_loss import AccuracyLoss, LossMeter


def times(model, factor):
    """The model with its depth multiplied."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    other.graph.node[-1].output[0] = "before"
    other.graph.initializer.append(numpy_helper.from_array(np.float32(factor), "factor"))
    other.graph.node.append(onnx.helper.make_node("Mul", ["before", "factor"], ["depth"]))
    return other


def test_the_reference_loses_nothing(meter, folded):
    assert meter.measure(folded) == AccuracyLoss(d1=0.0, mean=0.0, largest=0.0, nonfinite=0)


def test_by_hand(meter, folded, tiny):
    """Halved depths: the difference is the depth, and d1 is that of a meter of its own."""
    loss = meter.measure(times(folded, 0.5))
    assert 0 < loss.mean < loss.largest < 10
    back = LossMeter(times(folded, 0.5), tiny.size, "rooms:2").measure(folded)
    assert loss.d1 == pytest.approx(-back.d1)
    assert loss.d1 != 0
    assert loss.mean == pytest.approx(back.mean)


def test_rooms_are_drawn_once_for_all_files(folded, tiny, monkeypatch):
    first = LossMeter(folded, tiny.size, "rooms:1").measure(times(folded, 0.5))
    monkeypatch.setattr(accuracy_loss, "open_source", None)
    again = LossMeter(folded, tiny.size, "rooms:1").measure(times(folded, 0.5))
    assert again == first


def test_nan_is_counted(meter, folded, tiny):
    loss = meter.measure(times(folded, float("nan")))
    assert loss.nonfinite == 2 * tiny.size.height * tiny.size.width
    with pytest.raises(ParityError, match="fp16 file gives 24576 pixels that are NaN"):
        loss.check("fp16")


@pytest.mark.parametrize(
    ("precision", "mend"),
    [("fp16", "use another"), ("int8", "use more images for --calibration, another")],
)
def test_what_can_be_done_about_a_loss_is_told(precision, mend):
    message = f"nothing was written; {mend} precision, or --force to write it all the same$"
    with pytest.raises(ParityError, match=message):
        AccuracyLoss(d1=-1, mean=1, largest=1, nonfinite=0).check(precision)
    with pytest.raises(ParityError, match="nothing was written; use another precision$"):
        AccuracyLoss(d1=-1, mean=1, largest=1, nonfinite=1).check(precision)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("precision", "bound"), [("fp16", 0.001), ("int8", 0.01)])
def test_a_change_above_the_bound_is_refused(sign, precision, bound):
    AccuracyLoss(d1=sign * bound * 0.99, mean=0, largest=0, nonfinite=0).check(precision)
    with pytest.raises(ParityError, match=f"{precision} file changes d1 by .*allowed {bound}.*"):
        AccuracyLoss(d1=sign * bound * 1.01, mean=0, largest=0, nonfinite=0).check(precision)
