from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import pytest

from fastdepth.errors import DataError, ImageError, OutputError, UsageError
from fastdepth.files import (
    cache_folder,
    check_no_input,
    check_output,
    check_regular,
    ends_all,
    output,
    read_bytes,
    remove_leftovers,
    remove_leftovers_in,
    remove_leftovers_of,
    replacing,
    write_bytes,
    write_text,
)


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
    kept = {
        ".gitignore",
        ".a.b.txt",
        "a.bin",
        ".fastdepth-notes",
        ".fastdepth-0123abcd-abcdefgh.b.c",
    }
    for name in kept:
        (tmp_path / name).touch()
    left = killed_writer(tmp_path / "a.bin"), killed_writer(tmp_path / "below" / "loss.png")
    assert all(path.exists() for path in left)
    with replacing(tmp_path / "a.bin") as temporary:  # of a living one
        temporary.write_bytes(b"new")
        remove_leftovers(tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert not any(path.exists() for path in left)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == kept


def killed_writer(path):
    """A process is killed while it writes the file; what it leaves of it."""
    code = f"""
import os, signal
from fastdepth.files import replacing
with replacing({str(path)!r}) as temporary:
    temporary.write_bytes(b"half")
    print(temporary, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return Path(done.stdout.strip())


def test_who_removes_leftovers_before_the_lock_takes_nothing(tmp_path, monkeypatch):
    """Another process sees the file between its making and its lock."""
    make, seen = tempfile.mkstemp, []

    def made(**options):
        handle, name = make(**options)
        if not seen:
            remove_leftovers_in(tmp_path)
        seen.append(name)
        return handle, name

    monkeypatch.setattr("fastdepth.files.tempfile.mkstemp", made)
    write_bytes(tmp_path / "a.bin", b"new")
    assert len(seen) == 2
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.bin", b"new")]


def test_what_was_left_of_an_output_goes_with_the_next(tmp_path):
    left = killed_writer(tmp_path / "a.json")
    with output(str(tmp_path / "a.json")) as write:
        write("{}")
    assert not left.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_only_what_was_left_of_one_file_is_removed(tmp_path):
    first, second = killed_writer(tmp_path / "a.onnx"), killed_writer(tmp_path / "b.onnx")
    remove_leftovers_of(tmp_path / "a.onnx")
    assert not first.exists() and second.exists()
    remove_leftovers_in(tmp_path)
    assert not second.exists()
    remove_leftovers_in(tmp_path / "none")


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "\u00e9" * 120 + ".onnx", "a." + "b" * 200])
def test_a_long_name_is_written_with_a_short_temporary_one(tmp_path, name):
    with replacing(tmp_path / name) as temporary:
        assert len(temporary.name) <= 50
        temporary.write_bytes(b"new")
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a" * 256, "a\0b", "\ud800", "a" * 300 + "/b"])
def test_names_that_no_file_has_are_one_line_and_at_once(tmp_path, name):
    with pytest.raises(OutputError, match="cannot"), replacing(f"{tmp_path}/{name}"):
        pytest.fail("the work was begun")


def test_pipes_and_devices_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a named pipe"), ("/dev/null", "a device")):
        with pytest.raises(OutputError, match=f"it is {kind}"):
            write_bytes(path, b"new")


def test_a_full_disk_ends_all_and_a_long_name_does_not(tmp_path):
    for number, all_of_them in ((errno.ENOSPC, True), (errno.EROFS, True), (errno.EACCES, False)):
        with pytest.raises(OutputError) as caught, replacing(tmp_path / "a"):
            raise OSError(number, os.strerror(number))
        assert ends_all(caught.value) == all_of_them
    with pytest.raises(OutputError) as caught:
        write_bytes(tmp_path / ("a" * 300), b"")
    assert not ends_all(caught.value)


def test_a_regular_file_is_read_whole_also_through_a_link(tmp_path):
    (tmp_path / "a").write_bytes(b"metres")
    (tmp_path / "link").symlink_to("a")
    assert read_bytes(tmp_path / "a", DataError, most=6) == b"metres"
    assert read_bytes(str(tmp_path / "link"), DataError) == b"metres"
    assert check_regular(tmp_path / "link", DataError).st_size == 6


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    kinds = {"pipe": "a named pipe", "socket": "a socket", ".": "a folder", "/dev/zero": "a device"}
    for name, kind in kinds.items():
        with pytest.raises(ImageError, match=f"is {kind}, not a file"):
            read_bytes(tmp_path / name, ImageError)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none", "does not exist"),
        ("file/below", "does not exist"),
        ("n" * 300, "cannot be read: File name too long"),
        ("a\0b", "cannot be a path"),
        ("a\ud800b", "cannot be a path"),
        ("loop", "cannot be read: Too many levels"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(tmp_path, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match=message):
        read_bytes(f"{tmp_path}/{name}", DataError)


def test_no_more_is_read_than_is_wanted(tmp_path):
    (tmp_path / "a").write_bytes(b"metres!")
    with pytest.raises(DataError, match="larger than 6 bytes"):
        read_bytes(tmp_path / "a", DataError, most=6)
    with pytest.raises(DataError, match="larger than 6 bytes"):  # says that it has no bytes
        read_bytes("/proc/self/status", DataError, most=6)
    assert read_bytes("/proc/self/status", DataError).startswith(b"Name:")


def test_no_more_memory_is_taken_than_the_file_has(tmp_path):
    (tmp_path / "a").write_bytes(b"metres")
    tracemalloc.start()
    try:
        read_bytes(tmp_path / "a", DataError)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


def test_an_output_that_is_an_input_is_refused(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "link").symlink_to("a")
    for name in (None, "-", tmp_path / "b", "\0"):
        check_no_input(name, [tmp_path / "a", None, "nowhere", "\0"])
    for name in (tmp_path / "a", str(tmp_path / "link"), tmp_path / ".." / tmp_path.name / "a"):
        with pytest.raises(UsageError, match="is an input and would be written over"):
            check_no_input(name, ["nowhere", tmp_path / "a"])


def test_whether_a_file_can_be_written_is_found_out_without_writing_it(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    check_output(path)
    check_output(tmp_path / "new" / "below" / "b.bin")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]
    with pytest.raises(OutputError, match="cannot make the folder"):
        check_output(path / "b.bin")
    with pytest.raises(OutputError, match="it is a folder"):
        check_output(tmp_path)
