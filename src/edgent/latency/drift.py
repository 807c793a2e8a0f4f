"""How many times slower a machine is now than when it was profiled: learned from what its work takes while it runs.

A machine that is throttled, or shared, is slower by a factor that stays for a while and then jumps, or creeps. Each
request brings one noisy look at it: the logarithm of the measured over the profiled time. `Drift` keeps the mean of the
present *run* of looks, and a short memory of the last ones; a likelihood ratio test between both [1] tells when a new
run has begun, and which of the last looks belong to it:

    run: level m of n looks          last k looks: level a          noise: s, of one look

    a new run of k looks, if  |a - m| sqrt(k n / (k + n)) / s  exceeds a threshold, for the k where it is largest

So noise is averaged over a hundred requests, and a step is followed after a few. One look counts for at most three
deviations: an outlier, even two in a row, is no change; three alike are. The noise is learned along, from the
differences of neighbouring looks, which no step but its first feels.

[1] D. Siegmund and E. S. Venkatraman, Using the generalized likelihood ratio statistic for sequential detection of a
change-point, 1995.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

_PROFILE_COUNTS = 20.0  # looks that the profile itself is worth, at factor 1
_LONGEST = 80.0  # looks that a run remembers; older ones fade, so that what creeps is followed too
_MEMORY = 32  # looks among which a new run is searched
_THRESHOLD = 5.0  # deviations: noise alone hardly ever strays so far
_FARTHEST = 3.0  # deviations that a look counts for: 3 sqrt(2) is below the threshold, 3 sqrt(3) above
_NOISE, _NOISE_COUNTS = 0.1, 20.0  # of one look, before any was taken; and how many looks that is worth
_LEAST_NOISE = 0.02
_NOISE_LASTS = 200.0  # looks: one believed to be a quarter too small lets noise alone look like a change
_TO_DEVIATION = math.sqrt(math.pi) / 2  # from the mean absolute difference of two normal variables
_WIDEST_NOISE = 3.0  # noises: larger differences are steps or outliers and tell nothing of the noise
_EXTREME = math.log(64.0)  # a look beyond this factor says as little about how far as about what happened
_FORGOTTEN = 25  # requests without a look, from which on what is known fades
_LEVEL_FADES, _COUNT_FADES = 0.98, 0.95  # with each of them: how sure the level is goes before the level itself
_FIRM = 3.0  # looks below which a run outweighs nothing, however far it lies


class Drift:
    """One machine's present factor; holds no clock.

    Attributes:
        factor: How many times slower than profiled; 1 before the first look.
        change_detected: Whether the last look found the machine changed.
        spread: Deviation of the last looks, as a share: what was seen of the present run, without what is assumed of
            the noise; 0 before there were three.
        scatter: Share by which such work hardly ever takes longer than `factor` says.

    >>> drift = Drift()
    >>> for measured in (0.010, 0.011, 0.010, 0.020, 0.021, 0.020, 0.020):
    ...     drift.update(measured, profiled=0.010)
    >>> drift
    <Drift x2.02 of 4 looks>
    """

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_MEMORY)
        self._noise, self._noise_count = _NOISE, _NOISE_COUNTS
        self._believe(0.0, _PROFILE_COUNTS)
        self._gap = 0  # requests since the last look
        self.change_detected = False

    @property
    def noise(self) -> float:
        """Standard deviation of one look, as a share."""
        return max(self._noise, _LEAST_NOISE)

    def update(self, measured: float, profiled: float) -> None:
        """Takes in one measurement, a "look"; afterwards `change_detected` says whether the machine changed.

        Args:
            measured: seconds that some work took.
            profiled: seconds that it takes by the profile, with no factor on it.

        A time that is not positive and finite, as from a clock that jumped, is ignored.
        """
        self.change_detected = False
        if not (0 < measured < math.inf and 0 < profiled < math.inf):
            return
        # Logarithms: twice as slow and twice as fast are equally far from no change.
        look = min(max(math.log(measured) - math.log(profiled), -_EXTREME), _EXTREME)
        self._gap = 0
        self._learn_noise(look)
        self._last.append(look)
        # A new run: its level is the plain mean of its looks, and what came before is forgotten, or it would be
        # searched again.
        began = self._new_run()
        if began:
            self.change_detected = True
            looks = list(self._last)[-began:]
            self._last = deque(looks, maxlen=_MEMORY)
            self._believe(math.fsum(looks) / began, float(began))
            return
        # The running mean, with the outlier's reach bounded. The count is capped, which turns the mean into an
        # exponential one: each look counts at least 1 / 80, so that a machine that creeps is followed.
        step = min(max(look - self._level, -self._reach), self._reach)
        count = min(self._count + 1, _LONGEST)
        self._believe(self._level + step / count, count)

    def unseen(self) -> None:
        """A request passed without a look. After many, what is known fades towards the profile.

        So a machine that is avoided for its slowness is tried again.
        """
        self._gap += 1
        if self._gap > _FORGOTTEN and self._level:
            # The memory goes with it: looks from before the pause would speak against the first one after it.
            self._last.clear()
            self._believe(self._level * _LEVEL_FADES, max(self._count * _COUNT_FADES, 1.0))

    def _believe(self, level: float, count: float) -> None:
        self._level, self._count = level, count
        self.factor, self.spread = math.exp(level), self._seen_spread()
        self.scatter = math.expm1(_FARTHEST * self.spread)

    def _seen_spread(self) -> float:
        if len(self._last) < _FIRM:
            return 0.0
        level, reach = self._level, self._reach
        strays = math.fsum(min(abs(look - level), reach) ** 2 for look in self._last)
        return math.sqrt(strays / len(self._last))

    @property
    def _reach(self) -> float:
        """The greatest distance from the level that a look counts for, in the logarithm."""
        return _FARTHEST * self.noise if self._count >= _FIRM else math.inf

    def _learn_noise(self, look: float) -> None:
        if not self._last:
            return
        # Neighbouring looks differ by noise alone, whatever the level is; only the first look after a step does not.
        # For a normal variable the mean absolute difference of two is 2 sigma / sqrt(pi).
        apart = min(abs(look - self._last[-1]), _WIDEST_NOISE * self.noise) * _TO_DEVIATION
        self._noise_count = min(self._noise_count + 1, _NOISE_LASTS)
        self._noise += (apart - self._noise) / self._noise_count

    def _new_run(self) -> int:
        """How many of the last looks are a new run; 0 if there is none."""
        # Newest first: the cumulative sum at k - 1 is then that of the last k looks, for every k at once.
        looks = np.array(self._last)[::-1] - self._level
        sums = np.abs(np.cumsum(np.clip(looks, -self._reach, self._reach)))
        k = np.arange(1, len(looks) + 1)
        before = np.maximum(self._count - k + 1, 1.0)  # the run holds them already, but the newest
        # The generalised likelihood ratio for a step of unknown size and time, under normal noise: the difference of
        # both means over its standard deviation, s sqrt(1 / k + 1 / n).
        deviations = sums / k * np.sqrt(k * before / (k + before)) / self.noise
        likeliest = int(deviations.argmax())
        return likeliest + 1 if deviations[likeliest] > _THRESHOLD else 0

    def __repr__(self) -> str:
        return f"<Drift x{self.factor:.2f} of {self._count:.0f} looks>"
