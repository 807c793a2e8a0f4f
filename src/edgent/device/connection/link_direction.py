"""One direction of the link as the device follows it: its bandwidth, told or estimated, and its congestion window.

A message tells the bandwidth by what came after the last wait for acknowledgements (`edgent.link.slow_start`). How
often it waited after a pause is only guessed, where the sender's kernel does not say: from never to as often as a fresh
connection's. So where it may have waited, it tells the bandwidth only if no guess explains its time. Where the sender
said how often, a link that is surely faster than believed is told all the same: without waiting, half as fast a link
takes as long.
"""

from __future__ import annotations

import math
from typing import Literal

from edgent.link import BandwidthEstimator
from edgent.link.estimator import Estimate
from edgent.link.slow_start import CongestionWindow, stall, unstalled
from edgent.link.transfer import CALL_BYTES, HEADER_FACTOR, TIMING_ERROR, Transfer
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds

SMALL, _LONG = 1_000, 0.100
"""Bytes below which a message, unless it takes that many seconds, tells how long its thread waited for a processor."""
_EXPLAINED = 0.25  # share of its time by which a message that waited for acknowledgements may be off
_ROUNDING = 0.1  # share by which a window may seem wider or narrower where a message ends near the end of a round


class LinkDirection:
    """Follows one direction; holds no clock.

    Args:
        direction: Which.
        told: Its bandwidth; None: estimated.
        gain: Of a new sample of the bandwidth; see `BandwidthEstimator`.
        ahead: Bytes of headers that a message has before it, in a segment of their own.

    Attributes:
        bandwidth: As told, else as estimated; None before anything is known.
        byte_time: Seconds that a byte occupies the wire, headers included; 0 before anything is known.
        window: Of the sender's TCP.
    """

    def __init__(
        self, direction: Literal["up", "down"], *, told: BitsPerSecond | None, gain: float, ahead: int = 0
    ) -> None:
        self._direction: Literal["up", "down"] = direction
        self._told, self._gain, self._ahead = told, gain, ahead
        self.window = CongestionWindow()
        self.forget()

    def forget(self) -> None:
        """The link is a new one: the estimate says nothing. What idling does to the window belongs to the ends."""
        self._estimator = BandwidthEstimator(
            gain=self._gain, header_factor=HEADER_FACTOR, message_bytes=CALL_BYTES, timing_error=TIMING_ERROR
        )
        self._believe()

    @property
    def told(self) -> bool:
        """Whether the bandwidth was told."""
        return self._told is not None

    @property
    def estimate(self) -> Estimate | None:
        """What was measured, told or not."""
        return self._estimator.estimate

    def heard(self, size: float, seconds: float, at: Seconds) -> Transfer | None:
        """A message that tells the bandwidth; None where that was told."""
        self._estimator.observe(size, seconds, at)
        self._believe()
        return self._transfer(size, seconds, at)

    def late(self, size: int, seconds: float, at: Seconds) -> None:
        """A message had not arrived after this long: at most the bandwidth is lower than believed."""
        if self.estimate is not None and self.estimate.bandwidth > rate(size + CALL_BYTES, seconds):
            self._estimator.observe(size, seconds, at)
            self._believe()

    def observe(
        self, size: int, seconds: float, *, began_at: Seconds, at: Seconds, round_trip: Seconds
    ) -> Transfer | None:
        """A message has arrived.

        Args:
            size: Bytes.
            seconds: That it took beyond the round trip.
            began_at: When it was sent.
            at: When it had arrived.
            round_trip: Of the empty link.

        Returns:
            What it tells of the link; None: nothing.
        """
        if size < SMALL and seconds < _LONG:
            return self._transfer(max(size, 1), 0.0, at)  # its time is not the link's, but it got through
        size = max(size, 1)
        telling = unstalled(size, seconds, self.window.at(began_at, round_trip), round_trip, self._ahead)
        if self.bandwidth is not None:
            self.window.learn(size, seconds, self.byte_time, began_at=began_at, round_trip=round_trip)
            if self._explained(size, seconds, telling, began_at, round_trip):
                return None
        return self.heard(*telling, at)

    def waits(self, size: float, began_at: Seconds, round_trip: Seconds) -> float | None:
        """Seconds that a message waits for acknowledgements; None where that is a guess."""
        least, most = self.window.bounds(began_at, round_trip)
        return None if least < min(size, most) else stall(size, self.byte_time, least, round_trip, self._ahead)

    def sent(self, size: int, began_at: Seconds, at: Seconds, round_trip: Seconds) -> None:
        """A message has passed: the window grows."""
        self.window.sent(size, began_at, at, round_trip, self.byte_time)

    def __repr__(self) -> str:
        return f"<LinkDirection {self._direction}: {self.estimate}{', told' if self.told else ''}>"

    def _believe(self) -> None:
        """Keeps what is asked many times for each message."""
        estimate = self._estimator.estimate
        self.bandwidth = self._told if self._told is not None or estimate is None else estimate.bandwidth
        self.byte_time = 0.0 if self.bandwidth is None else wire_bits(1) / self.bandwidth

    def _transfer(self, size: float, seconds: float, at: Seconds) -> Transfer | None:
        return None if self.told else Transfer(direction=self._direction, size=size, seconds=seconds, at=at)

    def _explained(
        self, size: int, seconds: float, telling: tuple[float, float], began_at: Seconds, round_trip: Seconds
    ) -> bool:
        """Whether waiting on a link as believed accounts for what a message took."""
        bounds = self.window.bounds(began_at, round_trip)
        least, most = bounds[0] * (1 - _ROUNDING), bounds[1] * (1 + _ROUNDING)
        longest, shortest = (stall(size, self.byte_time, bound, round_trip, self._ahead) for bound in (least, most))
        plain, took = size * self.byte_time + round_trip, seconds + round_trip
        if not longest or not (1 - _EXPLAINED) * (plain + shortest) < took < (1 + _EXPLAINED) * (plain + longest):
            return False
        surely = rate(telling[0] + CALL_BYTES, telling[1] + TIMING_ERROR)
        return not (bounds[0] == bounds[1] and self.bandwidth is not None and surely > self.bandwidth)


def wire_bits(size: float) -> float:
    """Bits that bytes of messages are on the wire."""
    return size * HEADER_FACTOR * BITS_PER_BYTE


def rate(size: float, seconds: float) -> float:
    """Bits per second on the wire; infinite where the clock could not resolve it."""
    return wire_bits(size) / seconds if size > 0 and seconds > 0 else math.inf
