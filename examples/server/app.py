"""Depth over HTTP, with limits: see README.md."""

from __future__ import annotations

import argparse
import asyncio
import io
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Query, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.auto import AutoHTTPProtocol

import fastdepth
from fastdepth.camera import FOCAL_LENGTHS
from fastdepth.errors import ImageError
from fastdepth.images.io import image_from

CONNECTIONS = 256  # of which each may hold one image; more are answered 503
IDLE = 5.0  # after which a connection without a whole header, or with an unread answer, is cut [s]
NPY, PNG = "application/x-npy", "image/png"


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes:
        body: bytes of an image file.
        pixels: of the image.
        seconds: from the request's arrival until its depth must have been begun.
        waiting: requests that are computed or wait for it; more are refused at once.
    """

    body: int = 10_000_000
    pixels: int = 2**24
    seconds: float = 2.0
    waiting: int = 8


class Metrics:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.answers = Counter(
            "fastdepth_answers", "Requests by status.", ["status"], registry=self.registry
        )
        self.waiting = Gauge(
            "fastdepth_waiting", "Requests being computed or queued.", registry=self.registry
        )
        self.seconds = Histogram(
            "fastdepth_seconds", "Time of decoding, depth and encoding.", registry=self.registry
        )


def make_app(model: Callable[..., np.ndarray], limits: Limits = Limits()) -> FastAPI:
    """The server.

    Args:
        model: what ``fastdepth.load`` returns. One image at a time runs through it, with as many
            threads as it has: requests side by side would only take each other's time.
        limits: of each request.
    """
    metrics, pool = Metrics(), ThreadPoolExecutor(1, "depth")
    queue: set[asyncio.Future[bytes]] = set()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        pool.shutdown(cancel_futures=True)

    app = FastAPI(title="fastdepth", lifespan=lifespan)

    def compute(content: bytes, focal: float | None, kind: str, until: float) -> bytes:
        if time.monotonic() > until:
            raise HTTPException(503, "too many requests were before this one", {"Retry-After": "1"})
        with metrics.seconds.time():
            image = image_from(content, "the image", max_pixels=limits.pixels)
            return encode(model(image, focal=focal), kind)

    def refuse_if_full() -> None:
        if len(queue) >= limits.waiting:
            raise HTTPException(503, "busy", {"Retry-After": "1"})

    def leave(work: asyncio.Future[bytes]) -> None:
        queue.discard(work)
        metrics.waiting.dec()

    @app.middleware("http")
    async def count(request: Request, follow: Callable) -> Response:
        status = 500  # of an error that nobody expects
        try:
            response = await follow(request)
            status = response.status_code
        finally:
            if request.url.path == "/depth":
                metrics.answers.labels(status).inc()
        return response

    @app.post("/depth", responses={200: {"content": {PNG: {}, NPY: {}}}})
    async def depth(
        request: Request,
        focal: Annotated[float | None, Query(ge=FOCAL_LENGTHS[0], le=FOCAL_LENGTHS[1])] = None,
    ) -> Response:
        """Depth of the image file in the body, of a camera with this focal length [px]."""
        until = time.monotonic() + limits.seconds
        refuse_if_full()  # before its image is read, and after
        try:
            content = await asyncio.wait_for(read_body(request, limits.body), limits.seconds)
        except TimeoutError:
            raise HTTPException(408, "the image did not come in time") from None
        except ClientDisconnect:
            raise HTTPException(400, "the image did not come whole") from None
        kind = NPY if NPY in request.headers.get("accept", "") else PNG
        refuse_if_full()
        work = asyncio.get_running_loop().run_in_executor(
            pool, compute, content, focal, kind, until
        )
        metrics.waiting.inc()
        queue.add(work)
        work.add_done_callback(leave)  # whether or not anybody still waits for it
        try:
            return Response(await asyncio.shield(work), media_type=kind)
        except ImageError as error:
            raise HTTPException(422, str(error)) from None

    @app.get("/metrics")
    async def read_metrics() -> Response:
        """What Prometheus reads."""
        return Response(generate_latest(metrics.registry), media_type="text/plain; version=0.0.4")

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """That the server is there."""
        return {"status": "ok"}

    return app


async def read_body(request: Request, most: int) -> bytes:
    """The body, of which no more than ``most`` bytes are ever held."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise HTTPException(413, f"an image file has at most {most} bytes here")
    if not content:
        raise HTTPException(422, "send an image file as the body")
    return bytes(content)


class Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """HTTP as uvicorn has it, which waits for ever for the end of a header."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to watch a connection."""
        super().connection_made(transport)
        self.loop.call_later(IDLE, self.cut_if_idle, transport, (None, True, 0))

    def cut_if_idle(self, transport: asyncio.Transport, before: tuple[Any, bool, int]) -> None:
        """Cut it where it is as idle as it was before, and nothing went either way."""
        idle = self.cycle is None or self.cycle.response_complete
        now = (self.cycle, idle, transport.get_write_buffer_size())
        if idle and now == before:
            transport.abort()
        elif now[2] or not transport.is_closing():
            self.loop.call_later(IDLE, self.cut_if_idle, transport, now)


def configured(app: FastAPI, **more: Any) -> uvicorn.Config:
    """How the server is run; its limits of connections are not in the app's reach."""
    return uvicorn.Config(
        app, http=Impatient, access_log=False, limit_concurrency=CONNECTIONS, **more
    )


def encode(depth: np.ndarray, kind: str) -> bytes:
    """Depth (H, W) float32 [m] as a file: metres in .npy, or 16-bit millimetres in PNG."""
    if kind == NPY:
        file = io.BytesIO()
        np.save(file, depth)
        return file.getvalue()
    millimetres = np.clip(np.rint(depth * 1000), 0, 65535).astype(np.uint16)
    return cv2.imencode(".png", millimetres)[1].tobytes()


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="mnv2-64-dws, or a file of fastdepth-export")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for all the world")
    parser.add_argument("--port", type=int, default=8000)
    asked = parser.parse_args()
    if not 0 <= asked.port < 65536:
        parser.exit(2, f"app: --port {asked.port} cannot be; give 1 to 65535\n")
    try:
        model = fastdepth.load(asked.model, threads=asked.threads)
        family = socket.AF_INET6 if ":" in asked.host else socket.AF_INET
        place = socket.create_server((asked.host, asked.port), family=family, backlog=CONNECTIONS)
    except fastdepth.FastDepthError as error:
        parser.exit(2, f"app: {error}\n")
    except OSError as error:
        parser.exit(2, f"app: cannot listen on {asked.host}:{asked.port} ({error}); give another\n")
    print(f"app: http://{asked.host}:{place.getsockname()[1]}/depth", file=sys.stderr)
    with suppress(KeyboardInterrupt):  # which uvicorn raises again once it has ended
        uvicorn.Server(configured(make_app(model))).run(sockets=[place])


if __name__ == "__main__":
    main()
