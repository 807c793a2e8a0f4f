"""What `edgent run` is told of cameras and other sources of frames."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from edgent.cli.arguments.dashboard import page_address
from edgent.cli.arguments.sinks import check_sinks
from edgent.clock import Clock, MonotonicClock
from edgent.errors import InputError
from edgent.units import Seconds, parse_duration

if TYPE_CHECKING:
    from edgent.sources.feed import Wanted
    from edgent.sources.source_text import NamedSource

FrameSources = Annotated[
    list[str] | None,
    typer.Option(
        "--source",
        metavar="[NAME=]SOURCE",
        help="In place of INPUT, until ended (repeatable): camera:0, rtsp://..., a video, a folder that is watched, -.",
    ),
]
FrameRate = Annotated[
    float | None, typer.Option("--fps", metavar="FPS", help="Frames a second of each source, at most (60).")
]
CropText = Annotated[str, typer.Option("--crop", metavar="WxH+X+Y", help="The part of each picture, in pixels.")]
FromCapture = Annotated[bool, typer.Option("--from-capture", help="Count a frame's deadline from its capture.")]
RefinedWithin = Annotated[
    str,
    typer.Option("--refine", metavar="TIME", help="Where the device answered, a better answer of the edge may follow."),
]
PlayAgain = Annotated[bool, typer.Option("--again", help="Play videos again and again.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSources:
    """What is watched, and how.

    Attributes:
        sources: each with its name; none: only what is posted to the page is answered.
        clock: theirs.
        wanted: which frames of them, and what part.
        from_capture: whether deadlines count from capture.
        refined_within: the age until which better answers may follow; None: none do.
        sinks: where events go, as they were typed.
        dashboard: where the live page listens, as it was typed; empty: there is none.
    """

    sources: Sequence[NamedSource]
    clock: Clock
    wanted: Wanted
    from_capture: bool
    refined_within: Seconds | None
    sinks: Sequence[str]
    dashboard: str


def watched_sources(
    texts: Sequence[str],
    *,
    rate: float | None,
    crop: str,
    from_capture: bool,
    refine: str,
    again: bool,
    sinks: Sequence[str],
    dashboard: str,
) -> WatchedSources | None:
    """What the options say; None: there are neither sources nor a page.

    Raises:
        InputError: something that is no source, rate, part, time, sink or address; or options without a source.
        MissingExtraError: what serves the page is not installed.
    """
    if not texts and (rate is not None or crop or from_capture or refine or again):
        raise InputError("--fps, --crop, --from-capture, --refine and --again are for frames: name a --source")
    if not texts and not dashboard:
        if sinks:
            raise InputError("--sink is for what comes: name a --source, or a --dashboard for pictures that are posted")
        return None
    from edgent.sources.crop import Crop
    from edgent.sources.feed import Wanted
    from edgent.sources.source_text import sources_of

    page_address(dashboard)  # both are refused before the work is done for them
    check_sinks(sinks)
    clock = MonotonicClock()
    return WatchedSources(
        sources=sources_of(texts, clock, _stdin(), again=again),
        clock=clock,
        wanted=Wanted(rate=None if rate is None else parse_rate(rate), crop=Crop.parse(crop) if crop else None),
        from_capture=from_capture,
        refined_within=parse_duration(refine, "--refine") if refine else None,
        sinks=sinks,
        dashboard=dashboard,
    )


def parse_rate(rate: float) -> float:
    """Checks frames a second.

    Raises:
        InputError: not positive and finite.
    """
    if not 0 < rate < math.inf:
        raise InputError(f"--fps {rate:g}: expected frames a second, more than 0")
    return rate


def check_asked(inputs: Sequence[Path] | None, watched: WatchedSources | None, as_json: bool) -> None:
    """Refuses what cannot be asked for together.

    Raises:
        InputError: inputs and sources, or neither; or one document of frames that have no end.
    """
    if bool(inputs) == bool(watched):
        raise InputError(
            "expected INPUT, or --source for frames that come, or --dashboard for pictures that are posted; and INPUT "
            "with neither of them"
        )
    if watched and as_json:
        raise InputError("--json is one document, and this has no end: --records FILE has a line for each answer")


def _stdin() -> BinaryIO:
    """Without Python's buffer: a thread that waits for a picture would hold its lock, and the process could not end."""
    buffered = sys.stdin.buffer
    raw: BinaryIO = getattr(buffered, "raw", buffered)
    return raw
