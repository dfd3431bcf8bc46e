from __future__ import annotations

import pytest

from fastdepth_bench.measure.training_speed import BATCH, LEAST, training_images_per_second

torch = pytest.importorskip("torch")


def test_steps_of_the_own_recipe_are_timed(monkeypatch):
    steps = []
    original = torch.optim.AdamW.step

    def step(self, *arguments):
        steps.append(self.param_groups)
        return original(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    rate = training_images_per_second(lambda text: None, "unet-dws", "cpu", 1, seconds=0.01)
    assert len(steps) == 1 + LEAST
    assert 0 < rate < 1000 * BATCH
