"""What a link does to bytes, as pure state machines: the time and bytes go in, bytes come out; no clock, no sockets.

A `TokenBucket` earns wire bytes at its rate. A `Lane` is one direction of a link: it cuts what is offered into
segments, pays for each segment and its packet headers, in the order of arrival and for all channels together, and
hands a segment out when its last byte would be at the other end: paid in full, plus the delay.

Two things differ from a plain bucket (`tc tbf`), because a real link differs from it:

- While nothing waits, credit is kept up to the burst only, and the burst is 0 unless asked for: with `tbf`'s smallest
  burst (one packet) a coded picture of 600 bytes crosses a link of 50 kbit/s in no time, where it must take 0.1 s.
- While bytes do wait, credit is not lost when whoever drives the lane looks late: a real link would have gone on
  sending. That is limited to `CATCH_UP`, so that in any time t at most rate * (t + CATCH_UP) + burst + one segment
  comes out; a lane that is looked at in time gives at most rate * t + burst + one segment.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Generic, TypeVar

from edgent.errors import InputError
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds

SEGMENT_BYTES = 1448  # of payload: an Ethernet frame's 1500, less IPv4 (20), TCP (20) and its timestamps (12)
HEADER_BYTES = 66  # for each segment: those, and Ethernet's own 14, which tc counts too
# Long enough that a late look costs no bandwidth, short enough that after a stall of
# the host at most this much passes at once.
CATCH_UP = Seconds(0.1)
AT_ONCE = Seconds(0.0)

Channel = TypeVar("Channel")


def wire_bytes(size: int) -> int:
    """Bytes that `size` bytes of payload occupy; an empty segment (the end of a stream) is its header."""
    return size + HEADER_BYTES * max(1, math.ceil(size / SEGMENT_BYTES))


class TokenBucket:
    """Earns wire bytes at a rate.

    Its whole state is the instant up to which everything earned has been spent.

    Args:
        rate: Bits per second.
        burst: Wire bytes that it may hold while nothing waits; it starts with them.
        now: The time at which it starts.
    """

    def __init__(self, *, rate: BitsPerSecond, burst: int = 0, now: Seconds = AT_ONCE) -> None:
        self._rate = check_rate(rate)
        self._burst = burst
        # Credit is kept as an instant and not as a number of bytes: it then needs no update as time passes, and
        # rounding does not add up over a million small steps.
        self._spent_until = now - self._earning_time(burst)

    @property
    def rate(self) -> BitsPerSecond:
        """Bits per second."""
        return self._rate

    def ready_at(self, size: int) -> Seconds:
        """When `size` more wire bytes will have been earned."""
        return Seconds(self._spent_until + self._earning_time(size))

    def spend(self, size: int) -> None:
        """Takes out `size` wire bytes; the caller has seen to `ready_at`."""
        self._spent_until += self._earning_time(size)

    def rest(self, now: Seconds) -> None:
        """While nothing waits, credit beyond the burst is lost."""
        # Without this an idle second would let a second's worth of bytes pass at once: a link cannot save time.
        self._spent_until = max(self._spent_until, now - self._earning_time(self._burst))

    def look(self, now: Seconds, size: int) -> None:
        """While `size` bytes wait, credit beyond them, the burst and what `CATCH_UP` earns is lost."""
        self._spent_until = max(self._spent_until, now - CATCH_UP - self._earning_time(self._burst + size))

    def change(self, rate: BitsPerSecond, now: Seconds) -> None:
        """Earns at another rate from `now` on; what was earned until then stays."""
        # Bytes stay, time does not: what was earned at the old rate is worth less time at a higher one.
        earned = (now - self._spent_until) * self._rate
        self._rate = check_rate(rate)
        self._spent_until = now - earned / self._rate

    def shift(self, seconds: float) -> None:
        """Leaves out a time in which nothing was earned."""
        self._spent_until += seconds

    def _earning_time(self, size: int) -> float:
        return size * BITS_PER_BYTE / self._rate


class Lane(Generic[Channel]):
    """One direction of a link, shared by any number of channels in the order of arrival.

    Args:
        rate: Bits per second.
        delay: One way, in seconds.
        burst: Wire bytes that may pass at once after a rest.
        now: The time at which it starts.
    """

    def __init__(
        self, *, rate: BitsPerSecond, delay: Seconds = AT_ONCE, burst: int = 0, now: Seconds = AT_ONCE
    ) -> None:
        self._bucket = TokenBucket(rate=rate, burst=burst, now=now)
        self._delay = check_delay(delay)
        # Waiting for credit, in the order of arrival; flying are those already paid for and still under way.
        self._waiting: deque[tuple[Channel, bytearray]] = deque()
        self._flying: deque[tuple[float, Channel, bytes]] = deque()
        self._resting = True
        self.payload_bytes = 0
        self.wire_bytes = 0

    @property
    def rate(self) -> BitsPerSecond:
        """Bits per second."""
        return self._bucket.rate

    @property
    def delay(self) -> Seconds:
        """One way, in seconds."""
        return self._delay

    def offer(self, channel: Channel, data: bytes, now: Seconds) -> None:
        """Bytes of a channel have arrived at the near end; no bytes are the end of that channel."""
        if self._resting:
            self._bucket.rest(now)
            self._resting = False
        # Bytes of one channel in a row are one stream: they fill whole segments, as TCP would send them.
        if data and self._may_join(channel):
            self._waiting[-1][1].extend(data)
        else:
            self._waiting.append((channel, bytearray(data)))

    def step(self, now: Seconds) -> list[tuple[Channel, bytes]]:
        """What has arrived at the far end by `now` and was not handed out before, in order."""
        if self._waiting:
            self._bucket.look(now, self._next_wire_bytes())
        # Each segment leaves when it is paid in full, at its own instant, however late this is looked at.
        while self._waiting and self._bucket.ready_at(self._next_wire_bytes()) <= now:
            self._send_segment()
        arrived = []
        # In order of departure and with equal delay, so the first is always the next to arrive.
        while self._flying and self._flying[0][0] <= now:
            arrived.append(self._flying.popleft()[1:])
        return arrived

    def rest(self) -> None:
        """Whoever drives the lane has nothing more to offer for now."""
        self._resting = not self._waiting

    def next_at(self) -> Seconds:
        """When to look next: a segment arrives, or leaves; infinity where nothing is under way."""
        arrives_at = self._flying[0][0] if self._flying else math.inf
        leaves_at = self._bucket.ready_at(self._next_wire_bytes()) if self._waiting else math.inf
        return Seconds(min(arrives_at, leaves_at))

    def last_at(self) -> Seconds:
        """When everything offered so far will have arrived; infinity where nothing is under way."""
        if self._waiting:
            return Seconds(self._bucket.ready_at(sum(wire_bytes(len(data)) for _, data in self._waiting)) + self._delay)
        return Seconds(self._flying[-1][0] if self._flying else math.inf)

    def change(self, *, rate: BitsPerSecond | None = None, delay: Seconds | None = None, now: Seconds) -> None:
        """Another rate or delay from now on; bytes that fly already keep their time of arrival."""
        if rate is not None:
            self._bucket.change(rate, now)
        if delay is not None:
            self._delay = check_delay(delay)

    def shift(self, seconds: float) -> None:
        """Delays all that is under way by the time that the link stood still."""
        self._bucket.shift(seconds)
        self._flying = deque((at + seconds, channel, data) for at, channel, data in self._flying)

    def drop(self, channel: Channel) -> None:
        """Forgets what is under way of a channel: its connection broke."""
        self._waiting = deque(item for item in self._waiting if item[0] != channel)
        self._flying = deque(item for item in self._flying if item[1] != channel)

    def _may_join(self, channel: Channel) -> bool:
        if not self._waiting or self._waiting[-1][0] != channel:
            return False
        # The first segment is under way as soon as it stands first: growing it would charge bytes at an instant that
        # has passed.
        on_the_wire = SEGMENT_BYTES if len(self._waiting) == 1 else 0
        return len(self._waiting[-1][1]) > on_the_wire  # what is being sent grows no more; nor does an end

    def _next_wire_bytes(self) -> int:
        return wire_bytes(min(len(self._waiting[0][1]), SEGMENT_BYTES))

    def _send_segment(self) -> None:
        channel, data = self._waiting[0]
        segment = bytes(data[:SEGMENT_BYTES])
        # The instant at which it was earned, not the time of this look: a late driver must not delay what the link sent
        # in time.
        sent_at = self._bucket.ready_at(wire_bytes(len(segment)))
        self._bucket.spend(wire_bytes(len(segment)))
        self._flying.append((sent_at + self._delay, channel, segment))
        self.payload_bytes += len(segment)
        self.wire_bytes += wire_bytes(len(segment))
        del data[:SEGMENT_BYTES]
        if not data:
            self._waiting.popleft()


def check_rate(rate: BitsPerSecond) -> BitsPerSecond:
    """A rate that a link can have, unchanged.

    Raises:
        InputError: not positive and finite (a link without any is cut).
    """
    if not (math.isfinite(rate) and rate > 0):
        raise InputError(f"rate {rate!r} is not a positive, finite number of bits per second; to stop a link, cut it")
    return rate


def check_delay(delay: Seconds) -> Seconds:
    """A delay that a link can have, unchanged.

    Raises:
        InputError: negative or not finite.
    """
    if not (math.isfinite(delay) and delay >= 0):
        raise InputError(f"delay {delay!r} is not a finite number of seconds, 0 or more")
    return delay
