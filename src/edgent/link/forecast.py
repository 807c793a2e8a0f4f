"""What the next transfer of one direction will take, learned from those before it.

Transfers come in as they end, or as they are given up; out come the distribution of the bandwidth (by way of
`ChangePointDetector`) and, for any size, that of the time. Three things keep it honest:

- A transfer timed within its timing error tells only between which bounds the link is; it is heard if it disproves
  what is believed, and else left out. So small messages neither inflate nor ruin the forecast.
- A transfer that was cut short tells only that the link was slower than so. It counts as the median of what was
  thought possible below that bound, or half of the bound where hardly anything was.
- Where several in a row were cut short, nothing is known to get through: an *outage*, a state of its own.

No model has the tails of a real link. So it is counted where in the distribution forecast each sample then fell, and
the quantiles' weights are moved there, old counts fading: how often this link breaks away is learned from this link.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link.change_points import ChangePointDetector
from edgent.link.predictive import QUANTILES, Predictive
from edgent.link.transfer import HEADER_FACTOR, REQUEST_BYTES
from edgent.units import BITS_PER_BYTE, Seconds

Floats = NDArray[np.float64]

INITIAL_WINDOW = 14_600  # bytes: ten segments (RFC 6928)
IDLE_RESTART = 0.2  # seconds: the least retransmission timeout, after which TCP's window is the initial one again

_TELLING = 4  # timing errors that a transfer must last to tell a bandwidth within a quarter
_LATE = 2  # timing errors by which a message may now and then be late, whatever the link
_OUTAGE = 3  # transfers in a row that were cut short
_HARDLY = 0.01
_GAP_GAIN = 0.1
_BELIEF = 10.0  # samples that the model's own weights count for
_FADING = 0.99
_FAR, _FAR_WEIGHT = 4.0, 0.003  # beyond the outermost quantiles: a link that breaks away; the model's belief in that


class LinkForecast:
    """Follows one direction of a link; holds no clock.

    Args:
        timing_error: How far a measured time may be off, in seconds.
        header_factor: Bytes on the wire per byte observed, as in `TransferModel`.
        message_bytes: Bytes that a message has beyond those observed.
        detector: Of change points; None: one as it comes.

    >>> forecast = LinkForecast(header_factor=1.0, message_bytes=0)
    >>> [forecast.observe(12_500, 0.1, at=Seconds(k)) for k in range(20)].count(True)
    0
    >>> forecast
    <LinkForecast 999.8 kbit/s, 80 % within 819.9 kbit/s .. 1.226 Mbit/s, from 20 samples>
    """

    def __init__(
        self,
        *,
        timing_error: float = 0.002,
        header_factor: float = HEADER_FACTOR,
        message_bytes: int = REQUEST_BYTES,
        detector: ChangePointDetector | None = None,
    ) -> None:
        self.detector = detector or ChangePointDetector()
        self.samples = 0
        self._error, self._factor, self._extra = timing_error, header_factor, message_bytes
        self._at, self._gap = -math.inf, 0.0
        self._cut_in_a_row = 0
        self._forecast: Predictive | None = None  # the model's, as the next sample will be compared with it
        self._seen: Floats = np.zeros(QUANTILES + 2)

    @property
    def outage(self) -> bool:
        """Whether the last few transfers were all cut short."""
        return self._cut_in_a_row >= _OUTAGE

    def age(self, now: Seconds) -> Seconds:
        """Seconds since the last transfer; infinite at first."""
        return Seconds(now - self._at)

    def observe(self, size: float, seconds: float, at: Seconds) -> bool:
        """Takes in that `size` bytes needed `seconds` on the wire, the round trip taken off.

        Returns:
            Whether the bandwidth has changed.

        Raises:
            InputError: numbers that no transfer has.
        """
        bits = self._bits(size, seconds)
        self._cut_in_a_row = 0
        if seconds > _TELLING * self._error:
            return self._take(bits / seconds, at)
        at_least = bits / (max(seconds, 0.0) + self._error)
        late = seconds - _LATE * self._error
        at_most = bits / late if late > 0 else math.inf
        believed = self.detector.level
        if believed is not None and at_least <= believed <= at_most:
            return False
        return self._take(at_least if believed is None else min(max(believed, at_least), at_most), at)

    def observe_cut(self, size: float, seconds: float, at: Seconds) -> bool:
        """Takes in that `size` bytes had not arrived after `seconds`, when they were given up.

        Returns:
            Whether the bandwidth has changed.

        Raises:
            InputError: numbers that no transfer has.
        """
        below = self._bits(size, seconds) / max(seconds, self._error)
        self._cut_in_a_row += 1
        predictive = self.predictive(at)
        possible = 0.0 if predictive is None else 1 - predictive.chance_above(below)
        if predictive is None or possible < _HARDLY:
            return self._take(below / 2, at)
        return self._take(predictive.quantile(possible / 2), at)

    def predictive(self, now: Seconds) -> Predictive | None:
        """The bandwidth that a transfer now would find; None before the first one."""
        self._forecast = made = self.detector.predictive(steps=self._steps(now))
        if made is None:
            return None
        inner = (1 - 2 * _FAR_WEIGHT) * made.weights
        weights = _BELIEF * np.concatenate([[_FAR_WEIGHT], inner, [_FAR_WEIGHT]]) + self._seen
        lowest, highest = made.bandwidths[0] / _FAR, made.bandwidths[-1] * _FAR
        bandwidths = np.concatenate([[lowest], made.bandwidths, [highest]])
        return Predictive(bandwidths=bandwidths, weights=weights / weights.sum())

    def _take(self, sample: float, at: Seconds) -> bool:
        self._compare(sample)
        steps = self._steps(at)
        if math.isfinite(self._at):
            gap = at - self._at
            self._gap += (gap - self._gap) * (_GAP_GAIN if self._gap else 1.0)
        self._at, self.samples = at, self.samples + 1
        return self.detector.update(sample, steps=steps)

    def _compare(self, sample: float) -> None:
        """Counts where in the forecast the sample fell; only once for each forecast that somebody asked for."""
        if self._forecast is None:
            return
        quantiles = self._forecast.bandwidths
        beyond = math.sqrt(_FAR)
        borders = [quantiles[0] / beyond, *(quantiles[1:] + quantiles[:-1]) / 2, quantiles[-1] * beyond]
        self._seen *= _FADING
        self._seen[np.searchsorted(borders, sample)] += 1
        self._forecast = None

    def _steps(self, now: Seconds) -> float:
        """Time since the last sample, in usual gaps between samples."""
        return max(1.0, (now - self._at) / self._gap) if self._gap > 0 else 1.0

    def _bits(self, size: float, seconds: float) -> float:
        if not (0 < size < math.inf and math.isfinite(seconds)):
            raise InputError(f"a transfer of {size!r} bytes in {seconds!r} s tells no bandwidth")
        return (size + self._extra) * self._factor * BITS_PER_BYTE

    def __repr__(self) -> str:
        known = "nothing known" if not self.samples else repr(self.detector.predictive())[12:-1]
        return f"<LinkForecast {known}, from {self.samples} samples{', an outage' if self.outage else ''}>"


def transfer_times(bandwidths: Floats, size: float, *, round_trip: Seconds, idle: Seconds, rounds: int = 12) -> Floats:
    """Seconds for a message of `size` bytes on the wire at each of some bandwidths, TCP's slow start included.

    After an idle time TCP begins with its initial window and doubles it each round trip, waiting for the rest of the
    round whenever the window is empty before the acknowledgement is back. Monotone: falling in the bandwidth, rising in
    size and round trip. Weighted with a `Predictive`'s weights, this is the distribution of the time.

    Args:
        bandwidths: Bits per second, any shape.
        size: Bytes, headers included.
        round_trip: Of the empty link.
        idle: Time since the connection carried something.
        rounds: After so many doublings no window of this world is small.
    """
    serial = size * BITS_PER_BYTE / bandwidths
    if idle < max(IDLE_RESTART, round_trip) or not round_trip:
        return serial + round_trip
    waits = np.zeros_like(serial)
    for k in range(rounds):
        sent = INITIAL_WINDOW * (2.0 ** (k + 1) - 1)
        if sent >= size:
            break
        waits += np.maximum(0.0, round_trip - INITIAL_WINDOW * 2.0**k * BITS_PER_BYTE / bandwidths)
    return serial + round_trip + waits
