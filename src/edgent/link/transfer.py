"""The transfer model: bytes in a direction to seconds, for the link as it is now.

A message of n bytes occupies the wire for

    (n + message bytes) * header factor * 8 / bandwidth

The *header factor* is what Ethernet, IP and TCP (with timestamps) add to full segments: 1514 / 1448.
The *message bytes* are what one call adds whatever its size: HTTP/2 frames and headers, the protobuf message around
the raw tensors, and the headers of the segments that are not full. `benchmarks/shaped_link.py --messages` counts them
on a warm connection: for pictures of 0.9-200 kB up 118-200 bytes, for tensors of 0.04-131 kB down 88-197 (167 for an
answer of one packet).

A call also has a *fixed time*, whatever its size: threads that wake, protobuf, HTTP/2. It is the machines' and not the
link's, and on a fast link it is most of what a small message takes; a device measures it
(`edgent.device.connection.link_follower`). `CALL_TIME` stands where nobody has: a round figure below the 2.8 ms that
`benchmarks/overhead.py` found between a call of ours and a bare socket at 100 Mbit/s.

What the connection's history adds is slow start: with a finite *window*, a message waits for acknowledgements
(`edgent.link.slow_start`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link.slow_start import SEGMENT_BYTES, UNLIMITED, stall
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds, format_bandwidth, format_bytes, format_duration

TIMING_ERROR = 0.008  # seconds: how late two threads wake beside a full load

CALL_BYTES = 120  # frames, headers and half-full packets of a call, around its message (counted on a shaped link)
HEADER_FACTOR = 1.046
REQUEST_BYTES = 175
REPLY_BYTES = 165
CALL_TIME = Seconds(0.002)

_AT_ONCE = Seconds(0.0)

Sizes = TypeVar("Sizes", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TransferModel:
    """Time for a message on a link that loses nothing.

    Attributes:
        bandwidth: Bits per second of the wire, headers included.
        round_trip: Seconds that a request and its answer need on an empty link, both ways together.
        header_factor: Bytes on the wire per byte of full segments.
        message_bytes: Bytes that a request adds to its tensors.
        reply_bytes: Bytes that an answer adds to its tensors. Its first packet is in here: it uses the downlink's
            bandwidth, although a stopwatch finds it in the uplink's time.
        call_time: Seconds that a call takes whatever its size and the link, answer included.
        window: Bytes that may be under way before the first acknowledgement; infinite: no slow start.
        ahead: Bits that a message waits for before its own, whatever its size.
    """

    bandwidth: BitsPerSecond
    round_trip: Seconds = _AT_ONCE
    header_factor: float = HEADER_FACTOR
    message_bytes: int = REQUEST_BYTES
    reply_bytes: int = REPLY_BYTES
    call_time: Seconds = CALL_TIME
    window: float = UNLIMITED
    ahead: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bandwidth) and self.bandwidth > 0):
            raise InputError(f"bandwidth {self.bandwidth!r} is not a positive, finite number of bits per second")
        if not (math.isfinite(self.round_trip) and self.round_trip >= 0):
            raise InputError(f"round trip {self.round_trip!r} is not a finite number of seconds, 0 or more")
        if not (math.isfinite(self.header_factor) and self.header_factor >= 1):
            raise InputError(f"header factor {self.header_factor!r} is not 1 or more")
        if min(self.message_bytes, self.reply_bytes) < 0:
            raise InputError(f"message bytes {self.message_bytes}, {self.reply_bytes}: expected 0 or more")
        if not (math.isfinite(self.call_time) and self.call_time >= 0):
            raise InputError(f"call time {self.call_time!r} is not a finite number of seconds, 0 or more")
        if not (math.isfinite(self.ahead) and self.ahead >= 0):
            raise InputError(f"ahead {self.ahead!r} is not a finite number of bits, 0 or more")
        if not self.window > 0:
            raise InputError(f"window {self.window!r} is not a positive number of bytes")

    def __repr__(self) -> str:
        per_call = f"{self.message_bytes} B up, {self.reply_bytes} B down and {format_duration(self.call_time)} a call"
        window = "" if self.window == UNLIMITED else f", window {format_bytes(self.window)}"
        return (
            f"<TransferModel {format_bandwidth(self.bandwidth)} + {format_duration(self.round_trip)}, "
            f"headers x {self.header_factor:g}, {per_call}{window}>"
        )

    @classmethod
    def paper(cls, bandwidth: BitsPerSecond) -> TransferModel:
        """The paper's D / B: no headers, no round trip, no messages, no fixed time."""
        return cls(bandwidth=bandwidth, header_factor=1.0, message_bytes=0, reply_bytes=0, call_time=_AT_ONCE)

    def expected(self, bandwidth: BitsPerSecond, ahead: float) -> TransferModel:
        """The same link at a bandwidth that is expected of it, behind so many bits, and without slow start."""
        return TransferModel(
            bandwidth=bandwidth,
            round_trip=self.round_trip,
            header_factor=self.header_factor,
            message_bytes=self.message_bytes,
            reply_bytes=self.reply_bytes,
            call_time=self.call_time,
            ahead=ahead,
        )

    def uplink(self, size: Sizes) -> Sizes:
        """Time from handing over a request of `size` bytes until an answer could begin, in seconds.

        Round trip and call time are booked here as a whole: the device sees the upload end when the answer's headers
        arrive.
        """
        return self._wire_time(size, self.message_bytes, ahead=0) + self.round_trip + self.call_time

    def downlink(self, size: Sizes) -> Sizes:
        """Time from an answer's first byte to its last, `size` bytes of tensors, in seconds (see `uplink`)."""
        return self._wire_time(size, self.reply_bytes, ahead=SEGMENT_BYTES)  # the headers, in a segment of their own

    def _wire_time(self, size: Sizes, extra: int, *, ahead: int) -> Sizes:
        byte_time = self.header_factor * (BITS_PER_BYTE / self.bandwidth)
        message = size + extra
        # A wait is told as bits, so that it is the longer the slower the link seems: both are seen as one time only.
        wire = message * byte_time + self.ahead / self.bandwidth
        # Most messages fit into the window, or there is none: then all of it goes out at once.
        if self.window == UNLIMITED or _largest(message) + ahead <= self.window:
            return wire
        return wire + stall(message, byte_time, self.window, self.round_trip, ahead)


def _largest(sizes: float | NDArray[np.float64]) -> float:
    return float(sizes.max(initial=0.0)) if isinstance(sizes, np.ndarray) else sizes


def there_and_back(
    uplink: TransferModel, downlink: TransferModel, size_up: Sizes, size_down: Sizes
) -> tuple[Sizes, Sizes]:
    """Seconds of a request and of its answer; see `TransferModel`."""
    return uplink.uplink(size_up), downlink.downlink(size_down)


WIRE = TransferModel(bandwidth=BitsPerSecond(1.0), call_time=_AT_ONCE)
"""At 1 bit/s, and nothing else to wait for: the time of a message is its bits on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A message that went over the link, or was given up.

    Attributes:
        direction: "up": from the device to the edge.
        size: Bytes, without headers.
        seconds: On the wire, the round trip taken off.
        at: When it ended.
        cut: Whether it was given up before it had arrived.
    """

    direction: Literal["up", "down"]
    size: float
    seconds: float
    at: Seconds
    cut: bool = False

    def bandwidth(self, bits: float) -> float:
        """What it tells if it had `bits` on the wire, bits per second; half of its bound where it was cut short."""
        rate = bits / self.seconds
        return rate / 2 if self.cut else rate
