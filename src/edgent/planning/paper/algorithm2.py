"""Algorithm 2 of Edgent (Li et al., IEEE TWC 2020), to be read beside the paper: the configuration map, built offline.

    for each bandwidth state s_1 .. s_n                                         `build_map`, its loop
        for each strategy c_1 .. c_m
            reward(c_j) = exp(accuracy) + throughput, if in time, else 0        `Reward.of`
        keep the strategy of the highest reward for s_i                         `_winners`

The paper builds a map for one deadline. Here each state keeps what wins at any deadline of a range. What a candidate
is worth does not depend on the deadline, as long as it is in time; so with the candidates in order of latency, who
wins changes only where the best worth so far rises, and all deadlines cost no more than one.

Where nothing is in time all rewards are 0; then the fastest is kept. A state is its mean bandwidth, the same in both
directions. What a spread around it costs, the paper's reward, made of mean latencies, cannot see;
`edgent.planning.controller` can.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.configuration_map import ConfigurationMap, Machine, State, Step
from edgent.planning.reward import LEXICOGRAPHIC, Reward
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from edgent.latency import Profile
    from edgent.planning.candidates import Candidates

Floats = NDArray[np.float64]
_AT_ONCE = Seconds(0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSettings:
    """What a map is built for, the candidates apart.

    Attributes:
        bandwidths: Of the states, bits per second; in any order, each counts once.
        deadlines: The least and the greatest of them make the range.
        reward: What is maximised.
        round_trip: Of the empty link.
    """

    bandwidths: Sequence[float]
    deadlines: Sequence[Seconds]
    reward: Reward = LEXICOGRAPHIC
    round_trip: Seconds = _AT_ONCE

    def __post_init__(self) -> None:
        if not (self.bandwidths and self.deadlines):
            raise InputError("expected one state and one deadline at least")
        for bandwidth in self.bandwidths:
            if not 0 < bandwidth < math.inf:
                raise InputError(f"state {bandwidth!r}: expected a positive, finite number of bits per second")

    @property
    def shortest(self) -> Seconds:
        """The least deadline of the range."""
        return Seconds(min(self.deadlines))

    @property
    def longest(self) -> Seconds:
        """The greatest deadline of the range."""
        return Seconds(max(self.deadlines))


def build_map(
    candidates: Candidates, model: str, device: Profile, edge: Profile, settings: MapSettings
) -> ConfigurationMap:
    """Builds the map for some candidates.

    Args:
        candidates: What may be run, in any number: their frontier is taken.
        model: The model's name.
        device: The profile that the candidates were priced with.
        edge: The same of the edge.
        settings: States, deadlines and reward.

    Raises:
        InputError: no candidate stays on the device, or a reward that needs accuracies which are not known.
    """
    # A map holds configurations, and those look at no picture.
    candidates = candidates.keep(candidates.gate < 0)
    # Deviation: the paper's states are recorded links, all of which carry something. State 0 is for when none does.
    alone = candidates.keep(np.equal(candidates.messages, 0))
    if not len(alone):
        raise InputError("no candidate stays on the device; a map needs one, for links that carry nothing")
    # The frontier loses no winner: the reward rises with accuracy and falls with latency, as the order of the frontier
    # does. In this order equal rewards at equal latencies fall to the candidate that the planner would choose: sorts
    # are stable.
    ordered = candidates.frontier().in_order_of_ties()
    without_link = _state(alone.in_order_of_ties(), BitsPerSecond(0.0), settings)
    return ConfigurationMap(
        model=model,
        digest=device.digest,
        device=Machine.of(device),
        edge=Machine.of(edge),
        shortest=settings.shortest,
        longest=settings.longest,
        round_trip=settings.round_trip,
        reward=settings.reward.name,
        # Algorithm 2's outer loop: for each bandwidth state s_1 .. s_n.
        states=(without_link, *(_state(ordered, b, settings) for b in np.unique(settings.bandwidths).tolist())),
    )


def grid(low: BitsPerSecond, high: BitsPerSecond, count: int) -> tuple[float, ...]:
    """Bandwidths of a grid: each the same factor above the one before.

    Raises:
        InputError: no rising range of positive numbers, or fewer than 2 of them.
    """
    if not (0 < low < high < math.inf and count >= 2):
        raise InputError(f"grid {low!r} .. {high!r} in {count}: expected two rising bandwidths and 2 states at least")
    # A factor apart and not a step: latency depends on 1 / bandwidth, so low bandwidths need the finer grid.
    return tuple(np.geomspace(low, high, count).tolist())


def _state(table: Candidates, bandwidth: BitsPerSecond, settings: MapSettings) -> State:
    """What wins of some candidates; of those that use no link at a bandwidth of 0."""
    # With bandwidth 0 only candidates without messages are left, so any positive number does; a transfer model of
    # bandwidth 0 would divide by it.
    link = TransferModel(bandwidth=bandwidth or BitsPerSecond(1.0), round_trip=settings.round_trip)
    latency = Conditions(uplink=link, downlink=link).latency(table)
    return State(bandwidth=bandwidth, steps=_steps(table, latency, settings))


def _steps(table: Candidates, latency: Floats, settings: MapSettings) -> tuple[Step, ...]:
    # The inner loop of Algorithm 2, for all strategies c_1 .. c_m and all deadlines at once.
    reward = settings.reward
    deadlines, rows = _winners(reward.of(table, latency), latency, reward.tolerance)
    # The winner at the shortest deadline is the last one whose own latency is not above it; if none is, the fastest of
    # all.
    first = max(int(np.searchsorted(deadlines, settings.shortest, side="right")) - 1, 0)  # in force at the shortest
    # Those that begin to win inside the range; what wins beyond it is never asked for.
    later = range(first + 1, int(np.searchsorted(deadlines, settings.longest, side="right")))
    steps = [Step(deadline=settings.shortest, configuration=table.configurations[int(rows[first])])]
    for k in later:
        configuration = table.configurations[int(rows[k])]
        # Two candidates may stand for one configuration at different worth; only a change of what runs is a step.
        if configuration != steps[-1].configuration:
            steps.append(Step(deadline=Seconds(float(deadlines[k])), configuration=configuration))
    return tuple(steps)


def _winners(worth: Floats, latency: Floats, tolerance: float) -> tuple[Floats, NDArray[np.intp]]:
    """From which deadlines on which candidates win; the first one, the fastest, also wins below."""
    # A deadline admits the candidates of least latency, so those in time are always a prefix of this order, and the
    # running maximum is the best reward for each deadline.
    order = np.argsort(latency, kind="stable")
    best = np.maximum.accumulate(worth[order])
    # Only where the best rises does another candidate begin to win; between two rises the deadline changes nothing.
    rises = np.flatnonzero(np.diff(best, prepend=-math.inf) > 0)
    # Within the tolerance the fastest wins: in order of latency, that is the first whose worth suffices. The running
    # maximum rises just where a candidate of more worth comes, so a search in it finds that candidate.
    return latency[order[rises]], order[np.searchsorted(best, best[rises] - tolerance)]
