"""Several processes that train one network, as ``torchrun`` starts them; or one alone."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from fastdepth.errors import UsageError
from fastdepth.models.network import DepthNetwork

TIMEOUT = timedelta(hours=2)  # the others wait while the first validates


class Processes:
    """This process among those that train together, from the variables that torchrun sets.

    Attributes:
        rank: number of this process, 0 for the first, which alone logs, validates and saves.
        count: how many there are.
    """

    def __init__(self) -> None:
        """Read the variables.

        Raises:
            UsageError: they are none that torchrun sets.
        """
        said = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
        if not all(text.isdecimal() for text in said) or not int(said[0]) < int(said[1]):
            raise UsageError(
                f"RANK={said[0]!r} WORLD_SIZE={said[1]!r} are not torchrun's; unset them, or start "
                "by torchrun"
            )
        self.rank, self.count = int(said[0]), int(said[1])

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks for all."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """``cuda`` without a number is a GPU of its own for each process of a machine."""
        local = os.environ.get("LOCAL_RANK", "0")
        return f"cuda:{local}" if name == "cuda" and self.count > 1 else name

    def check_batch(self, batch: int) -> None:
        """See that a batch can be split evenly.

        Raises:
            UsageError: the batch cannot be split evenly.
        """
        if batch % self.count:
            near = -(-batch // self.count) * self.count
            raise UsageError(f"{self.count} processes cannot share a batch of {batch}; try {near}")

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Connect the processes: by NCCL on GPUs, by gloo on CPUs.

        Raises:
            UsageError: they do not find one another.
        """
        if self.count == 1:
            yield
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        try:
            distributed.init_process_group(backend, timeout=TIMEOUT)
        except (ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [""])[0]
            raise UsageError(
                f"the processes are not joined ({reason}); start by torchrun"
            ) from None
        yield  # after an error the others may never answer again
        gc.collect()  # what refers to the group must go before it, or it can hang in its destructor
        distributed.barrier()
        distributed.destroy_process_group()

    def prepare(self, network: DepthNetwork, device: torch.device) -> DepthNetwork:
        """Batch norm over the batch of all processes, which PyTorch can do on GPUs alone."""
        if self.count > 1 and device.type == "cuda":
            return nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-any-return, no-untyped-call]
        return network

    def wrap(self, network: DepthNetwork) -> nn.Module:
        """The network whose gradients are means over all processes."""
        if self.count == 1:
            return network
        # A published encoder may have parameters that nothing uses; looking for them takes time.
        published = network.timm_encoder() is not None
        return DistributedDataParallel(network, find_unused_parameters=published)

    def gradients(self, wrapped: nn.Module, *, exchange: bool) -> AbstractContextManager[Any]:
        """Within, gradients are added up here and, where asked, meaned over all processes."""
        if isinstance(wrapped, DistributedDataParallel) and not exchange:
            return wrapped.no_sync()
        return nullcontext()

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a tensor over all processes."""
        if self.count == 1:
            return value
        total = value.clone()
        distributed.all_reduce(total)
        return total / self.count

    def any(self, *flags: bool, device: torch.device) -> list[bool]:
        """For each flag whether any process has raised it."""
        if self.count == 1:
            return list(flags)
        raised = torch.tensor(flags, dtype=torch.int32, device=device)
        distributed.all_reduce(raised, distributed.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes in their order."""
        if self.count == 1:
            return [value]
        values = [None] * self.count
        distributed.all_gather_object(values, value)
        return values

    def from_first(self, value: Any) -> Any:
        """The first process's value."""
        if self.count == 1:
            return value
        values = [value]
        distributed.broadcast_object_list(values)
        return values[0]
