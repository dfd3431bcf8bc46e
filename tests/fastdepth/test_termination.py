from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from fastdepth.termination import finishing, terminable

WRITE = """
import sys, time
from pathlib import Path
from fastdepth.console import run_verb, Verb
from fastdepth.files import replacing
sys.modules["verb"] = sys.modules["__main__"]
def main(_):
    with replacing(Path(sys.argv[1]) / "a.bin") as temporary:
        temporary.write_bytes(b"half")
        print("begun", flush=True)
        time.sleep(60)
sys.exit(run_verb("command", [Verb("verb", "", "verb")], []))
"""


def test_a_terminated_command_leaves_nothing_half_written(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    words = [sys.executable, "-c", WRITE, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "command: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"old"


COLLECT = """
import gc, signal, sys, time
from fastdepth.console import run_verb, Verb
sys.modules["verb"] = sys.modules["__main__"]
def collecting(phase, _):
    if phase == "start" and collecting in gc.callbacks:
        gc.callbacks.remove(collecting)
        signal.raise_signal(signal.Signals[sys.argv[1]])
def main(_):
    gc.callbacks.append(collecting)
    gc.collect()
    time.sleep(60)
sys.exit(run_verb("command", [Verb("verb", "", "verb")], []))
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_of_what_can_raise_nothing_is_not_lost(name):
    """As jax, which a converter imports, has Python call it at every garbage collection."""
    words = [sys.executable, "-c", COLLECT, name]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (130, "command: interrupted\n")


def test_a_handler_of_the_application_stays(monkeypatch):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminable():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_usual_handler_comes_back_and_other_threads_have_none():
    before = signal.getsignal(signal.SIGTERM)
    with terminable():
        pass
    assert signal.getsignal(signal.SIGTERM) is before
    done = []

    def other():
        with terminable():
            done.append(1)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert done == [1]


def test_what_is_being_finished_is_not_interrupted():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with finishing() as came:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)
    assert came == [signal.SIGINT, signal.SIGTERM, signal.SIGINT]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
