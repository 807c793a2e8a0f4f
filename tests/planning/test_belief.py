"""What is believed of the link, in both directions."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from edgent.link import TransferModel
from edgent.link.forecast import LinkForecast
from edgent.link.transfer import Transfer
from edgent.planning import Candidates, Conditions
from edgent.planning.belief import LearnedBelief, LinkBelief
from edgent.planning.controller import Controller, Goal
from edgent.units import BitsPerSecond, Seconds
from planning.by_loops import spread
from planning.strategies import on_a_slow_device


def test_directions_of_unlike_weights_move_together_quantile_by_quantile() -> None:
    random = np.random.default_rng(5)
    up, down = spread(random, 5), spread(random, 8)
    one, other, weights = LinkBelief(uplink=up, downlink=down).pairs()
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(one) >= 0).all() and (np.diff(other) >= 0).all()
    for side, seen in ((up, one), (down, other)):
        for bandwidth, weight in zip(side.bandwidths, side.weights, strict=True):
            assert weights[seen == bandwidth].sum() == pytest.approx(weight)


def test_it_joins_the_forecasts_of_both_directions() -> None:
    table = Candidates.of(on_a_slow_device(np.random.default_rng(16)))
    forecast = LearnedBelief(LinkForecast(), LinkForecast(), round_trip=Seconds(0.002))
    controller = Controller(table, forecast, Goal(deadline=Seconds(0.25)), race=False)
    alone = controller.decide(Seconds(0.0))
    assert alone is not None and alone.configuration.device_only  # nothing is known of the link
    ways: tuple[Literal["up"], Literal["down"]] = ("up", "down")
    fast = [Transfer(direction=way, size=1e6, seconds=0.01, at=Seconds(k)) for k in range(1, 6) for way in ways]
    found = [controller.observe(event, event.at) for event in fast]
    assert found[0] is not None and not found[0].configuration.device_only
    cut = [Transfer(direction="up", size=1e6, seconds=1.0, at=Seconds(10.0 + k), cut=True) for k in range(3)]
    assert [controller.observe(event, event.at) is not None for event in cut] == [True, False, False]
    assert controller.plan is not None and controller.plan.configuration.device_only


def test_what_it_is_told_of_an_unseen_link_is_certain_until_the_link_is_seen() -> None:
    forecast = LearnedBelief(LinkForecast(), LinkForecast())
    link = TransferModel(bandwidth=BitsPerSecond(3e6), round_trip=Seconds(0.01), call_time=Seconds(0.004))
    told = Conditions(uplink=link, downlink=link, queue=Seconds(0.02), device_factor=1.5, edge_factor=2.0)
    forecast.under(told)
    seen = forecast.belief(Seconds(0.0))
    assert seen is not None and seen.median() == (3e6, 3e6)
    assert (seen.round_trip, seen.call_time, seen.queue) == (0.01, 0.004, 0.02)
    assert (seen.device_factor, seen.edge_factor) == (1.5, 2.0)
    forecast.observe(Transfer(direction="up", size=1e6, seconds=1.0, at=Seconds(1.0)))
    seen = forecast.belief(Seconds(1.0))
    assert seen is not None and seen.uplink.median > 7e6 and seen.downlink.median == 3e6
