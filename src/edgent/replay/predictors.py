"""The baselines: who plans with one number for the bandwidth, and who learns delays without any profile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from edgent.link.transfer import WIRE, Transfer
from edgent.planning.paper.algorithm3 import Algorithm3
from edgent.replay.choices import Choices

_EWMA_GAIN = 0.3
_HARMONIC = 5
_PRESUMED = 1e6  # bits per second, before anything was seen


class Method:
    """Whoever chooses: sees its own transfers and probes, and says what to run at a request. This one learns nothing.

    Args:
        row: What it always chooses.
    """

    claim: float | None = None
    """The chance of being in time that the last choice was made with, of who thinks in chances."""

    def __init__(self, row: int) -> None:
        self._row = row

    def observe(self, event: Transfer) -> None:
        """Takes in a transfer or a probe that ended, or was given up."""

    def learn(self, row: int, delay: float) -> None:
        """Takes in how long what is not on the device took, seconds (or at least took, where it was given up)."""

    def choose(self, at: float) -> int:  # noqa: ARG002 - who has no clock needs none
        """The choice for a request that comes now."""
        return self._row

    def tried(self, at: float) -> int | None:  # noqa: ARG002 - who relies on its choice tries nothing
        """What the edge is asked beside the last choice, which the device answers by itself; None: nothing."""
        return None

    def plan(self, chosen: int, at: float) -> int:  # noqa: ARG002 - nothing changes between requests
        """What would run now, were there a request; what was chosen last, for who learns nothing from probes."""
        return chosen


def sample(event: Transfer) -> float:
    """The bandwidth that a transfer tells, bits per second."""
    return event.bandwidth(WIRE.uplink(event.size))


class Predictor(Method):
    """Plans at each request for one bandwidth, made of the samples so far.

    Args:
        choices: What may be run.
        estimate: The bandwidth before a sample, and the sample, to that after it.
    """

    def __init__(self, choices: Choices, estimate: Callable[[float | None, float], float]) -> None:
        self._choices, self._estimate = choices, estimate
        self._bandwidth: float | None = None
        self._planned: int | None = None

    def observe(self, event: Transfer) -> None:
        """Takes in a transfer; one cut short counts only if it contradicts what is believed."""
        seen = sample(event)
        if event.cut and self._bandwidth is not None and self._bandwidth < seen:
            return
        self._bandwidth = self._estimate(self._bandwidth, seen)
        self._planned = None

    def choose(self, at: float) -> int:  # noqa: ARG002 - who has no clock needs none
        """The planner's choice for that bandwidth."""
        if self._planned is None:
            self._planned = self._choices.planned(self._bandwidth or _PRESUMED)
        return self._planned

    def plan(self, chosen: int, at: float) -> int:  # noqa: ARG002 - nothing changes between requests
        """The same between requests."""
        return self.choose(at)


def static(choices: Choices) -> Predictor:
    """Planned once, from the first sample."""
    return Predictor(choices, lambda before, seen: seen if before is None else before)


def last_sample(choices: Choices) -> Predictor:
    """Planned from the last sample."""
    return Predictor(choices, lambda _before, seen: seen)


def ewma(choices: Choices) -> Predictor:
    """Planned from the exponentially weighted mean."""
    return Predictor(choices, lambda before, seen: seen if before is None else before + _EWMA_GAIN * (seen - before))


def harmonic_mean(choices: Choices) -> Predictor:
    """Planned from the harmonic mean of the last five samples."""
    last: deque[float] = deque(maxlen=_HARMONIC)

    def estimate(before: float | None, seen: float) -> float:
        last.append(seen)
        return len(last) / sum(1 / bandwidth for bandwidth in last)

    return Predictor(choices, estimate)


class PaperDynamic(Method):
    """Algorithm 3: change points, and a map. A transfer that was given up is a sample of 0: the outage's state."""

    def __init__(self, choices: Choices, algorithm: Algorithm3) -> None:
        self._algorithm = algorithm
        self._rows = choices.table.rows

    def observe(self, event: Transfer) -> None:
        """Takes in a transfer."""
        self._algorithm.observe(0.0 if event.cut else sample(event))

    def choose(self, at: float) -> int:  # noqa: ARG002 - who has no clock needs none
        """What the map says for the state."""
        return self._rows[self._algorithm.configuration][0]  # the paper looks at no picture: without a gate

    def plan(self, chosen: int, at: float) -> int:  # noqa: ARG002 - nothing changes between requests
        """The same between requests."""
        return self.choose(at)


class Bandit(Method):
    """A linear bandit that learns the delay of what it sends, without profiles of edge or link.

    After ANS (Zhang et al., "Autodidactic Neurosurgeon", WWW 2021): the delay of everything that is not on the device
    is taken to be linear in what is sent and what is asked; old samples fade; the lower confidence bound decides, and
    now and then something is sent where it would have stayed on the device. The device's own times it knows.

    Args:
        choices: What may be run.
    """

    _FADING, _RIDGE, _CAUTION, _FORCED = 0.95, 0.01, 0.1, 10

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        table = choices.table
        bits = choices.bits_up + choices.bits_down
        asked = (table.download_cut - table.upload_cut) / table.layers
        self._features = np.stack([np.ones_like(bits), bits / bits.max(initial=1.0), asked], axis=1)
        self._gram = self._RIDGE * np.eye(3)
        self._moment = np.zeros(3)
        self._stayed = 0

    def learn(self, row: int, delay: float) -> None:
        """Moves the estimate; probes tell it nothing, for it has no model of the link."""
        x = self._features[row]
        self._gram = self._FADING * self._gram + np.outer(x, x) + (1 - self._FADING) * self._RIDGE * np.eye(3)
        self._moment = self._FADING * self._moment + delay * x

    def choose(self, at: float) -> int:  # noqa: ARG002 - who has no clock needs none
        """The most accurate of those that may be in time; of equals the one that seems fastest."""
        choices, inverse = self._choices, np.linalg.inv(self._gram)
        doubt = np.sqrt(np.einsum("ij,jk,ik->i", self._features, inverse, self._features))
        delay = self._features @ (inverse @ self._moment) - self._CAUTION * choices.deadline * doubt
        latency = choices.before + choices.after + np.where(choices.remote, np.maximum(delay, 0.0), 0.0)
        forced = self._stayed >= self._FORCED and bool(choices.remote.any())
        allowed = choices.remote if forced else np.ones_like(choices.remote)
        in_time = allowed & (latency <= choices.deadline)
        pool = in_time if in_time.any() else allowed
        good = pool & (choices.accuracy >= choices.accuracy[pool].max()) if in_time.any() else pool
        row = int(np.where(good, latency, np.inf).argmin())
        self._stayed = 0 if choices.remote[row] else self._stayed + 1
        return row
