"""The example server: what it answers, what it refuses, and that nothing is lost under load."""

from __future__ import annotations

import asyncio
import io
import runpy
import socket
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import fastdepth

fastapi = pytest.importorskip("fastapi", reason="needs fastapi, uvicorn, prometheus-client, httpx")
uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
httpx = pytest.importorskip("httpx")

FOLDER = Path(__file__).parents[1] / "examples" / "server"
APP = SimpleNamespace(**runpy.run_path(str(FOLDER / "app.py")))
LOAD = SimpleNamespace(**runpy.run_path(str(FOLDER / "load.py")))
JPEG = cv2.imencode(".jpg", np.full((24, 32, 3), 90, np.uint8))[1].tobytes()


def model(image, *, focal=None):
    """Depth that tells the focal length, as quick as 20 ms allow."""
    time.sleep(0.02)
    return np.full(image.shape[:2], (focal or 500) / 100, np.float32)


@pytest.fixture
def serve():
    """Serves with limits on a port of its own; its address."""
    servers = []

    def start(answer=model, **limits):
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        app = APP.make_app(answer, APP.Limits(**limits))
        server = uvicorn.Server(APP.configured(app, log_level="critical"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[free])))
        thread.start()
        servers.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{free.getsockname()[1]}"

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join()


def post(url, content=JPEG, **more):
    return httpx.post(f"{url}/depth", content=content, trust_env=False, **more)


def test_depth_in_millimetres_or_metres(serve):
    url = serve()
    png = post(url, params={"focal": 300})
    assert png.status_code == 200 and png.headers["content-type"] == "image/png"
    pixels = cv2.imdecode(np.frombuffer(png.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint16 and (pixels == 3000).all() and pixels.shape == (24, 32)
    metres = np.load(io.BytesIO(post(url, headers={"accept": "application/x-npy"}).content))
    assert metres.dtype == np.float32 and (metres == 5).all()


@pytest.mark.parametrize(
    ("content", "params", "status"),
    [
        (b"", {}, 422),
        (b"no image", {}, 422),
        (JPEG[:200], {}, 422),
        (JPEG, {"focal": -1}, 422),
        (JPEG, {"focal": "nan"}, 422),
        (bytes(5000), {}, 413),
        (cv2.imencode(".png", np.zeros((60, 60, 3), np.uint8))[1].tobytes(), {}, 422),
    ],
)
def test_what_cannot_be_is_refused_by_its_own_fault(serve, content, params, status):
    url = serve(body=4000, pixels=3000)
    answer = post(url, content, params=params)
    assert answer.status_code == status and answer.json()["detail"]
    assert post(url).status_code == 200  # and the next is answered


def test_a_full_queue_refuses_and_is_counted(serve):
    release = threading.Event()

    def stuck(image, *, focal=None):
        release.wait(10)
        return model(image)

    url = serve(stuck, waiting=2)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(post(url))) for _ in range(5)]
    for thread in threads:
        thread.start()
    while len(answers) < 3:
        time.sleep(0.01)
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].headers["retry-after"] == "1"
    release.set()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503, 503]
    told = httpx.get(f"{url}/metrics", trust_env=False).text
    assert 'fastdepth_answers_total{status="503"} 3.0' in told
    assert "fastdepth_waiting 0.0" in told


def test_what_waited_too_long_is_not_begun(serve):
    begun = []

    def slow(image, *, focal=None):
        begun.append(1)
        time.sleep(0.5)
        return model(image)

    url = serve(slow, seconds=0.2)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(post(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 503, 503]
    assert len(begun) == 1


def test_connections_that_say_nothing_are_cut(serve, monkeypatch):
    """A few hundred of them would keep everybody else out."""
    shared = APP.Impatient.cut_if_idle.__globals__  # runpy's copy of the module
    monkeypatch.setitem(shared, "IDLE", 0.2)
    url = serve()
    host, _, port = url.removeprefix("http://").partition(":")
    begun = b"POST /depth HTTP/1.1\r\nhost: x\r\n"
    health = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    for sent in (b"", begun, health + begun):
        with socket.create_connection((host, int(port)), 10) as silent:
            silent.sendall(sent)
            received = b"".join(iter(partial(silent.recv, 1000), b""))
            assert (b"200 OK" in received) == (health in sent)
    assert post(url).status_code == 200


def test_who_leaves_and_what_fails_are_counted(serve):
    def fail(image, *, focal=None):
        raise fastdepth.FastDepthError("of the file, not of the image")

    url = serve(fail)
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 10) as leaving:
        leaving.sendall(b"POST /depth HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc")
        time.sleep(0.1)
    assert post(url).status_code == 500
    for status in ("400", "500"):
        line = f'fastdepth_answers_total{{status="{status}"}} 1.0'
        while line not in httpx.get(f"{url}/metrics", trust_env=False).text:
            time.sleep(0.05)


@pytest.mark.parametrize("words", ["no.onnx", "mnv2-64-dws --port 99999", "mnv2-64-dws --port {}"])
def test_what_cannot_be_served_is_one_line(serve, words, monkeypatch, capsys):
    taken = serve().rpartition(":")[2]
    monkeypatch.setattr(sys, "argv", ["app.py", *words.format(taken).split()])
    with pytest.raises(SystemExit) as ended:
        APP.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("app: ")


def test_a_load_that_cannot_be_is_one_line(monkeypatch, capsys, tmp_path):
    image = tmp_path / "a.jpg"
    monkeypatch.setattr(sys, "argv", ["load.py", str(image), "--url", "http://127.0.0.1:1/depth"])
    with pytest.raises(SystemExit) as ended:
        LOAD.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"load: {image} cannot be read: No such file or directory\n"
    image.write_bytes(JPEG)
    with pytest.raises(SystemExit, match="depth answers lost: ConnectError; is app.py running"):
        LOAD.main()


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(3, marks=pytest.mark.thorough), pytest.param(120, marks=pytest.mark.slow)],
)
def test_under_twice_its_capacity_nothing_is_lost(serve, capsys, seconds):
    url = serve(waiting=4)
    found = asyncio.run(LOAD.measure(f"{url}/depth", JPEG, seconds, 2))
    assert set(found) == {"200", "503"}
    assert found["200"] > 5 * seconds
