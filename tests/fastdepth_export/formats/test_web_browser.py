"""The page in a headless browser: the same metres as in Python, and what a user meets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from a_browser import (
    CHROMIUM,
    ROUNDING,
    choose,
    computed,
    depth_of,
    downloaded,
    page_of,
    picture,
    ready,
    received,
    room,
    run,
    sent,
    served,
)

import fastdepth
from fastdepth.anchors.field import anchored
from fastdepth.anchors.prior import AnchorPrior
from fastdepth.calibrate.correction import Correction
from fastdepth.images.colour import colourise
from fastdepth.preprocess import resize
from fastdepth.size import Size

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

AXE = Path(__file__).parents[3] / "web" / "node_modules" / "axe-core" / "axe.min.js"

SIZES = (Size(480, 640), Size(600, 800), Size(300, 220), Size(240, 320), Size(1080, 1920))

CLOSE = 1e-3
"""Allowed difference to Python [m]."""


def test_depth_is_python_s_on_five_pictures(page, in_python):
    for number, size in enumerate(SIZES):
        for suffix, kind in ((".png", "image/png"), (".jpg", "image/jpeg")):
            content, image = picture(number, size, suffix)
            choose(page, content, f"room{suffix}", kind)
            np.testing.assert_allclose(
                depth_of(page), in_python(image), atol=CLOSE + ROUNDING, rtol=0
            )


def test_typed_distances_anchor_the_map_as_in_python(page, in_python):
    content, image = picture(5, Size(480, 640))
    choose(page, content)
    before = depth_of(page)
    box = page.locator("#stage").bounding_box()
    points = []
    for x, y, metres in ((0.2, 0.7, 2.5), (0.7, 0.3, 4.25), (0.9, 0.8, 1.75)):
        page.locator("#stage").click(position={"x": x * box["width"], "y": y * box["height"]})
        page.locator("#points input").last.fill(str(metres))
        words = page.locator("#points small").last.inner_text().replace(",", "").split()
        points.append((int(words[-1]), int(words[-3]), metres))
    page.get_by_text("Depth follows 3 distances.").wait_for()
    after = depth_of(page)
    np.testing.assert_allclose(
        after, in_python(image, points=points), atol=CLOSE + ROUNDING, rtol=0
    )
    assert np.abs(after - before).max() > 0.1
    page.click("#clear-points")
    page.wait_for_selector("#anchored:empty", state="attached")
    np.testing.assert_allclose(depth_of(page), before, atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize(
    ("size", "to"),
    [
        (Size(480, 640), Size(240, 320)),
        (Size(480, 640), Size(228, 304)),
        (Size(1080, 1920), Size(180, 320)),
        (Size(1080, 1920), Size(240, 320)),
        (Size(481, 637), Size(240, 320)),
        (Size(960, 100), Size(240, 320)),
        (Size(17, 33), Size(240, 320)),
        (Size(240, 320), Size(481, 637)),
    ],
    ids=lambda size: str(size),
)
def test_the_resize_is_opencv_s(numbers, size, to, kind):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    array = noise if kind == np.uint8 else noise[..., 0].astype(np.float32) / 50
    body = "return write(fd.resize(read(image), {height, width}))"
    got = received(run(numbers, body, image=sent(array), height=to.height, width=to.width))
    expected = resize(array, to)
    assert got.shape == expected.shape
    off = np.abs(got.astype(float) - expected.astype(float))
    if kind == np.float32:
        assert off.max() < 1e-4
    else:
        assert off.max() == 0


def test_the_network_s_input_is_python_s(numbers, in_python):
    for number, size in enumerate((Size(480, 640), Size(500, 333), Size(99, 640))):
        image = picture(number, size)[1]
        prepared = in_python.preprocess(image)
        body = """
          const own = read(image), outer = fd.sizeFor(own, sizes);
          const {batch, top, left, inner} = fd.preprocess(own, outer);
          return [write(batch), top, left, inner.height, inner.width];
        """
        sizes = [{"height": each.height, "width": each.width} for each in in_python.sizes]
        batch, top, left, height, width = run(numbers, body, image=sent(image), sizes=sizes)
        np.testing.assert_array_equal(received(batch), prepared.batch[0])
        inside = (slice(top, top + height), slice(left, left + width))
        assert inside == prepared.inner


@pytest.mark.parametrize("count", [1, 2, 3, 40, 256])
@pytest.mark.parametrize(
    "prior", [None, AnchorPrior(0.2, 0.1, 0.3, 0.5, 0.7)], ids=["default", "own"]
)
def test_the_estimator_is_python_s(numbers, count, prior):
    """With outliers, repeated places and edges among the points; with colours and without."""
    size = Size(240, 320)
    draw = np.random.default_rng(count)
    view = room(count, size)
    wrong = np.exp(cv2.GaussianBlur(draw.normal(0, 6, size).astype(np.float32), (0, 0), 20))
    depth = np.maximum(view.depth * wrong, 0.1).astype(np.float32)
    rows, columns = draw.integers(0, size.height, count), draw.integers(0, size.width, count)
    known = np.maximum(view.depth[rows, columns] * np.exp(draw.normal(0, 0.03, count)), 0.2)
    known[: count // 8] *= 3
    points = np.stack([rows, columns, known], axis=1)
    given = [
        dict(zip(("row", "column", "depth"), map(float, point), strict=True)) for point in points
    ]
    for image in (view.image, None):
        answer = run(
            numbers,
            "return write(fd.anchored(read(depth), points, image && read(image), prior))",
            depth=sent(depth),
            image=None if image is None else sent(image),
            points=given,
            prior=prior and asdict(prior),
        )
        expected = anchored(depth, points, image, prior=prior)
        np.testing.assert_allclose(received(answer), expected, atol=CLOSE, rtol=0)


def test_a_correction_is_applied_as_in_python(numbers):
    depth = np.array([[-1, 0, 0.25, 1, 2.5, 9.75]], np.float32)
    for correction in (Correction(0.2), Correction(-0.3, 1.25)):
        body = "const map = read(depth); fd.correct(map.data, stored); return write(map)"
        got = received(run(numbers, body, depth=sent(depth), stored=asdict(correction)))
        np.testing.assert_allclose(got, correction.apply(depth), rtol=1e-6)


def test_colours_are_those_of_the_command(page, in_python):
    content, image = picture(6, Size(240, 320))
    choose(page, content)
    body = """
      const map = document.getElementById('map');
      const {width, height} = map;
      const {data} = map.getContext('2d').getImageData(0, 0, width, height);
      return write({width, height, channels: 4, data: new Uint8Array(data)});
    """
    got = received(run(page, body))[..., :3].astype(int)
    off = np.abs(got - colourise(in_python(image)).astype(int)).max(axis=-1)
    assert off.max() <= 8  # a step of the map, where depth lies between two
    assert (off > 0).mean() < 0.005
    page.click("#fit")
    near, far = (page.get_attribute(f"#{end}", "aria-valuetext") for end in ("near", "far"))
    assert 0.5 < float(near.split()[0]) < float(far.split()[0]) < 10
    page.click("#reset")
    assert page.inner_text("#near-label") == "0.5 m"


def test_files_that_are_none_are_told(page):
    for content, name, kind in (
        (b"no image at all", "broken.jpg", "image/jpeg"),
        (picture(1, Size(480, 640))[0][:200], "cut.png", "image/png"),
        (b"no clip", "broken.mp4", "video/mp4"),
        (b"", "empty.png", "image/png"),
    ):
        choose(page, content, name, kind)
        page.wait_for_selector("#problem:not(:empty)")
        text = page.inner_text("#problem")
        assert text.startswith(f"{name} is no ") and "give" in text
    choose(page, picture(1, Size(10, 20))[0], "tiny.png")
    assert "both sides must have 16 or more" in page.inner_text("#problem")
    choose(page, picture(1, Size(48, 64))[0])
    assert page.inner_text("#problem") == ""


def test_no_camera_is_told(page):
    page.click("#camera")
    page.wait_for_selector("#problem:not(:empty)")
    assert "camera" in page.inner_text("#problem").lower()
    assert "Error" not in page.inner_text("#problem")


def test_a_camera_is_followed_and_held(launch, address):
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with launch(*fake) as browser:
        page = browser.new_page()
        ready(page, address)
        page.click("#camera")
        page.get_by_text("frames/s,").wait_for(timeout=60_000)
        page.click("#hold")
        page.wait_for_selector("#save", state="visible", timeout=60_000)
        assert depth_of(page).shape == (480, 640)
        page.click("#stop")
        page.wait_for_selector("#stop", state="hidden")


def test_it_works_without_a_network(browser, folder):
    """Loaded once, then the server goes."""
    context = browser.new_context()
    page = context.new_page()
    with served(folder) as url:
        ready(page, url)
        page.wait_for_timeout(3000)  # what is loaded while idle
    context.set_offline(True)
    ready(page, url)
    assert page.evaluate("crossOriginIsolated")
    choose(page, picture(2, Size(240, 320))[0])
    assert depth_of(page).shape == (240, 320)
    page.click("#show-cloud")
    page.wait_for_selector("#cloud", state="visible")
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(browser, address, scheme, width):
    if not AXE.exists():
        pytest.skip("needs Node.js and: npm ci --ignore-scripts, in web/")
    size = {"width": width, "height": 844}
    context = browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    ready(page, address)
    choose(page, picture(2, Size(240, 320))[0])
    page.locator("#stage").click(position={"x": 40, "y": 40})
    page.add_script_tag(content=AXE.read_text())
    found = page.evaluate("() => axe.run()")
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()


def test_the_keyboard_is_enough(page):
    choose(page, picture(3, Size(240, 320))[0])
    page.focus("#stage")
    before = page.inner_text("#reading")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    assert page.inner_text("#reading") != before
    page.keyboard.press("Enter")
    page.keyboard.type("2.5")  # the field of the new point has the focus
    page.get_by_text("Depth follows 1 distance.").wait_for()
    page.focus("#divider")
    page.keyboard.press("End")
    assert page.get_attribute("#divider", "aria-valuenow") == "100"


def test_the_cloud_is_python_s(page, in_python):
    content, image = picture(4, Size(60, 80))
    choose(page, content)
    header, _, body = downloaded(page, "#ply").partition(b"end_header\n")
    assert b"element vertex 4800\n" in header
    kind = np.dtype([("position", "<f4", 3), ("colour", "u1", 3)])
    vertices = np.frombuffer(body, kind)
    from fastdepth.images.points import to_points

    expected = to_points(in_python(image), in_python.camera(Size(60, 80))).reshape(-1, 3)
    np.testing.assert_allclose(vertices["position"], expected, atol=CLOSE)
    np.testing.assert_array_equal(vertices["colour"], image.reshape(-1, 3))


def test_resolutions_and_engines_can_be_changed(browser, several, folder, tmp_path):
    content, image = picture(4, Size(60, 80))
    model, metadata = several
    page = browser.new_page()
    with served(page_of(model, folder, tmp_path / "page")) as url:
        ready(page, url)
        choose(page, content)
        for size in metadata.sizes:
            page.select_option("#size", label=f"{size.width}x{size.height}")
            computed(page)
            expected = fastdepth.load(model, size=size, threads=1)(image)
            np.testing.assert_allclose(depth_of(page), expected, atol=CLOSE + ROUNDING, rtol=0)
        page.select_option("#engine", "wasm")
        page.wait_for_selector("html[data-ready=wasm]", state="attached", timeout=60_000)
        page.locator("#speed", has_text="one thread").wait_for(timeout=60_000)
    page.close()


def test_the_bench_button_prints_frames_per_second(page):
    page.click("#bench")
    page.get_by_text("median of").wait_for(timeout=60_000)
    text = page.inner_text("#benched")
    print(text)
    assert float(text.split()[0]) > 0
