"""What the next transfer of one direction will take, learned from those before it.

Transfers come in as they end, or as they are given up; out comes the distribution of the bandwidth. It is a mixture:

- an *outage*, in which nothing gets through (`Outages`);
- else the level that was last seen is still *held* (`Persistence`), the likelier the shorter ago that is;
- else it was *drawn anew*: it is anything that the run allows, or the next one (`ChangePointDetector`), and with a
  small chance anything at all, for no model has the tails of a real link.

Two kinds of observation are told apart. A *sample* says what the bandwidth was. A *bound* says only that it was more or
less: a transfer that was given up was slower than so, or met an outage; one that was timed within the timing error was
no slower. A bound is weighed by the probability of what it says, by Bayes' rule, in each part of the mixture; it holds
for as long as a level does, and a sample ends it. So a failed probe lowers the chance of a fast link and renews
nothing, several in a row teach that the link stays slow, and small messages neither inflate nor ruin the forecast. A
bound that disproves the level of the run is a sample after all: on a quick link there may be no other.

A sample that only repeats the one before tells nothing new of the run, however often it is taken.

Whatever the model makes of a link, it is counted where in the distribution forecast each sample then fell, and the
quantiles' weights are moved there, old counts fading: how often this link breaks away is learned from this link;
separately where its level is probably held, and where not. What was given up is counted, too, somewhere below its
bound; and where there, only samples tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link.change_points import ChangePointDetector
from edgent.link.outages import Outages
from edgent.link.persistence import Persistence
from edgent.link.predictive import NOTHING, SHARES, Predictive, quantiles, student_t_nodes
from edgent.link.transfer import HEADER_FACTOR, REQUEST_BYTES, Transfer
from edgent.units import BITS_PER_BYTE, Seconds, format_bandwidth

Floats = NDArray[np.float64]

# Round numbers, weak beside what a minute of transfers tells. None of them is a property of some link.
_TELLING = 4  # timing errors that a transfer must last to tell a bandwidth within a quarter
_LATE = 2  # timing errors by which a message may now and then be late, whatever the link
_LIKELY = 0.5  # a chance
_TIMED = 0.99  # how sure a clock is
_GAP_GAIN = 0.1  # of the usual gap, with each gap
_BELIEF = 10.0  # samples that the model's own weights count for
_FADING = 0.99
_FAR, _FAR_WEIGHT = 4.0, 0.003  # beyond the outermost quantiles: a link that breaks away; the model's belief in that
_MODEL: Floats = _BELIEF * np.concatenate([[_FAR_WEIGHT], (1 - 2 * _FAR_WEIGHT) * SHARES, [_FAR_WEIGHT]])
_ANYTHING = 0.05  # share of draws that may be anything
_USUAL, _WIDTH = math.log(1e6), 2.0  # where anything lies before the first sample, and within which factor: e^2
_DEGREES = 4.0
_WIDE: Floats = _WIDTH * student_t_nodes(np.array([_DEGREES]))[0]
_ANY: Floats = _ANYTHING * SHARES
_LEAST = 1e-9  # a probability
_FAINT = 0.1  # of a sample: what all that the model believes counts beside those that were seen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """What the bandwidth was known to be above or below of, and when; the logarithm."""

    value: float
    below: bool
    at: float

    def fits(self, values: Floats) -> NDArray[np.bool_]:
        """Which bandwidths agree with it."""
        agree: NDArray[np.bool_] = values < self.value if self.below else values >= self.value
        return agree


class LinkForecast:
    """Follows one direction of a link; holds no clock.

    Args:
        timing_error: How far a measured time may be off, in seconds.
        header_factor: Bytes on the wire per byte observed, as in `TransferModel`.
        message_bytes: Bytes that a message has beyond those observed.
        ahead: Bits that go ahead of each message, see `waits`.
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
        ahead: float = 0.0,
        detector: ChangePointDetector | None = None,
    ) -> None:
        self.detector = detector or ChangePointDetector()
        self.samples = 0
        self._error, self._factor, self._extra = timing_error, header_factor, message_bytes
        self._ahead = ahead
        self._outages, self._persistence = Outages(), Persistence()
        self._heard_at = (
            self._drawn_at
        ) = -math.inf  # of the last sample, and of the last that told something of its run
        self._bounds: tuple[_Bound, ...] = ()  # since the last sample, the oldest first
        self._gap = 0.0  # usual time between samples that told something of their runs
        self._drawn: tuple[float, Floats, Floats] | None = None  # values and weights of what is drawn anew, by steps
        self._compared: tuple[Floats, Floats, int] | None = None  # what the next sample falls among
        # Where transfers fell, where levels were likely drawn anew and where they were held; the same of samples alone.
        self._seen, self._sampled = np.zeros((2, _MODEL.size)), np.zeros((2, _MODEL.size))

    @property
    def evidence(self) -> float:
        """How likely the last transfer was before it was seen: a density of its time's logarithm, or a probability."""
        return self._persistence.evidence

    def tells(self, event: Transfer) -> bool:
        """Whether a transfer tells more than what is too short for the clock."""
        return event.cut or event.seconds > _TELLING * self._error

    @property
    def outage(self) -> bool:
        """Whether nothing got through last."""
        return self._outages.now

    def dead(self, now: Seconds) -> bool:
        """Whether nothing gets through, more likely than not: after an outage begins, tries are ever further apart."""
        return self._outages.chance(now) > _LIKELY

    def age(self, now: Seconds) -> Seconds:
        """Seconds since the last transfer; infinite at first."""
        return Seconds(now - self._heard_at)

    def learn(self, event: Transfer) -> bool:
        """Takes in a transfer of this direction, one that arrived or one that was given up.

        Returns:
            Whether it declares a change of the bandwidth.

        Raises:
            InputError: numbers that no transfer has.
        """
        if event.cut:
            self.observe_cut(event.size, event.seconds, event.at)
            return False
        return self.observe(event.size, event.seconds, event.at)

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
        late = seconds - _LATE * self._error
        at_most = bits / late if late > 0 else math.inf
        # What disproves the level is a sample at the nearer bound, or a link quicker than any clock would have none.
        believed = self.detector.level
        if believed is None or not at_least <= believed <= at_most:
            return self._take(at_least if believed is None else min(max(believed, at_least), at_most), at)
        # What was as quick as foreseen counts as what was slower does: on a quick link nothing else would be counted.
        self._compare_bound(at_least, 1.0, below=False)
        self._take_bound(at_least, at, below=False)
        return False

    def observe_cut(self, size: float, seconds: float, at: Seconds) -> None:
        """Takes in that `size` bytes had not arrived after `seconds`, when they were given up.

        Raises:
            InputError: numbers that no transfer has.
        """
        # Given up after this long it had less than this bandwidth: all that a failure says of the link.
        seconds = max(seconds, self._error)
        bandwidth = self._bits(size, seconds) / seconds
        possible = self._take_bound(bandwidth, at, below=True)
        # How likely was that, of a link that carries something? The less, the likelier it carries nothing.
        self._outages.failed(at - seconds, at, otherwise=possible)
        self._compare_bound(bandwidth, 1 - self._outages.chance(at), below=True)

    def predictive(self, now: Seconds, within: float = 0.0) -> Predictive | None:
        """The bandwidth that a transfer now would find; None before anything was observed.

        Args:
            now: When it would begin.
            within: Seconds that it may take. The link moves meanwhile, so it finds about what is there in the middle.
        """
        if not (self.samples or self._bounds):
            return None
        now = Seconds(now + within / 2)
        bandwidths, weights = self._passing(now)
        nothing = self._outages.chance(now)
        # The outage is one point more, below all others, and takes its chance from all of them alike.
        weights *= 1 - nothing
        weights[0] = nothing
        return Predictive(bandwidths=bandwidths, weights=weights, ahead=self._ahead)

    def _passing(self, now: Seconds) -> tuple[Floats, Floats]:
        """What it would find if anything gets through: bandwidths and their weights, behind a place for an outage."""
        values, mixed, held = self._mixture(now)
        # One value more at either end is for a link that breaks away from all of the model.
        bandwidths = np.full(_MODEL.size + 1, NOTHING)
        np.maximum(np.exp(quantiles(values, mixed)), NOTHING, out=bandwidths[2:-1])
        bandwidths[1], bandwidths[-1] = max(NOTHING, bandwidths[2] / _FAR), bandwidths[-2] * _FAR
        # The quantiles' weights are those of the model, as if it had seen _BELIEF samples itself, and the counts of
        # where samples really fell.
        kind = int(held > _LIKELY)
        weights = np.zeros(bandwidths.size)
        passing = np.add(_MODEL, self._seen[kind], out=weights[1:])
        passing /= np.add.reduce(passing)
        self._compared = bandwidths[1:], passing.copy(), kind
        return bandwidths, weights

    def _mixture(self, now: float) -> tuple[Floats, Floats, float]:
        """Values of the bandwidth's logarithm and weights, of levels held and drawn anew; the chance of the former."""
        ended = self._outages.ended(now)
        lasting = self._lasting(now, ended)
        nodes, weights, chance = self._persistence.components(now, ended)
        level = nodes.ravel()
        held = self._bounded(level, (weights[:, None] * SHARES).ravel(), lasting)
        values, anew = self._anew(now, lasting)
        # Hypotheses that do not show leave their share to what was drawn anew.
        share = 1 - float(np.add.reduce(weights))
        together, parts = np.concatenate((level, values)), np.concatenate((held, share * anew))
        if not self._bounds:
            return together, parts, chance
        # Quantiles are read off between values, so a bound is one of them, of no weight: beside it there may be a gap.
        edges = [bound.value for bound in self._bounds]
        return np.concatenate((together, edges)), np.concatenate((parts, np.zeros(len(edges)))), chance

    def _anew(self, now: float, lasting: Sequence[float]) -> tuple[Floats, Floats]:
        """The same of a level that was drawn anew since the last sample; the weights' sum is 1."""
        steps = self._steps(now)
        # Between two draws the same is asked for again and again, at every decision and with every bound.
        if self._drawn is None or self._drawn[0] != steps:
            self._drawn = steps, *self._unbounded(steps)
        _, values, weights = self._drawn
        return values, self._bounded(values, weights, lasting)

    def _unbounded(self, steps: float) -> tuple[Floats, Floats]:
        """The same before any bound."""
        if not self.samples:
            return _USUAL + _WIDE, SHARES
        nodes, weights = self.detector.components(steps=steps)
        known = weights[:, None] * ((1 - _ANYTHING) / np.add.reduce(weights) * SHARES)
        return np.concatenate((nodes.ravel(), self._level + _WIDE)), np.concatenate((known.ravel(), _ANY))

    def _lasting(self, now: float, ended: float) -> list[float]:
        """The chance, for each bound, that it still holds."""
        # Whoever was drawn before it agrees with it; whoever was drawn after it may be anything again, and so may
        # who comes back from an outage, for then it said nothing of the level.
        return [_TIMED * (1 - ended) * self._persistence.lasts(now - bound.at) for bound in self._bounds]

    def _bounded(self, values: Floats, weights: Floats, lasting: Sequence[float]) -> Floats:
        """Weights of the same sum, as far as bounds leave their values open."""
        if not lasting:
            return weights
        whole = float(np.add.reduce(weights))
        for bound, holds in zip(self._bounds, lasting, strict=True):
            fits = bound.fits(values)
            if (total := float(weights @ fits)) > _LEAST * whole:
                weights = weights * np.where(fits, 1 - holds + holds * whole / total, 1 - holds)
        return weights

    @property
    def _level(self) -> float:
        level = self.detector.level
        return _USUAL if level is None else math.log(level)

    def _density(self, sample: float, at: Seconds) -> float:
        """Of a sample's logarithm, had it been drawn anew."""
        away = (math.log(sample) - self._level) / _WIDTH
        anything = 0.375 / _WIDTH / (1 + away * away / _DEGREES) ** ((_DEGREES + 1) / 2)  # Student's t
        foreseen = self.detector.density(sample, steps=self._steps(at))
        return (1 - _ANYTHING) * foreseen + _ANYTHING * float(anything)

    def _take(self, sample: float, at: Seconds) -> bool:
        # Judged before it is learned from: a forecast must not be compared with what it has already seen.
        self._compare(sample)
        steps = self._steps(at)
        held = self._persistence.observe(math.log(sample), at, self._density(sample, at))
        self._heard_at, self.samples, self._bounds = at, self.samples + 1, ()
        # A level that was probably held was not drawn anew, so its run has no new sample; once a draw's time is over it
        # counts as one all the same, or a link that never moves would never be sure of its level.
        if held > _LIKELY and at - self._drawn_at < 1 / self._persistence.rate:
            return False
        # The usual gap between such samples is what a step of the detector's means on this link.
        if math.isfinite(self._drawn_at):
            gap = at - self._drawn_at
            self._gap += (gap - self._gap) * (_GAP_GAIN if self._gap else 1.0)
        self._drawn_at, self._drawn = at, None
        return self.detector.update(sample, steps=steps)

    def _take_bound(self, bandwidth: float, at: Seconds, *, below: bool) -> float:
        """Takes in a bound; how likely it was what it says, of a link that carries something."""
        bound = _Bound(value=math.log(max(bandwidth, NOTHING)), below=below, at=at)
        ended = self._outages.ended(at)
        values, weights = self._anew(at, self._lasting(at, ended))
        likely = self._persistence.bounded(
            bound.value,
            at,
            max(float(np.add.reduce(weights[bound.fits(values)])), _LEAST),
            below=below,
            nothing=self._outages.chance(at) if below else 0.0,
            unbounded=ended,
        )
        # A bound that contradicts it is over; one on the same side, as long as the new one says more, or it is old.
        self._bounds = (*(old for old in self._bounds if self._outlives(old, bound)), bound)
        return likely

    def _outlives(self, old: _Bound, new: _Bound) -> bool:
        """Whether an older bound still says something beside a new one."""
        if old.below != new.below:
            return (new.value > old.value) == new.below
        tighter = old.value < new.value if old.below else old.value > new.value
        return tighter and self._persistence.lasts(new.at - old.at) > _LIKELY

    def _compare(self, sample: float) -> None:
        """Counts where in the forecast a sample fell."""
        if self._compared is None:
            return
        # The borders lie halfway between the values; at the outermost in the logarithm.
        bandwidths, _, _ = self._compared
        borders = (bandwidths[1:] + bandwidths[:-1]) / 2
        borders[[0, -1]] = np.sqrt(bandwidths[[0, -1]] * bandwidths[[1, -2]])
        fell = np.zeros_like(bandwidths)
        fell[borders.searchsorted(sample)] = 1.0
        self._count(fell, self._seen, self._sampled)

    def _compare_bound(self, bandwidth: float, passing: float, *, below: bool) -> None:
        """Counts where in the forecast a transfer fell that tells only a bound; `passing`: if anything got through."""
        if self._compared is None:
            return
        bandwidths, weights, held = self._compared
        fits = bandwidths < bandwidth if below else bandwidths >= bandwidth
        # It tells nothing of where beyond its bound it fell; that samples alone do. By the weights, each would be its
        # own evidence for the next, and keep a tail alive in which nothing was ever seen.
        inside = np.where(fits, self._sampled[held] + _FAINT * weights, 0.0)
        if (total := float(np.add.reduce(inside))) > _LEAST:
            self._count(passing / total * inside, self._seen)

    def _count(self, fell: Floats, *where: Floats) -> None:
        # Each counts once, in the latest forecast before it; and only where somebody has asked for one.
        assert self._compared is not None, "somebody has asked"
        (_, _, held), self._compared = self._compared, None
        for counts in where:
            counts[held] *= 1 - (1 - _FADING) * float(np.add.reduce(fell))
            counts[held] += fell

    def _steps(self, now: float) -> float:
        """Time since the last sample that told something of its run, in usual gaps between such."""
        # At least one: two samples at once are still two chances of a change.
        return max(1.0, (now - self._drawn_at) / self._gap) if self._gap > 0 else 1.0

    def _bits(self, size: float, seconds: float) -> float:
        bits = (size + self._extra) * self._factor * BITS_PER_BYTE + self._ahead
        if not (size >= 0 and 0 < bits < math.inf and math.isfinite(seconds)):
            raise InputError(f"a transfer of {size!r} bytes in {seconds!r} s tells no bandwidth")
        return bits

    def __repr__(self) -> str:
        level = self.detector.level
        known = "nothing known" if level is None else format_bandwidth(level)
        return f"<LinkForecast {known}, from {self.samples} samples{', an outage' if self.outage else ''}>"
