"""The network as written, but for the axis of its softmax: a baseline that is not slow by accident.

ONNX Runtime's CPU provider is slow at a softmax over channels. A folded network that is compared
with the plain one alone could owe its lead to that; compared with this one it cannot.
"""

from __future__ import annotations

from fastdepth.models import DepthNetwork
from fastdepth.models.adabins import BinsHead, attend
from fastdepth_export.compress.sharing import sharing


class LastAxisHead(BinsHead):
    """A bins head that mixes by attention, whose softmax is on the last axis."""

    mix = staticmethod(attend)


def softmax_on_last_axis(network: DepthNetwork) -> DepthNetwork:
    """The same function with the softmax over the bins on the last axis, nothing folded.

    Args:
        network: it is not changed and shares its parts with the answer.

    Returns:
        Another network, or the network itself where it has no such softmax.
    """
    as_written = getattr(network, "bins", None)
    if not isinstance(as_written, BinsHead):
        return network
    head = sharing(as_written)
    head.__class__ = LastAxisHead
    return sharing(network, bins=head)
