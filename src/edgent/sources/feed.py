"""One source, read for as long as it is wanted: opened, opened again where it broke, and listened to for silence."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from edgent.errors import EdgentError
from edgent.events import Frame
from edgent.sources.retry import Retry
from edgent.sources.source import PictureFile
from edgent.units import Seconds, format_duration

if TYPE_CHECKING:
    from edgent.clock import Clock
    from edgent.sources.crop import Crop
    from edgent.sources.source import FrameSource, Read

_log = logging.getLogger("edgent.sources")

MOST = 60.0
"""Frames a second that are taken of a source where nothing else is wanted: no camera that is watched has more."""

_EARLY = 0.25  # of the time between two frames that one may come too early, and is taken all the same: cameras jitter
_BURST = MOST  # likewise where no rate is wanted: a network may hold a second of frames back, and the newest one counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is taken of every source.

    Attributes:
        rate: frames a second of each at the most, evenly; None: all, up to `MOST`.
        crop: the part of each picture; None: all of it.
    """

    rate: float | None = None
    crop: Crop | None = None

    @property
    def pace(self) -> _Pace:
        """What keeps a source to the rate."""
        return _Pace(MOST, _BURST) if self.rate is None else _Pace(self.rate, _EARLY)


class _Pace:
    """Takes no more frames a second than may be.

    Args:
        rate: frames a second.
        early: how many periods one may come too early.
    """

    def __init__(self, rate: float, early: float) -> None:
        self._period, self._early, self._next_at = 1 / rate, early / rate, -math.inf

    def wait(self, at: float) -> float:
        """Seconds until a frame will be taken."""
        return max(0.0, self._next_at - self._early - at)

    def takes(self, at: float) -> bool:
        """Whether a frame that comes now is taken."""
        if at < self._next_at - self._early:
            return False
        # Counted from when it was due, or 30 frames a second would become 15 where 20 are wanted.
        self._next_at = max(self._next_at, at - self._period) + self._period
        return True


class Feed:
    """Reads one source in a thread of its own.

    Args:
        name: of the source.
        source: is read.
        offer: called with each frame of a camera; returns at once, and is not called once `stop` has returned.
        put: called with each frame that is a file; returns when that is taken, and says whether it was.
        say: called with a line where something is to be said.
        clock: what everything is timed and waited by.
        wanted: which frames, and what of them.

    Attributes:
        left_out: pictures that came beyond the rate.
        ended: whether there will be no more frames.
        failed: whether that is because it broke, and does not come back.
    """

    def __init__(
        self,
        name: str,
        source: FrameSource,
        *,
        offer: Callable[[Frame], None],
        put: Callable[[Frame], bool],
        say: Callable[[str], None],
        clock: Clock,
        wanted: Wanted | None = None,
    ) -> None:
        self.name, self._source = name, source
        self._offer, self._put, self._say, self._clock, self._wanted = offer, put, say, clock, wanted or Wanted()
        self._pace, self.left_out = self._wanted.pace, 0
        self._changed = clock.condition()
        self._retry, self._problem = Retry(), ""
        self._number = 0
        self._last_at, self._is_open, self._is_silent = clock.now(), False, False
        self._stopped = self.ended = self.failed = False
        self._thread = clock.thread(self._run, f"edgent-source-{name}")

    def start(self) -> None:
        """Begins to read."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no more frames. A source that hangs is left to itself: its thread ends with the process."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def listen(self) -> None:
        """Says it where the source has been open and silent for too long; to be called every now and then."""
        silence = self._clock.now() - self._last_at
        if self._is_open and not self._is_silent and silence > self._source.silence:
            self._is_silent = True
            self._say(f"{self.name}: no picture for {format_duration(silence)}; waiting for the next one")

    def __repr__(self) -> str:
        return f"<Feed {self.name}: {self._number} frames{', ended' if self.ended else ''}>"

    def _run(self) -> None:
        while not self._stopped:
            problem = self._read()
            self._is_open = False
            if not self._source.comes_back:
                self._end(problem)
                break
            if not self._stopped:
                self._wait_to_retry(problem or "has ended")
        self.ended = True

    def _end(self, problem: str) -> None:
        if problem:
            self.failed = True
            self._say(f"{self.name}: {problem}")

    def _read(self) -> str:
        """Reads until it ends; why it ended before its end."""
        self._last_at, self._is_open = self._clock.now(), True
        try:
            for read in self._source.pictures():
                if self._stopped or not self._came(read):
                    self._say_left(read)
                    return ""
        except EdgentError as error:
            return str(error)
        except Exception as error:  # of a driver or a decoder, whatever that is: the other sources go on
            _log.exception("%s", self.name)
            return f"{type(error).__name__}: {error}"
        return ""

    def _came(self, read: Read) -> bool:
        """Hands a picture on; whether more may come."""
        at = self._last_at = self._clock.now()
        if self._problem or self._is_silent:
            self._say(f"{self.name}: is back")
        self._retry.worked()
        self._problem, self._is_silent = "", False
        if isinstance(read, PictureFile):
            return self._file_came(read)
        if not self._pace.takes(at):
            self.left_out += 1
        else:
            with self._changed:  # whoever has stopped it ends what frames are offered to
                if not self._stopped:
                    self._offer(self._frame(read, at))
        return True

    def _file_came(self, read: PictureFile) -> bool:
        """A file waits until it is taken, and none is left out: where the rest of them is, there is room."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, self._pace.wait(self._clock.now()))
        self._pace.takes(now := self._clock.now())
        frame = replace(self._frame(read, now), file=read.path.name, keeps=True)
        # Not under the lock: this waits for the device.
        return not self._stopped and self._put(frame)

    def _say_left(self, read: Read) -> None:
        if isinstance(read, PictureFile):
            self._say(f"{self.name}/{read.path.name} and the files behind it were not asked about any more")

    def _frame(self, read: Read, at: float) -> Frame:
        if (crop := self._wanted.crop) is not None:
            read = partial(_cropped, crop, read)
        self._number += 1
        return Frame(read=read, source=self.name, number=self._number - 1, at=Seconds(at))

    def _wait_to_retry(self, problem: str) -> None:
        wait = self._retry.broke()
        if problem != self._problem:  # the same once more is no news
            self._say(f"{self.name}: {problem}; it is tried again until it is back")
            self._problem = problem
        with self._changed:
            self._changed.wait_for(lambda: self._stopped, wait)


def _cropped(crop: Crop, read: Read) -> bytes:
    return crop.of(read())
