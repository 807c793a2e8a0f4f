"""Cameras, network streams and video files, decoded by PyAV: FFmpeg's libraries in a wheel, for x86-64 and ARM.

The one file that knows PyAV. OpenCV was the other choice: as large, but it takes each packet apart by itself (a motion
JPEG camera's pictures could not be handed on as they come), has no limit on how long opening and reading may take, and
writes its errors to the terminal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgent.codec import MAX_PIXELS, encode_image
from edgent.errors import EdgentError, InputError, MissingExtraError
from edgent.files import is_file
from edgent.sources.addresses import shown
from edgent.sources.crop import QUALITY
from edgent.sources.source import Read
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.clock import Clock

_OPENING = 10.0  # seconds that a stream may take until its first bytes
_LEAST_ROUND = 0.1  # seconds that a video which is played again takes at least: a still has no length of its own
_MOTION_JPEG = "mjpeg"
_BOUND = {"max_pixels": str(MAX_PIXELS)}  # a few kilobytes may claim to be a picture of any size
_RTSP = {"rtsp_transport": "tcp"}  # by UDP each lost packet is grey in every picture up to the next whole one


class Camera:
    """A camera of this machine, by V4L2.

    Args:
        number: of /dev/videoN.
        silence: see `FrameSource`.
        devices: where devices are.
    """

    comes_back = True

    def __init__(self, number: int, silence: Seconds, devices: Path = Path("/dev")) -> None:
        self._number, self._devices, self.silence = number, devices, silence

    def pictures(self) -> Iterator[Read]:
        """See `FrameSource.pictures`."""
        path = self._devices / f"video{self._number}"
        if not path.exists():
            there = ", ".join(sorted(f"camera:{each.name[5:]}" for each in self._devices.glob("video*")))
            raise InputError(
                f"camera:{self._number}: there is no {path}; there {f'are {there}' if there else 'is none'}"
            )
        with _opened(str(path), "v4l2", {}, self.silence) as container:
            yield from _live(container)


class NetworkStream:
    """A stream by its address.

    Args:
        address: as FFmpeg takes it.
        silence: see `FrameSource`; a stream without a byte for so long is given up, and opened again.
    """

    comes_back = True

    def __init__(self, address: str, silence: Seconds) -> None:
        self._address, self.silence = address, silence

    def pictures(self) -> Iterator[Read]:
        """See `FrameSource.pictures`."""
        options = _RTSP if self._address.startswith("rtsp") else {}
        with _opened(self._address, None, options, self.silence) as container:
            yield from _live(container)


class VideoFile:
    """A video file, played as fast as it was filmed.

    Args:
        path: of the file.
        clock: plays it.
        again: whether it begins anew when it has ended.
    """

    comes_back = False
    silence = Seconds(math.inf)

    def __init__(self, path: Path, clock: Clock, *, again: bool = False) -> None:
        self._path, self._clock, self._again = path, clock, again

    def pictures(self) -> Iterator[Read]:
        """See `FrameSource.pictures`."""
        if not is_file(self._path):
            raise InputError(f"{self._path}: no such file")
        began = self._clock.now()
        yield from self._played()
        while self._again:
            if (rest := began + _LEAST_ROUND - self._clock.now()) > 0:
                self._clock.sleep(rest)
            began = self._clock.now()
            yield from self._played()

    def _played(self) -> Iterator[Read]:
        with _opened(str(self._path), None, {}, Seconds(math.inf)) as container:
            began, first = self._clock.now(), None
            for frame in container.decode(video=0):
                at = frame.time or 0.0
                first = at if first is None else first
                if (wait := began + at - first - self._clock.now()) > 0:
                    self._clock.sleep(wait)
                yield partial(_encoded, frame)
            if first is None:
                raise InputError(f"{self._path}: is a video without a picture")


def check_decoder() -> None:
    """Raises MissingExtraError where PyAV is not installed."""
    try:
        import av  # noqa: F401 - whether it is there
    except ImportError:
        raise MissingExtraError("reading cameras and videos", "video") from None


def _live(container: Any) -> Iterator[Read]:
    """Each picture as it comes; one that is JPEG already is handed on as it is."""
    stream = container.streams.video[0]
    if stream.codec_context.name == _MOTION_JPEG:
        yield from (partial(bytes, packet) for packet in container.demux(stream) if packet.size)
    else:
        yield from (partial(_encoded, frame) for frame in container.decode(stream))


def _encoded(frame: Any) -> bytes:
    # FFmpeg asks for the bound before it decodes, but not all of its decoders do; converting takes memory once more.
    if frame.width * frame.height > MAX_PIXELS:
        raise InputError(f"found a picture of {frame.width} x {frame.height}, expected at most {MAX_PIXELS} pixels")
    return encode_image(QUALITY, frame.to_ndarray(format="rgb24"))


@contextmanager
def _opened(address: str, kind: str | None, options: dict[str, str], silence: Seconds) -> Iterator[Any]:
    """A container with a video in it.

    Raises:
        InputError: it cannot be opened, or has no pictures.
        EdgentError: it breaks while it is read.
        MissingExtraError: PyAV is not installed.
    """
    check_decoder()
    import av

    name = shown(address) if "://" in address else address
    try:
        container = av.open(
            address,
            format=kind,
            options=options | _BOUND,
            timeout=(_OPENING, min(silence, _FOR_EVER)),
            metadata_errors="replace",  # a title in another script is no reason to go without the pictures
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be opened ({_reason(error)})") from None
    with container:
        if not container.streams.video:
            raise InputError(f"{name}: has no pictures in it")
        # What it is opened with is asked when its pictures are first looked at, and forgotten when they are decoded.
        container.streams.video[0].codec_context.options = dict(_BOUND)
        try:
            yield container
        except (av.FFmpegError, OSError) as error:
            raise EdgentError(f"{name}: broke off ({_reason(error)})") from None


_FOR_EVER = 1e6  # seconds, as PyAV takes a number and not infinity


def _reason(error: Exception) -> str:
    """What FFmpeg said, without the address, which may hold a password."""
    return getattr(error, "strerror", None) or type(error).__name__
