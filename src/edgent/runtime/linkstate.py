"""What the device knows of link and queue: told by the user, or measured from its own transfers and probes.

A pure state machine: transfers go in, `Conditions` come out.
"""

from __future__ import annotations

import math
from collections import deque

from edgent.link import BandwidthEstimator, TransferModel
from edgent.link.transfer import HEADER_FACTOR, REQUEST_BYTES
from edgent.planning.conditions import Conditions
from edgent.runtime.remote import Timed
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds

PROBE_SIZES = (2_000, 16_000, 128_000, 1_000_000)
TELLING = 0.020  # a transfer this much longer than the round trip tells the bandwidth within a tenth
_QUEUE_MEMORY = 2.0  # seconds for which the last queue seen is taken for the present one
_ROUND_TRIPS = 16
# What a small message takes on a fast link is how long its thread waited for a processor.
_SMALL, _LONG = 1_000, 0.100
_TIMING_ERROR = 0.005  # seconds: how late a thread wakes beside a full load
_BODY_BYTES = 100  # frames and message around the tensors of an answer, its headers apart


class LinkState:
    """Estimates of both directions, the round trip and the edge's queue.

    Args:
        bandwidth: uplink, told; None: measured.
        downlink: told; None: as `bandwidth` if that is told, else measured.
        round_trip: told; None: measured.
    """

    def __init__(
        self,
        *,
        bandwidth: BitsPerSecond | None = None,
        downlink: BitsPerSecond | None = None,
        round_trip: Seconds | None = None,
    ) -> None:
        self._told_up = bandwidth
        self._told_down = downlink if downlink is not None else bandwidth
        self._told_round_trip = round_trip
        self._queue, self._queue_at = 0.0, -math.inf
        self.forget()

    def forget(self) -> None:
        """The link is a new one: what was measured before says nothing."""
        self._up, self._down = _estimator(REQUEST_BYTES), _estimator(_BODY_BYTES)
        self._round_trips: deque[float] = deque(maxlen=_ROUND_TRIPS)
        self._observed_at = -math.inf

    @property
    def told(self) -> bool:
        """Whether nothing about the bandwidth needs measuring."""
        return self._told_up is not None

    @property
    def round_trip(self) -> Seconds:
        """The least seen lately: what an empty link needs."""
        if self._told_round_trip is not None:
            return self._told_round_trip
        return Seconds(min(self._round_trips, default=0.0))

    def observe_probes(self, small: Timed, up: Timed, down: Timed) -> None:
        """Measured afresh: an empty message, and one in each direction that took its time.

        A line through both gives the bandwidth and the round trip at once: the empty message alone has some hundred
        bytes around it, which on a slow link take longer than the way.
        """
        self.forget()
        extra = (up.bytes_up - small.bytes_up) * HEADER_FACTOR * BITS_PER_BYTE
        longer = up.uplink - small.uplink
        rate = self._told_up if self._told_up is not None else extra / longer if extra > 0 and longer > 0 else math.inf
        wire = (small.bytes_up + REQUEST_BYTES) * HEADER_FACTOR * BITS_PER_BYTE / rate
        self._round_trips.append(max(0.0, small.uplink - wire))
        self._up.observe(up.bytes_up, up.uplink - self.round_trip, up.body_at)
        self._down.observe(len(down.body) or 1, down.downlink, down.body_at)
        self._observed_at = down.body_at

    def observe(self, timed: Timed) -> None:
        """A transfer has ended, of a probe or of a request."""
        at = timed.body_at
        self._queue, self._queue_at = timed.queue, at
        self._note_round_trip(timed)
        for estimator, size, seconds in (
            (self._up, timed.bytes_up, timed.uplink - self.round_trip),
            (self._down, len(timed.body), timed.downlink),
        ):
            if size >= _SMALL or seconds >= _LONG:
                estimator.observe(max(size, 1), seconds, at)
        self._observed_at = at

    def observe_late(self, bytes_up: int, seconds: float, at: Seconds) -> None:
        """A request had not been answered after this long: the link is no faster than that, if it was the link."""
        bits = (bytes_up + REQUEST_BYTES) * HEADER_FACTOR * BITS_PER_BYTE
        estimate = self._up.estimate
        if seconds > TELLING and estimate is not None and estimate.bandwidth > bits / seconds:
            self._up.observe(bytes_up, seconds, at)

    def age(self, now: Seconds) -> float:
        """Seconds since something was observed; infinite at first."""
        return now - self._observed_at

    def conditions(self, now: Seconds) -> Conditions | None:
        """Link and queue as they seem now; None before anything is known of the bandwidth."""
        up, down = self._bandwidth(self._told_up, self._up), self._bandwidth(self._told_down, self._down)
        if up is None or down is None:
            return None
        queue = self._queue if now - self._queue_at < _QUEUE_MEMORY else 0.0
        return Conditions(
            uplink=TransferModel(bandwidth=up, round_trip=self.round_trip),
            downlink=TransferModel(bandwidth=down, round_trip=self.round_trip),
            queue=Seconds(queue),
        )

    def probe_size(self) -> int:
        """Bytes of a probe that takes about 50 ms by what is known; the smallest at first."""
        estimate = self._up.estimate
        wished = 0.0 if estimate is None else estimate.bandwidth / BITS_PER_BYTE * 0.05
        return int(min(max(wished, PROBE_SIZES[0]), PROBE_SIZES[-1]))

    def __repr__(self) -> str:
        return f"<LinkState up {self._up.estimate}, down {self._down.estimate}, round trip {self.round_trip:.4f} s>"

    @staticmethod
    def _bandwidth(told: BitsPerSecond | None, estimator: BandwidthEstimator) -> BitsPerSecond | None:
        if told is not None:
            return told
        return None if estimator.estimate is None else estimator.estimate.bandwidth

    def _note_round_trip(self, timed: Timed) -> None:
        if timed.bytes_up > PROBE_SIZES[0] // 4:
            return
        up = self._bandwidth(self._told_up, self._up)
        wire = 0.0 if up is None else (timed.bytes_up + REQUEST_BYTES) * HEADER_FACTOR * BITS_PER_BYTE / up
        self._round_trips.append(max(0.0, timed.uplink - wire))


def _estimator(message_bytes: int) -> BandwidthEstimator:
    return BandwidthEstimator(header_factor=HEADER_FACTOR, message_bytes=message_bytes, timing_error=_TIMING_ERROR)


def tells(timed: Timed, round_trip: Seconds) -> tuple[bool, bool]:
    """Whether a probe took long enough to tell the bandwidth up, and down."""
    return timed.uplink - round_trip >= TELLING, timed.downlink >= TELLING
