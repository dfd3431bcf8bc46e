"""What must hold on a GPU before minutes are spent there: quick proofs, each a line.

Each is a function of a case, which answers with what is wrong or with nothing, and may raise
whatever a runtime throws. Where a GPU is rare they come first: what they find would spoil all
figures, or leave none.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastdepth_bench.case import Case
from fastdepth_bench.measure.isolate import Say, one_line, until
from fastdepth_bench.measure.timing import check_depth
from fastdepth_bench.runners.opening import open_runner, refusal
from fastdepth_bench.runners.protocol import Batch
from fastdepth_bench.runners.providers import DEVICE_PROVIDERS, probe
from fastdepth_export.targets import get_target

SHARE = 0.8
"""Of the GPU's free memory, that is overwritten."""

Proves = Callable[[Say, Case], str]
"""Told what is done; answers with what is wrong, in one line, or with nothing."""


@dataclass(frozen=True)
class Proof:
    """What came of one proof.

    Attributes:
        name: what was to be proven, with the runtime that it is of.
        problem: why it is not proven; empty where it is.
        left_out: why it was not tried; empty where it was.
    """

    name: str
    problem: str = ""
    left_out: str = ""

    def __str__(self) -> str:
        failed = self.problem and f"FAILED: {self.problem}"
        return f"{self.name}: {failed or (self.left_out and f'left out: {self.left_out}') or 'ok'}"


def provider_opens(say: Say, case: Case) -> str:
    """ONNX Runtime's provider runs a graph in a process that PyTorch is imported in, and in one
    that it is not, which has CUDA's libraries from elsewhere.
    """
    provider = DEVICE_PROVIDERS[case.device]
    for words, imported in (("without PyTorch", ()), ("with PyTorch", ("torch",))):
        say(words)
        problem = probe(provider, *imported)
        if problem:
            return f"{words}: {problem}"
    return ""


def equals_the_cpu(say: Say, case: Case) -> str:
    """The depth is that of ONNX Runtime on the CPU, to what an exported file is verified to."""
    from fastdepth_export.verify import difference

    images = _images(case)
    say("on the CPU")
    with open_runner(replace(case, runtime="onnxruntime", device="cpu")) as runner:
        expected = [runner.infer(image) for image in images]
    say(f"on {case.device}")
    with open_runner(case) as runner:
        found = (difference(runner.infer(i), own) for i, own in zip(images, expected, strict=True))
        return next((f"depth {problem}" for problem in found if problem), "")


def answers_again(say: Say, case: Case, overwrite: Callable[[str], None] | None = None) -> str:
    """The second answer to an image equals the first after the GPU's memory was overwritten.

    What was freed although a recorded graph still uses it holds something else by then.

    Args:
        say: told what is done.
        case: what is run.
        overwrite: memory of a device; :func:`overwrite_memory` if absent.
    """
    image, other = _images(case)
    with open_runner(case) as runner:
        first = runner.infer(image)
        check_depth(first, image)
        say("overwriting memory")
        (overwrite or overwrite_memory)(case.device)
        second = runner.infer(image)
        runner.infer(other)
        third = runner.infer(image)
    for again in (second, third):
        changed = first.size - int(np.count_nonzero(again == first))
        if changed:
            return f"another answer to the same image at {changed} of {first.size} pixels"
    return ""


def answers(say: Say, case: Case) -> str:
    """The file can be built, and answers different images with different depth."""
    say("building")
    with open_runner(case) as runner:
        images = _images(case)
        first, second = (np.array(runner.infer(image)) for image in images)
        check_depth(first, images[0])
        check_depth(second, images[1])
    return "the same depth for different images" if np.array_equal(first, second) else ""


PROOFS: Sequence[tuple[str, Proves, str, str]] = (
    ("the provider opens with and without PyTorch", provider_opens, "onnxruntime", "fp32"),
    ("fp32 is the CPU's", equals_the_cpu, "onnxruntime", "fp32"),
    ("fp32 is the CPU's", equals_the_cpu, "torch", "fp32"),
    ("the second answer equals the first", answers_again, "torch-graph", "fp32"),
    ("the second answer equals the first", answers_again, "tensorrt", "fp32"),
    ("s8s8 builds and answers", answers, "tensorrt", "int8"),
)
"""Name, function, and the runtime and precision that it is tried on."""


def prove(
    case: Case, say: Say, *, isolated: bool = True, ends: float | None = None
) -> Iterator[Proof]:
    """Try all proofs, one after the other.

    Args:
        case: network, size and device; its runtime and precision are each proof's own.
        say: told what is done.
        isolated: try each in a process of its own.
        ends: by ``time.monotonic`` [s], when one that is tried is stopped.
    """
    for words, function, runtime, precision in PROOFS:
        name = f"{runtime} {precision}: {words}"
        reason = refusal(get_target(runtime), case.device)
        if reason:
            yield Proof(name, left_out=reason)
            continue
        own = replace(case, runtime=runtime, precision=precision)
        try:
            if isolated:
                yield Proof(name, until(ends, function, say, own))
            else:
                yield Proof(name, function(say, own))
        except Exception as error:  # whatever a runtime throws is what is wrong
            yield Proof(name, one_line(error))


def overwrite_memory(device: str) -> None:
    """Fill most of a GPU's free memory with bits that are NaN in every type, and free it."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(device)
    filled = torch.full((int(SHARE * free),), 0xFF, dtype=torch.uint8, device=device)
    torch.cuda.synchronize(device)
    del filled
    torch.cuda.empty_cache()


def _images(case: Case) -> tuple[Batch, Batch]:
    """Two drawn rooms (1, H, W, 3) uint8 at the network's input size."""
    from fastdepth_export.verify import draw_images

    first, second = draw_images(case.size, 2)
    return first[None], second[None]
