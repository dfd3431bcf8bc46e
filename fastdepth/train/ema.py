"""An exponential moving average of a network's weights."""

from __future__ import annotations

from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fastdepth.models.network import DepthNetwork

Tensors = tuple[Tensor, ...] | list[Tensor]


class AveragedNetwork:
    """The network that is validated and shipped: the average, or the trained network itself.

    Buffers such as batch statistics are those of the trained network.

    Attributes:
        network: averaged weights; without a decay the trained network itself.
    """

    def __init__(self, trained: DepthNetwork, decay: float) -> None:
        """Begin with the weights as they are; a decay of 0 averages nothing.

        The n-th update decays by (1 + n) / (10 + n) where that is less (as TensorFlow's average).
        """
        self.network, self._trained = trained, trained
        self._model: AveragedModel | None = None
        if decay:

            def mix(averaged: Tensors, current: Tensors, count: Tensor | int) -> None:
                # A shorter memory at first: else the weights from before training linger.
                own = min(decay, (1 + int(count)) / (10 + int(count)))
                get_ema_multi_avg_fn(own)(averaged, current, count)  # type: ignore[no-untyped-call]

            self._model = AveragedModel(trained, multi_avg_fn=mix)
            self.network = self._model.module  # type: ignore[assignment]

    def update(self) -> None:
        """Count the trained network's weights in; call after every optimiser step."""
        if self._model is not None:
            self._model.update_parameters(self._trained)

    @property
    def updates(self) -> int:
        """How often weights were counted in; settable when a run is taken up again."""
        return 0 if self._model is None else int(self._model.n_averaged)

    @updates.setter
    def updates(self, count: int) -> None:
        if self._model is not None:
            self._model.n_averaged.fill_(count)
