"""How many frames under way pay, by hand and by a simulated line of stages."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.streams.staged import ALONE, plan
from edgent.device.streams.flow import MOST, ONE_BY_ONE, DeliveryRate, flow_of
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Stages
from edgent.units import BitsPerSecond, Seconds

THOUSANDTHS = st.floats(0.001, 0.1)


def simulated(stages: list[float], most: int, interval: float, count: int = 300) -> tuple[float, float]:
    """Frames a second and the longest latency, where each stage serves one frame at a time; a frame is always there."""
    free, ends, began, latencies = [0.0] * len(stages), [], -math.inf, []
    for number in range(count):
        start = max(began + interval, ends[number - most] if number >= most else 0.0, 0.0)
        began = now = start
        for index, seconds in enumerate(stages):
            now = free[index] = max(now, free[index]) + seconds
        ends.append(now)
        latencies.append(now - start)
    return (count - count // 2) / (ends[-1] - ends[count // 2 - 1]), max(latencies[count // 2 :])


def test_without_a_plan_there_is_one_frame_at_a_time():
    assert flow_of(None, None, 4, Seconds(1.0)) == ONE_BY_ONE
    assert flow_of(plan(Stages()), None, 1, Seconds(1.0)) == ONE_BY_ONE


@pytest.mark.parametrize("turns", [1, 2, 4])
def test_a_device_alone_has_as_many_frames_as_turns(turns):
    flow = flow_of(plan(Stages(head=0.05), ALONE), None, turns, Seconds(1.0))
    assert (flow.most, flow.interval) == (turns, 0.0)


@given(THOUSANDTHS, THOUSANDTHS, THOUSANDTHS)
def test_frames_in_flight_reach_nine_tenths_of_the_slowest_stage(head, uplink, middle):
    flow = flow_of(plan(Stages(head=head, uplink=uplink, middle=middle)), None, 1, Seconds(10.0))
    if flow.most == MOST:
        return
    rate, _ = simulated([head, uplink, middle], flow.most, flow.interval)
    assert rate >= 0.9 / max(head, uplink, middle)


@given(THOUSANDTHS, THOUSANDTHS, THOUSANDTHS)
def test_where_one_frame_is_in_time_with_a_little_to_spare_frames_in_flight_are_too(head, uplink, middle):
    deadline = 1.05 * (head + uplink + middle)
    flow = flow_of(plan(Stages(head=head, uplink=uplink, middle=middle)), None, 1, Seconds(deadline))
    rate, longest = simulated([head, uplink, middle], flow.most, flow.interval)
    assert longest <= deadline + 1e-9
    assert rate >= 0.9 / max(head, uplink, middle) or flow.most == MOST


def test_a_long_way_holds_up_no_frame_but_its_own():
    link = TransferModel(bandwidth=BitsPerSecond(80e6), round_trip=Seconds(0.1))
    conditions = Conditions(uplink=link, downlink=link)
    stages = Stages(head=0.01, uplink=0.101, middle=0.002)
    flow = flow_of(plan(stages, bytes_up=10_000.0, bytes_down=0.0), conditions, 1, Seconds(1.0))
    assert flow.interval == pytest.approx(0.95 * 0.01)  # the device's; 10 kB take a millisecond
    assert flow.most >= 0.113 / 0.01


def test_the_edges_queue_calls_for_no_more_frames():
    stages = {"head": 0.01, "uplink": 0.02, "middle": 0.01}
    alone = flow_of(plan(Stages(**stages)), None, 1, Seconds(1.0))
    assert flow_of(plan(Stages(**stages, queue=0.5)), None, 1, Seconds(1.0)) == alone


def test_several_turns_let_frames_begin_sooner():
    stages = Stages(head=0.04, uplink=0.01)
    one, two = (flow_of(plan(stages), None, turns, Seconds(1.0)) for turns in (1, 2))
    assert two.interval == pytest.approx(one.interval / 2)


def test_frames_under_way_have_a_bound():
    link = TransferModel(bandwidth=BitsPerSecond(1e9), round_trip=Seconds(1.0))
    made = plan(Stages(head=0.001, uplink=1.0), bytes_up=100.0, bytes_down=100.0)
    assert flow_of(made, Conditions(uplink=link, downlink=link), 1, Seconds(5.0)).most == MOST


def test_what_has_come_out_corrects_a_stage_that_is_believed_too_slow():
    believed = plan(Stages(head=0.01, uplink=0.06, middle=0.01))
    flow = flow_of(believed, None, 1, Seconds(1.0), 0.04)
    assert flow.interval == pytest.approx(0.95 * 0.04)
    assert flow.most == math.ceil((0.01 + 0.04 + 0.01) / 0.04 / 0.95)  # as if it were believed so from the beginning
    assert flow_of(believed, None, 1, Seconds(1.0), 0.5) == flow_of(believed, None, 1, Seconds(1.0))


def test_the_shortest_mean_time_between_some_ends_in_a_row_counts_and_is_forgotten():
    delivery, at, seen = DeliveryRate(), 0.0, []
    for period in [0.1] * 20 + [0.05] * 8 + [0.2] * 60:
        at += period
        seen.append(delivery.ended(Seconds(at)))
    assert seen[7] == math.inf and seen[8] == pytest.approx(0.1)
    assert min(seen) == pytest.approx(0.05)
    assert seen[-1] == pytest.approx(0.2)


def test_two_frames_that_end_together_by_chance_are_no_rate():
    delivery = DeliveryRate()
    for pair in range(20):
        delivery.ended(Seconds(pair * 0.1))
        between = delivery.ended(Seconds(pair * 0.1 + 1e-6))
    assert between == pytest.approx(0.05, rel=0.13)
