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

import numpy as np
import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

ARGUMENTS = ["--no-sandbox", "--enable-unsafe-swiftshader"]


@contextmanager
def browsers() -> Iterator[Callable[..., Any]]:
    """What starts Chromium with more arguments, or the reason why tests are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
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
