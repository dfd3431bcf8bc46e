from __future__ import annotations

import json

import pytest
import torch

from fastdepth.errors import InputError
from fastdepth.models import create_model
from fastdepth.models.pruned import layer_widths, narrow, read_widths
from fastdepth.size import Size

SIZE = Size(64, 64)


@pytest.mark.parametrize("name", ["mnv2-64-dws-70", "fastdepth-mnv1", "unet-dws"])
def test_all_channels_kept_are_the_same_network_bit_for_bit(name):
    torch.manual_seed(0)
    network, image = create_model(name).eval(), torch.rand(1, 3, *SIZE)
    with torch.inference_mode():
        before = network(image).depth
        narrow(network, layer_widths(network), SIZE)
        assert torch.equal(network(image).depth, before)


def test_layers_are_cut_to_the_first_channels():
    network = create_model("unet-dws").eval()
    block = network.unet.up[-1]
    depthwise, widened = block[3].weight.detach().clone(), block[1].weight.detach().clone()
    narrowed = {f"unet.up.4.{n}": (8, 8) for n in (3, 4, 5)} | {"unet.up.4.1": (48, 8)}
    narrow(network, narrowed | {"unet.head": (8, 1)}, SIZE)
    assert torch.equal(block[3].weight, depthwise[:8])
    assert torch.equal(block[1].weight, widened[:8])
    assert block[3].groups == 8
    assert network(torch.rand(2, 3, *SIZE)).depth.shape == (2, 1, 32, 32)


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ({"unet.stem.none": (3, 8)}, "unet.stem.none is no layer"),
        ({"unet.stem": (3, 16)}, "3 channels in and 16 out of 3 and 8"),
        ({"unet.stem": (3, 0)}, "3 channels in and 0 out"),
        ({"unet.up.4.3": (16, 8)}, "16 channels in and 8 out"),
        ({"unet.stem": (3, 4)}, "do not fit one another"),
    ],
)
def test_widths_that_do_not_fit_are_refused(widths, message):
    with pytest.raises(InputError, match=message) as caught:
        narrow(create_model("unet-dws"), widths, SIZE)
    assert "\n" not in str(caught.value)


def test_a_narrowed_encoder_no_longer_takes_the_weights_of_timm():
    network = create_model("fastdepth-mnv1")
    assert network.timm_encoder() is not None
    narrow(network, layer_widths(network), SIZE)
    assert network.timm_encoder() is None


def test_a_file_of_widths_reads_back(tmp_path):
    (tmp_path / "w.json").write_text(json.dumps({"a": [1, 2]}))
    assert read_widths(tmp_path / "w.json") == {"a": [1, 2]}


@pytest.mark.parametrize("text", [None, "{", "[]", '{"a": 3}', '{"a": [1, true]}', '{"a": [1]}'])
def test_a_file_that_holds_none_is_refused(tmp_path, text):
    path = tmp_path / "w.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match="missing or holds no widths"):
        read_widths(path)
