"""Driven by the table of variants: whatever is in it must hold these."""

from __future__ import annotations

import pytest
import torch

from fastdepth.models import count_parameters, create_model, upsample
from fastdepth.models.adabins import mix_bins
from fastdepth.models.fcrn import UpProjection, unpool
from fastdepth.models.mobile_bins import LogBins
from fastdepth.models.pretrained import encoder_name
from fastdepth.size import Size
from fastdepth.train.optimiser import freeze
from fastdepth.train.recipes import get_recipe
from fastdepth.variants import VARIANTS

SMALL = {variant.name: variant.sizes.nearest(Size(64, 64))[0] for variant in VARIANTS.values()}
HEAVY = {"fcrn-fc"}  # a gigabyte
FULL_SIZE = {
    "densenet201-unet",
    "densenet201-fast",
    "fastdepth-mnv1",
    "mnv2-nnconv5",
    "mnv2-64-dws-wide-convex",
}
FCRN = {name for name in VARIANTS if name.startswith("fcrn-")} - HEAVY


def on_meta(name):
    """A network without values, to count and to tell shapes from."""
    with torch.device("meta"):
        return create_model(name)


@pytest.mark.parametrize("name", VARIANTS)
def test_parameter_counts_are_exact(name):
    assert count_parameters(on_meta(name)) == VARIANTS[name].params


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in HEAVY else ()) for n in VARIANTS]
)
def test_images_in_metres_out(name):
    torch.manual_seed(0)
    built, size = create_model(name).eval(), SMALL[name]
    with torch.inference_mode():
        prediction = built(torch.rand(1, 3, *size))
    depth, centres = prediction.depth, prediction.centres
    assert depth.shape == (1, 1, *expected_map(name, size))
    assert depth.dtype == torch.float32
    least, greatest = VARIANTS[name].depth_range
    assert least <= depth.min()
    assert depth.max() <= greatest
    assert depth.std() > 0  # it looks at the image
    if centres is not None:
        assert (centres.diff() > 0).all()


def test_images_are_normalised_as_the_encoder_wants_them():
    """EfficientNet-Lite sees -1 to 1, MobileNetV2 ImageNet's mean and deviation."""
    torch.manual_seed(0)
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 32, 32, 3)
    ranges = {}
    for name in ("lite0-64-dws-70", "mnv2-64-dws-70"):
        built = create_model(name).eval()
        with torch.inference_mode():
            seen = built.predict_bytes(images).normalised
            torch.testing.assert_close(built(images.permute(0, 3, 1, 2) / 255).normalised, seen)
        ranges[name] = [seen[at].mean(dim=(1, 2)).tolist() for at in (0, 1)]
    assert ranges["lite0-64-dws-70"] == [pytest.approx([-1] * 3), pytest.approx([1] * 3)]
    assert ranges["mnv2-64-dws-70"][0] == pytest.approx([-2.1179, -2.0357, -1.8044], abs=1e-4)


def expected_map(name, size):
    if name in FULL_SIZE:
        return size
    if name in FCRN:
        return tuple(-(-side // 32) * 8 - 2 for side in size)
    fixed = {"fcrn-fc": (48, 64), "eigen": (55, 74)}
    return fixed.get(name, (size.height // 2, size.width // 2))


@pytest.mark.parametrize("name", sorted(FCRN))
def test_maps_of_the_residual_networks(name):
    built = on_meta(name)
    features = built.body.forward_features(torch.empty(1, 3, 228, 304, device="meta"))
    assert features.shape[1:] == (2048, 8, 10)
    level, shapes = built.bridge(features), []
    for layer in built.decoder:
        shapes.append(tuple(level.shape[1:]))
        level = layer(level)
    assert shapes == [(1024, 8, 10), (512, 16, 20), (256, 32, 40), (128, 64, 80)]
    assert level.shape[1:] == (1, 62, 78)
    assert upsample(level, 228, 304).shape[2:] == (228, 304)


def test_unpooling_puts_values_at_the_upper_left():
    unpooled = unpool(torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]]))
    assert unpooled[0].tolist() == [[[1, 0, 2, 0], [0, 0, 0, 0]], [[3, 0, 4, 0], [0, 0, 0, 0]]]


def test_an_up_projection_is_its_two_branches_side_by_side():
    block, features = UpProjection(8), torch.rand(1, 8, 3, 4)
    both = block(features)
    assert both.shape == (1, 4, 6, 8)
    first, _, second = block.deep
    deep = second(first(unpool(features)).clamp(min=0))
    torch.testing.assert_close(both[:, :2], deep)
    torch.testing.assert_close(both[:, 2:], block.projection(unpool(features)))


def test_layers_of_the_fast_densenet():
    built = on_meta("densenet201-fast")
    convs = [m for m in built.decoder.modules() if isinstance(m, torch.nn.Conv2d)]
    widths = [convs[0].in_channels, *(conv.out_channels for conv in convs)]
    assert widths == [1920, 1024, 1024, 512, 512, 256, 256, 128, 128, 64, 1]
    assert len([m for m in built.decoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]) == 9
    assert built.decoder[-1][-1] is convs[-1]  # no ReLU after the last


def test_weights_of_the_fast_densenet_begin_as_reported():
    torch.manual_seed(0)
    first = create_model("densenet201-fast").decoder[1][0]
    assert first.weight.std().item() == pytest.approx(1 / (5 * 1920) ** 0.5, rel=0.01)
    assert not first.bias.any()


@pytest.mark.parametrize(
    ("name", "rest"), [("fcrn-res50", 29_456_257), ("densenet201-fast", 36_507_649)]
)
def test_what_is_trained_beside_a_frozen_encoder(name, rest):
    network = on_meta(name)
    freeze(network, ("",), get_recipe(VARIANTS[name].recipe).frozen)
    assert count_parameters(network, trainable=True) == rest


def test_eigen_refines_the_coarse_map_and_both_are_metres():
    torch.manual_seed(0)
    built, image = create_model("eigen").eval(), torch.rand(1, 3, 228, 304)
    with torch.inference_mode():
        before = built(image)
        built.coarse.full7.bias += 0.1
        after = built(image)
    assert before.coarse.shape == before.depth.shape
    torch.testing.assert_close(after.coarse, before.coarse * torch.tensor(0.1).exp())
    assert not torch.equal(after.depth, before.depth)


def test_depth_beyond_the_range_keeps_its_gradient_in_training_and_is_clamped_in_prediction():
    torch.manual_seed(0)
    built, image = create_model("fcrn-deconv"), torch.rand(2, 3, 64, 64)
    torch.nn.init.constant_(built.decoder[-1].bias, 100.0)
    depth = built.train()(image).depth
    depth.sum().backward()
    assert depth.min() > 10
    assert built.decoder[-1].bias.grad > 0
    with torch.inference_mode():
        assert (built.eval()(image).depth == 10).all()
        torch.nn.init.constant_(built.decoder[-1].bias, -100.0)
        assert (built(image).depth == 1e-3).all()


@pytest.mark.parametrize(
    "name", ["fastdepth-mnv1", "mnv2-nnconv5", "mnv2-64-dws", "mnv2-64-dws-70"]
)
def test_the_first_step_reaches_every_layer_of_mobile_networks(name):
    torch.manual_seed(0)
    built = create_model(name)
    built(torch.rand(2, 3, 64, 64)).depth.mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in built.parameters())


def test_skips_of_fastdepth_are_added():
    torch.manual_seed(0)
    built, image = create_model("fastdepth-mnv1").eval(), torch.rand(1, 3, 64, 64)
    for layer in built.decoder[:3]:  # silences all but the skip at half the resolution
        layer[4].weight.data.zero_()
    for stage in built.encoder.blocks[1:]:
        stage[-1].bn2.weight.data.zero_()
    with torch.inference_mode():
        assert built(image).depth.std() > 0
        built.encoder.blocks[0][-1].bn2.weight.data.zero_()
        assert built(image).depth.std() == 0


@pytest.mark.parametrize(
    ("name", "part", "params"),
    [
        ("effb5-256", "encoder", 28_340_784),
        ("effb5-256", "decoder", 43_993_472),
        ("effb5-256", "bins.mini_vit", 5_890_048),
        ("effb5-256", "bins.conv_out", 33_024),
        ("effb0-256", "encoder", 4_007_548),
        ("unet256", "unet", 4_937_248),
        ("unet256", "bins.mini_vit", 5_890_048),
        ("unet128", "bins.mini_vit", 5_857_152),
        ("unet128", "bins.conv_out", 16_512),
        ("unet128-dws", "unet", 599_280),
        ("unet128-dws-75", "bins.mini_vit", 4_022_144),
    ],
)
def test_parts_have_the_counts_that_the_seeds_report(name, part, params):
    assert count_parameters(on_meta(name).get_submodule(part)) == params


@pytest.mark.parametrize(
    ("name", "encoder", "params"),
    [
        ("effb0-256", "efficientnet_b0", 4_007_548),
        ("fcrn-res50", "resnet50", 23_508_032),
        ("densenet201-unet", "densenet201", 18_092_928),
        ("fastdepth-mnv1", "mobilenetv1_100", 3_206_976),
        ("mnv2-nnconv5", "mobilenetv2_100", 1_811_712),
        ("mnv2-64-dws", "mobilenetv2_100", 1_811_712),
    ],
)
def test_encoders_are_networks_of_timm(name, encoder, params):
    built = on_meta(name).timm_encoder()
    assert encoder in encoder_name(built)
    assert count_parameters(built) == params


@pytest.mark.parametrize("name", ["unet128", "eigen"])
def test_a_network_without_an_encoder_of_timm(name):
    assert on_meta(name).timm_encoder() is None


def test_log_bins_are_a_softmax_over_the_bins_of_the_whole_range():
    torch.manual_seed(0)
    head = LogBins(8, 5, 6, (0.1, 10.0))
    features, deepest = torch.randn(2, 6, 3, 4), torch.randn(2, 5, 2, 2)
    with torch.inference_mode():
        depth, centres = head(features, deepest)
        expected = mix_bins(head.logits(features), centres.log()).exp()
    torch.testing.assert_close(depth, expected)
    assert (centres[0] != centres[1]).all()  # each image has its own


def test_log_bins_of_any_features_are_finite_and_within_the_range():
    head = LogBins(8, 5, 6, (0.1, 10.0))
    depth, _ = head(1e6 * torch.randn(1, 6, 3, 4), 1e6 * torch.randn(1, 5, 2, 2))
    assert ((depth > 0.1) & (depth < 10)).all()
