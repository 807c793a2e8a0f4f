"""One direction of the link as the device follows it: its bandwidth, stated or measured, and its congestion window.

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
from edgent.link.slow_start import CongestionWindow, Waiting
from edgent.link.transfer import CALL_BYTES, HEADER_FACTOR, TIMING_ERROR, Transfer
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds, format_bandwidth

# 1 kB occupies a link of 1 Mbit/s for 8 ms, which is no more than a clock's error beside a full load. From 80 kbit/s
# down, where it takes 100 ms, it tells the link's time from a thread's.
SMALL, _LONG = 1_000, 0.100
"""Bytes below which a message, unless it takes that many seconds, tells how long its thread waited for a processor."""
EMPTY = 100
"""Bytes up to which a message is no request, but a probe of the round trip: what delays it is the way's length."""
_EXPLAINED = 0.25  # share of its time by which a message that waited for acknowledgements may be off


class LinkDirection:
    """Follows one direction; holds no clock.

    Args:
        direction: Which.
        window: Of the sender's TCP.
        bandwidth: As stated by the user; None: it is measured.
        gain: Of a new sample of the bandwidth; see `BandwidthEstimator`.

    Attributes:
        stated: Whether the bandwidth was stated.
        measured: What was measured, whether or not another one was stated; None before anything was.
        bandwidth: As stated, else as measured; None before anything is known.
        byte_time: Seconds that a byte occupies the wire, headers included; 0 before anything is known.
    """

    def __init__(
        self,
        direction: Literal["up", "down"],
        window: CongestionWindow,
        *,
        bandwidth: BitsPerSecond | None,
        gain: float,
    ) -> None:
        self._direction: Literal["up", "down"] = direction
        self._window, self._fixed, self._gain = window, bandwidth, gain
        self.stated = bandwidth is not None
        self.forget()

    def forget(self) -> None:
        """The link is a new one: what was measured says nothing. What idling does to the window belongs to the ends."""
        self._estimator = BandwidthEstimator(
            gain=self._gain, header_factor=HEADER_FACTOR, message_bytes=CALL_BYTES, timing_error=TIMING_ERROR
        )
        self._believe(None)

    def heard(self, size: float, seconds: float, at: Seconds) -> Transfer | None:
        """A message that tells the bandwidth; None where that was stated."""
        # One that was over within a timing error tells only how much there is at least: no news where as much is
        # believed already, and on a fast link that is nearly every message.
        least = rate(size + CALL_BYTES, max(seconds, 0.0) + TIMING_ERROR)
        if self.measured is None or seconds > TIMING_ERROR or least > self.measured:
            self._believe(self._estimator.observe(size, seconds))
        return self._transfer(size, seconds, at)

    def late(self, size: float, seconds: float) -> None:
        """A message had not arrived after this long: at most the bandwidth is lower than believed."""
        # A bound that lies above the belief is no news, and would pull it up if it were taken for a sample.
        if self.measured is not None and self.measured > rate(size + CALL_BYTES, seconds):
            self._believe(self._estimator.observe(size, seconds))

    def observe(
        self, size: float, seconds: float, *, whole: int, began_at: Seconds, at: Seconds, round_trip: Seconds
    ) -> Transfer | None:
        """A message has arrived, and the window grown with it.

        Args:
            size: Bytes, without those that came with its headers, and with those of others that shared its time.
            whole: All its bytes.
            seconds: That it took beyond the round trip.
            began_at: When it was sent.
            at: When it had arrived.
            round_trip: Of the empty link.

        Returns:
            What it tells of the link; None: nothing.
        """
        # The window of before decides how often this message waited, so it is asked before it grows.
        transfer = self._learned(max(size, 1), seconds, began_at, at, round_trip)
        self.passed(whole, began_at, at, round_trip)
        return transfer

    def passed(self, size: int, began_at: Seconds, at: Seconds, round_trip: Seconds) -> None:
        """A message has passed: the window grows."""
        # Even what tells nothing of the bandwidth has widened the window for what comes next.
        self._window.sent(size, began_at, at, round_trip, self.byte_time)

    def __repr__(self) -> str:
        seen = "nothing measured" if self.measured is None else format_bandwidth(self.measured)
        return f"<LinkDirection {self._direction}: {seen}{', stated' if self.stated else ''}>"

    def _learned(
        self, size: float, seconds: float, began_at: Seconds, at: Seconds, round_trip: Seconds
    ) -> Transfer | None:
        if size <= EMPTY or (size < SMALL and seconds < _LONG):
            # Its time is not the link's; but it got through, and nothing arrives early. A direction that loss made seem
            # slow may carry nothing else: without this, what was believed of the downlink would stay for ever.
            least = rate(size + CALL_BYTES, max(seconds, 0.0) + TIMING_ERROR)
            if self.measured is not None and seconds <= TIMING_ERROR and least > self.measured:
                self._believe(self._estimator.observe(size, seconds))
            return self._transfer(size, 0.0, at)
        # The guesses of how long it waited are made with the bandwidth as believed: if none of them explains its time,
        # the bandwidth is another one.
        byte_time = None if self.bandwidth is None else self.byte_time
        waiting = self._window.waited(size, seconds, byte_time, began_at, round_trip)
        if self._explained(waiting, size * self.byte_time + round_trip, seconds + round_trip):
            return None
        return self.heard(waiting.size, waiting.seconds, at)

    def _believe(self, measured: BitsPerSecond | None) -> None:
        """Keeps what is asked many times for each message."""
        self.measured = measured
        # What was stated wins, but what was measured is kept beside it: it says how large a probe should be.
        self.bandwidth = measured if self._fixed is None else self._fixed
        self.byte_time = 0.0 if self.bandwidth is None else wire_bits(1) / self.bandwidth

    def _transfer(self, size: float, seconds: float, at: Seconds) -> Transfer | None:
        return None if self.stated else Transfer(direction=self._direction, size=size, seconds=seconds, at=at)

    def _explained(self, waiting: Waiting, plain: float, took: float) -> bool:
        """Whether waiting on a link as believed accounts for what a message took, that takes `plain` without it."""
        # Between no waiting at all and as much as a fresh connection's, a quarter of leeway on both sides.
        if not waiting.longest or self.bandwidth is None:
            return False
        least, most = (1 - _EXPLAINED) * (plain + waiting.shortest), (1 + _EXPLAINED) * (plain + waiting.longest)
        # What it had surely at least: all that followed the last wait, timed as badly as a clock ever does.
        surely = rate(waiting.size + CALL_BYTES, waiting.seconds + TIMING_ERROR)
        return least < took < most and not (waiting.certain and surely > self.bandwidth)


def wire_bits(size: float) -> float:
    """Bits that bytes of messages are on the wire."""
    return size * HEADER_FACTOR * BITS_PER_BYTE


def rate(size: float, seconds: float) -> float:
    """Bits per second on the wire; infinite where the clock could not resolve it."""
    return wire_bits(size) / seconds if size > 0 and seconds > 0 else math.inf
