"""How fast the link seems to be, from transfers that were timed.

A transfer of n bits that took t seconds, timed no better than +- e, does not tell the bandwidth but an interval for
it: n / (t + e) .. n / (t - e), open above where t <= e. A small message on a fast link gives a wide interval and so
can neither inflate nor ruin the estimate; the same message on a slow link takes long and tells much.

Each observation moves the estimate in two steps: into the interval if it lies outside (that much is certain), then
towards n / t by the gain, which weakens as the interval widens and ends at t = 4 e: nearer to e, transfers that seem
slow would be heard and those that seem quick would not. Both in the logarithm: bandwidths differ by factors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgent.errors import InputError
from edgent.link.transfer import HEADER_FACTOR, REQUEST_BYTES
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds, format_bandwidth

_TELLING = 4


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Estimate:
    """What is known of the bandwidth.

    Attributes:
        bandwidth: Bits per second on the wire.
        at: When it was last observed.
        samples: Observations so far.
    """

    bandwidth: BitsPerSecond
    at: Seconds
    samples: int

    def age(self, now: Seconds) -> Seconds:
        """Seconds since the last observation."""
        return Seconds(now - self.at)

    def __repr__(self) -> str:
        return f"<Estimate {format_bandwidth(self.bandwidth)} at {self.at:.3f} s from {self.samples} samples>"


class BandwidthEstimator:
    """Follows the bandwidth of one direction; holds no clock.

    Args:
        gain: Share of the way towards each new sample (1 = the last sample).
        timing_error: How far a measured time may be off, in seconds: scheduling, and what the round trip varies by.
        header_factor: Bytes on the wire per byte observed, as in `TransferModel`.
        message_bytes: Bytes that a message has beyond those observed: of a request, unless told otherwise.

    >>> estimator = BandwidthEstimator(header_factor=1.0, message_bytes=0)
    >>> estimator.observe(125_000, 1.0, at=10.0)
    <Estimate 1 Mbit/s at 10.000 s from 1 samples>
    >>> estimator.observe(100, 0.002, at=11.0)  # tells 0.2 .. infinity Mbit/s, that is: nothing new
    <Estimate 1 Mbit/s at 11.000 s from 2 samples>
    """

    def __init__(
        self,
        *,
        gain: float = 0.5,
        timing_error: float = 0.002,
        header_factor: float = HEADER_FACTOR,
        message_bytes: int = REQUEST_BYTES,
    ) -> None:
        if not 0 < gain <= 1:
            raise InputError(f"gain {gain!r} is not in 0..1, 0 excluded")
        self._gain = gain
        self._error = timing_error
        self._header_factor = header_factor
        self._message_bytes = message_bytes
        self._estimate: Estimate | None = None

    @property
    def estimate(self) -> Estimate | None:
        """The latest estimate; None before the first observation."""
        return self._estimate

    def observe(self, size: float, seconds: float, at: float) -> Estimate:
        """Takes in that a message of `size` bytes needed `seconds` on the wire (the round trip taken off).

        Args:
            size: Bytes, without headers.
            seconds: May be 0 or below where the clock could not resolve it.
            at: When the transfer ended.
        """
        bits = (size + self._message_bytes) * self._header_factor * BITS_PER_BYTE
        if not (math.isfinite(bits) and bits > 0 and math.isfinite(seconds)):
            raise InputError(f"a transfer of {size!r} bytes in {seconds!r} s tells no bandwidth")
        seconds = max(seconds, 0.0)
        samples = self._estimate.samples + 1 if self._estimate else 1
        self._estimate = Estimate(bandwidth=self._moved(bits, seconds), at=Seconds(at), samples=samples)
        return self._estimate

    def _moved(self, bits: float, seconds: float) -> BitsPerSecond:
        low = bits / (seconds + self._error)
        if self._estimate is None:
            return BitsPerSecond(bits / seconds if seconds > self._error else low)
        if seconds <= self._error:
            return BitsPerSecond(max(self._estimate.bandwidth, low))
        inside = min(max(self._estimate.bandwidth, low), bits / (seconds - self._error))
        gain = self._gain * max(0.0, 1 - _TELLING * self._error / seconds)
        return BitsPerSecond(inside * (bits / seconds / inside) ** gain)
