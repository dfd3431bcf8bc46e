from __future__ import annotations

import json
import sys

import pytest
import small_pruned
import torch

from fastdepth.errors import MissingExtraError, UsageError
from fastdepth.models import count_parameters, create_model
from fastdepth.models.loading import load_weights, read_tensors
from fastdepth.models.pruned import layer_widths, narrow
from fastdepth.size import Size
from fastdepth.train import TrainingRun, train
from fastdepth.train.compress.prune import _macs, _pixels, main, prune
from fastdepth.variants import VARIANTS
from fastdepth.weights import read_card

SIZE = Size(64, 64)
ANSWERS = {"bins.logits", "bins.widths.2", "head", "unet.head"}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["mnv2-64-dws-70", "fastdepth-mnv1", "unet-dws"])
def test_the_narrowed_network_computes_what_the_pruned_one_does(name):
    torch.manual_seed(0)
    network, image = create_model(name).eval(), torch.rand(1, 3, *SIZE)
    before, whole = layer_widths(network), _macs(_pixels(network, image))
    prune(network, 0.7, SIZE, lambda: network(image).depth.log().square().mean())
    after = layer_widths(network)
    assert 0.66 < _macs(_pixels(network, image)) / whole <= 0.7
    changed = {key: after[key] for key in after if after[key] != before[key]}
    assert changed
    assert all(out % 8 == 0 for _, out in changed.values() if out > 1)
    for key in ANSWERS & after.keys():
        assert after[key][1] == before[key][1]
    again = create_model(name).eval()
    narrow(again, changed, SIZE)
    again.load_state_dict(network.state_dict())
    with torch.inference_mode():
        assert torch.equal(again(image).depth, network(image).depth)


def test_channels_that_do_nothing_go_first():
    torch.manual_seed(0)
    network, image = create_model("unet-dws").eval(), torch.rand(1, 3, *SIZE)
    last = network.unet.up[-1]
    with torch.no_grad():
        last[5].weight[3:11] = last[5].bias[3:11] = 0
        network.unet.head.weight[:, 3:11] = 0
        expected = network(image).depth
    prune(network, 0.99, SIZE, lambda: network(image).depth.log().square().mean())
    assert last[4].out_channels == 8
    with torch.inference_mode():
        torch.testing.assert_close(network(image).depth, expected)


def test_a_pruned_network_is_a_variant_that_trains_on(folder, tmp_path, monkeypatch):
    left = small_pruned.enter_pruned(monkeypatch, tmp_path, f"nyu:{folder}", 0.8)
    assert left.name == "small-p20"
    weights = tmp_path / "small-p20.safetensors"
    network = create_model("small-p20")
    assert count_parameters(network) == left.params < VARIANTS[small_pruned.MOBILE].params
    assert load_weights(network, weights, "small-p20").data == "nothing"
    run = TrainingRun(
        "small-p20",
        (f"nyu:{folder}",),
        tmp_path / "run",
        weights=str(weights),
        workers=0,
        max_minutes=1e-9,
    )
    assert train(run).steps == 1
    trained, _ = read_tensors(run.checkpoint)
    depthwise = "encoder.blocks.1.0.conv_dw.weight"
    assert trained[depthwise].shape == network.state_dict()[depthwise].shape
    assert not torch.equal(trained[depthwise], network.state_dict()[depthwise])


def test_all_kept_is_the_same_network(folder, tmp_path, monkeypatch):
    left = small_pruned.enter_pruned(monkeypatch, tmp_path, f"nyu:{folder}", 1.0)
    assert (left.name, left.params) == ("small-p0", VARIANTS[small_pruned.MOBILE].params)
    assert json.loads((tmp_path / left.widths).read_text()) == {}
    whole, _ = read_tensors(tmp_path / "small.safetensors")
    kept, _ = read_tensors(tmp_path / "small-p0.safetensors")
    assert all(torch.equal(whole[name], kept[name]) for name in whole.keys() | kept.keys())


def test_the_command_prints_the_line_of_the_table(folder, tmp_path, monkeypatch, capsys):
    weights = small_pruned.enter(monkeypatch, tmp_path)
    words = f"--variant small --weights {weights} --data nyu:{folder} --keep 0.9"
    assert main([*words.split(), "--output", str(tmp_path)]) == 0
    text = capsys.readouterr()
    name, percent, params = eval(text.out.strip().rstrip(","))
    assert (name, percent) == ("small", 10)
    tensors, card = read_tensors(tmp_path / "small-p10.safetensors")
    parameters = [n for n in tensors if "running" not in n and "num_batches" not in n]
    assert sum(tensors[n].numel() for n in parameters) == params
    assert card == read_card(tmp_path / "small-p10.safetensors")
    assert card.variant == "small-p10"
    assert "without 10 %" in card.initialisation
    assert "small-p10.json" in text.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--variant small --keep 0", "keep 0.0 must be above 0"),
        ("--variant small --keep 1.5", "keep 1.5 must be above 0"),
        ("--variant small --keep 0.5 --narrowest 2", "narrowest 2.0 must be 0 to 1"),
        ("--variant smal --keep 0.5", "did you mean 'small'"),
        ("--variant unet-dws --keep 0.5", "holds weights of small"),
    ],
)
def test_what_cannot_be_is_one_line(folder, tmp_path, monkeypatch, capsys, words, message):
    weights = small_pruned.enter(monkeypatch, tmp_path)
    words += f" --weights {weights} --data nyu:{folder} --output {tmp_path}"
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"small.safetensors"}


def test_the_weights_are_not_written_over(folder, tmp_path, monkeypatch, capsys):
    weights = small_pruned.enter(monkeypatch, tmp_path).rename(tmp_path / "small-p0.safetensors")
    before = weights.read_bytes()
    words = f"--variant small --weights {weights} --data nyu:{folder} --keep 1 --output {tmp_path}"
    assert main(words.split()) == 2
    assert "would be written over; give another output" in capsys.readouterr().err
    assert weights.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [weights.name]


def test_two_do_not_write_to_one_folder(folder, tmp_path, monkeypatch, capsys):
    weights = small_pruned.enter(monkeypatch, tmp_path)
    monkeypatch.setattr("fastdepth.lock._take", lambda _: False)
    words = f"--variant small --weights {weights} --data nyu:{folder} --keep 1 --output {tmp_path}"
    assert main(words.split()) == 2
    assert "another run is writing to" in capsys.readouterr().err


def test_a_pruned_network_is_not_pruned_again(folder, tmp_path, monkeypatch, capsys):
    left = small_pruned.enter_pruned(monkeypatch, tmp_path, f"nyu:{folder}", 1.0)
    words = f"--variant {left.name} --weights x --data rooms --keep 0.5 --output {tmp_path}"
    assert main(words.split()) == 2
    assert "is pruned already" in capsys.readouterr().err


def test_what_cannot_be_reached_is_said():
    network, image = create_model("unet-dws").eval(), torch.rand(1, 3, *SIZE)
    with pytest.raises(UsageError, match=r"keep 0.001 .* narrowest 0.5 0.\d\d is the least"):
        prune(network, 0.001, SIZE, lambda: network(image).depth.log().square().mean())


@pytest.mark.parametrize("narrowest", [0.0, 0.5, 0.75])
def test_no_layer_is_narrower_than_asked(narrowest):
    torch.manual_seed(0)
    network, image = create_model("unet-dws").eval(), torch.rand(1, 3, *SIZE)
    before = layer_widths(network)
    share = min(0.4 + narrowest, 0.9)
    prune(network, share, SIZE, lambda: network(image).depth.log().square().mean(), narrowest)
    after = layer_widths(network)
    shares = [after[key][1] / before[key][1] for key in after]
    assert narrowest <= min(shares) < 1
    assert (min(shares) < 0.5) == (narrowest < 0.5)


def test_a_transformer_is_refused():
    network = create_model("unet128-dws")
    with pytest.raises(UsageError, match="prune a network of convolutions"):
        prune(network, 0.5, Size(64, 64), lambda: torch.zeros(()))


def test_without_torch_pruning_the_pip_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'fastdepth\[prune\]'"):
        prune(create_model("unet-dws"), 0.5, SIZE, lambda: torch.zeros(()))
