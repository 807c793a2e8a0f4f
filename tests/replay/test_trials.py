"""In a replay as on a device: an edge that is likely and not certain to be in time is asked beside the own answer."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.link.trace import Trace
from edgent.link.transfer import Transfer
from edgent.planning.controller import TRIED_FROM
from edgent.replay.choices import Choices, outcomes
from edgent.replay.method_run import MethodRun, RequestTimes
from edgent.replay.methods import Ours, World
from edgent.replay.predictors import Method
from edgent.units import Seconds
from replay.machines import candidates

DEADLINE = Seconds(0.080)  # the device ends its exits of .6 and .7 in time, in 40 and 70 ms


def choices(deadline: Seconds = DEADLINE) -> Choices:
    return Choices.of(candidates(), deadline, race=False)


def flat(bandwidth: float) -> Trace:
    return Trace(name="flat", starts=np.arange(9.0), bandwidths=np.full(9, bandwidth), duration=Seconds(9.0))


def alone(made: Choices) -> int:
    """The best that the device does in time."""
    return int(np.where(~made.remote & (made.need <= 0), made.accuracy, 0.0).argmax())


class Trying(Method):
    """Relies on one choice, and tries another one."""

    def __init__(self, row: int, beside: int | None) -> None:
        super().__init__(row)
        self._beside = beside
        self.events: list[Transfer] = []

    def tried(self, at: float) -> int | None:
        del at
        return self._beside

    def observe(self, event: Transfer) -> None:
        self.events.append(event)


def ran(made: Choices, bandwidth: float, row: int, beside: int | None) -> tuple[MethodRun, Trying]:
    trace, who = flat(bandwidth), Trying(row, beside)
    world = World(choices=made, trace=trace, recorded=trace, variation=0.0)
    run = MethodRun(world, RequestTimes(first=1.0, interval=2.0, end=9.0), who)
    run.run()
    return run, who


@pytest.mark.parametrize("row", np.flatnonzero(choices().remote))
@pytest.mark.parametrize("bandwidth", [2e5, 1e6, 5e6])
def test_the_edges_answer_counts_where_it_is_in_time_and_else_what_the_device_ends_behind_what_it_sends(row, bandwidth):
    made = choices()
    run, _ = ran(made, bandwidth, alone(made), row)
    by_itself = outcomes(made, np.array([row]), flat(bandwidth), np.array([1.0]))
    fits = [
        accuracy
        for accuracy, seconds in ((0.6, 0.040), (0.7, 0.070))
        if made.table.head[row] + made.table.encode[row] + seconds <= DEADLINE
    ]
    expected = made.accuracy[row] if by_itself.edge[0] <= DEADLINE else max(fits, default=0.0)
    assert [one.accuracy for one in run.outcomes] == pytest.approx([expected] * 4)
    assert all(one.in_time == (expected > 0) for one in run.outcomes)
    assert run.chosen == [alone(made)] * 4  # to try something is no switch of plans


def test_what_is_tried_teaches_of_the_link():
    made = choices()
    row = int(np.flatnonzero(made.remote)[0])
    _, who = ran(made, 1e6, alone(made), row)
    bits = made.bits_up[row] + made.bits_down[row]
    told = [event for event in who.events if event.at > 1.0 and not event.cut]
    assert sum(event.seconds == pytest.approx(bits / 1e6) for event in told) >= 3


def ours(spread: float, mean: float = 1e6, *, race: bool = False) -> Ours:
    """Who has seen a link 40 times, of a log-normal law."""
    who, random = Ours(choices(), race=race), np.random.default_rng(0)
    for turn in range(40):
        rate = mean * random.lognormal(0, spread)
        seconds = (6000 + 175) * 1.046 * 8 / rate
        who.observe(Transfer(direction="up", size=6000, seconds=seconds, at=Seconds(turn / 2)))
    return who


def test_ours_tries_an_edge_that_is_likely_and_not_certain_enough_to_be_relied_on():
    who = ours(0.6)
    row = who.choose(19.6)
    assert not choices().remote[row]
    tried = who.tried(19.6)
    assert tried is not None and choices().remote[tried]
    assert who._trials is not None and who._trials.chance is not None
    assert TRIED_FROM < who._trials.chance < 0.99


@pytest.mark.parametrize(
    ("spread", "mean", "race"), [(0.05, 1e7, False), (0.05, 1e5, False), (0.6, 1e6, True)], ids=str
)
def test_ours_tries_nothing_that_is_certain_or_hopeless_nor_with_a_race(spread, mean, race):
    who = ours(spread, mean, race=race)
    who.choose(19.6)
    assert who.tried(19.6) is None


def test_ours_tries_nothing_before_it_knows_anything():
    who = Ours(choices(), race=False)
    who.choose(0.0)
    assert who.tried(0.0) is None
