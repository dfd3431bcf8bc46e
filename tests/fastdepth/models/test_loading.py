from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import save_file
from tiny_training import register

from fastdepth.errors import WeightsError
from fastdepth.models import create_model
from fastdepth.models.loading import load_fitting, load_tensors, load_weights
from fastdepth.weights import WeightsCard


@pytest.fixture
def network(monkeypatch):
    register(monkeypatch)
    return create_model("plain")


@pytest.fixture
def file(network, tmp_path):
    """Write the network's tensors with one of them changed."""

    def write(**changes):
        tensors = {name: value.clone() for name, value in network.state_dict().items()}
        for name, change in changes.items():
            key = name.replace("_", ".")
            tensors[key] = change(tensors[key]).contiguous()
        path = tmp_path / "w.safetensors"
        save_file(tensors, path, metadata=WeightsCard("plain").to_header())
        return path

    return write


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_precision_fit(network, file, kind):
    load_weights(network, file(fine_bias=lambda value: value.to(kind)), "plain")
    assert network.fine.bias.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.to(torch.int64), "fine.bias is torch.int64"),
        (lambda value: value.to(torch.bool), "fine.bias is torch.bool"),
        (lambda value: value.to(torch.float8_e4m3fn), "tensor fine.bias is none of"),
        (lambda value: value.reshape(1, 1), "fine.bias has another shape"),
        (lambda value: value * math.nan, "NaN or infinity in fine.bias"),
        (lambda value: value / 0, "NaN or infinity in fine.bias"),
    ],
)
def test_what_does_not_fit_is_named(network, file, change, message):
    with pytest.raises(WeightsError, match=message):
        load_weights(network, file(fine_bias=change), "plain")
    assert all(bool(torch.isfinite(p).all()) for p in network.parameters())


def test_of_what_fits_nothing_may_be_no_number_and_other_kinds_do_not_fit(network, file):
    assert len(load_fitting(network, file(fine_bias=lambda value: value.to(torch.int64)))) == 3
    with pytest.raises(WeightsError, match="NaN or infinity in fine.bias"):
        load_fitting(network, file(fine_bias=lambda value: value * math.nan))
    assert torch.isfinite(network.fine.bias).all()


def test_a_file_that_memory_does_not_suffice_for_is_one_line(file, monkeypatch):
    import safetensors.torch

    def fail(_):
        raise RuntimeError("unable to mmap 99 bytes\nand more")

    monkeypatch.setattr(safetensors.torch, "load_file", fail)
    with pytest.raises(WeightsError, match="cannot be read: unable to mmap 99 bytes; copy"):
        load_tensors(file())
