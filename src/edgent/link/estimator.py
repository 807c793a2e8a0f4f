"""How fast the link seems to be, as one number, from transfers that were timed.

A transfer of n bits that took t seconds, timed no better than +- e, does not tell the bandwidth but an interval for
it: n / (t + e) .. n / (t - e), open above where t <= e. A small message on a fast link gives a wide interval and so
can neither inflate nor ruin the estimate; the same message on a slow link takes long and tells much.

Each observation moves the estimate in two steps: into the interval if it lies outside (that much is certain), then
towards n / t by the gain, which weakens as the interval widens and ends at t = 4 e: nearer to e, transfers that seem
slow would be heard and those that seem quick would not. Both in the logarithm: bandwidths differ by factors.

This is the belief of the static environment, which takes the link to stay as it was last seen, and it tells the device
how many bytes a probe must have. `edgent.link.forecast` says more and costs more: some hundred microseconds for each
transfer, where this takes one. So a device that nobody asked for a distribution does without it.
"""

from __future__ import annotations

import math

from edgent.errors import InputError
from edgent.link.transfer import HEADER_FACTOR, REQUEST_BYTES
from edgent.units import BITS_PER_BYTE, BitsPerSecond, format_bandwidth

_TELLING = 4  # timing errors from which on a transfer moves the estimate: there n / t is right within a quarter


class BandwidthEstimator:
    """Follows the bandwidth of one direction; holds no clock.

    Args:
        gain: Share of the way towards each new sample (1 = the last sample).
        timing_error: How far a measured time may be off, in seconds: scheduling, and what the round trip varies by.
        header_factor: Bytes on the wire per byte observed, as in `TransferModel`.
        message_bytes: Bytes that a message has beyond those observed: of a request, unless stated otherwise.

    Attributes:
        bandwidth: The latest estimate, bits per second on the wire; None before the first observation.

    >>> estimator = BandwidthEstimator(header_factor=1.0, message_bytes=0)
    >>> estimator.observe(125_000, 1.0)
    1000000.0
    >>> estimator.observe(100, 0.002)  # tells 0.2 .. infinity Mbit/s, that is: nothing new
    1000000.0
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
        self.bandwidth: BitsPerSecond | None = None

    def observe(self, size: float, seconds: float) -> BitsPerSecond:
        """Takes in that a message of `size` bytes needed `seconds` on the wire (the round trip taken off).

        Args:
            size: Bytes, without headers.
            seconds: May be 0 or below where the clock could not resolve it.

        Returns:
            The new estimate.

        Raises:
            InputError: numbers that no transfer has.
        """
        bits = (size + self._message_bytes) * self._header_factor * BITS_PER_BYTE
        if not (math.isfinite(bits) and bits > 0 and math.isfinite(seconds)):
            raise InputError(f"a transfer of {size!r} bytes in {seconds!r} s tells no bandwidth")
        self.bandwidth = self._moved(bits, max(seconds, 0.0))
        return self.bandwidth

    def _moved(self, bits: float, seconds: float) -> BitsPerSecond:
        low = bits / (seconds + self._error)
        if self.bandwidth is None:
            # The best guess where there is no other; where the clock resolves nothing, only the lower bound is certain.
            return BitsPerSecond(bits / seconds if seconds > self._error else low)
        if seconds <= self._error:
            return BitsPerSecond(max(self.bandwidth, low))
        # First step: into the interval that the timing error leaves open.
        inside = min(max(self.bandwidth, low), bits / (seconds - self._error))
        # Second step: towards the sample, by a power of the ratio, which is a share of the way in the logarithm.
        gain = self._gain * max(0.0, 1 - _TELLING * self._error / seconds)
        return BitsPerSecond(inside * (bits / seconds / inside) ** gain)

    def __repr__(self) -> str:
        seen = "nothing seen" if self.bandwidth is None else format_bandwidth(self.bandwidth)
        return f"<BandwidthEstimator {seen}>"
