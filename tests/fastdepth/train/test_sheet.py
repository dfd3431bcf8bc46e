from __future__ import annotations

import numpy as np

from fastdepth.data import open_source
from fastdepth.models import create_model
from fastdepth.size import Size
from fastdepth.train.plot import write_sheets


def test_every_validation_shows_the_same_samples(tiny, folder, tmp_path):
    network, source = create_model("tiny").train(), open_source(f"nyu:{folder}", "train")
    asked = []

    class Watched:
        name, names = source.name, source.names

        def __len__(self):
            return len(source)

        def __getitem__(self, index):
            asked.append(index)
            return source[index]

    sheets = [write_sheets(network, Watched(), Size(96, 128), tmp_path, e) for e in (1, 2)]
    assert asked[:4] == asked[4:]
    assert asked[0] == 0 and asked[3] == len(source) - 1
    np.testing.assert_array_equal(*sheets)
    assert sorted(path.name for path in (tmp_path / "sheets").iterdir()) == ["0001.png", "0002.png"]
    assert (tmp_path / "sheet.png").read_bytes() == (tmp_path / "sheets/0002.png").read_bytes()
