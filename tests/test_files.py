from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from edgent.errors import EdgentError, InputError
from edgent.files import append, read_bytes, read_lines, read_regular, read_text, write_whole

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_no_more_is_read_than_may_be(tmp_path: Path) -> None:
    (file := tmp_path / "a").write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(InputError, match="found more than 4 B"):
        read_bytes(file, 4)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(InputError, match="found more than"):
        read_bytes(Path("/dev/zero"), 1 << 20)
    with pytest.raises(InputError, match="found a line of more than"):
        list(read_lines(Path("/dev/zero")))


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    (loop := tmp_path / "loop").symlink_to(loop)
    for path in (tmp_path / "none", tmp_path, loop, tmp_path / ("n" * 300), tmp_path / "none" / "a"):
        for read in (read_bytes, read_regular, read_text, lambda path: list(read_lines(path))):
            with pytest.raises(InputError, match=r"cannot be read|is no file"):
                read(path)


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "folder", "device"])
def test_of_a_folder_only_files_are_read_and_nothing_is_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.jpg"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match=r"is no file|cannot be read"):
        read_regular(path)


def test_a_file_of_a_folder_is_read_like_any_other(tmp_path: Path) -> None:
    (file := tmp_path / "a").write_bytes(b"12345")
    (link := tmp_path / "link").symlink_to(file)
    assert read_regular(file, 5) == read_regular(link) == b"12345"
    with pytest.raises(InputError, match="found more than 4 B"):
        read_regular(file, 4)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (file := tmp_path / "a").write_bytes(b"good\n\xff\xfe\n")
    with pytest.raises(InputError, match="no text"):
        read_text(file)
    with pytest.raises(InputError, match="no text"):
        list(read_lines(file))


def test_lines_are_read_one_by_one_whatever_ends_them(tmp_path: Path) -> None:
    (file := tmp_path / "a").write_bytes(b"one\r\ntwo\n\nfour\x1f\xe2\x80\xa8four")
    assert list(read_lines(file)) == ["one", "two", "", "four\x1f\u2028four"]


def test_a_file_is_written_whole_through_a_link_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    (target := tmp_path / "target").write_text("old")
    (link := tmp_path / "link").symlink_to(target)
    write_whole(link, "new")
    assert link.is_symlink() and target.read_text() == "new"
    assert names(tmp_path) == ["link", "target"]


def test_a_file_of_the_longest_name_can_be_written(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), "new")
    assert names(tmp_path) == ["n" * 255]


def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (loop := tmp_path / "loop").symlink_to(loop)
    (tmp_path / "file").touch()
    for path in (tmp_path / "none" / "a", tmp_path, loop, tmp_path / ("n" * 300), tmp_path / "file" / "a"):
        for write in (write_whole, append):
            with pytest.raises(InputError) as caught:
                write(path, "text")
            assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert names(tmp_path) == ["file", "loop"]


@needs_full
def test_a_full_disk_is_no_fault_of_the_input() -> None:
    with pytest.raises(EdgentError, match="make room") as caught:
        append(FULL, "line\n")
    assert caught.value.exit_code == 1


def test_what_a_full_disk_takes_of_a_line_is_taken_back(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    (file := tmp_path / "a").write_text("kept\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # the first bytes of the line fit, its end does not
    try:
        with pytest.raises(EdgentError, match="cannot be written"):
            append(file, "a line that is too long\n")
        with pytest.raises(EdgentError, match="cannot be written"):
            write_whole(file, "a text that is too long\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert file.read_text() == "kept\n" and names(tmp_path) == ["a"]
