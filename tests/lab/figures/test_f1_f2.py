from __future__ import annotations

import pytest

from edgent.lab.figures import f1, f2
from edgent.lab.processes.live_runs import LiveRuns
from edgent.planning.plan import Stages
from lab.figures import made


def bars(device, fast, slow):
    ways = [("device", device, 0.0), ("1 Mbit/s", 0.01, fast - 0.01), ("50 kbit/s", 0.01, slow - 0.01)]
    return [f1.Bar(where=where, computing=computing, transfer=transfer) for where, computing, transfer in ways]


@pytest.mark.parametrize(
    ("times", "reproduced", "why"),
    [
        ((2.2, 0.12, 2.1), True, "transfer"),
        ((0.1, 0.12, 2.1), False, "too fast"),
        ((2.2, 0.1, 0.2), False, "too small"),
    ],
)
def test_the_device_must_be_far_slower_than_a_fast_link_and_about_as_slow_as_a_slow_one(times, reproduced, why):
    (ordering,) = f1.result({"a device": bars(*times)}, {}, ()).orderings
    assert ordering.reproduced is reproduced
    assert why in ordering.why


def test_what_is_not_the_link_is_computing():
    bar = f1.bar("edge", LiveRuns(totals=(0.2, 0.3, 0.9), stages=Stages(uplink=0.1, downlink=0.05, middle=0.02)))
    assert (bar.total, bar.transfer) == (pytest.approx(0.3), pytest.approx(0.15))


def test_the_bars_of_today_are_in_the_table_and_not_in_the_plot():
    result = f1.result({"then": bars(2.2, 0.12, 2.1)}, {"now": bars(0.1, 0.1, 0.1)}, ("noted",))
    assert {row[0] for row in result.tables[0].rows} == {"then", "now"}
    assert [panel.title for panel in result.panels] == ["then"]
    assert result.notes == ("noted",)


def test_the_layers_take_what_the_device_s_profile_says_and_give_what_crosses():
    layers = f2.layers_of(made.setting())
    assert sum(layer.seconds for layer in layers) == pytest.approx(2.2)
    assert (layers[0].name, layers[0].size) == ("1 Conv", 32 * 32 * 32 * 4)
    assert layers[-1].size == 40


@pytest.mark.parametrize(("first", "uneven"), [(1.0, True), (0.01, False)])
def test_layers_are_uneven_where_one_stands_out_in_time_and_one_in_size(first, uneven):
    layers = [f2.LayerBar(name="1", seconds=first, size=1e6)]
    layers += [f2.LayerBar(name=str(k), seconds=0.01, size=1e3) for k in range(9)]
    (ordering,) = f2.result({"net": layers}, ()).orderings
    assert ordering.reproduced is uneven
