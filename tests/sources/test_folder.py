"""A folder that is watched, in virtual time on real files."""

from __future__ import annotations

import io
import os

import pytest

from edgent.errors import InputError
from edgent.sources.folder import WatchedFolder
from edgent.sources.standard_input import StandardInput
from edgent.units import Seconds


@pytest.fixture
def watch(clock, tmp_path):
    """Reads what comes while a script is run; the script's steps are half a second apart."""

    def watching(*steps):
        contents = []

        def read():
            for each in WatchedFolder(tmp_path, clock).pictures():
                contents.append(each())

        reader = clock.thread(read, "reader")
        reader.start()
        for step in steps:
            clock.sleep(0.5)
            step()
        clock.sleep(0.5)
        return contents

    return watching


def writing(path, content, at):
    """Writes a file, with a time of its own: two writes within the file system's resolution look alike."""

    def write():
        path.write_bytes(content)
        os.utime(path, ns=(at, at))

    return write


def test_what_is_put_there_is_a_frame_and_what_was_there_before_is_none(watch, tmp_path):
    writing(tmp_path / "old.jpg", b"old", 1)()
    assert watch(writing(tmp_path / "a.jpg", b"a", 2), writing(tmp_path / "b.PNG", b"b", 3)) == [b"a", b"b"]


def test_a_file_that_is_written_again_and_again_is_a_frame_each_time(watch, tmp_path):
    file = tmp_path / "last.jpg"
    assert watch(*[writing(file, bytes([n]), n + 1) for n in range(3)]) == [b"\0", b"\1", b"\2"]


def test_a_file_is_not_read_before_it_is_done(clock, watch, tmp_path):
    file = tmp_path / "slow.jpg"

    def grows():
        for size in range(1, 8):
            writing(file, b"x" * size, size)()
            clock.sleep(0.05)

    assert watch(grows) == [b"x" * 7]


def test_several_at_once_come_in_the_order_of_their_writing(watch, tmp_path):
    def three():
        for at, name in enumerate(["c", "a", "b"]):
            writing(tmp_path / f"{name}.jpg", name.encode(), at + 1)()

    assert watch(three) == [b"c", b"a", b"b"]


def test_what_is_no_picture_by_its_name_is_passed_over(watch, tmp_path):
    others = ["notes.txt", ".hidden.jpg", "clip.mp4"]
    assert watch(*[writing(tmp_path / name, b"x", 1) for name in others]) == []


def test_a_pipe_that_ends_like_a_picture_is_passed_over_and_holds_up_no_other_file(watch, tmp_path):
    pipe, later = tmp_path / "pipe.jpg", tmp_path / "z.jpg"
    assert watch(lambda: os.mkfifo(pipe), writing(later, b"z", 2)) == [b"z"]


def test_a_file_that_a_pipe_has_replaced_when_its_turn_comes_is_no_picture(clock, tmp_path):
    file, reads = tmp_path / "a.jpg", []
    pictures = WatchedFolder(tmp_path, clock).pictures()
    reader = clock.thread(lambda: reads.append(next(pictures)), "reader")
    reader.start()
    clock.sleep(0.05)
    writing(file, b"a", 1)()
    clock.sleep(0.5)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(InputError, match="is no file"):
        reads[0]()


def test_a_file_that_is_gone_again_may_come_back(watch, tmp_path):
    file = tmp_path / "a.jpg"
    assert watch(writing(file, b"1", 1), file.unlink, writing(file, b"1", 1)) == [b"1", b"1"]


def test_a_folder_that_is_gone_is_told(clock, tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        next(WatchedFolder(tmp_path / "gone", clock).pictures())


def test_pictures_from_a_pipe_come_one_by_one(picture_bytes):
    stream = io.BytesIO(picture_bytes * 3)
    assert [read() for read in StandardInput(stream, Seconds(5.0)).pictures()] == [picture_bytes] * 3


def test_a_pipe_with_something_else_is_bad_input():
    with pytest.raises(InputError, match="expected"):
        list(StandardInput(io.BytesIO(b"no picture"), Seconds(5.0)).pictures())


@pytest.fixture
def picture_bytes():
    import numpy as np

    from edgent.codec import encode_image

    return encode_image("jpeg-90", np.zeros((16, 16, 3), np.uint8))
