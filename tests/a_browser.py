"""A headless browser with a page in it, where this machine has one."""

from __future__ import annotations

import base64
import functools
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import fastdepth
from fastdepth.data.rooms.dataset import render_room
from fastdepth.data.sample import Sample
from fastdepth.size import Size

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

ROUNDING = 0.5e-3
"""Of depth in whole millimetres [m]."""

ARGUMENTS = ["--no-sandbox", "--enable-unsafe-swiftshader"]


@contextmanager
def browsers() -> Iterator[Callable[..., Any]]:
    """What starts Chromium with more arguments, or the reason why tests are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra browser")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as started:
        yield lambda *arguments: started.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGUMENTS, *arguments], chromium_sandbox=False
        )


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a plain static server."""
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()
        thread.join()


def sent(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An image or a map, as :data:`READ` makes one of it in the browser."""
    height, width, *channels = array.shape
    return {
        "height": height,
        "width": width,
        "channels": channels[0] if channels else 1,
        "bytes": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode(),
        "float": array.dtype == np.float32,
    }


READ = """
const read = ({height, width, channels, bytes, float}) => {
  const raw = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
  return {height, width, channels, data: float ? new Float32Array(raw.buffer) : raw};
};
const write = ({height, width, channels, data}) => {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let text = '';
  for (let i = 0; i < raw.length; i += 8192) {
    text += String.fromCharCode(...raw.subarray(i, i + 8192));
  }
  return {height, width, channels, bytes: btoa(text), float: data instanceof Float32Array};
};
"""


def received(answer: dict[str, Any]) -> np.ndarray[Any, Any]:
    """An image or a map that the browser wrote."""
    kind = np.float32 if answer["float"] else np.uint8
    shape = (answer["height"], answer["width"], answer["channels"])
    array = np.frombuffer(base64.b64decode(answer["bytes"]), kind).reshape(shape)
    return array[..., 0] if shape[2] == 1 else array


def run(page: Any, body: str, **given: Any) -> Any:
    """What a function body in the page answers; ``fd`` is the page's module."""
    names = ", ".join(given)
    script = (
        f"async ({{{names}}}) => {{ {READ} const fd = await import('./fastdepth.js'); {body} }}"
    )
    return page.evaluate(script, given)


def shipped(name: str) -> Path:
    """The file of a network that opens by this name."""
    return Path(fastdepth.__file__).parent / "ready" / f"{name}.onnx"


def page_of(model: Path, folder: Path, place: Path) -> Path:
    """The page of a folder around another file."""
    shutil.copytree(folder, place)
    shutil.copyfile(model, place / "model.onnx")
    return place


def ready(page: Any, address: str) -> None:
    """Load a page until it takes images."""
    page.goto(address)
    page.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
    page.wait_for_selector("#status:empty", state="attached")


@functools.cache
def room(number: int, size: Size = Size(60, 80)) -> Sample:
    """A drawn room."""
    return render_room(number, size)


def picture(number: int, size: Size, suffix: str = ".png") -> tuple[bytes, NDArray[np.uint8]]:
    """A room with grain as a file, and as Python reads it."""
    view = cv2.resize(room(number).image, size[::-1])
    view ^= np.random.default_rng(number).integers(0, 8, view.shape, np.uint8)
    content = cv2.imencode(suffix, view[..., ::-1])[1]
    return content.tobytes(), np.ascontiguousarray(cv2.imdecode(content, 1)[..., ::-1])


def computed(page: Any) -> None:
    """Wait until depth or a message is there."""
    page.wait_for_selector("#status:empty", state="attached", timeout=120_000)


def choose(page: Any, content: bytes, name: str = "room.png", kind: str = "image/png") -> None:
    """Give the page a file, and wait for its depth or a message."""
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": content})
    computed(page)


def downloaded(page: Any, button: str) -> bytes:
    """What a button of the page saves."""
    with page.expect_download() as waiting:
        page.click(button)
    return Path(waiting.value.path()).read_bytes()


def depth_of(page: Any) -> NDArray[np.float64]:
    """Depth [m] by the button of the page, in whole millimetres."""
    png = cv2.imdecode(np.frombuffer(downloaded(page, "#png"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    return png / 1000
