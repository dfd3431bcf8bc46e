"""Clips and streams decoded by PyAV: upright, timed by the stream, damaged frames left out.

A file is read by the demuxers of containers alone, and opens nothing but itself: FFmpeg also has
formats that are lists of other files and addresses. What comes from an address may lead to other
addresses (as HLS does), never to files.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from fastdepth.errors import ImageError, UsageError, quoted
from fastdepth.extras import require
from fastdepth.files import check_regular
from fastdepth.images.io import check_size
from fastdepth.size import Size
from fastdepth.video.ahead import beside
from fastdepth.video.frames import Faults, Still

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,ogg,asf,gif,ivf,"
    "h264,hevc,m4v,mjpeg,nut,mxf"
)
"""What a file may be."""

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "rtp", "srt")
"""What an address may begin with."""

_BENEATH = "tcp,udp,rtp,tls,crypto,httpproxy"

OPEN_TIMEOUT, READ_TIMEOUT = 15.0, 15.0
"""How long the network may be silent [s]."""

JUMP = 3600.0
"""What a frame comes after the one before at most [s]; else its time is the usual one."""

SLACK = 0.1
"""How much earlier than its header says, and two frames, a clip may end [s]: headers round."""


def open_clip(path: Path, faults: Faults, max_pixels: int) -> Decoder:
    """Open a video file.

    Raises:
        ImageError: it is missing, empty, cut or no video.
        MissingExtraError: PyAV is not installed.
    """
    av = require("av", "video")
    if not check_regular(path, ImageError).st_size:
        raise ImageError(f"{path} is empty; copy it again")
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, UnicodeError) as error:
        raise ImageError(
            f"{path} is no video, or cut short or damaged ({_reason(error)}); copy it again"
        ) from None
    return Decoder(container, str(path), faults, max_pixels, file=True)


def open_address(address: str, faults: Faults, max_pixels: int) -> Decoder:
    """Open a stream of the network.

    Raises:
        UsageError: the address has a scheme that is not known.
        ImageError: nothing answers there, or what answers is no video.
        MissingExtraError: PyAV is not installed.
    """
    scheme, shown = address.partition("://")[0].lower(), without_password(address)
    if scheme not in SCHEMES:
        raise UsageError(f"{quoted(shown)}: addresses begin with {', '.join(SCHEMES)}")
    av = require("av", "video")
    options = {"protocol_whitelist": f"{','.join(SCHEMES)},{_BENEATH}"}
    options |= {"rtsp_transport": "tcp"} if scheme.startswith("rtsp") else {}
    timeout = OPEN_TIMEOUT, READ_TIMEOUT
    opening = partial(av.open, address, options=options, timeout=timeout, metadata_errors="replace")
    try:
        container = beside(opening)
    except (av.error.FFmpegError, ValueError, UnicodeError) as error:
        raise ImageError(
            f"{shown} cannot be opened ({_reason(error)}); check address and network"
        ) from None
    return Decoder(container, shown, faults, max_pixels, file=False)


def without_password(address: str) -> str:
    """The address as messages show it: without user and password."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(address)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return f"{address.partition('://')[0]}://..."


class Decoder:
    """Frames of an open container; see :class:`Source`.

    Args:
        container: of PyAV.
        name: what messages call it.
        faults: is told of damaged frames, and of a lost end.
        max_pixels: frames of more are refused.
        file: whether it is one; what an address has no length of comes as it happens.

    Raises:
        ImageError: it has no video, or too large a one.
    """

    def __init__(
        self, container: Any, name: str, faults: Faults, max_pixels: int, *, file: bool
    ) -> None:
        self.name = name
        self.live = not file and not container.duration
        self._file = file
        self._faults = faults
        self._container = container
        self._max_pixels = max_pixels
        self._packets_read = 0
        self._error = require("av", "video").error.FFmpegError
        try:
            self._stream = self._choose()
        except BaseException:
            container.close()
            raise
        rate = self._stream.guessed_rate or self._stream.average_rate
        self.rate = float(rate) if rate and 0.01 <= float(rate) <= 1000 else 30.0
        self.count: int | None = self._stream.frames or self._count_by_duration()

    def _choose(self) -> Any:
        """The best video stream, prepared to be decoded."""
        stream = self._container.streams.best("video")
        context = None if stream is None else stream.codec_context
        if context is None:
            why = "is it sound alone?" if self._container.streams else "it is cut or damaged"
            raise ImageError(f"{self.name} has no video that can be decoded; {why}")
        if context.width and context.height:  # some say it with the first frame
            check_size(self.name, self._max_pixels, Size(context.height, context.width))
        context.options = {"max_pixels": str(self._max_pixels), "err_detect": "explode"}
        stream.thread_type = "SLICE"  # frames that wait in threads come late
        return stream

    def _count_by_duration(self) -> int | None:
        duration = self._container.duration  # [us]
        return max(1, round(duration / 1e6 * self.rate)) if duration and not self.live else None

    def __iter__(self) -> Iterator[Still]:
        found, begin, last = 0, 0.0, 0.0
        try:
            for number, frame in self._frames():
                image = self._pixels(number, frame, first=not found)
                if image is None:
                    continue
                stamp = begin + last + 1 / self.rate if frame.time is None else frame.time
                if not found:
                    begin = stamp
                elif not 0 < stamp - begin - last < JUMP:  # it begins anew, or is damaged
                    begin = stamp - last - 1 / self.rate
                found, last = found + 1, stamp - begin
                yield Still(image, last, number)
            if not found:
                raise ImageError(
                    f"{self.name} has no frame that can be decoded; it is empty, cut or damaged"
                )
            self._check_end(last, begin + last)
        finally:
            self._container.close()

    def _frames(self) -> Iterator[tuple[int, Any]]:
        """Frames as PyAV has them, numbered in the order of showing; damaged ones left out."""
        number = 0
        failed: deque[int] = deque(maxlen=64)  # stamps
        for packet in self._packets():
            try:
                frames = packet.decode()
            except (self._error, ValueError) as error:
                if not packet.size:  # what was left in the decoder at the end
                    continue
                place = (
                    "" if packet.pts is None else f" ({float(packet.pts * packet.time_base):.3f} s)"
                )
                self._damaged(number, f"{_reason(error)}{place}")
                failed += [] if packet.pts is None else [packet.pts]
                number += 1
                continue
            for frame in frames:
                if frame.pts in failed:  # what could be decoded of it comes later
                    continue
                if frame.is_corrupt:
                    self._damaged(number, "it is damaged")
                else:
                    yield number, frame
                number += 1

    def _packets(self) -> Iterator[Any]:
        """Packets of the stream, and at last an empty one; nothing more where reading fails."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (self._error, ValueError) as error:
                self._faults.add(f"{self.name} breaks off: {_reason(error)}")
                return
            self._packets_read += bool(packet.size)
            yield packet

    def _damaged(self, number: int, why: str) -> None:
        self._faults.add(f"{self.name}: frame {number} is skipped: {why}")

    def _pixels(self, number: int, frame: Any, *, first: bool) -> NDArray[np.uint8] | None:
        """A frame's image, upright; None where it cannot be had.

        Raises:
            ImageError: the first is too large or too small; later ones are skipped.
        """
        size, name = Size(frame.height, frame.width), self.name if first else "it"
        try:
            check_size(name, self._max_pixels, size)
            image = frame.to_ndarray(format="rgb24")
        except ImageError as error:
            if first:
                raise
            self._damaged(number, str(error))
            return None
        except (self._error, ValueError, NotImplementedError, MemoryError) as error:
            self._damaged(number, _reason(error))
            return None
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image

    def _check_end(self, last: float, stamp: float) -> None:
        """Say where a clip ends before its header says so."""
        if not self._file:
            return
        exact = self._container.format.name.startswith("mov")  # AVI counts gaps as well
        counted = self._stream.frames if exact else 0
        lost = counted - self._packets_read > max(2, counted // 50)
        if not counted and len(self._container.streams) == 1:  # sound may be longer
            said = (self._container.duration or 0) / 1e6
            said = max(said, self._stream.frames * float(self._stream.time_base))  # of an AVI
            lost = said > stamp + SLACK + 2 / self.rate
        if lost:
            self._faults.add(f"{self.name} is cut: it ends after {last:.1f} s; copy it again")


def _reason(error: BaseException) -> str:
    """What FFmpeg or PyAV says, without where it says it."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if text == "Immediate exit requested":
        return f"nothing came for {READ_TIMEOUT:g} s"
    return " ".join(str(text).split())[:200]
