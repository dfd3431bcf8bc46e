"""A window that shows frames as they come, where OpenCV has windows and there is a display."""

from __future__ import annotations

import os
import re
import sys

import cv2
import numpy as np
from numpy.typing import NDArray

_QUIT = (ord("q"), 27)
"""Keys that end it: q and escape."""


def problem() -> str:
    """Why there can be no window; nothing if there can."""
    gui = re.search(r"GUI:\s*(\S+)", cv2.getBuildInformation())
    if gui is None or gui[1] == "NONE":
        return (
            "this OpenCV has no windows; run: pip uninstall -y opencv-python-headless && "
            "pip install opencv-python"
        )
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not shown:
        return "there is no display; run it in a session that has one"
    return ""


class Window:
    """Shows images.

    Args:
        title: of the window.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._open = False

    def show(self, image: NDArray[np.uint8]) -> bool:
        """Show an image (H, W, 3) uint8 RGB; False where the user has closed the window."""
        if self._open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            return False
        cv2.imshow(self._title, image[:, :, ::-1])
        self._open = True
        return cv2.waitKey(1) & 0xFF not in _QUIT

    def close(self) -> None:
        """Close it."""
        if self._open:
            cv2.destroyAllWindows()
