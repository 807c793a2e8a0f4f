"""A link that follows a trace as time passes: the proxy and the TUN link alike, by their own orders.

with ShapedLink(edge.address, uplink=BitsPerSecond(1e6)) as link, Driven(link, load_trace("trace.csv")):
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from edgent.clock import Clock, MonotonicClock
from edgent.link.trace import Trace
from edgent.units import BitsPerSecond, Seconds


class Link(Protocol):
    """A link whose rate a trace can set: the proxy or the TUN link."""

    def set(self, *, uplink: BitsPerSecond, downlink: BitsPerSecond) -> None:
        """Changes both rates, in force on return."""
        ...

    def cut(self) -> None:
        """Stops every byte."""
        ...

    def restore(self) -> None:
        """Ends a cut."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From `at` on, seconds from the trace's beginning, the link has this bandwidth; 0 is an outage."""

    at: Seconds
    bandwidth: BitsPerSecond


def changes(trace: Trace) -> Iterator[Change]:
    """Where a trace changes, and to what; without end where it loops."""
    before = None
    moves = bool(np.ptp(trace.bandwidths))
    # A looping trace of one value would never change again, and the loop never yield: one lap is enough.
    for lap in count() if trace.loops and moves else (0,):
        for start, bandwidth in zip(trace.starts.tolist(), trace.bandwidths.tolist(), strict=True):
            if bandwidth != before:
                yield Change(at=Seconds(lap * trace.duration + start), bandwidth=BitsPerSecond(bandwidth))
            before = bandwidth


class Driven:
    """Makes a link follow a trace, in a thread of its own, from entering to leaving.

    After the trace's end its last value holds, or it begins again if it loops; an outage ends with leaving.

    Args:
        link: Both directions get the trace's bandwidth.
        trace: What it follows; an outage cuts the link.
        clock: Tells the time that has passed, and makes the thread.
    """

    def __init__(self, link: Link, trace: Trace, *, clock: Clock | None = None) -> None:
        self._link, self._trace, self._clock = link, trace, clock or MonotonicClock()
        self._changed, self._over = self._clock.condition(), False
        self._thread = self._clock.thread(self._follow, "edgent-driven-link")
        self._problem: Exception | None = None
        self._out = False

    def __enter__(self) -> Self:
        self._began_at = self._clock.now()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        # The thread has ended before the link is touched here: orders from two threads must not overtake each other.
        self._thread.join()
        # A link must not stay cut for whoever uses it next.
        if self._out:
            self._link.restore()
        if self._problem is not None and error is None:
            raise self._problem

    def __repr__(self) -> str:
        return f"<Driven {self._link!r} by {self._trace.name}>"

    def _follow(self) -> None:
        try:
            for change in changes(self._trace):
                if self._over_by(self._began_at + change.at):
                    return
                self._apply(change.bandwidth)
        except Exception as problem:  # the link's owner hears of it when it leaves
            self._problem = problem

    def _over_by(self, at: float) -> bool:
        with self._changed:
            # Waiting on the condition and not sleeping: leaving ends the wait at once.
            return self._changed.wait_for(lambda: self._over, at - self._clock.now())

    def _apply(self, bandwidth: BitsPerSecond) -> None:
        if bandwidth <= 0:
            self._link.cut()
            self._out = True
            return
        # The rate first, then the end of the cut: bytes must not flow at the rate from before the outage.
        self._link.set(uplink=bandwidth, downlink=bandwidth)
        if self._out:
            self._link.restore()
            self._out = False
