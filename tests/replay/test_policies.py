"""A policy in a replay: its accuracy in time is the mean over pictures along their paths, and it sends its share."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.link.trace import Trace
from edgent.link.transfer import WIRE, Transfer
from edgent.planning.policy import with_policies
from edgent.replay import ReplaySettings, replay
from edgent.replay.choices import Choices, outcomes
from edgent.replay.method_run import MethodRun, RequestTimes
from edgent.replay.methods import World
from edgent.replay.predictors import Method
from edgent.units import Seconds
from networks.policies import BIG, EDGE, SIZES, SMALL, gate, gates, table
from replay.machines import profile

DEADLINE, FIRST, CALL = Seconds(0.2), 0.040, 0.002


def flat(bandwidth: float, seconds: int = 100) -> Trace:
    return Trace(
        name="flat",
        starts=np.arange(seconds, dtype=np.float64),
        bandwidths=np.full(seconds, bandwidth),
        duration=Seconds(float(seconds)),
    )


def choices(*, race: bool = False) -> Choices:
    return Choices.of(with_policies(table(), gates(gate())), DEADLINE, race=race)


def gated(made: Choices) -> int:
    (row,) = np.flatnonzero(made.table.gate >= 0)
    return int(row)


@pytest.mark.parametrize("race", [True, False])
@pytest.mark.parametrize(("bandwidth", "met"), [(10e6, True), (2e6, False)])
def test_its_outcome_is_the_mean_over_pictures(race, bandwidth, met) -> None:
    made = choices(race=race)
    outcome = outcomes(made, np.array([gated(made)]), flat(bandwidth), np.array([1.0]))
    bits = WIRE.uplink(SIZES["source"]) + WIRE.downlink(4_000.0)
    path = FIRST + bits / bandwidth + CALL + EDGE
    assert (path <= DEADLINE) == met
    assert outcome.in_time.all()  # what the device said first stands
    assert outcome.accuracy == pytest.approx(BIG if met else BIG - 0.4 * 0.1)
    assert outcome.latency == pytest.approx(0.6 * FIRST + 0.4 * (path if met else DEADLINE))


def test_it_sends_as_many_requests_as_it_defers() -> None:
    class Watching(Method):
        seen: list[Transfer]

        def observe(self, event: Transfer) -> None:
            self.seen.append(event)

    made, trace = choices(), flat(10e6)
    who = Watching(gated(made))
    who.seen = []
    world = World(choices=made, trace=trace, recorded=trace, variation=0.0)
    run = MethodRun(world, RequestTimes(first=0.5, interval=1.0, end=trace.duration), who)
    run.run()
    sent = [event for event in who.seen if event.size > SIZES["source"]]
    assert len(run.chosen) == 100
    assert len(sent) == pytest.approx(40, abs=1)


def test_edgent_chooses_it_where_a_deferred_picture_is_in_time() -> None:
    """At 4 Mbit/s the edge's answer is in time behind the device's own; at 1 it is not."""
    request = ReplaySettings(
        candidates=with_policies(table(), gates(gate())),
        device=profile("device"),
        edge=profile("edge"),
        deadline=DEADLINE,
    )
    good, poor = (replay(request, [flat(bandwidth)]).mean("edgent", "accuracy") for bandwidth in (4e6, 1e6))
    assert good == pytest.approx(BIG, abs=0.01)
    assert poor == pytest.approx(SMALL, abs=0.01)
