"""Videos made by the decoder's own library: what is decoded, when, and what is said of what is none."""

from __future__ import annotations

import socket
import threading

import pytest
from PIL import Image

from edgent.codec import decode_pixels
from edgent.errors import EdgentError, InputError
from edgent.sources import video
from edgent.sources.video import Camera, NetworkStream, VideoFile
from edgent.units import Seconds

pytest.importorskip("av")
from ports import listening
from sources.made_video import make_video

SILENCE = Seconds(5.0)


def greys(reads):
    return [round(float(decode_pixels(read()).mean())) for read in reads]


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_a_video_is_its_pictures_in_order_at_the_rate_of_its_filming(clock, tmp_path, name):
    file = make_video(tmp_path / name, frames=8, rate=10)
    times, reads = [], []
    for read in VideoFile(file, clock).pictures():
        times.append(clock.now())
        reads.append(read)
    assert times == pytest.approx([n / 10 for n in range(8)], abs=2e-3)
    assert greys(reads) == pytest.approx([20 * n for n in range(8)], abs=4)
    assert decode_pixels(reads[0]()).shape == (48, 64, 3)


def test_a_video_begins_anew_where_that_is_asked(clock, tmp_path):
    file = make_video(tmp_path / "clip.mp4", frames=4)
    pictures = VideoFile(file, clock, again=True).pictures()
    assert greys(next(pictures) for _ in range(10)) == pytest.approx([0, 20, 40, 60, 0, 20, 40, 60, 0, 20], abs=4)


def test_a_slow_taker_is_not_waited_for_and_the_film_goes_on(clock, tmp_path):
    file = make_video(tmp_path / "clip.mp4", frames=8, rate=10)
    for number, _ in enumerate(VideoFile(file, clock).pictures()):
        if number == 0:
            clock.sleep(0.35)
        if number == 4:
            assert clock.now() == pytest.approx(0.4, abs=2e-3)
    assert clock.now() == pytest.approx(0.7, abs=2e-3)


def test_pictures_of_a_motion_jpeg_stream_are_handed_on_as_they_are(tmp_path):
    file = make_video(tmp_path / "clip.avi", frames=3, codec="mjpeg")
    content = file.read_bytes()
    pictures = [read() for read in NetworkStream(str(file), SILENCE).pictures()]
    assert len(pictures) == 3 and all(picture in content for picture in pictures)


def test_others_are_encoded_only_when_they_are_wanted(tmp_path, monkeypatch):
    file = make_video(tmp_path / "clip.mp4", frames=5)
    encoded = []
    monkeypatch.setattr(video, "encode_image", lambda codec, pixels: encoded.append(codec) or b"jpeg")
    reads = list(NetworkStream(str(file), SILENCE).pictures())
    assert not encoded
    reads[-1]()
    assert encoded == ["jpeg-90"]


def test_a_camera_that_is_none_is_told_with_those_that_are_there(tmp_path):
    (tmp_path / "video0").touch()
    with pytest.raises(InputError, match=r"camera:9: there is no .*video9; there are camera:0"):
        next(Camera(9, SILENCE, tmp_path).pictures())
    with pytest.raises(InputError, match="there is none"):
        next(Camera(9, SILENCE, tmp_path / "empty").pictures())


def test_a_device_that_is_no_camera_is_told_in_one_line(tmp_path):
    (tmp_path / "video0").write_bytes(b"no camera")
    with pytest.raises(InputError, match="cannot be opened") as told:
        next(Camera(0, SILENCE, tmp_path).pictures())
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\0" * 4096], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_video_is_told(clock, tmp_path, content):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(EdgentError, match=r"clip\.mp4"):
        list(VideoFile(tmp_path / "clip.mp4", clock).pictures())


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_video_that_is_broken_off_gives_what_it_has_or_is_told(clock, tmp_path, kept):
    whole = make_video(tmp_path / "whole.mkv", frames=10).read_bytes()
    (tmp_path / "part.mkv").write_bytes(whole[: int(kept * len(whole))])
    pictures = []
    try:
        for read in VideoFile(tmp_path / "part.mkv", clock).pictures():
            pictures.append(decode_pixels(read()))
    except EdgentError as error:
        assert "part.mkv" in str(error)
    assert len(pictures) <= 10


@pytest.mark.parametrize("login", ["admin:secret@", "admin:pa/secret@", "admin:@secret@"])
def test_a_password_is_not_told(login):
    with pytest.raises(InputError) as told:
        next(NetworkStream(f"rtsp://{login}127.0.0.1:1/live?key=secret", SILENCE).pictures())
    assert "secret" not in str(told.value) and "127.0.0.1:1/live" in str(told.value)


def test_a_file_is_named_as_it_is_called(clock, tmp_path):
    (tmp_path / "10:30 @home.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"10:30 @home\.mp4"):
        list(VideoFile(tmp_path / "10:30 @home.mp4", clock).pictures())


def test_a_title_in_another_script_is_no_reason_to_go_without_the_pictures(clock, tmp_path):
    file = make_video(tmp_path / "clip.mkv", frames=3, title="cafe")
    file.write_bytes(file.read_bytes().replace(b"cafe", b"caf\xe9"))
    assert len(list(VideoFile(file, clock).pictures())) == 3


@pytest.mark.parametrize(("frames", "rate"), [(1, 10), (2, 1000), (3, 25)])
def test_however_short_a_video_is_it_is_not_played_again_and_again_without_a_rest(clock, tmp_path, frames, rate):
    file = make_video(tmp_path / "clip.mkv", frames=frames, rate=rate)
    pictures = VideoFile(file, clock, again=True).pictures()
    for _ in range(20 * frames + 1):
        next(pictures)
    assert clock.now() >= 20 * 0.1 - 1e-6


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp"])
def test_a_picture_too_large_to_decode_is_refused_before_memory_is_taken_for_it(clock, tmp_path, monkeypatch, ending):
    Image.new("RGB", (200, 100)).save(tmp_path / f"large.{ending}")
    monkeypatch.setattr(video, "_BOUND", {"max_pixels": str(200 * 100 - 1)})
    with video._opened(str(tmp_path / f"large.{ending}"), None, {}, SILENCE) as container:
        assert not container.streams.video[0].width  # nor is it decoded for a look at it
    with pytest.raises(EdgentError):
        [read() for read in VideoFile(tmp_path / f"large.{ending}", clock).pictures()]


@pytest.mark.parametrize("most", [64 * 48, 64 * 48 - 1])
def test_what_a_decoder_gave_all_the_same_is_not_converted(clock, tmp_path, monkeypatch, most):
    monkeypatch.setattr(video, "MAX_PIXELS", most)
    read = next(VideoFile(make_video(tmp_path / "clip.mkv"), clock).pictures())
    if most == 64 * 48:
        assert decode_pixels(read()).shape == (48, 64, 3)
    else:
        with pytest.raises(InputError, match="found a picture of 64 x 48, expected at most 3071 pixels"):
            read()


@pytest.mark.parametrize("closes", [False, True], ids=["stalls", "ends"])
def test_a_network_stream_that_stalls_is_given_up_and_one_that_ends_has_ended(tmp_path, closes):
    content = make_video(tmp_path / "clip.ts", frames=30, codec="mpeg2video").read_bytes()
    told, pictures, problem = threading.Event(), [], ""

    def send(connection: socket.socket) -> None:
        connection.sendall(content)
        if not closes:
            told.wait(60.0)

    with listening(send) as address:
        # Where it ends by itself, no silence is waited for, unless something is broken.
        stream = NetworkStream(f"tcp://{address}", Seconds(60.0 if closes else 5.0))
        try:
            for read in stream.pictures():
                pictures.append(read)
        except EdgentError as error:
            problem = str(error)
        told.set()
    assert len(pictures) >= 20
    assert ("broke off" in problem) is not closes
