"""How fast a network trains by its own recipe, decoding and augmentation left out."""

from __future__ import annotations

import time

from fastdepth.variants import get_variant
from fastdepth_bench.measure.isolate import Say

BATCH = 2
"""Images in a step, the same for all networks: what fits everywhere. Some recipes take more."""

LEAST = 3
"""Steps that are timed at least, after one that is not."""


def training_images_per_second(
    say: Say, variant: str, device: str, threads: int, *, seconds: float
) -> float:
    """Images per second of training steps in float32: forward, loss, backward, optimiser.

    Random images of the size of the recipe's crop; loss, optimiser and frozen parts are those of
    the recipe's first stage.

    Args:
        say: told what is done.
        variant: network, begun at random.
        device: cpu, cuda or cuda:N.
        threads: of PyTorch on the CPU.
        seconds: least length of the measurement [s].

    Raises:
        DeviceError: there is no such device.
    """
    import torch

    from fastdepth.models import create_model
    from fastdepth.models.device import open_device
    from fastdepth.train.losses import LOSSES
    from fastdepth.train.optimiser import freeze, make_optimiser, set_training
    from fastdepth.train.recipes import get_recipe

    say(f"{variant}: training steps")
    torch.set_num_threads(threads)
    place = open_device(device)
    recipe = get_recipe(get_variant(variant).recipe)
    stage = recipe.plan()[0]
    network = create_model(variant)
    network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze(network, stage.trained, recipe.frozen)
    set_training(network)
    optimiser, loss = make_optimiser(network, recipe), LOSSES[stage.loss]
    image = torch.rand(BATCH, 3, *recipe.augmentation.crop, device=place)
    depth = 1 + 4 * torch.rand(BATCH, 1, *recipe.augmentation.crop, device=place)

    def step() -> float:
        start = time.perf_counter()
        optimiser.zero_grad(set_to_none=True)
        loss(network(image), depth).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        return time.perf_counter() - start

    step()
    times = [step() for _ in range(LEAST)]
    while sum(times) < seconds:
        times.append(step())
    return BATCH * len(times) / sum(times)
