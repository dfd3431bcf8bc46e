from __future__ import annotations

import copy

import numpy as np
import pytest
from an_interval import FACTORS
from an_uncertainty_head import random_head
from tiny_network import known, random_network, write_weights

from fastdepth.data.rooms.dataset import render_room
from fastdepth.size import Size
from fastdepth.weights import WeightsCard
from fastdepth_export.recipe import ExportRecipe


@pytest.fixture(scope="session", autouse=True)
def tiny(shared_graphs):
    """A network small enough for tests, under the name ``tiny``."""
    with known() as variant:
        yield variant


@pytest.fixture(scope="session")
def network(tiny):
    return random_network()


@pytest.fixture(scope="session")
def weights(network, tmp_path_factory):
    """The same network's weights as a file."""
    return write_weights(tmp_path_factory.mktemp("weights"), network)


@pytest.fixture(scope="session")
def with_std(network):
    """The tiny network with an uncertainty head."""
    other = copy.deepcopy(network)
    other.uncertainty = random_head(16, 32)
    return other


@pytest.fixture(scope="session")
def weights_with_std(with_std, tmp_path_factory):
    """Its weights as a file, with factors of intervals."""
    from fastdepth.train.checkpoint import save_weights

    path = tmp_path_factory.mktemp("with-std") / "mine.safetensors"
    card = WeightsCard("tiny", "tiny.mine", licence="MIT", interval=FACTORS)
    save_weights(path, with_std, card)
    return path


@pytest.fixture(scope="session")
def model(network, tiny):
    """The tiny network as an ONNX model, without metadata."""
    from fastdepth_export.formats.onnx_graph import to_onnx

    return to_onnx(network, (tiny.size,), 20)


@pytest.fixture(scope="session")
def exported(tiny, tmp_path_factory):
    """The tiny network as a file, and its metadata."""
    from fastdepth_export import export

    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    return path, export(ExportRecipe("tiny"), path)


@pytest.fixture(scope="session")
def several(tiny, tmp_path_factory):
    """The tiny network as one file of three sizes, and its metadata."""
    from fastdepth_export import export

    path = tmp_path_factory.mktemp("several") / "tiny.onnx"
    sizes = tiny.size, Size(128, 96), Size(88, 160)
    return path, export(ExportRecipe("tiny", sizes=sizes), path)


@pytest.fixture(scope="session")
def folded(network, tiny):
    """The tiny network folded for reduced precision, as an ONNX model without metadata."""
    from fastdepth_export.compress.fold import fold
    from fastdepth_export.formats.onnx_graph import to_onnx

    return to_onnx(fold(network, merge=False), (tiny.size,), 20)


@pytest.fixture(scope="session")
def reduced(weights, tmp_path_factory):
    """Files of the network that ``folded`` is, in reduced precision, and their metadata."""
    from fastdepth_export import export

    folder = tmp_path_factory.mktemp("reduced")

    def write(precision):
        recipe = ExportRecipe("tiny", str(weights), precision=precision, calibration="rooms:1")
        path = folder / f"{precision}.onnx"
        return path, export(recipe, path, data="rooms:1")

    return {precision: write(precision) for precision in ("fp16", "int8")}


@pytest.fixture(scope="session")
def images(tiny):
    """Three rooms (3, H, W, 3) uint8 at the tiny network's size."""
    return np.stack([render_room(seed, tiny.size).image for seed in range(3)])


@pytest.fixture(scope="session")
def meter(folded, tiny):
    """What measures files against the folded tiny network."""
    from fastdepth_export.compress.accuracy_loss import LossMeter

    return LossMeter(folded, tiny.size, "rooms:2")
