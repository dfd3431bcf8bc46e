from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from fastdepth.errors import UsageError, WeightsError
from fastdepth.models import DepthNetwork, Prediction, create_model, pretrained
from fastdepth.models._timm import create_encoder, import_timm
from fastdepth.models.pretrained import encoder_name, load_encoder

SHARED = Path(__file__).parents[4] / "shared" / "weights"
MOBILENET_V2 = SHARED / "mobilenetv2_100.imagenet.safetensors"


class Small(DepthNetwork):
    """A network of an encoder and one layer."""

    encoder_path = "encoder"

    def __init__(self, name="mobilenetv2_035"):
        super().__init__()
        self.encoder = create_encoder(name)
        self.head = torch.nn.Conv2d(self.encoder.num_features, 1, 1)

    def predict(self, normalised):
        return Prediction(normalised, self.head(self.encoder.forward_features(normalised)))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Small()


@pytest.fixture
def donor():
    """What the hub would hold: the whole network, classifier and all."""
    torch.manual_seed(1)
    return import_timm().create_model("mobilenetv2_035")


@pytest.fixture
def file(tmp_path, donor):
    save_file(donor.state_dict(), tmp_path / "encoder.safetensors")
    return tmp_path / "encoder.safetensors"


def same(encoder, donor):
    theirs = donor.state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in encoder.state_dict().items())


def hub(monkeypatch, answer):
    """Puts a hub in the place of timm's."""
    timm = import_timm()
    monkeypatch.setattr(timm, "create_model", answer)


def test_a_file_in_timms_key_names_goes_into_the_encoder_alone(network, file, donor):
    head = network.head.weight.clone()
    assert not same(network.encoder, donor)
    assert load_encoder(network, str(file)) == (
        "encoder mobilenetv2_035.untrained from encoder.safetensors, the rest random"
    )
    assert same(network.encoder, donor)
    assert torch.equal(network.head.weight, head)


def test_counters_of_batch_norm_may_be_missing(network, tmp_path, donor):
    tensors = {k: v for k, v in donor.state_dict().items() if "num_batches" not in k}
    save_file(tensors, tmp_path / "old.safetensors")
    load_encoder(network, str(tmp_path / "old.safetensors"))
    assert same(network.encoder, donor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("bn1.bias"), "does not fit mobilenetv2_035.*: bn1.bias is in one of them"),
        (lambda t: t.update({"a.weight": torch.ones(1)}), "a.weight is in one of them only"),
        (lambda t: t.update({"bn1.bias": torch.ones(1)}), "bn1.bias has another shape"),
        (lambda t: t["bn1.bias"].fill_(float("nan")), "NaN or infinity in bn1.bias"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_its_first_key(
    network, tmp_path, donor, change, message
):
    tensors = donor.state_dict()
    change(tensors)
    save_file(tensors, tmp_path / "other.safetensors")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        load_encoder(network, str(tmp_path / "other.safetensors"))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_pickle_is_never_opened_and_the_message_converts_it(network, tmp_path, donor):
    path = tmp_path / "encoder.pth"
    torch.save(donor.state_dict(), path)
    with pytest.raises(WeightsError, match="never unpickled; convert it: python -c ") as caught:
        load_encoder(network, str(path))
    message = str(caught.value)
    assert "\n" not in message
    exec(message.split('python -c "')[1].rstrip('"'))
    load_encoder(network, str(tmp_path / "encoder.safetensors"))
    assert same(network.encoder, donor)


def test_a_missing_or_truncated_file_is_refused(network, tmp_path, file):
    with pytest.raises(WeightsError, match="does not exist"):
        load_encoder(network, str(tmp_path / "no.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="truncated"):
        load_encoder(network, str(file))


@pytest.mark.parametrize("from_file", [True, False])
def test_what_an_encoder_left_out_with_the_classifier_is_passed_over(
    from_file, tmp_path, donor, monkeypatch
):
    whole = donor.state_dict()
    save_file(whole, tmp_path / "whole.safetensors")
    network = Small()
    network.encoder = create_encoder("mobilenetv2_035", ("conv_head", "bn2"))
    hub(monkeypatch, lambda *_, **__: donor)
    load_encoder(network, str(tmp_path / "whole.safetensors") if from_file else None)
    assert same(network.encoder, donor)
    assert not any(name.startswith("conv_head") for name in network.encoder.state_dict())


def test_without_a_file_timm_is_asked_for_its_pretrained_weights(network, donor, monkeypatch):
    asked = []

    def answer(name, **options):
        asked.append((name, options))
        donor.reset_classifier(0)
        return donor

    hub(monkeypatch, answer)
    text = load_encoder(network, None)
    assert asked == [("mobilenetv2_035.untrained", {"pretrained": True, "num_classes": 0})]
    assert "pretrained" in text
    assert same(network.encoder, donor)


@pytest.mark.parametrize(
    "error", [OSError("no route to host\nand more"), RuntimeError(), ValueError("offline")]
)
def test_where_the_hub_cannot_be_reached_the_text_says_so(network, monkeypatch, error):
    def answer(*_, **__):
        raise error

    before = network.encoder.conv_stem.weight.clone()
    hub(monkeypatch, answer)
    text = load_encoder(network, None)
    assert text.startswith("random, the encoder too: pretrained mobilenetv2_035")
    assert (str(error).split("\n")[0] or "RuntimeError") in text
    assert text.endswith("give --encoder-weights FILE.safetensors")
    assert torch.equal(network.encoder.conv_stem.weight, before)


def test_a_network_without_an_encoder_takes_no_file(file):
    with torch.device("meta"):
        network = create_model("unet-dws")
    assert load_encoder(network, None) == "random"
    with pytest.raises(UsageError, match="no pretrained encoder; leave --encoder-weights out"):
        load_encoder(network, str(file))


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ("effb0-256", "tf_efficientnet_b0.ap_in1k"),
        ("effb5-256", "tf_efficientnet_b5.ap_in1k"),
        ("fcrn-res50", "resnet50.a1_in1k"),
        ("densenet201-unet", "densenet201.tv_in1k"),
        ("fastdepth-mnv1", "mobilenetv1_100.ra4_e3600_r224_in1k"),
        ("mnv2-64-dws", "mobilenetv2_100.ra_in1k"),
        ("lite0-64-dws-70", "tf_efficientnet_lite0.in1k"),
    ],
)
def test_encoders_know_the_weights_that_timm_has_for_them(variant, name):
    with torch.device("meta"):
        encoder = create_model(variant).timm_encoder()
    assert encoder_name(encoder) == name
    assert import_timm().is_model_pretrained(name)


@pytest.mark.slow
def test_real_weights_go_into_a_real_encoder():
    if not MOBILENET_V2.exists():
        pytest.skip(f"{MOBILENET_V2} is not here")
    network = Small("mobilenetv2_100")
    text = load_encoder(network, str(MOBILENET_V2))
    assert text.startswith("encoder mobilenetv2_100.")
    assert pretrained._read(MOBILENET_V2, network.encoder, "")["conv_stem.weight"].equal(
        network.encoder.conv_stem.weight
    )
