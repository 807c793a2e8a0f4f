"""Algorithm 3 of Edgent (Li et al., IEEE TWC 2020), to be read beside the paper: the dynamic configurator.

    at each new bandwidth sample B_t
        s_t = D(B_1 .. B_t)                                 D: the change-point detector, a state is a mean bandwidth
        if s_t != s_{t-1}: look the configuration up in the map for s_t
        otherwise: keep it

A state begins where the detector declares a change. Between two changes its mean moves a little with each sample;
that is no new state, and nothing is looked up. Deviation: the first sample begins a state too, and during an outage
(bandwidth 0, which no detector on the logarithm can take in) the state is the map's 0, ended by the next sample.
Deviation: a state is the geometric mean of its samples, for our detector compares bandwidths by their ratio.

What chooses better is `edgent.planning.controller`; this one is the reference, and a method of `edgent replay`.
"""

from __future__ import annotations

from typing import Protocol

from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.plan import Configuration
from edgent.units import BitsPerSecond, Seconds


class Detector(Protocol):
    """D: says when the level of the bandwidth has changed, and what it is."""

    def update(self, bandwidth: float) -> bool:
        """Takes in a sample, bits per second; whether a change is declared now."""

    @property
    def level(self) -> BitsPerSecond | None:
        """Mean bandwidth since the last change; None before the first sample."""


class Algorithm3:
    """The paper's controller: bandwidth samples go in, a new configuration or nothing comes out.

    Args:
        configurations: The map.
        detector: D.
        deadline: Of the requests.

    Raises:
        InputError: a deadline outside the map's range.
    """

    def __init__(self, configurations: ConfigurationMap, detector: Detector, deadline: Seconds) -> None:
        self._map = configurations
        self._detector = detector
        self._deadline = deadline
        self._in_state = False
        self._mean = 0.0  # of the state, bits per second
        self.configuration = self.at(deadline)

    def observe(self, bandwidth: float) -> Configuration | None:
        """Takes in a sample, bits per second (0: an outage); a new configuration, or None.

        Raises:
            InputError: a sample that is negative, infinite or nan.
        """
        changed = bandwidth != 0 and self._detector.update(bandwidth)  # s_t = D(B_1 .. B_t)
        # Deviation: an outage is taken as a state of its own, see the module.
        if self._in_state and not changed and bandwidth != 0:  # s_t = s_{t-1}
            return None
        self._in_state = bandwidth != 0
        # The mean is taken once, when the state begins: the detector's level keeps moving with each sample of it.
        self._mean = self._detector.level or 0.0 if self._in_state else 0.0
        before, self.configuration = self.configuration, self.at(self._deadline)
        return None if self.configuration == before else self.configuration

    def at(self, deadline: Seconds) -> Configuration:
        """What the map has in the present state for a deadline of its own.

        Raises:
            InputError: it is outside the map's range.
        """
        return self._map.look_up(self._mean, deadline)

    def __repr__(self) -> str:
        return f"<Algorithm3 {self.configuration} of {self._map!r}, {self._detector!r}>"
