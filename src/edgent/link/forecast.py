"""What the next transfer of one direction will take, learned from those before it.

Transfers come in as they end, or as they are given up; out comes the distribution of the bandwidth. It is a mixture:

- an *outage*, in which nothing gets through (`Outages`);
- else the link is as it was last seen (`Persistence`), the likelier the shorter ago that is;
- else it is anything that the run allows, or the next one (`ChangePointDetector`).

Three things keep it honest:

- A transfer timed within its timing error tells only between which bounds the link is; it is heard if it disproves
  what is believed, and else left out. So small messages neither inflate nor ruin the forecast. But nothing arrives
  early: as surely as the link persists, it is no slower than the lower bound.
- A transfer that was cut short tells only that the link was slower than so. Where that was to be expected it is nothing
  new; where it was hardly possible an outage has begun; between both it counts as the median of what was thought
  possible below that bound.
- A sample that only repeats the one before tells nothing new of the run, however often it is taken.

No model has the tails of a real link. So it is counted where in the distribution forecast each sample then fell, and
the quantiles' weights are moved there, old counts fading: how often this link breaks away is learned from this link;
separately where the link probably persists, and where not.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link.change_points import ChangePointDetector
from edgent.link.outages import Outages
from edgent.link.persistence import Persistence
from edgent.link.predictive import NOTHING, SHARES, Predictive, mixture_quantiles
from edgent.link.transfer import HEADER_FACTOR, REQUEST_BYTES, Transfer
from edgent.units import BITS_PER_BYTE, Seconds, format_bandwidth

Floats = NDArray[np.float64]

# Round numbers, weak beside what a minute of transfers tells. None of them is a property of some link.
_TELLING = 4  # timing errors that a transfer must last to tell a bandwidth within a quarter
_LATE = 2  # timing errors by which a message may now and then be late, whatever the link
_HARDLY, _LIKELY = 0.01, 0.5  # chances: below the one nobody would have thought it possible; above the other, all did
_TIMED = 0.99  # how sure a clock is
_GAP_GAIN = 0.1  # of the usual gap, with each gap
_BELIEF = 10.0  # samples that the model's own weights count for
_FADING = 0.99
_FAR, _FAR_WEIGHT = 4.0, 0.003  # beyond the outermost quantiles: a link that breaks away; the model's belief in that
_MODEL: Floats = _BELIEF * np.concatenate([[_FAR_WEIGHT], (1 - 2 * _FAR_WEIGHT) * SHARES, [_FAR_WEIGHT]])


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
    <LinkForecast 1000 kbit/s, from 20 samples>
    """

    def __init__(
        self,
        *,
        timing_error: float = 0.002,
        header_factor: float = HEADER_FACTOR,
        message_bytes: int = REQUEST_BYTES,
        detector: ChangePointDetector | None = None,
    ) -> None:
        # Three times are kept apart, for three questions. How old is what was seen last (persistence)? How many samples
        # ago was the last one that was drawn anew (the run's steps)? How old is the lower bound (the floor)?
        self.detector = detector or ChangePointDetector()
        self.samples = 0
        self._error, self._factor, self._extra = timing_error, header_factor, message_bytes
        self._outages, self._persistence = Outages(), Persistence()
        self._at = self._drawn_at = -math.inf  # of the last sample, and of the last that told something of its run
        self._floor, self._floor_at = 0.0, -math.inf  # what the link was no slower than, and when
        self._gap = 0.0  # usual time between the latter
        self._compared: tuple[Floats, Floats] | None = None  # quantiles that the next sample falls among, their counts
        self._seen = np.zeros((2, _MODEL.size))  # where the link was likely drawn anew, and where it persisted

    @property
    def outage(self) -> bool:
        """Whether nothing got through last."""
        return self._outages.now

    def dead(self, now: Seconds) -> bool:
        """Whether nothing gets through, more likely than not: after an outage begins, tries are ever further apart."""
        return self._outages.chance(now) > _LIKELY

    def age(self, now: Seconds) -> Seconds:
        """Seconds since the last transfer; infinite at first."""
        return Seconds(now - self._at)

    def learn(self, event: Transfer) -> bool:
        """Takes in a transfer of this direction, one that arrived or one that was given up.

        Returns:
            Whether the bandwidth has changed.

        Raises:
            InputError: numbers that no transfer has.
        """
        take = self.observe_cut if event.cut else self.observe
        return take(event.size, event.seconds, event.at)

    def observe(self, size: float, seconds: float, at: Seconds) -> bool:
        """Takes in that `size` bytes needed `seconds` on the wire, the round trip taken off.

        Returns:
            Whether the bandwidth has changed.

        Raises:
            InputError: numbers that no transfer has.
        """
        # Whatever it took, it arrived: that ends an outage.
        bits = self._bits(size, seconds)
        self._outages.passed(at)
        if seconds > _TELLING * self._error:
            return self._take(bits / seconds, at)
        # Too short for the clock: only bounds are known. The lower one is sure, for nothing arrives before it was sent;
        # the upper one has leeway, for a thread that wakes late makes any link look slow.
        at_least = bits / (max(seconds, 0.0) + self._error)
        self._floor, self._floor_at = at_least, at
        late = seconds - _LATE * self._error
        at_most = bits / late if late > 0 else math.inf
        # What agrees with the belief says nothing new; what disproves it is taken in at the nearer bound.
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
        # Given up after this long it had less than this bandwidth: all that a failure says of the link.
        seconds = max(seconds, self._error)
        below = self._bits(size, seconds) / seconds
        # In an outage one failure more is only that; before the first sample there is nothing to be slower than.
        if self._outages.now or not self.samples:
            self._outages.failed(at - seconds, at)
            return False
        # So how likely was that, of a link that carries something? Hardly: then it carries nothing. Very: then it is no
        # news. Between, the link is in the lower part of what was thought possible, and the middle of that part
        # stands for it.
        bandwidths, weights = self._passing(at)
        passing = Predictive(bandwidths=bandwidths, weights=weights)
        possible = 1 - passing.chance_above(below)
        if possible < _HARDLY:
            self._compare(below / _FAR)
            self._outages.failed(at - seconds, at)
            return False
        self._outages.passed(at)
        if possible > _LIKELY:
            self._at = at  # it is as slow as it was thought to be
            return False
        return self._take(passing.quantile(possible / 2), at)

    def predictive(self, now: Seconds) -> Predictive | None:
        """The bandwidth that a transfer now would find; None before the first one."""
        if not self.samples:
            return None
        # The outage is one point more, below all others, and takes its chance from all of them alike.
        bandwidths, weights = self._passing(now)
        nothing = self._outages.chance(now)
        return Predictive(
            bandwidths=np.concatenate([[NOTHING], bandwidths]),
            weights=np.concatenate([[nothing], (1 - nothing) * weights]),
        )

    def _passing(self, now: Seconds) -> tuple[Floats, Floats]:
        """What it would find if anything gets through: bandwidths and their weights."""
        # One component for each likely run, drawn anew, and one for the link as it was last seen.
        nodes, weights = self.detector.components(steps=self._steps(now))
        persists = self._persistence.chance(now - self._at)
        weights *= (1 - persists) / np.add.reduce(weights)
        mixed = np.concatenate([nodes, self._persistence.nodes()[None, :]]), np.concatenate([weights, [persists]])
        inner = np.maximum(mixture_quantiles(*mixed), NOTHING)
        # The quantiles' weights are those of the model, as if it had seen _BELIEF samples itself, and the counts of
        # where samples really fell. One value more at either end is for a link that breaks away from all of the model.
        counts = self._seen[int(persists > _LIKELY)]
        self._compared = inner, counts
        bandwidths = np.concatenate([[max(NOTHING, inner[0] / _FAR)], inner, [inner[-1] * _FAR]])
        weights = (_MODEL + counts) * np.where(bandwidths < self._floor, self._fallen(now), 1.0)
        return bandwidths, weights / np.add.reduce(weights)

    def _fallen(self, now: Seconds) -> float:
        """The chance that a link which was no slower than the floor may be so by now."""
        # Only by having been drawn anew since then; or by a clock that was wrong.
        return 1 - _TIMED * self._persistence.chance(now - self._floor_at)

    def _take(self, sample: float, at: Seconds) -> bool:
        # Judged before it is learned from: a forecast must not be compared with what it has already seen.
        self._compare(sample)
        steps = self._steps(at)
        anew = self.detector.density(sample, steps=steps)
        age = max(0.0, at - self._at) if self.samples else 0.0
        held = self._persistence.observe(math.log(sample), age, anew)
        self._at, self.samples = at, self.samples + 1
        # A link that probably persisted was not drawn anew, so its run has no new sample; once a draw's time is over it
        # counts as one all the same, or a link that never moves would never be sure of its level.
        if held > _LIKELY and at - self._drawn_at < 1 / self._persistence.rate:
            return False
        # The usual gap between such samples is what a step of the detector's means on this link.
        if math.isfinite(self._drawn_at):
            gap = at - self._drawn_at
            self._gap += (gap - self._gap) * (_GAP_GAIN if self._gap else 1.0)
        self._drawn_at = at
        return self.detector.update(sample, steps=steps)

    def _compare(self, sample: float) -> None:
        """Counts where in the forecast the sample fell; only once for each forecast that somebody asked for."""
        # Each sample counts once, in the latest forecast before it; and only where somebody has asked for one.
        if self._compared is None:
            return
        (quantiles, counts), self._compared = self._compared, None
        # The borders lie halfway between the quantiles; beyond the outermost by half of what the far values are off.
        beyond = math.sqrt(_FAR)
        borders = np.concatenate(
            [[quantiles[0] / beyond], (quantiles[1:] + quantiles[:-1]) / 2, [quantiles[-1] * beyond]]
        )
        counts *= _FADING
        counts[borders.searchsorted(sample)] += 1

    def _steps(self, now: Seconds) -> float:
        """Time since the last sample that told something of its run, in usual gaps between such."""
        # At least one: two samples at once are still two chances of a change.
        return max(1.0, (now - self._drawn_at) / self._gap) if self._gap > 0 else 1.0

    def _bits(self, size: float, seconds: float) -> float:
        if not (0 < size < math.inf and math.isfinite(seconds)):
            raise InputError(f"a transfer of {size!r} bytes in {seconds!r} s tells no bandwidth")
        return (size + self._extra) * self._factor * BITS_PER_BYTE

    def __repr__(self) -> str:
        level = self.detector.level
        known = "nothing known" if level is None else format_bandwidth(level)
        return f"<LinkForecast {known}, from {self.samples} samples{', an outage' if self.outage else ''}>"
