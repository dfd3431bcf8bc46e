from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fastdepth.errors import OutputError, UsageError
from fastdepth.lock import locked

HOLD = """
import sys, time
from fastdepth.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that writes to the folder."""
    words = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_the_lock_goes_with_a_killed_one(tmp_path, holder):
    with pytest.raises(UsageError, match="another run is writing to"), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    assert os.listdir(tmp_path) == [".lock"]  # which locks nothing any more
    with locked(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_the_lock_goes_after_an_error_too(tmp_path):
    with pytest.raises(RuntimeError), locked(tmp_path / "new"):
        raise RuntimeError
    assert os.listdir(tmp_path / "new") == []


def test_a_folder_that_is_removed_meanwhile_is_no_error(tmp_path):
    folder = tmp_path / "new"
    with locked(folder):
        (folder / ".lock").unlink()
        folder.rmdir()
    assert not folder.exists()


def test_where_no_lock_can_be_made_is_one_line(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(OutputError, match="cannot write to .*directory"), locked(tmp_path):
        pass
