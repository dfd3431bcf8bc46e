"""What happens to a page on its server, and what users bring: in a headless browser."""

from __future__ import annotations

import base64
import shutil

import cv2
import numpy as np
import onnx
import pytest
from a_browser import (
    CHROMIUM,
    ROUNDING,
    choose,
    computed,
    depth_of,
    page_of,
    picture,
    ready,
    received,
    run,
    sent,
    served,
    shipped,
)
from PIL import Image
from some_clips import write_clip

import fastdepth
from fastdepth.images.io import image_from
from fastdepth.size import Size
from fastdepth_export.compress.fp16 import to_half
from fastdepth_export.formats.web_page import MAIN, MODEL

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

CLOSE = 1e-3
"""Allowed difference to Python [m]."""

IN_8_BITS = 0.1
"""Of int8, whose kernels round differently on each kind of processor [m]."""


def network_of(page) -> str:
    return page.inner_text("#model").split()[1].rstrip(",")


def test_pages_of_one_server_are_kept_apart_and_renewed(browser, folder, tmp_path):
    """Below paths, without the headers that threads need, and then without the server."""
    names = {"a": "mnv2-64-dws-70", "b": "mnv2-64-dws"}
    for path, name in names.items():
        page_of(shipped(name), folder, tmp_path / path)
    context = browser.new_context()
    page = context.new_page()
    with served(tmp_path) as url:
        for path in "aba":
            ready(page, f"{url}{path}/")
            assert page.evaluate("crossOriginIsolated")
            assert network_of(page) == names[path]
        shutil.copyfile(shipped("mnv2-64-dws"), tmp_path / "a" / MODEL)
        main = tmp_path / "a" / MAIN
        main.write_text(main.read_text().replace("<h1>fastdepth", "<h1>renewed"))
        ready(page, f"{url}a/")
        assert (network_of(page), page.inner_text("h1")) == ("mnv2-64-dws", "renewed")
    for path, title in (("b", "fastdepth"), ("a", "renewed")):
        ready(page, f"{url}{path}/")
        assert (network_of(page), page.inner_text("h1")) == ("mnv2-64-dws", title)
    context.close()


def test_models_that_are_cut_or_missing_are_told_whenever_they_are_asked(browser, folder, tmp_path):
    whole = (folder / MODEL).read_bytes()
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    for content, message in (
        (None, "model.onnx is missing"),
        (whole[: len(whole) // 2], "not ONNX, or cut"),
        (b"\x08\x01 no network", "not ONNX, or cut"),
    ):
        (tmp_path / MODEL).unlink()
        if content is not None:
            (tmp_path / MODEL).write_bytes(content)
        context = browser.new_context()
        page = context.new_page()
        with served(tmp_path) as url:
            page.goto(url)
            page.wait_for_selector("#problem:not(:empty)", timeout=60_000)
            assert message in page.inner_text("#problem")
            page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b""})
            page.get_by_text("a.png is no image").wait_for()
            choose(page, picture(1, Size(48, 64))[0])
            assert message in page.inner_text("#problem")
        context.close()
        (tmp_path / MODEL).write_bytes(whole)


def test_from_the_disk_the_page_says_what_it_needs(browser, folder):
    page = browser.new_page()
    page.goto((folder / MAIN).as_uri())
    page.get_by_text("python -m http.server").wait_for()
    page.close()


@pytest.mark.parametrize("kind", ["half", "8 bits"])
def test_reduced_precision_is_python_s(browser, folder, tmp_path, kind):
    model = shipped("mnv2-64-dws.int8")
    if kind == "half":
        model = tmp_path / "half.onnx"
        onnx.save(to_half(onnx.load(shipped("mnv2-64-dws-70"))), model)
    content, image = picture(7, Size(240, 320))
    page = browser.new_page()
    with served(page_of(model, folder, tmp_path / "page")) as url:
        ready(page, url)
        choose(page, content)
        found = depth_of(page)
    page.close()
    expected = fastdepth.load(model, threads=1)(image)
    close = CLOSE + ROUNDING if kind == "half" else IN_8_BITS
    np.testing.assert_allclose(found, expected, atol=close, rtol=0)


def test_other_kinds_of_images_are_read_as_in_python(page, in_python, tmp_path):
    image = Image.fromarray(picture(8, Size(240, 320))[1])
    turned = Image.Exif()
    turned[0x0112] = 6
    opaque = Image.fromarray(np.dstack([image, np.full((240, 320), 255, np.uint8)]))
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    for name, given, options in (
        ("turned.jpg", image, {"exif": turned, "quality": 95}),
        ("grey.png", image.convert("L"), {}),
        ("deep.png", Image.fromarray(grey), {}),
        ("palette.png", image.convert("P"), {}),
        ("opaque.png", opaque, {}),
    ):
        given.save(tmp_path / name, **options)
        content = (tmp_path / name).read_bytes()
        choose(page, content, name, f"image/{'jpeg' if name.endswith('jpg') else 'png'}")
        expected = in_python(image_from(content, name))
        np.testing.assert_allclose(depth_of(page), expected, atol=CLOSE + ROUNDING, err_msg=name)


GIVE = """([event, bytes, name, type]) => {
  const transfer = new DataTransfer();
  const raw = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
  transfer.items.add(new File([raw], name, {type}));
  const given = {bubbles: true, cancelable: true};
  document.getElementById('empty').dispatchEvent(event === 'paste'
    ? new ClipboardEvent('paste', {clipboardData: transfer, ...given})
    : new DragEvent('drop', {dataTransfer: transfer, ...given}));
}"""


def give(page, event: str, content: bytes, name: str, kind: str) -> None:
    page.evaluate(GIVE, [event, base64.b64encode(content).decode(), name, kind])
    computed(page)


def test_images_are_dropped_and_pasted(page):
    for number, event in enumerate(("drop", "paste")):
        size = Size(48, 64 + 16 * number)
        give(page, event, picture(number, size)[0], "room.png", "image/png")
        assert page.inner_text("#problem") == ""
        assert depth_of(page).shape == size


def test_a_clip_is_followed_held_and_left(page, tmp_path):
    write_clip(tmp_path / "clip.webm", codec="libvpx")
    give(page, "drop", (tmp_path / "clip.webm").read_bytes(), "clip.webm", "video/webm")
    page.get_by_text("frames/s,").wait_for(timeout=60_000)
    page.click("#hold")
    page.wait_for_selector("#save", state="visible", timeout=60_000)
    held = depth_of(page).shape
    page.click("#hold")
    page.wait_for_selector("#save", state="hidden")
    page.click("#stop")
    page.wait_for_selector("#save", state="visible", timeout=60_000)
    assert depth_of(page).shape == held
    assert page.inner_text("#problem") == ""


def test_webgpu_answers_as_python_does(launch, exported, folder, tmp_path):
    """By a GPU in software, which the page itself leaves alone."""
    image = cv2.resize(picture(9, Size(48, 64))[1], (64, 48))
    software = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    with launch(*software) as browser, served(page_of(exported[0], folder, tmp_path / "p")) as url:
        page = browser.new_page()
        ready(page, url)
        if not page.evaluate("async () => !!await navigator.gpu?.requestAdapter()"):
            pytest.skip("this Chromium has no WebGPU in software")
        assert "webgpu" not in run(page, "return await fd.engines()")
        body = """
          const bytes = new Uint8Array(await (await fetch('model.onnx')).arrayBuffer());
          const model = await fd.DepthModel.open(bytes, 'webgpu');
          return write(await model.depth(read(image)));
        """
        found = received(run(page, body, image=sent(image)))
    expected = fastdepth.load(exported[0], threads=1)(image)
    np.testing.assert_allclose(found, expected, atol=CLOSE, rtol=0)
