"""ncnn's files are read and written as they are; reduced, they are near what they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastdepth_export.compress.early import EARLY
from fastdepth_export.formats.ncnn_layers import (
    PRODUCTS,
    Layer,
    in_8_bits,
    in_half,
    quantise,
    read_arrays,
    read_layers,
    trunk,
    write_arrays,
    write_layers,
)

# Two blocks of a trunk, logits and widths, and the depth of both. Options: 0 channels, 1 kernel,
# 3 stride, 4 padding, 5 bias, 6 weights, 7 groups, 9 and 10 activation; of InnerProduct 0, 1, 2.
LINES = (
    "Input in 0 1 image",
    "Convolution stem 1 1 image a 0=8 1=3 -23310=2,0.0,6.0 3=2 4=1 5=1 6=216 9=3",
    "ConvolutionDepthWise deep 1 1 a b 0=8 1=3 3=1 4=1 5=1 6=72 7=8 9=1",
    "Convolution wide 1 1 b c 0=8 1=1 5=0 6=64",
    "Split split 1 2 c c1 c2",
    "Convolution square 1 1 c1 d 0=8 1=3 4=1 5=1 6=576 9=2 -23310=1,0.2",
    "BinaryOp add 2 1 c2 d e 0=0",
    "Split split2 1 2 e e1 e2",
    "Convolution logits 1 1 e1 f 0=4 1=1 5=1 6=32",
    "Reduction mean 1 1 e2 g 0=3 1=0 -23303=2,1,2 4=0 5=1",
    "InnerProduct hidden 1 1 g h 0=6 1=1 2=48 9=1",
    "InnerProduct widths 1 1 h i 0=4 1=1 2=24",
    "MemoryData ones 0 1 j 0=4 1=4",
    "MatMul sums 2 1 i j k",
    "Gemm mixed 1 1 k l 2=0 3=1 4=0 5=1 6=1 7=2 8=3 9=4 10=4",
    "LayerNorm norm 1 1 l m 0=3 1=1.000000e-5 2=1",
    "MultiHeadAttention attention 1 1 m n 0=4 1=2 2=8 3=4 4=4",
    "BinaryOp depth 2 1 f n depth 0=2",
)
PARAM = "\n".join(["7767517", "18 20", *LINES, ""])
TRUNK = ["stem", "deep", "wide", "square", "hidden"]
METRES = {"sums", "mixed", "norm", "attention", "depth"}


def sizes(layer):
    """Numbers of values that a .bin holds for a layer, of which those of weights have a tag."""
    return {
        "stem": (216, 8), "deep": (72, 8), "wide": (64,), "square": (576, 8), "logits": (32, 4),
        "hidden": (48, 6), "widths": (24, 4), "ones": (16,), "mixed": (12, 3), "norm": (3, 3),
        "attention": (8, 4, 16, 4, 16, 4, 8, 2),
    }.get(layer.name, ())  # fmt: skip


def network(seed=0):
    """Its layers, with random weights."""
    draw = np.random.default_rng(seed).normal
    return [
        replace(layer, arrays=tuple(draw(size=n).astype(np.float32) for n in sizes(layer)))
        for layer in read_layers(PARAM)
    ]


def ranges(layers):
    return {blob: 4.0 for layer in layers for blob in layer.reads}


def by_name(layers):
    return {layer.name: layer for layer in layers}


def same(some, others):
    return all(
        one.dtype == other.dtype and one.tobytes() == other.tobytes()
        for layer, again in zip(some, others, strict=True)
        for one, other in zip(layer.arrays, again.arrays, strict=True)
    )


@st.composite
def products(draw):
    """A layer that can be in 8 bits, with weights of any bits."""
    kind = draw(st.sampled_from(PRODUCTS))
    groups = draw(st.integers(1, 4))
    out = groups * draw(st.integers(1, 3))
    kernel, bias = draw(st.integers(1, 3)), draw(st.integers(0, 1))
    count = out * draw(st.integers(1, 3)) * kernel**2
    options = (f"0={out}", f"1={kernel}", f"5={bias}", f"6={count}")
    if kind == "ConvolutionDepthWise":
        options += (f"7={groups}",)
    if kind == "InnerProduct":
        options = (f"0={out}", f"1={bias}", f"2={count}")
    options += draw(st.sampled_from([(), ("9=1",), ("9=3", "-23310=2,0.0,6.0")]))
    bits = np.random.default_rng(draw(st.integers(0, 2**32))).integers
    drawn = [bits(0, 2**32, n, np.uint32).view(np.float32) for n in (count, *[out] * bias)]
    return Layer(kind, draw(st.text("abc_019", min_size=1)), ("in",), ("out",), options, (*drawn,))


@given(st.lists(products(), min_size=1, max_size=4))
def test_what_is_written_is_what_was_read(layers):
    """Whatever bits the weights have, and in 8 bits."""
    numbers = [
        replace(
            layer, arrays=tuple(np.nan_to_num(part, posinf=1, neginf=1) for part in layer.arrays)
        )
        for layer in layers
    ]
    names = {layer.name for layer in layers[1:]}
    for each in (layers, in_half(numbers), quantise(numbers, names, {"in": 2.0})):
        text, content = write_layers(each), write_arrays(each)
        again = read_arrays(read_layers(text), content)
        assert same(each, again)
        assert (write_layers(again), write_arrays(again)) == (text, content)


def test_a_param_without_8_bits_stays_as_it_is():
    assert write_layers(read_layers(PARAM)) == PARAM


@pytest.mark.parametrize("change", [lambda b: b[:-4], lambda b: b + bytes(4), lambda b: b[:50]])
def test_a_bin_of_other_layers_is_noticed(change):
    layers = network()
    with pytest.raises(ValueError, match=r"no layer that is known|buffer"):
        read_arrays(read_layers(PARAM), change(write_arrays(layers)))


def test_weights_of_an_unknown_type_are_noticed():
    content = b"\x56\xc0\x02\x00" + write_arrays(network())[4:]  # with a factor, long out of use
    with pytest.raises(ValueError, match="weights of stem are of type 0x2c056"):
        read_arrays(read_layers(PARAM), content)


def test_logits_and_widths_stay_float():
    layers = network()
    assert [layer.name for layer in trunk(layers, [x for x in layers if x.name in METRES])] == TRUNK


def test_more_and_more_of_the_first_products_stay_float():
    layers = network()
    chosen = [layer for layer in layers if layer.name in TRUNK]
    (found,) = in_8_bits(layers, chosen, ranges(layers))  # of five ten cannot be left out
    assert [layer.name for layer in found if layer.in_8_bits] == TRUNK[EARLY:]
    kinds = {layer.name: layer.arrays[0].dtype for layer in found if layer.arrays}
    assert [kinds[name] for name in ("stem", "square", "logits")] == ["f4", "i1", "f2"]


def test_in_half_precision_the_first_products_and_biases_stay_single():
    layers = network()
    kinds = {layer.name: [part.dtype.name for part in layer.arrays] for layer in in_half(layers)}
    assert kinds["wide"] == ["float32"]
    assert kinds["square"] == ["float16", "float32"]
    assert kinds["ones"] == ["float32"]
    assert kinds["attention"] == ["float16", "float32"] * 4


def test_weights_are_integers_times_a_factor_per_channel():
    layers = network()
    found = by_name(quantise(layers, TRUNK, ranges(layers)))
    for name, before in by_name(layers).items():
        after = found[name]
        if name not in TRUNK:
            assert after is before
            continue
        assert after.options[: len(before.options)] == before.options  # activations among them
        integers, *rest = after.arrays
        *bias, factors, around = rest
        assert all(one is other for one, other in zip(bias, before.arrays[1:], strict=True))
        assert around == np.float32(127 / 4)
        greatest = 31 if name == "square" else 127
        assert integers.dtype == np.int8
        assert np.abs(integers.reshape(len(factors), -1)).max(axis=1).tolist() == [greatest] * len(
            factors
        )
        restored = integers.reshape(len(factors), -1) / factors[:, None]
        weights = before.arrays[0].reshape(len(factors), -1)
        assert (np.abs(restored - weights) <= 0.501 / factors[:, None]).all()


def test_a_layer_says_what_its_factors_are_of():
    layers = network()
    terms = {layer.name: layer.number(8) for layer in quantise(layers, TRUNK, ranges(layers))}
    assert [terms[name] for name in TRUNK] == [2, 1, 2, 2, 2]


def test_a_channel_without_weights_and_features_without_range_have_factors():
    layers = network()
    by_name(layers)["deep"].arrays[0][:9] = 0
    deep = by_name(quantise(layers, TRUNK, dict.fromkeys(ranges(layers), 0.0)))["deep"]
    assert all(np.isfinite(values).all() and values.any() for values in deep.arrays[2:])
    assert not deep.arrays[0][:9].any()


def run(layers, features, folder):
    """The blob ``e`` in ncnn."""
    ncnn = pytest.importorskip("ncnn")
    param, weights = folder / "n.param", folder / "n.bin"
    param.write_text(write_layers(layers))
    weights.write_bytes(write_arrays(layers))
    net = ncnn.Net()
    net.opt.num_threads = 1
    assert (net.load_param(str(param)), net.load_model(str(weights))) == (0, 0)
    with net.create_extractor() as extractor:
        extractor.input("image", ncnn.Mat(features))
        code, answer = extractor.extract("e")
    assert code == 0
    return np.array(answer)


def test_ncnn_computes_in_8_bits_what_it_computed(tmp_path):
    last = [layer.name for layer in read_layers(PARAM)].index("add")
    layers = network()[: last + 1]
    features = np.random.default_rng(1).uniform(-2, 2, (3, 24, 32)).astype(np.float32)
    expected = run(layers, features, tmp_path)
    blobs = {"image": 2.0, "a": 6.0, "b": 40.0, "c1": 80.0}
    one_by_one = [run(quantise(layers, [name], blobs), features, tmp_path) for name in TRUNK[:4]]
    together = run(quantise(layers, TRUNK[:4], blobs), features, tmp_path)
    scale = np.abs(expected).max()
    for found in (*one_by_one, together):
        apart = np.abs(found - expected).max() / scale
        assert 1e-6 < apart < 0.05
