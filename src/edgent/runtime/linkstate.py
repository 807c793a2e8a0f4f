"""What the device knows of link and queue: told by the user, or measured from its own transfers and probes.

A pure state machine: timed exchanges go in, `Conditions` come out, and each exchange as the transfers that tell the
bandwidth, for whoever else wants to learn from them.

What a request takes beyond the round trip and its time on the wire is the *call time*: threads and gRPC on both sides.
It is a few milliseconds, and on a fast link most of a small message. It is the median of the last requests, or that of
the empty probe before there was one; only of exchanges that were short on the wire, where an error of the bandwidth is
small, and never more than a timing error: what is later than that, the link or the queue has to explain. It belongs to
the machines, so it outlives a measurement of the link.

Each direction's congestion window is followed too, by the word of the sender's kernel where there is one: upwards from
request to request, downwards from what the edge says with an answer. A request after a pause is planned with TCP's slow
start, and only what came after the last wait for acknowledgements tells the bandwidth (`edgent.link.slow_start`). Times
of the downward window are those of arrivals here, so an answer to what is sent now would begin a round trip from now.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Literal

from edgent.link import BandwidthEstimator, TransferModel
from edgent.link.slow_start import SEGMENT_BYTES, CongestionWindow, Window, stall, unstalled
from edgent.link.transfer import CALL_TIME, HEADER_FACTOR
from edgent.planning.conditions import Conditions
from edgent.planning.outlook import Transfer
from edgent.runtime.remote import Timed
from edgent.runtime.transport import PACKET
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds

PROBE_SIZES = (2_000, 16_000, 128_000, 1_000_000)
TELLING = 0.020  # a transfer this much longer than the round trip tells the bandwidth within a tenth
_QUEUE_MEMORY = 2.0  # seconds for which the last queue seen is taken for the present one
_ROUND_TRIPS = 16
# What a small message takes on a fast link is how long its thread waited for a processor.
_SMALL, _LONG = 1_000, 0.100
_PROBE = 100  # bytes: what is shorter is no request
_PROBE_TIME = 0.05  # seconds: enough to tell the bandwidth
TIMING_ERROR = 0.008  # seconds: how late two threads wake beside a full load
_SHORT = 0.020  # seconds on the wire: where the bandwidth is 5 % off, the call time is 1 ms off
_CALLS = 9
_EXPLAINED = 0.25  # share of its time by which a message that waited for acknowledgements may be off
_ROUNDING = 0.1  # share by which a window may seem wider or narrower where a message ends near the end of a round
CALL_BYTES = 120  # frames, headers and half-full packets of a call, around its message (counted on a shaped link)


class LinkState:
    """Estimates of both directions, the round trip and the edge's queue.

    Args:
        bandwidth: uplink, told; None: measured.
        downlink: told; None: as `bandwidth` if that is told, else measured.
        round_trip: told; None: measured.
        gain: of a new sample of the bandwidth; 1: the last one is believed, as far as it is not a timing error.
    """

    def __init__(
        self,
        *,
        bandwidth: BitsPerSecond | None = None,
        downlink: BitsPerSecond | None = None,
        round_trip: Seconds | None = None,
        gain: float = 0.5,
    ) -> None:
        self._gain = gain
        self._told_up = bandwidth
        self._told_down = downlink if downlink is not None else bandwidth
        self._told_round_trip = round_trip
        self._queue, self._queue_at = 0.0, -math.inf
        self._probed: Seconds | None = None
        self._calls: deque[float] = deque(maxlen=_CALLS)
        self._up_window, self._down_window = CongestionWindow(), CongestionWindow()
        self.forget()

    def forget(self) -> None:
        """The link is a new one: what was measured before says nothing."""
        self._up, self._down = self._estimator(), self._estimator()
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

    @property
    def call_time(self) -> Seconds:
        """What a call takes whatever its size; what is usual before one was seen."""
        if self._calls:
            return Seconds(statistics.median(self._calls))
        return CALL_TIME if self._probed is None else self._probed

    def observe_probes(self, small: Timed, up: Timed, down: Timed) -> tuple[Transfer, ...]:
        """Measured afresh: an empty message, and one in each direction that took its time.

        A line through both gives the bandwidth and the round trip at once: the empty message alone has some hundred
        bytes around it, which on a slow link take longer than the way.
        """
        self.forget()
        told = self._told_up
        rate = told if told is not None else _rate(up.bytes_up - small.bytes_up, up.uplink - small.uplink)
        wire = (small.bytes_up + CALL_BYTES) * HEADER_FACTOR * BITS_PER_BYTE / rate
        empty = max(0.0, small.uplink - wire)
        self._round_trips.append(empty)
        beyond = max(0.0, empty - self.round_trip)
        if 2 * wire <= _SHORT:
            self._probed = Seconds(min(beyond, TIMING_ERROR))
        self._observed_at = down.body_at
        return _known(
            self._heard("up", up.bytes_up, up.uplink - self.round_trip - beyond, up.body_at),
            # The first packet of a body may travel with the headers before it, so only the total is exact.
            self._heard("down", max(len(down.body), 1), total(down) - total(small), down.body_at),
        )

    def reconnected(self) -> None:
        """The connection is a new one: its windows are the initial ones."""
        self._up_window.renew()
        self._down_window.renew()

    def rested(self, window: Window | None, at: Seconds) -> None:
        """A message upward would begin `at`: what TCP here says of it; None: unknown."""
        if window is not None:
            self._up_window.seen(window, at)
            self._down_window.heard(Seconds(at - window.silence), self.round_trip)

    def probed(self, timed: Timed) -> None:
        """A probe has passed, that only `observe_probes` will look at."""
        self._begun(timed)
        self._grow_windows(timed)

    def observe(self, timed: Timed) -> tuple[Transfer, ...]:
        """An exchange has ended, of a probe or of a request; what it tells of either direction."""
        at = timed.body_at
        self._begun(timed)
        self._queue, self._queue_at = timed.queue, at
        self._note_round_trip(timed)
        if timed.bytes_up > _PROBE and (beyond := self._beyond(timed)) is not None:
            self._calls.append(beyond)
        up_seconds = timed.uplink - self.round_trip - self.call_time - self._in_one_packet(timed)
        heard = _known(
            self._observe_way("up", timed.bytes_up, up_seconds, timed),
            self._observe_way("down", _behind_headers(timed), timed.downlink, timed),
        )
        self._grow_windows(timed)
        self._observed_at = at
        return heard

    def observe_late(self, bytes_up: int, seconds: float, at: Seconds) -> tuple[Transfer, ...]:
        """A request had not been answered after this long: the link is no faster than that, if it was the link."""
        bits = (bytes_up + CALL_BYTES) * HEADER_FACTOR * BITS_PER_BYTE
        estimate = self._up.estimate
        if seconds <= TELLING or bytes_up <= 0:
            return ()
        if estimate is not None and estimate.bandwidth > bits / seconds:
            self._up.observe(bytes_up, seconds, at)
        on_wire = Seconds(max(seconds - self.round_trip - self.call_time, TIMING_ERROR))
        told = self._told_up is not None
        return () if told else (Transfer(direction="up", size=bytes_up, seconds=on_wire, at=at, cut=True),)

    def age(self, now: Seconds) -> float:
        """Seconds since something was observed; infinite at first."""
        return now - self._observed_at

    def conditions(self, now: Seconds) -> Conditions | None:
        """Link and queue as they seem now; None before anything is known of the bandwidth."""
        up, down = self._bandwidth(self._told_up, self._up), self._bandwidth(self._told_down, self._down)
        if up is None or down is None:
            return None
        queue = self._queue if now - self._queue_at < _QUEUE_MEMORY else 0.0
        windows = (
            self._up_window.at(now, self.round_trip),
            self._down_window.at(Seconds(now + self.round_trip), self.round_trip),
        )
        uplink, downlink = (
            TransferModel(bandwidth=bandwidth, round_trip=self.round_trip, call_time=self.call_time, window=window)
            for bandwidth, window in zip((up, down), windows, strict=True)
        )
        return Conditions(uplink=uplink, downlink=downlink, queue=Seconds(queue))

    def probe_size(self) -> int:
        """Bytes of a probe that takes its time by what is known; the smallest at first."""
        estimate = self._up.estimate
        wished = 0.0 if estimate is None else estimate.bandwidth / BITS_PER_BYTE * _PROBE_TIME
        return int(min(max(wished, PROBE_SIZES[0]), PROBE_SIZES[-1]))

    def __repr__(self) -> str:
        return f"<LinkState up {self._up.estimate}, down {self._down.estimate}, round trip {self.round_trip:.4f} s>"

    def _estimator(self) -> BandwidthEstimator:
        return BandwidthEstimator(
            gain=self._gain, header_factor=HEADER_FACTOR, message_bytes=CALL_BYTES, timing_error=TIMING_ERROR
        )

    def _heard(self, direction: Literal["up", "down"], size: float, seconds: float, at: Seconds) -> Transfer | None:
        """A message that tells the bandwidth; None where that was told."""
        estimator, told = (self._up, self._told_up) if direction == "up" else (self._down, self._told_down)
        estimator.observe(size, seconds, at)
        return Transfer(direction=direction, size=size, seconds=seconds, at=at) if told is None else None

    def _observe_way(
        self, direction: Literal["up", "down"], size: int, seconds: float, timed: Timed
    ) -> Transfer | None:
        """One direction of a transfer: what idling does to its window, and its bandwidth.

        How often a message waited after a pause is only guessed: from never to as often as a fresh connection's. So
        where it may have waited, it tells the bandwidth only if no guess explains its time. Where the sender said how
        often, a link that is surely faster than believed is told all the same: without waiting, half as fast a link
        takes as long.
        """
        if size < _SMALL and seconds < _LONG:
            return None
        size = max(size, 1)
        told, estimator, window, began_at, ahead = (
            (self._told_up, self._up, self._up_window, _began_at(timed), 0)
            if direction == "up"
            else (self._told_down, self._down, self._down_window, self._answered_at(timed), SEGMENT_BYTES)
        )
        telling = unstalled(size, seconds, window.at(began_at, self.round_trip), self.round_trip, ahead)
        if (bandwidth := self._bandwidth(told, estimator)) is not None:
            byte_time = _byte_time(bandwidth)
            window.learn(size, seconds, byte_time, began_at=began_at, round_trip=self.round_trip)
            bounds = window.bounds(began_at, self.round_trip)
            least, most = bounds[0] * (1 - _ROUNDING), bounds[1] * (1 + _ROUNDING)
            longest, shortest = (stall(size, byte_time, bound, self.round_trip, ahead) for bound in (least, most))
            plain, took = size * byte_time + self.round_trip, seconds + self.round_trip
            explained = longest and (1 - _EXPLAINED) * (plain + shortest) < took < (1 + _EXPLAINED) * (plain + longest)
            if explained and not (bounds[0] == bounds[1] and _at_least(*telling) > bandwidth):
                return None
        return self._heard(direction, *telling, timed.body_at)

    def _begun(self, timed: Timed) -> None:
        """What either end's TCP says of an exchange at its beginning."""
        self.rested(timed.window, _began_at(timed))
        if timed.edge_window is not None:
            self._down_window.seen(timed.edge_window, self._answered_at(timed))

    def _grow_windows(self, timed: Timed) -> None:
        up, down = self._bandwidth(self._told_up, self._up), self._bandwidth(self._told_down, self._down)
        for window, size, began_at, bandwidth in (
            (self._up_window, timed.bytes_up, _began_at(timed), up),
            (self._down_window, len(timed.body), self._answered_at(timed), down),
        ):
            byte_time = 0.0 if bandwidth is None else _byte_time(bandwidth)
            window.sent(size, began_at, timed.body_at, self.round_trip, byte_time)

    def _answered_at(self, timed: Timed) -> Seconds:
        """When the answer would have begun to come, had nothing been sent or computed before it."""
        return Seconds(_began_at(timed) + self.round_trip)

    def _in_one_packet(self, timed: Timed) -> float:
        """What the uplink seems to take longer because a short answer shares the packet of its headers."""
        down = self._bandwidth(self._told_down, self._down)
        return 0.0 if down is None else (len(timed.body) - _behind_headers(timed)) * _byte_time(down)

    @staticmethod
    def _bandwidth(told: BitsPerSecond | None, estimator: BandwidthEstimator) -> BitsPerSecond | None:
        if told is not None:
            return told
        return None if estimator.estimate is None else estimator.estimate.bandwidth

    def _beyond(self, timed: Timed) -> float | None:
        """What an exchange took that neither the round trip nor its bytes explain; None where that is uncertain."""
        up, down = self._bandwidth(self._told_up, self._up), self._bandwidth(self._told_down, self._down)
        if up is None or down is None:
            return None
        wire = waits = 0.0
        for bandwidth, window, size, began_at, ahead in (
            (up, self._up_window, timed.bytes_up + CALL_BYTES, _began_at(timed), 0),
            (down, self._down_window, len(timed.body) + CALL_BYTES, self._answered_at(timed), SEGMENT_BYTES),
        ):
            byte_time, (least, most) = _byte_time(bandwidth), window.bounds(began_at, self.round_trip)
            if least < min(size, most):
                return None  # how often it waited is a guess
            wire += size * byte_time
            waits += stall(size, byte_time, least, self.round_trip, ahead)
        beyond = total(timed) - self.round_trip - wire - waits
        return max(0.0, beyond) if wire <= _SHORT and beyond <= TIMING_ERROR else None

    def _note_round_trip(self, timed: Timed) -> None:
        if timed.bytes_up > PROBE_SIZES[0] // 4:
            return
        up = self._bandwidth(self._told_up, self._up)
        wire = 0.0 if up is None else (timed.bytes_up + CALL_BYTES) * HEADER_FACTOR * BITS_PER_BYTE / up
        self._round_trips.append(max(0.0, timed.uplink - wire))


def _known(*transfers: Transfer | None) -> tuple[Transfer, ...]:
    return tuple(transfer for transfer in transfers if transfer is not None)


def _behind_headers(timed: Timed) -> int:
    """Bytes of an answer that come after its headers; those of a long one mostly have a packet of their own."""
    return len(timed.body) if len(timed.body) > PACKET else 0


def _byte_time(bandwidth: BitsPerSecond) -> float:
    return HEADER_FACTOR * BITS_PER_BYTE / bandwidth


def _began_at(timed: Timed) -> Seconds:
    return Seconds(timed.body_at - timed.downlink - timed.middle - timed.queue - timed.uplink)


def total(timed: Timed) -> float:
    """Seconds on the link, both ways."""
    return timed.uplink + timed.downlink


def _at_least(size: float, seconds: float) -> float:
    """Bits per second that a link surely has on which this many bytes of a message took so long."""
    return _rate(size + CALL_BYTES, seconds + TIMING_ERROR)


def _rate(size: float, seconds: float) -> float:
    """Bits per second on the wire; infinite where the clock could not resolve it."""
    return size * HEADER_FACTOR * BITS_PER_BYTE / seconds if size > 0 and seconds > 0 else math.inf
