"""Online Bayesian change-point detection on the logarithm of the bandwidth, to be read beside its paper.

Adams & MacKay, "Bayesian Online Changepoint Detection", 2007 (arXiv 0710.3742). The *run length* r_t is the number of
samples since the last change point. Its distribution given all samples is carried along, box by box of Algorithm 1:

    predictive    pi_r = p(x_t | the r samples of the run)              Student-t, from a normal-inverse-gamma prior
    growth        P(r_t = r + 1) ~ P(r_{t-1} = r) pi_r (1 - H)          the run goes on
    change        P(r_t = 0)     ~ sum_r P(r_{t-1} = r) pi_r H          it ended with x_t; so this is H, always
    statistics    kappa, mean, alpha + 1/2, beta                        of each run, x_t taken in

What differs from the paper, each marked in the code:

1. Run lengths are counted to `cells`; the last cell means "or longer" and takes in the tail's mass, its statistics
   those of the likelier of the two runs that meet there. So cost is bounded, and cutting raises no alarm.
2. A new run's level is expected around the level before the change, within a factor or so, with heavy tails; a prior
   fixed at one level misses changes far from it, and levels of links lie many octaves apart.
3. A change is declared once P(the run began after the sample that declared the last one) exceeds a threshold: the
   probability of run length 0 never tells anything.
4. One sample in some hundreds is an outlier and tells nothing of its run; and a sample more than three deviations off
   moves its run's mean and spread as one of three would, and so does what the next sample shares of it. So one bad
   sample is no change, and two alike are. Nor does a run become surer of its samples than any link is (a floor of the
   spread), however long it was quiet.
5. Samples are correlated: with rho their correlation (`Correlation`) a sample of a run is expected at
   mean + rho (x_{t-1} - mean), and what it tells of the mean is (x_t - rho x_{t-1}) / (1 - rho), of precision
   (1 - rho)^2. Taken for independent, each wave of such noise would look like a small change.
6. Samples come at any times, where the paper counts steps: a gap of k steps is k chances of a change, of which k - 1
   left no sample behind.
7. The level of a run is the mean of the logarithm, so as a bandwidth it is the geometric mean of the samples.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link.correlation import Correlation
from edgent.link.predictive import Predictive, student_t_nodes
from edgent.units import BitsPerSecond, format_bandwidth

Floats = NDArray[np.float64]

HAZARD = 1 / 400  # a level of a link is taken to last some hundreds of transfers, mostly
CELLS = 128  # longer runs have long been sure of their level: what they add would not show
THRESHOLD = 0.8

_SPREAD = 0.2  # of what is new in a sample, in the logarithm
_CERTAINTY = 12.0  # alpha: how firmly that is believed; 2 alpha degrees of freedom
_REACH = 1.0  # how far a new level lies from the old one, in the logarithm: within a factor of e, mostly
# The same as a normal-inverse-gamma prior: a level that lies _REACH off is as uncertain as if (_SPREAD / _REACH)^2 of a
# sample had been seen of it; and beta / alpha, the variance that is expected, is that of the usual spread.
_KAPPA, _BETA = (_SPREAD / _REACH) ** 2, _CERTAINTY * _SPREAD**2  # of a new run
_OUTLIERS = 0.0015  # share of samples that lie anywhere
_ANYWHERE = 1 / math.log(1000)  # their density: any of ten octaves
_FARTHEST = 3.0  # deviations that a sample counts for
_LEAST = 0.01  # deviation of the logarithm that every link has
_GAP = 2.0  # steps from which on two samples are no neighbours
_NEGLIGIBLE = 5e-3  # runs less likely than this do not show in the predictive distribution


class ChangePointDetector:
    """Says when the level of the bandwidth has changed, and what it may be next; holds no clock.

    Args:
        hazard: H, the probability that a run ends with a sample.
        threshold: How probable a change must be to be declared.
        cells: Run lengths that are told apart.

    Raises:
        InputError: a probability that is none, or fewer than 8 cells.

    >>> detector = ChangePointDetector()
    >>> samples = [4.0e6, 4.4e6, 3.8e6, 4.1e6, 3.9e6, 4.0e6, 4.2e6, 2.0e6, 1.9e6, 2.1e6, 2.0e6]
    >>> [at for at, sample in enumerate(samples) if detector.update(sample)]
    [8]
    >>> detector
    <ChangePointDetector 2.013 Mbit/s for 4 samples>
    """

    def __init__(self, *, hazard: float = HAZARD, threshold: float = THRESHOLD, cells: int = CELLS) -> None:
        if not (0 < hazard < 1 and 0 < threshold < 1 and cells >= 8):
            raise InputError(
                f"hazard {hazard!r}, threshold {threshold!r}, {cells!r} cells: expected two of 0..1 and 8 or more"
            )
        self._hazard = hazard
        self._threshold = threshold
        self._runs = _Runs(cells)
        self._correlation = Correlation(_SPREAD)
        self._probability = np.zeros(cells)  # P(r_t = r | x_1 .. x_t), shape (cells,)
        self._since = -1  # samples since the last that declared a change, or since the first; -1: there was none
        self.change_detected = False

    def update(self, bandwidth: float, *, steps: float = 1.0) -> bool:
        """Takes in a sample; whether a change is declared now (also in `change_detected`).

        Args:
            bandwidth: Bits per second, positive: an outage is a transfer cut short, see `LinkForecast`.
            steps: Samples' worth of time since the last one, 1 or more: in a gap the level may have changed unseen.

        Raises:
            InputError: the bandwidth is not positive and finite.
        """
        sample = _logarithm(bandwidth)
        if self._since < 0:
            self._runs.begin(sample)
            self._probability[0] = 1.0
        # Time passed in which the level may have changed without a sample to show it.
        if steps > 1:  # Deviation 6
            self._probability = self._after(steps - 1)
        difference = sample - self._runs.previous
        # From here on it is Algorithm 1 of the paper, in its order: predictive probability, growth, change, statistics.
        noise = self._noise(steps)
        density = self._runs.density(sample, noise)  # predictive
        kept = self._probability * density
        # Normalised at once: what grows and what ends add up to 1 whatever the densities are, so no evidence is needed.
        kept *= (1 - self._hazard) / float(np.add.reduce(kept))
        # The run in the last cell has nowhere to grow to. Both runs that meet there leave their mass, and the likelier
        # one its statistics.
        tail = kept[-1]
        self._runs.absorb(sample, noise, kept, longest=bool(tail > kept[-2]))  # statistics
        self._probability[1:] = kept[:-1]  # growth
        self._probability[0] = self._hazard  # change: the sum over all runs is 1
        self._probability[-1] += tail  # Deviation 1
        self._learn(difference, steps)
        self._since += 1
        self.change_detected = self._declares()
        return self.change_detected

    def density(self, bandwidth: float, *, steps: float = 1.0) -> float:
        """How probable a sample is next: the density of its logarithm; 0 before the first sample.

        Args:
            bandwidth: Bits per second, positive.
            steps: As in `update`.

        Raises:
            InputError: the bandwidth is not positive and finite.
        """
        sample = _logarithm(bandwidth)
        if self._since < 0:
            return 0.0
        probability = self._after(steps - 1) if steps > 1 else self._probability
        return float(probability @ self._runs.density(sample, self._noise(steps)))

    @property
    def run_lengths(self) -> Floats:
        """P(r = 0), P(r = 1), .. P(r = cells - 1 or more) after the last sample, shape (cells,)."""
        return self._probability.copy()

    @property
    def run_length(self) -> int:
        """The most probable number of samples since the last change; 0 before the first sample."""
        return int(self._probability[1:].argmax()) + 1 if self._since >= 0 else 0

    @property
    def level(self) -> BitsPerSecond | None:
        """Mean bandwidth of the most probable run (the mean of the logarithm); None before the first sample."""
        # Deviation 7: noise multiplies, so an arithmetic mean would follow the highest samples.
        return BitsPerSecond(math.exp(self._runs.mean[self.run_length])) if self._since >= 0 else None

    def predictive(self, *, steps: float = 1.0) -> Predictive | None:
        """The distribution of the next sample, that of every run weighted; None before the first sample.

        Args:
            steps: Samples' worth of time until then; in a longer gap a change is likelier.
        """
        return Predictive.of_mixture(*self.components(steps=steps)) if self._since >= 0 else None

    def components(self, *, steps: float = 1.0) -> tuple[Floats, Floats]:
        """What that distribution is a mixture of: one for each likely run, see `Predictive.of_mixture`.

        Returns:
            Nodes, shape (runs, nodes), and weights of the runs, shape (runs,).
        """
        probability = self._after(steps - 1) if steps > 1 else self._probability
        likely = (probability > _NEGLIGIBLE).nonzero()[0]
        return self._runs.nodes(likely, self._noise(steps)), probability[likely]

    def _after(self, steps: float) -> Floats:
        """The run lengths after `steps` that brought no sample: no run grew, but each may have ended."""
        # A run that ended in the gap left no sample behind: whatever began there has length 0 still.
        survival = (1 - self._hazard) ** steps
        probability: Floats = self._probability * survival
        probability[0] += 1 - survival
        return probability

    def _noise(self, steps: float) -> _Noise:
        return _Noise.over(self._correlation.coefficient, max(1.0, steps))

    def _learn(self, difference: float, steps: float) -> None:
        if self._since < 0 or steps >= _GAP:
            self._correlation.interrupt()  # neighbours share their noise, strangers do not
        else:
            # A difference over a change of level is no noise. It is weighed by the chance that the run is older than
            # the two differences that the correlation multiplies. Nor is one sample that is far off, which would look
            # like noise that comes and goes at once: it counts as one that is not so far (Deviation 4).
            farthest = _FARTHEST * self._runs.spread(self.run_length)
            difference = min(max(difference, -farthest), farthest)
            self._correlation.observe(difference, steady=1.0 - float(np.add.reduce(self._probability[:3])))

    def _declares(self) -> bool:
        """Deviation 3: whether the present run began after the last sample that declared a change."""
        # P(r_t = 0) is the hazard, always, so it can declare nothing. That a run began since the last declaration is
        # the sum over all runs that are short enough; it also keeps one change from being declared twice.
        latest = min(self._since, self._probability.size - 2)  # the last cell may be as old as anything
        if np.add.reduce(self._probability[1 : latest + 1]) <= self._threshold:
            return False
        self._since = 0
        return True

    def __repr__(self) -> str:
        level = self.level
        seen = "no sample" if level is None else f"{format_bandwidth(level)} for {self.run_length} samples"
        return f"<ChangePointDetector {seen}>"


def _logarithm(bandwidth: float) -> float:
    if not 0 < bandwidth < math.inf:
        raise InputError(f"bandwidth sample {bandwidth!r}: expected a positive, finite number of bits per second")
    return math.log(bandwidth)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noise:
    """How a sample deviates from its level, with variances in units of that of what is new in a sample (Deviation 5).

    Attributes:
        carried: What it keeps of the last sample's deviation: rho, or its power after a gap.
        fresh: Variance of the rest.
        whole: Variance of the deviation where there was no last sample, as at the beginning of a run.
    """

    carried: float
    fresh: float
    whole: float

    @classmethod
    def over(cls, correlation: float, steps: float) -> _Noise:
        """That of a sample so many steps after the last one."""
        # An autoregression of first order with innovations of variance 1: its deviations have 1 / (1 - rho^2) in all,
        # of which the last sample, k steps ago, explains rho^2k.
        carried, whole = correlation**steps, 1 / (1 - correlation**2)
        return cls(carried=carried, fresh=(1 - carried**2) * whole, whole=whole)


@functools.cache
def _standard_nodes(cells: int) -> Floats:
    return student_t_nodes(2 * _CERTAINTY + np.arange(cells, dtype=np.float64))


class _Runs:
    """The model: for each run length, what its samples say about level and spread (normal-inverse-gamma).

    With r samples alpha depends on r alone, so that mean, kappa and beta have to be carried, each of shape (cells,).

    Attributes:
        previous: The last sample.
    """

    def __init__(self, cells: int) -> None:
        # Each sample adds 1/2 to alpha, so a run's length says it. With it all constants of Student's t are known
        # beforehand: Gamma(alpha + 1/2) / Gamma(alpha), the exponent -(alpha + 1/2), and at which growth of beta a
        # sample lies _FARTHEST deviations off.
        self._alpha = _CERTAINTY + np.arange(cells, dtype=np.float64) / 2
        self._exponent = -(self._alpha + 0.5)
        self._most_growth = _FARTHEST**2 / (2 * self._alpha)
        self._least = self._alpha * _LEAST**2  # of beta
        gamma = np.array([math.lgamma(alpha + 0.5) - math.lgamma(alpha) for alpha in self._alpha])
        self._constant = (1 - _OUTLIERS) / math.sqrt(2 * math.pi) * np.exp(gamma)
        self._standard = _standard_nodes(cells)

    def begin(self, level: float) -> None:
        self.previous = level
        self.mean, self._kappa, self._beta = (np.full_like(self._alpha, value) for value in (level, _KAPPA, _BETA))

    def density(self, sample: float, noise: _Noise) -> Floats:
        """pi_r for each run length, shape (cells,): Student-t with 2 alpha degrees of freedom, and the outliers."""
        expected, variance = self._expected(noise)
        # With e the error and v its variance in units of beta / alpha, Student's t is, but for a constant,
        # (beta v)^-1/2 (1 + e^2 / (2 beta v))^-(alpha + 1/2). The share by which e^2 / (2 v) raises beta is in there,
        # so it is kept for `absorb`.
        self._error = sample - expected
        scale = variance * self._beta
        self._growth = self._error * self._error / (2 * scale)  # of beta
        density: Floats = self._constant / np.sqrt(scale) * np.exp(self._exponent * np.log1p(self._growth))
        density += _OUTLIERS * _ANYWHERE  # Deviation 4
        return density

    def absorb(self, sample: float, noise: _Noise, weights: Floats, *, longest: bool) -> None:
        """Takes in the sample that `density` was last asked for; all runs are one longer then.

        Args:
            sample: As given there.
            noise: Likewise.
            weights: P(r_{t-1} | x_1 .. x_t) but for a factor, shape (cells,).
            longest: Whether the run already in the last cell is likelier than the one that arrives there.
        """
        error, growth = self._error, self._growth
        # A sample far off counts as one _FARTHEST deviations off, on the same side: Huber's way of taking in what may
        # be an outlier.
        if (growth > self._most_growth).any():  # Deviation 4
            growth = np.minimum(growth, self._most_growth)
            error = error * np.sqrt(growth / np.maximum(self._growth, growth))
            error[0] = self._error[0]  # ... but a new run is wherever its first sample is
        # What a sample tells of its run's mean has lost what the last sample already told: of (1 - rho) times the mean,
        # it is a measurement of variance `fresh`. For a new run nothing came before, so there it is one of `whole`.
        own = 1 - noise.carried
        kappa = self._kappa + own * own / noise.fresh
        kappa[0] = _KAPPA + 1 / noise.whole
        step = own / noise.fresh * error / kappa
        step[0] = error[0] / (noise.whole * kappa[0])
        mean, beta = self.mean + step, np.maximum(self._beta + self._beta * growth, self._least)  # Deviation 4
        # Cell r becomes cell r + 1. Cell 0 is free for a run that begins after this sample, and has the prior: around
        # the level that all runs together were at, weighed by how likely each was.
        self.mean[1:], self._kappa[1:], self._beta[1:] = mean[:-1], kappa[:-1], beta[:-1]
        self.mean[0] = weights @ mean / np.add.reduce(weights)  # Deviation 2: the prior of a new run
        self._kappa[0], self._beta[0] = _KAPPA, _BETA
        if longest:  # its count stays, so what its samples told is brought back to it; old ones fade
            fading = self._alpha[-1] / (self._alpha[-1] + 0.5)
            self.mean[-1], self._kappa[-1], self._beta[-1] = mean[-1], fading * kappa[-1], fading * beta[-1]
            self._beta[-1] = max(self._beta[-1], self._least[-1])
        self.previous = sample

    def spread(self, cell: int) -> float:
        """The deviation of what is new in a sample of a run, in the logarithm."""
        return math.sqrt(self._beta[cell] / self._alpha[cell])

    def nodes(self, cells: NDArray[np.intp], noise: _Noise) -> Floats:
        """Equally likely values of the next sample's logarithm in each of some runs, shape (runs, nodes)."""
        expected, variance = self._expected(noise)
        scale = np.sqrt((self._beta * variance / self._alpha)[cells])
        nodes: Floats = expected[cells, None] + scale[:, None] * self._standard[cells]
        return nodes

    def _expected(self, noise: _Noise) -> tuple[Floats, Floats]:
        """Where each run expects the next sample, and its variance in units of beta / alpha; Deviation 5."""
        # The share rho of the last deviation stays, which is previous - mean. Uncertain besides the noise is the mean
        # itself, by 1 / kappa.
        own = 1 - noise.carried
        expected = self.mean.copy()
        if noise.carried:
            farthest = _FARTHEST * np.sqrt(self._beta / self._alpha * noise.whole)
            off = self.previous - self.mean
            expected += noise.carried * np.maximum(np.minimum(off, farthest), -farthest)  # Deviation 4
        variance = own * own / self._kappa + noise.fresh
        expected[0], variance[0] = self.mean[0], 1 / _KAPPA + noise.whole  # a new run has no last sample
        return expected, variance
