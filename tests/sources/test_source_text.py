"""What may be typed for a source."""

from __future__ import annotations

import io
import sys

import pytest

from edgent.errors import InputError, MissingExtraError
from edgent.sources.folder import WatchedFolder
from edgent.sources.source_text import sources_of
from edgent.sources.standard_input import StandardInput
from edgent.sources.video import Camera, NetworkStream, VideoFile


def named(clock, *texts):
    return {each.name: type(each.source) for each in sources_of(texts, clock, io.BytesIO())}


def test_each_kind_is_known_by_what_is_typed_and_named_after_it(clock, tmp_path):
    (tmp_path / "drive way.mp4").write_bytes(b"")
    (tmp_path / "drop").mkdir()
    texts = ["camera:0", "rtsp://10.0.0.9/1", f"{tmp_path}/drive way.mp4", f"{tmp_path}/drop", "-"]
    assert named(clock, *texts) == {
        "camera-0": Camera,
        "stream1": NetworkStream,
        "drive-way": VideoFile,
        "drop": WatchedFolder,
        "stdin": StandardInput,
    }


def test_a_name_may_be_given(clock, tmp_path):
    (tmp_path / "a=b.mp4").write_bytes(b"")
    texts = ["yard=camera:1", "gate=rtsp://u:p@10.0.0.9/s?key=1", f"{tmp_path}/a=b.mp4"]
    assert named(clock, *texts) == {"yard": Camera, "gate": NetworkStream, "a-b": VideoFile}


@pytest.mark.parametrize("text", ["", "camera:", "camera:x", "camera:-1", "nowhere.mp4", "ftp://a/b", "yard=", "=x"])
def test_what_is_no_source_is_refused_with_what_would_be_one(clock, text):
    with pytest.raises(InputError, match="expected camera:0, rtsp://"):
        named(clock, text)


def test_without_a_decoder_a_camera_is_refused_at_once_and_a_folder_is_not(clock, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert named(clock, str(tmp_path), "-")
    with pytest.raises(MissingExtraError, match=r"edgent\[video\]"):
        named(clock, "camera:0")


def test_the_case_of_a_scheme_says_nothing(clock):
    assert named(clock, "RTSP://10.0.0.9/1", "a=Http://cam/v") == {"stream0": NetworkStream, "a": NetworkStream}


@pytest.mark.parametrize(
    "texts",
    [
        ["rtmp://admin:hunter2@cam/1"],
        ["FTP://admin:hunter2@cam/1"],
        ["admin:hunter2@cam/1"],
        ["a=rtsp://admin:hunter2@cam/1", "a=rtsp://admin:hunter2@cam/1"],
        ["a=camera:0", "a=HTTP://cam/1?pwd=hunter2"],
    ],
)
def test_no_password_is_shown_of_what_is_refused(clock, texts):
    with pytest.raises(InputError) as told:
        named(clock, *texts)
    assert "hunter2" not in str(told.value) and "cam/1" in str(told.value)


@pytest.mark.parametrize("texts", [("camera:0", "camera:0"), ("a=camera:0", "a=camera:1"), ("-", "x=-")])
def test_two_of_one_name_and_stdin_twice_are_refused(clock, texts):
    with pytest.raises(InputError, match=r"name it with|leave one"):
        named(clock, *texts)
