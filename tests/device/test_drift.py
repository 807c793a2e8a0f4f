"""The device follows what its machines really take: from records, and with an emulated edge that slows down."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.drift import Drifts, Factors
from edgent.edge.edge import Edge
from edgent.lab.boards.emulation import Emulated, Throttle
from edgent.planning.candidates import Candidates
from edgent.planning.plan import STAGES, Configuration, Plan, Stages
from edgent.telemetry import Record
from edgent.testing import FakeEngine, ManualClock
from edgent.units import BitsPerSecond, Seconds
from edgent.wire import messages as m
from networks.policies import gate

EDGE_ONLY = Configuration(exit=4, upload_cut=0, download_cut=22)
WHOLE_ALONE = Configuration(exit=4, upload_cut=22, download_cut=22)
GATE = gate()
WITHIN = 20.0  # seconds of the test's clock
PROFILED = Stages(prepare=0.001, head=0.004, encode=0.001, uplink=0.01, middle=0.003, downlink=0.001, suffix=0.004)


class EmulatedEngine(FakeEngine):
    """Computes nothing, and takes the seconds that its machine would take."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def session(self, model, given, asked):
        return _EmulatedSession(super().session(model, given, asked), self)


class _EmulatedSession:
    def __init__(self, session, engine: EmulatedEngine) -> None:
        self._session, self._engine = session, engine

    def run(self, feeds):
        self._engine.clock.sleep(self._engine.seconds)
        return self._session.run(feeds)


@pytest.fixture(scope="module")
def image():
    return encode_image("png", np.random.default_rng(3).integers(0, 256, (32, 32, 3), dtype=np.uint8))


@pytest.fixture
def live(model, fast, made, link, clock):
    """A device with real threads, codecs and engine, and an edge of which only the computing is emulated."""
    engine = EmulatedEngine(clock, seconds=22e-4)
    link.mend(Edge(model, profiles=[fast], engine=engine, clock=clock).service.methods())
    board = {"device_profile": fast.scaled(40, "a board"), "pace": Emulated("a board", clock=clock)}
    device = made(deadline=0.13, bandwidth=1e8, round_trip=0.001, **board)
    assert device.wait_ready(WITHIN)
    return device, engine


def record(stages: Stages, planned: Stages, by="edge", configuration=EDGE_ONLY) -> Record:
    plan = Plan(
        configuration=configuration, accuracy=0.8, meets_deadline=True, stages=planned, bytes_up=1.0, bytes_down=1.0
    )
    return Record(input="", label=None, exit=4, by=by, deadline_met=True, total=stages.total, stages=stages, plan=plan)


@pytest.mark.parametrize("factor", [1.3, 2.0])
def test_after_the_edge_slows_down_requests_21_to_40_are_predicted_without_bias(live, image, factor) -> None:
    device, engine = live
    usual, noise = engine.seconds, np.random.default_rng(5)
    found = []
    for k in range(60):
        engine.seconds = usual * (factor if k >= 20 else 1.0) * (1 + 0.05 * noise.standard_normal())
        found.append(device.infer(image, configuration=EDGE_ONLY, deadline=10.0).record)
    ratios = [one.plan.stages.middle / one.stages.middle for one in found]
    assert {one.by for one in found} == {"edge"}
    assert np.mean(ratios[:20]) == pytest.approx(1.0, abs=0.05)
    assert ratios[20] < 0.9  # nobody can know yet
    assert np.mean(ratios[40:]) == pytest.approx(1.0, abs=0.05)


def test_an_edge_grown_too_slow_is_left_and_the_device_answers(live, image) -> None:
    device, engine = live
    assert device.infer(image).record.by == "edge"
    engine.seconds *= 53  # 117 ms: in time still, and slower than the board that ends a local branch first
    planned = [device.infer(image).record.plan for _ in range(16)]
    assert not planned[0].configuration.device_only
    assert planned[-1].configuration.device_only
    assert planned[-1].meets_deadline
    alone = device.infer(image).record
    assert (alone.by, alone.deadline_met) == ("device", True)
    assert alone.total == pytest.approx(40 * (22 + 3) * 1e-4, abs=1e-4)  # 22 layers and the picture
    assert device.conditions.edge_factor > 30


def test_an_edge_that_never_answers_in_time_costs_no_deadline(live, image) -> None:
    device, engine = live
    engine.seconds *= 64  # 141 ms
    records = [device.infer(image).record for _ in range(8)]
    # Late until the edge has seen how long it takes by now; then it refuses, until it is tried again. A refusal tells
    # how long a request would wait, and while that is believed the device plans without the edge.
    assert {record.by for record in records} == {"device"}
    assert records[0].why == "edge late"
    assert {record.why for record in records if not record.plan.configuration.device_only} == {"edge late", "edge busy"}
    assert all(not record.why for record in records if record.plan.configuration.device_only)
    assert all(record.deadline_met for record in records)


def test_each_machine_has_a_factor_of_its_own() -> None:
    drifts = Drifts()
    for _ in range(10):
        drifts.learn(record(replace(PROFILED, middle=0.006), PROFILED), Factors())
    assert drifts.factors().edge == pytest.approx(2.0, rel=0.01)
    assert drifts.factors().device == pytest.approx(1.0, rel=0.01)


def test_a_plan_made_with_a_factor_is_compared_without_it() -> None:
    drifts = Drifts()
    for _ in range(10):
        drifts.learn(record(replace(PROFILED, middle=0.006), replace(PROFILED, middle=0.012)), Factors(edge=4.0))
    assert drifts.factors().edge == pytest.approx(2.0, rel=0.01)


def test_a_local_branch_that_answered_for_the_edge_is_not_taken_for_the_suffix() -> None:
    drifts = Drifts()
    for _ in range(10):
        drifts.learn(record(replace(PROFILED, suffix=0.2, middle=0.0), PROFILED, by="device"), Factors())
    assert drifts.factors() == Factors()


def test_work_too_short_to_tell_and_records_without_a_plan_teach_nothing() -> None:
    drifts = Drifts()
    for _ in range(10):
        drifts.learn(record(replace(PROFILED, middle=0.001), replace(PROFILED, middle=1e-5)), Factors())
        drifts.learn(replace(record(replace(PROFILED, middle=1.0), PROFILED), plan=None), Factors())
    assert drifts.factors().edge == 1.0


# What choosing, encoding, the edge's call and reading the answer take beyond work that is too short to tell a speed.
HANDLED = Stages(prepare=0.0004, encode=0.0001, middle=0.00015, suffix=0.0003)
SHORT = Stages(prepare=0.0001, encode=0.0002, uplink=0.01, middle=0.0001, downlink=0.001, suffix=0.0001)


def longer(stages: Stages, by: Stages) -> Stages:
    return Stages(**{stage: getattr(stages, stage) + getattr(by, stage) for stage in STAGES})


def test_what_each_stage_of_a_short_plan_takes_beyond_its_work_is_planned_in_that_stage(model, fast) -> None:
    drifts = Drifts()
    for _ in range(9):
        drifts.learn(record(longer(SHORT, HANDLED), SHORT), Factors())
    factors = drifts.factors()
    assert asdict(factors.handling) == pytest.approx(asdict(HANDLED))
    assert (factors.device, factors.edge) == (1.0, 1.0)
    link = LinkFollower(bandwidth=BitsPerSecond(1e7))
    table = Candidates.build(model, fast.scaled(40, "a board"), fast).frontier()
    before, after = (link.conditions(Seconds(0.0), None, one) for one in (Factors(), factors))
    for row, crosses in enumerate(table.messages > 0):
        added = HANDLED if crosses else Stages(prepare=HANDLED.prepare)
        expected = longer(before.stages(table, row), added)
        assert asdict(after.stages(table, row)) == pytest.approx(asdict(expected))
        assert after.latency(table)[row] == pytest.approx(expected.total)


def test_what_is_planned_of_the_handling_is_taken_out_before_more_is_learned() -> None:
    drifts, believed = Drifts(), Factors(device=2.0, edge=3.0, handling=HANDLED)
    planned = longer(Stages(prepare=0.0002, encode=0.0004, middle=0.0003, suffix=0.0002), HANDLED)
    for _ in range(9):
        drifts.learn(record(longer(planned, Stages(encode=0.0002)), planned), believed)
    assert asdict(drifts.factors().handling) == pytest.approx(asdict(replace(HANDLED, encode=0.0003)))


@pytest.mark.parametrize("profiled", [1e-5, 1e-4, 3e-4, 3e-3, 3e-2])
@pytest.mark.parametrize("slower", [1.0, 2.0])
def test_a_network_of_any_size_is_predicted_as_it_is_measured_on_the_device_alone(profiled, slower) -> None:
    drifts, around = Drifts(), Stages(prepare=0.0004, head=0.00003)
    for _ in range(60):
        factors = drifts.factors()
        work = Stages(head=profiled * factors.device)
        planned = longer(work, Stages(prepare=factors.handling.prepare, head=factors.handling.head))
        took = longer(Stages(head=profiled * slower), around)
        drifts.learn(record(took, planned, by="device", configuration=WHOLE_ALONE), factors)
    assert planned.total == pytest.approx(took.total, rel=0.05)
    assert planned.head == pytest.approx(took.head, rel=0.05)


def test_a_handling_shorter_than_none_is_planned_as_none() -> None:
    drifts = Drifts()
    for _ in range(9):
        drifts.learn(record(replace(SHORT, encode=0.0), SHORT), Factors())
    assert drifts.factors().handling == Stages()


def test_a_machine_whose_long_work_takes_its_handling_beside_is_no_slower_for_it() -> None:
    drifts = Drifts()
    planned = longer(PROFILED, HANDLED)
    for _ in range(20):
        drifts.learn(record(planned, planned), Factors(handling=HANDLED))
    assert drifts.factors().device == pytest.approx(1.0)
    assert drifts.factors().edge == pytest.approx(1.0)


def test_long_work_tells_the_devices_speed_and_no_handling():
    drifts = Drifts()
    for _ in range(9):
        drifts.learn(record(replace(PROFILED, head=0.008), PROFILED), Factors())
    assert drifts.factors().handling == Stages()
    assert drifts.factors().device > 1.2


def test_what_is_believed_of_the_machines_and_the_link_is_in_one_value():
    factors = Factors(device=2.0, edge=3.0, handling=HANDLED, backlog=0.05)
    link = LinkFollower(bandwidth=BitsPerSecond(1e7), round_trip=0.02)
    plain, both = link.conditions(0.0), link.conditions(0.0, None, factors)
    assert (both.device_factor, both.edge_factor, both.backlog, both.handling) == (2.0, 3.0, 0.05, HANDLED)
    assert (both.uplink, both.downlink, both.queue) == (plain.uplink, plain.downlink, plain.queue)
    assert (factors.alone.device_factor, factors.alone.backlog, factors.alone.handling) == (2.0, 0.05, HANDLED)


def test_one_answer_that_was_handled_late_does_not_shut_the_edge_out():
    """It was the first one, and nothing else is known of the handling until the edge is asked again."""
    drifts, short = Drifts(), replace(PROFILED, head=0.0, suffix=0.001)
    drifts.learn(record(replace(short, suffix=0.08), short), Factors())
    assert 0 < drifts.factors().handling.total < 0.01


@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_a_board_grown_slow_begins_in_time_to_answer_for_a_late_edge(
    model, fast, made, link, clock, image, factor
) -> None:
    profile = fast.scaled(40, "a board")
    pace = Emulated("a board", clock=clock, throttle=Throttle(after=0.0, factor=factor))
    device = made(deadline=1.0, bandwidth=1e8, round_trip=0.001, device_profile=profile, pace=pace)
    assert device.wait_ready(WITHIN)
    for _ in range(12):
        device.infer(image, configuration=WHOLE_ALONE, deadline=10.0)
    link.hold(m.MODEL_INFER)
    record = device.infer(image, configuration=EDGE_ONLY).record
    assert (record.by, record.why, record.deadline_met) == ("device", "edge late", True)


def test_a_board_whose_work_strays_begins_early_enough_to_answer_for_a_late_edge(
    model, fast, made, link, clock, image
) -> None:
    """Its branch takes 0.9 s, give or take a twentieth: far more than any margin."""
    pace = Emulated("a board", clock=clock, jitter=0.05, seed=1)
    device = made(
        deadline=2.0, bandwidth=1e8, round_trip=0.001, device_profile=fast.scaled(400, "a board"), pace=pace, exits=[4]
    )
    assert device.wait_ready(WITHIN)
    for _ in range(12):
        device.infer(image, configuration=WHOLE_ALONE)
    link.hold(m.MODEL_INFER)
    records = [device.infer(image, configuration=EDGE_ONLY).record for _ in range(40)]
    assert {(record.by, record.why) for record in records} == {("device", "edge late")}
    assert sum(record.total > 2.01 for record in records) <= 1
    assert min(record.stages.suffix for record in records) > 0.7
    assert sum(record.stages.uplink for record in records) / 40 > 0.8  # it begins early, and not at once


def test_a_board_that_only_answers_for_a_late_edge_is_known_to_be_slow_too() -> None:
    drifts = Drifts()
    slow = replace(PROFILED, prepare=0.002, head=0.008, encode=0.002, suffix=0.06, middle=0.0)
    for _ in range(12):
        drifts.learn(record(slow, PROFILED, by="device"), Factors(), stand_in=Seconds(0.03))
    assert drifts.factors().device == pytest.approx(2.0, rel=0.01)
    assert drifts.factors().edge == 1.0


@pytest.mark.parametrize(("encode", "factor"), [(0.0, 1.0), (0.020, 1.0), (0.040, 4 / 3)])
def test_of_a_picture_that_the_device_is_sure_of_only_the_first_answer_tells(encode, factor) -> None:
    planned = Stages(prepare=0.010, head=0.030, encode=0.020, uplink=0.01, middle=0.01)
    measured = Stages(prepare=0.010, head=0.030, encode=encode)
    one = record(measured, planned, by="device", configuration=replace(EDGE_ONLY, codec="jpeg-50"))
    drifts = Drifts()
    for _ in range(200):
        drifts.learn(replace(one, plan=replace(one.plan, gate=GATE)), Factors())
    assert drifts.factors().device == pytest.approx(factor, rel=0.02)


def test_layers_and_pictures_are_told_apart() -> None:
    drifts, large = Drifts(), replace(PROFILED, prepare=0.012, head=0.0, suffix=0.0)
    for _ in range(9):
        drifts.learn(record(replace(large, prepare=0.030), large), Factors())
    assert drifts.factors().pictures == pytest.approx(2.5)
    assert drifts.factors().layers == 1.0
    assert drifts.factors().device > 1.5
    for _ in range(12):
        drifts.learn(record(replace(large, suffix=0.06), large, by="device"), Factors(), stand_in=Seconds(0.03))
    assert drifts.factors().layers == pytest.approx(2.0, rel=0.01)
    assert drifts.factors().pictures == pytest.approx(1.0)


def test_factors_that_a_stand_in_and_a_plan_were_timed_with_are_divided_out() -> None:
    drifts, believed = Drifts(), Factors(device=3.0, layers=2.0, pictures=4.0)
    planned = replace(PROFILED, prepare=0.012, head=0.0, suffix=0.0)
    measured = replace(planned, prepare=0.020, suffix=0.09)
    for _ in range(30):
        drifts.learn(record(measured, planned, by="device"), believed, stand_in=Seconds(0.06))
    assert drifts.factors().layers == pytest.approx(3.0, rel=0.01)
    assert drifts.factors().pictures == pytest.approx(5.0)
