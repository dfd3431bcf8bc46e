"""Networks too large for a CPU's real training learn a few images by heart, by their recipes."""

from __future__ import annotations

import pytest

from fastdepth.train import TrainingRun, train
from fastdepth.train.plot import read_log

SETTINGS = {
    "densenet201-fast": ("96x64", 8, "rooms:8=160", 5),
    "densenet201-unet": ("128x96", 8, "rooms:8=40", 7),
    "effb0-256": ("416x320", 4, "rooms:8=20", 5),
    "effb5-256": ("416x320", 4, "rooms:8=20", 5),
    "fcrn-res50": ("128x96", 8, "rooms:8=40", 5),
    "unet128": ("416x320", 4, "rooms:8=20", 4),
    "unet256": ("416x320", 4, "rooms:8=20", 4),
}
"""Input, batch, data with passes an epoch, and epochs."""


@pytest.mark.slow
@pytest.mark.parametrize("variant", SETTINGS)
def test_eight_images_by_heart(variant, tmp_path):
    size, batch, data, epochs = SETTINGS[variant]
    run = TrainingRun(
        variant,
        (data,),
        tmp_path / "run",
        overfit=8,
        validation_size=size,
        encoder_weights=None if variant.startswith("unet") else "random",
        precision="bf16",
        batch=batch,
        epochs=epochs,
    )
    train(run)
    log = read_log(run.log)
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses[-1] < 0.5 * losses[0]
    assert max(line["validation"]["d1"] for line in log if "validation" in line) > 0.8
