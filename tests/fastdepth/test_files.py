from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastdepth.errors import OutputError
from fastdepth.files import cache_folder, remove_leftovers, replacing, write_bytes, write_text


def test_a_file_appears_whole_and_leaves_nothing_beside_it(tmp_path):
    write_text(tmp_path / "new" / "a.txt", "metres")
    assert (tmp_path / "new" / "a.txt").read_text() == "metres"
    assert os.listdir(tmp_path / "new") == ["a.txt"]


def test_the_old_file_stays_whole_when_writing_fails_half_way(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"), replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise RuntimeError("half way")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_full_disk_is_one_line_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    with pytest.raises(OutputError, match="it is a folder"):
        write_bytes(tmp_path, b"new")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot make the folder"):
        write_bytes(tmp_path / "file" / "a", b"new")


def test_permissions_are_those_of_any_new_file(tmp_path):
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "theirs").write_bytes(b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTDEPTH_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("FASTDEPTH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "fastdepth"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "fastdepth"


def test_a_temporary_cache_stays_the_same_for_the_process(tmp_path, monkeypatch, capsys):
    (tmp_path / "home").write_text("a file, so that no folder can be made below it")
    monkeypatch.setenv("FASTDEPTH_CACHE", "")  # as if unset; put back at the end
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = cache_folder()
    assert folder.is_dir()
    assert cache_folder() == folder
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"fastdepth: cannot write {tmp_path / 'home'}")


@pytest.mark.parametrize("home", ["/proc/nohome", None])
def test_a_cache_that_cannot_be_written_is_temporary_and_says_so_once(home):
    """Also where the system knows no home of the user, whose number may be any in a container."""
    code = """
import os, subprocess, sys
from fastdepth.files import cache_folder, write_bytes
os.getuid = lambda: 12345678
write_bytes(cache_folder() / "exports" / "a", b"")
child = "from fastdepth.files import cache_folder; print(cache_folder())"
print(cache_folder(), flush=True)
subprocess.run([sys.executable, "-c", child], check=True)
"""
    unset = {"FASTDEPTH_CACHE", "XDG_CACHE_HOME", "HOME"}
    variables = {k: v for k, v in os.environ.items() if k not in unset}
    variables |= {"HOME": home} if home else {}
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, env=variables, capture_output=True, text=True, check=True)
    own, childs = done.stdout.splitlines()
    assert own == childs
    assert not Path(own).exists()
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"fastdepth: cannot write {home or 'a home folder'}")
    assert "FASTDEPTH_CACHE" in said


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path):
    kept = {".gitignore", ".a.b.txt", "a.bin", "a.bin.abcdefgh.bin"}
    for name in kept:
        (tmp_path / name).touch()
    for name in ("a.bin", "loss.png"):  # two writers that are killed half way
        with replacing(tmp_path / "new" / name) as temporary:
            (tmp_path / temporary.name).write_bytes(b"half")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == kept
