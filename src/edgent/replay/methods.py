"""The methods by name: baselines, the paper's, ours, and the oracles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from edgent.link.change_points import ChangePointDetector
from edgent.link.forecast import LinkForecast
from edgent.link.predictive import Predictive
from edgent.link.trace import Trace
from edgent.link.transfer import Transfer, TransferModel
from edgent.link.waits import LinkBelief
from edgent.planning.conditions import Conditions
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.controller import TRIED_FROM, Controller, Goal
from edgent.planning.oracles import CLAIRVOYANT, REGIME, best_in_time
from edgent.planning.paper.algorithm3 import Algorithm3
from edgent.replay.choices import Choices, outcomes
from edgent.replay.predictors import Bandit, Method, PaperDynamic, ewma, harmonic_mean, last_sample, static
from edgent.units import BitsPerSecond, Seconds

ORACLES = (CLAIRVOYANT, REGIME)
BASELINES = ("fixed", "static", "last-sample", "ewma", "harmonic-mean", "bandit", "paper-dynamic")
OURS = ("edgent-no-change-points", "edgent")
METHODS = (*ORACLES, *BASELINES, *OURS)

_EXACT = 1e-9  # seconds: virtual time has no timing error
_NEVER = 1e-300
_UNKNOWN = BitsPerSecond(1.0)  # before a transfer: nothing is priced at it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """What the oracles know.

    Attributes:
        choices: What may be run.
        trace: The link as it will be.
        recorded: The link before short-term variation.
        variation: Coefficient of that variation.
    """

    choices: Choices
    trace: Trace
    recorded: Trace
    variation: float


class Ours(Method):
    """The product's controller, with the product's forecast."""

    def __init__(self, choices: Choices, *, race: bool, change_points: bool = True) -> None:
        self._link = LinkBelief(lambda ahead: _forecast(change_points, ahead))
        link = TransferModel(bandwidth=_UNKNOWN, call_time=choices.call_time)
        self._conditions = Conditions(uplink=link, downlink=link)
        self._downlink = choices.downlink
        table, goal = choices.table, Goal(deadline=choices.deadline)
        self._controller = Controller(table, goal, race=race)
        # As on a device; but no margin is kept here, so whoever races has nothing to try that it would not choose.
        self._trials = None if race else Controller(table, goal, race=True)
        self._rows = {(table.configurations[row], table.gate_of(row)): row for row in range(len(table))}
        self._alone = int(np.flatnonzero(~choices.remote)[0])
        self._decided_at = -1.0

    def observe(self, event: Transfer) -> None:
        """Takes in a transfer; the decision is made when a request comes."""
        self._link.learn(event)
        self._decided_at = -1.0

    def choose(self, at: float) -> int:
        """The controller's plan."""
        if at != self._decided_at:
            self._controller.decide(self._believed(Seconds(at)))
            self._decided_at = at
        controller = self._controller
        self.claim, configuration = controller.chance, controller.configuration
        assert configuration is not None, "it has just decided"
        return self._rows[configuration, controller.gate]

    def tried(self, at: float) -> int | None:
        """An edge that is likely to be in time, and not certain enough to be relied on."""
        trials, configuration = self._trials, self._controller.configuration
        if trials is None or configuration is None or not configuration.device_only or self._link.dead(Seconds(at)):
            return None
        trials.decide(self._believed(Seconds(at)))
        if trials.configuration is None or trials.configuration.device_only or (trials.chance or 0.0) <= TRIED_FROM:
            return None
        return self._rows[trials.configuration, trials.gate]

    def plan(self, chosen: int, at: float) -> int:  # noqa: ARG002 - the controller knows it
        """What was seen of the link grows old: where a look at it would be worth it, nothing is sent before that."""
        row = self.choose(at)
        return self._alone if self._controller.unconfirmed else row

    def _believed(self, now: Seconds) -> Conditions | None:
        """One forecast for both directions: a trace is of one bandwidth, and what is sent down is not timed apart."""
        up = self._link.predictive(now, self._controller.goal.deadline)
        if up is None:
            return None
        # The number between both directions is told, as a device knows it that has sent and received at its handshake.
        alike = self._downlink == 1
        # What goes ahead does so once in an exchange, for both ways were timed as one.
        down = Predictive(bandwidths=up.bandwidths if alike else up.bandwidths * self._downlink, weights=up.weights)
        return self._conditions.expecting(up, down)


class Regime(Method):
    """Knows the link's present distribution: the recorded value, and the law of the variation around it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._deviation = math.sqrt(math.log1p(world.variation**2))

    def choose(self, at: float) -> int:
        """The highest expected accuracy in time under that distribution."""
        choices, bandwidth = self._world.choices, self._world.recorded.at(at)
        return choices.best(_chances(choices, bandwidth, self._deviation), bandwidth)


class Clairvoyant(Method):
    """Knows the trace to come."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows = np.arange(world.choices.remote.size)

    def choose(self, at: float) -> int:
        """What turns out best; of equals the fastest."""
        return foreseen(self._world, self._rows, at)


def foreseen(world: World, rows: NDArray[np.intp], at: float) -> int:
    """The choice that turns out best for a request at some time."""
    outcome = outcomes(world.choices, rows, world.trace, np.array(at))
    return int(best_in_time(outcome.accuracy, outcome.edge))


def method(name: str, world: World, states: ConfigurationMap, *, race: bool, fixed: int = 0) -> Method:
    """The method of that name, as it begins a trace."""
    choices = world.choices
    simple = {"static": static, "last-sample": last_sample, "ewma": ewma, "harmonic-mean": harmonic_mean}
    if name in simple:
        return simple[name](choices)
    if name == "bandit":
        return Bandit(choices)
    if name == "paper-dynamic":
        return PaperDynamic(choices, Algorithm3(states, ChangePointDetector(), choices.deadline))
    if name in OURS:
        return Ours(choices, race=race, change_points=name == "edgent")
    if name in ORACLES:
        return Regime(world) if name == REGIME else Clairvoyant(world)
    return Method(fixed)


def _forecast(change_points: bool, ahead: float = 0.0) -> LinkForecast:
    """Without change points it is the same model of one run that never ends, and never forgets but by its last cell."""
    if change_points:
        return LinkForecast(timing_error=_EXACT, ahead=ahead)
    return LinkForecast(timing_error=_EXACT, ahead=ahead, detector=ChangePointDetector(hazard=_NEVER))


def _chances(choices: Choices, bandwidth: float, deviation: float) -> NDArray[np.float64]:
    """P(B >= need) for a log-normal B of this mean."""
    if bandwidth <= 0 or deviation == 0:
        return (choices.need <= bandwidth).astype(np.float64)
    normal = NormalDist(math.log(bandwidth) - deviation**2 / 2, deviation)
    chances = [1 - normal.cdf(math.log(need)) if 0 < need < math.inf else float(need == 0) for need in choices.need]
    return np.array(chances)
