"""What is typed for a source: `camera:0`, `rtsp://...`, a video file, a folder, or `-`; NAME= before it names it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edgent.errors import InputError
from edgent.files import is_file, is_folder
from edgent.sources.addresses import shown
from edgent.sources.folder import WatchedFolder
from edgent.sources.standard_input import StandardInput
from edgent.sources.video import Camera, NetworkStream, VideoFile, check_decoder
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.clock import Clock
    from edgent.sources.source import FrameSource

SILENCE = Seconds(5.0)
"""Without a picture for so long a camera or a stream is worth a word."""

_NAME = re.compile(r"([\w.-]{1,64})=(.+)", re.DOTALL)
_CAMERA = re.compile(r"camera:(\d{1,3})")
_NETWORK = ("rtsp://", "rtsps://", "http://", "https://", "udp://", "tcp://", "srt://")
_EXPECTED = "camera:0, rtsp://..., a video file, a folder, or - for JPEG pictures from stdin"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """A source with its name."""

    name: str
    source: FrameSource


def sources_of(texts: Sequence[str], clock: Clock, stdin: BinaryIO, *, again: bool = False) -> list[NamedSource]:
    """The sources that were typed, each with a name of its own; none is opened.

    Args:
        texts: as they were typed.
        clock: plays video files and looks into folders.
        stdin: where pictures come from for `-`.
        again: whether video files begin anew when they have ended.

    Raises:
        InputError: something that is no source, two of one name, or stdin twice.
        MissingExtraError: there is a camera or a video, and nothing to decode it.
    """
    if sum(_split(text)[1] == "-" for text in texts) > 1:
        raise InputError("--source -: stdin can be read once; leave one of them out")
    named: dict[str, FrameSource] = {}
    for text in texts:
        name, place = _split(text)
        source = _source(place, clock, stdin, again=again)
        if isinstance(source, Camera | NetworkStream | VideoFile):
            check_decoder()
        name = name or _name_of(place, len(named))
        if name in named:
            raise InputError(
                f"--source {shown(text)}: there is one of the name {name} already; name it with NAME=SOURCE"
            )
        named[name] = source
    return [NamedSource(name=name, source=source) for name, source in named.items()]


def check_form(text: str) -> None:
    """Makes sure that a text could be a source, whatever is there: all that is no address may be a file's name.

    Raises:
        InputError: it is none.
    """
    _, place = _split(text)
    form, mark, _ = place.partition(":")
    if not place or (form == "camera" and mark and _CAMERA.fullmatch(place) is None):
        raise InputError(f"--source {shown(text)}: is no source, expected {_EXPECTED}")
    if "://" in place and not _is_address(place):
        raise InputError(f"--source {shown(text)}: no address that is read, expected one of {', '.join(_NETWORK)}")


def _split(text: str) -> tuple[str, str]:
    """The name that was given, else nothing; and the rest."""
    # A file whose own name has a `=` in it is meant as it is.
    if (match := _NAME.fullmatch(text)) is None or is_file(Path(text)):
        return "", text
    return match[1], match[2]


def _source(place: str, clock: Clock, stdin: BinaryIO, *, again: bool) -> FrameSource:
    if place == "-":
        return StandardInput(stdin, SILENCE)
    if (camera := _CAMERA.fullmatch(place)) is not None:
        return Camera(int(camera[1]), SILENCE)
    if _is_address(place):
        scheme, mark, rest = place.partition("://")
        return NetworkStream(scheme.lower() + mark + rest, SILENCE)  # FFmpeg knows no RTSP
    if place and is_folder(Path(place)):
        return WatchedFolder(Path(place), clock)
    if is_file(Path(place)):
        return VideoFile(Path(place), clock, again=again)
    raise InputError(f"--source {shown(place)}: no such file or folder, expected {_EXPECTED}")


def _is_address(place: str) -> bool:
    return place.lower().startswith(_NETWORK)


def _name_of(place: str, number: int) -> str:
    """A short name: it stands in topics, file names and pages."""
    if place == "-":
        return "stdin"
    if _is_address(place):
        return f"stream{number}"
    return re.sub(r"[^\w.-]+", "-", Path(place).stem if ":" not in place else place).strip("-") or f"source{number}"
