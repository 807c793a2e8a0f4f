"""Who chooses plans: the planner, the controller and a stranger, without a device and inside one."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import numpy as np
import pytest

from edgent.codec import is_image_codec
from edgent.device.choosers.chooser import Scope, Static, best
from edgent.device.choosers.dynamic import Dynamic
from edgent.device.choosers.environment import chooser_of
from edgent.device.connection.upkeep import ASK, LEAD, STALE
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.errors import InputError
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import Emulated
from edgent.link import TransferModel
from edgent.link.transfer import CALL_BYTES, Transfer
from edgent.planning import Candidates, Conditions, Planner
from edgent.planning.planner import DUST, TOLERANCE
from edgent.testing import FakeEngine, FakeLink
from edgent.units import Seconds
from edgent.wire.messages import MODEL_INFER, PROBE
from edgent.wire.transport import Unary

DEADLINE = 0.3
WITHIN = 20.0  # seconds of the test's clock


@pytest.fixture(scope="module")
def scope(model, slow, fast):
    table = Candidates.build(model, slow, fast, calibration_for(model, None))
    return Scope(candidates=table, device=slow, edge=fast, deadline=DEADLINE, race=True, margin=lambda _: 0.009)


def conditions(bandwidth: float) -> Conditions:
    way = TransferModel(bandwidth=bandwidth, round_trip=0.005)
    return Conditions(uplink=way, downlink=way)


def crossed(bandwidth: float, at: float, *, direction="up", size=10_000, cut=False) -> Transfer:
    seconds = (size + CALL_BYTES) * 1.046 * 8 / bandwidth
    return Transfer(direction=direction, size=size, seconds=seconds, at=at, cut=cut)


@pytest.mark.parametrize("bandwidth", [3e4, 1e6, 1e8])
@pytest.mark.parametrize("make", [Static, Dynamic])
def test_both_choose_as_the_planner_for_a_link_they_are_told(scope, bandwidth, make):
    expected = Planner(scope.candidates).plan(conditions(bandwidth), DEADLINE)
    assert make(scope).choose(0.0, conditions(bandwidth), DEADLINE).configuration == expected.configuration


@pytest.mark.parametrize("make", [Static, Dynamic])
def test_among_what_is_ready_both_take_nothing_else(scope, make):
    chooser = make(scope)
    wanted = chooser.choose(0.0, conditions(1e8), DEADLINE)
    assert not wanted.configuration.device_only
    assert chooser.choose(0.0, conditions(1e8), DEADLINE, ready=()).configuration.device_only
    assert (
        chooser.choose(0.0, conditions(1e8), DEADLINE, ready=[wanted.configuration]).configuration
        == wanted.configuration
    )
    assert chooser.choose(0.0, conditions(1e8), DEADLINE).configuration == wanted.configuration


def test_the_controller_is_sure_of_less_on_a_link_that_varies(scope):
    """At a mean bandwidth at which the planner's choice would just be in time, the controller sends less."""
    steady, varying = Dynamic(scope), Dynamic(scope)
    random = np.random.default_rng(0)
    for turn in range(40):
        steady.observe([crossed(4e5, float(turn))])
        varying.observe([crossed(4e5 * random.lognormal(0, 0.6), float(turn))])
    plans = [chooser.choose(40.0, conditions(4e5), DEADLINE) for chooser in (steady, varying)]
    assert plans[0].chance > plans[1].chance
    assert plans[0].bytes_up >= plans[1].bytes_up


def test_after_transfers_that_were_all_given_up_the_device_stays_alone_until_one_gets_through(scope):
    """If it has an answer in time; else nothing is lost by sending, whatever has failed."""
    for deadline, alone in ((DEADLINE, True), (0.6 * scope.device.branches[0].whole.median, False)):
        chooser = Dynamic(replace(scope, deadline=deadline))
        for turn in range(10):
            chooser.observe([crossed(1e8, float(turn))])
        assert not chooser.choose(10.0, conditions(1e8), deadline).configuration.device_only
        for turn in range(3):
            chooser.observe([Transfer(direction="up", size=500, seconds=0.3, at=10.0 + turn, cut=True)])
        assert chooser.choose(13.0, conditions(1e8), deadline).configuration.device_only == alone
        for turn in range(5):
            chooser.observe([crossed(1e8, 14.0 + turn)])
        assert not chooser.choose(20.0, conditions(1e8), deadline).configuration.device_only


def test_a_direction_is_forecast_from_its_own_transfers_and_until_then_as_the_conditions_say(scope):
    chooser = Dynamic(scope)
    for turn in range(30):
        chooser.observe([crossed(2e6, float(turn))])
    believed = chooser._believed(30.0, conditions(5e7), DEADLINE)
    assert believed.uplink.bandwidth == pytest.approx(2e6, rel=0.05)
    assert set(believed.bandwidths.down) == {5e7}
    for turn in range(30):
        chooser.observe([crossed(9e6, 30.0 + turn, direction="down", size=100_000)])
    believed = chooser._believed(60.0, conditions(5e7), DEADLINE)
    assert believed.downlink.bandwidth == pytest.approx(9e6, rel=0.05)
    assert believed.downlink.round_trip == conditions(5e7).downlink.round_trip


def test_who_goes_by_the_last_transfer_always_wants_a_look(scope):
    assert Static(scope).decisive(0.0, conditions(1e6), DEADLINE) == math.inf


def test_the_controller_wants_a_look_once_its_knowledge_is_old_and_only_where_the_link_matters(scope):
    chooser = Dynamic(scope)
    random = np.random.default_rng(0)
    for turn in range(60):
        for direction in ("up", "down"):
            chooser.observe([crossed(2e6 * random.lognormal(0, 1.0), 3.0 * turn, direction=direction)])
    seen_at = 3.0 * 59
    assert chooser.decisive(seen_at, conditions(2e6), DEADLINE) is None
    assert 0 < chooser.decisive(seen_at + 30.0, conditions(2e6), 0.02) < 1e9
    patient = 3600.0
    assert chooser.choose(seen_at + 30.0, conditions(2e6), patient).configuration.device_only
    assert chooser.decisive(seen_at + 30.0, conditions(2e6), patient) is None


@pytest.mark.parametrize("wanted", [1e6, None])
def test_an_idle_link_is_measured_if_the_chooser_wants_a_look(made, link, clock, wanted):
    class Asked(Static):
        def decisive(self, now, conditions, deadline, *, unlikely=False):
            asked.append(now)
            return wanted

    asked, probes = [], probes_of(link)
    link.bandwidth = 1e7
    assert made(environment=Asked).wait_ready(WITHIN)
    probes.clear()
    clock.sleep(30.0)
    measured = [size for size, _ in probes if size > 1_000]
    if wanted is None:
        assert not measured
        assert len(asked) == pytest.approx((30.0 - STALE) / ASK, abs=1)
    else:
        assert 30.0 / STALE / 3 < len(measured) <= 30.0 / STALE * 3


def test_before_a_request_that_is_expected_one_message_up_tells_whether_the_link_is_fast_enough(
    model, made, link, clock
):
    class Asked(Static):
        def decisive(self, now, conditions, deadline, *, unlikely=False):
            return 1e6

    link.bandwidth = 1e7
    device, period = made(environment=Asked), 0.4
    assert device.wait_ready(WITHIN)
    probes, requests = probes_of(link), []
    for _ in range(8):
        requests.append(clock.now())
        device.infer(np.zeros(model.inputs[0].shape, np.float32))
        clock.sleep(requests[-1] + period - clock.now())
    looks = [(size, at) for size, at in probes if 4_600 < size < 4_700]  # 40 ms at 1 Mbit/s
    assert 3 <= len(looks) <= 5  # three periods alike tell that one is expected
    assert all(min(abs(request - LEAD - at) for request in requests) < 0.01 for _, at in looks[:-1])


def test_a_look_is_asked_for_by_the_deadline_that_requests_have(model, made, clock):
    """Not by the device's: with that much time nobody may need the edge at all."""

    class Asked(Static):
        def decisive(self, now, conditions, deadline, *, unlikely=False):
            asked.append(deadline)

    asked = []
    device = made(deadline=3600.0, environment=Asked)
    assert device.wait_ready(WITHIN)
    device.infer(np.zeros(model.inputs[0].shape, np.float32), deadline=DEADLINE)
    asked.clear()
    clock.sleep(60.0)
    assert asked and set(asked) == {DEADLINE}


def test_the_margin_of_a_local_branch_is_that_of_the_requests_deadline(scope):
    margins = []
    chooser = Dynamic(replace(scope, margin=lambda deadline: margins.append(deadline) or 0.03 * deadline))
    chooser.choose(0.0, conditions(1e6), 0.04)
    assert margins == [DEADLINE, 0.04]


def test_a_deadline_of_one_request_is_that_requests_alone(scope):
    chooser = Dynamic(scope)
    usual = chooser.choose(0.0, conditions(1e6), DEADLINE)
    assert not chooser.choose(0.0, conditions(1e6), 1e-3).meets_deadline
    assert chooser.choose(0.0, conditions(1e6), DEADLINE) == usual


def test_an_environment_that_is_none_is_refused(model, slow):
    with pytest.raises(InputError, match="expected static or dynamic"):
        chooser_of("windy")
    with pytest.raises(InputError, match="windy"):
        Device(model, deadline=1.0, device_profile=slow, environment="windy", engine=FakeEngine())


def test_a_chooser_of_ones_own_is_told_the_transfers_and_asked_for_each_plan(model, made, link, until):
    class Noted(Static):
        def __init__(self, scope):
            super().__init__(scope)
            self.heard, self.asked = [], 0
            self.codecs = {scope.candidates.configurations[row].codec for row in range(len(scope.candidates))}
            choosers.append(self)

        def observe(self, events):
            self.heard += events

        def choose(self, now, conditions, deadline, ready=None):
            self.asked += 1
            return super().choose(now, conditions, deadline, ready)

    choosers = []
    link.bandwidth = 1e7
    picture = np.zeros((1, 3, 32, 32), "float32")
    device = made(environment=Noted, calibration=calibration_for(model, None))
    assert device.wait_ready(WITHIN)
    (chooser,) = choosers
    assert {event.direction for event in chooser.heard} == {"up", "down"}  # from when the link was first measured
    before = chooser.asked
    device.infer(picture, configuration=None)
    assert until(lambda: len(choosers) == 2), "arrays have candidates of their own"
    assert until(lambda: device.infer(picture).record.why == ""), "it was told all, and chooses"
    assert choosers[-1].asked > 0
    assert {event.direction for event in choosers[-1].heard} == {"up", "down"}
    assert choosers[-1].heard[: len(chooser.heard)] == chooser.heard
    assert chooser.asked == before
    assert "source" in chooser.codecs and "float32" in choosers[-1].codecs
    assert not any(is_image_codec(codec) for codec in choosers[-1].codecs), "nobody has an array's picture"


def test_no_request_pays_for_a_switch_of_plans(model, slow, fast, clock, made, until):
    """Neither side makes a session where a request waits for it: not in its thread, and not while the edge infers."""
    inferring, makers, wanted = threading.local(), [], []

    class Noting(FakeEngine):
        def session(self, model, given, asked):
            if (tuple(given), tuple(asked)) not in self.built:
                makers.append("a request" if hasattr(inferring, "now") else threading.current_thread().name)
            return super().session(model, given, asked)

    def infer(message, call):
        inferring.now = True
        body = answer(message, call)
        del inferring.now
        return body

    class Switching(Static):
        def choose(self, now, conditions, deadline, ready=None):
            if wanted and ready is None:
                return best(switched, conditions, deadline)
            return super().choose(now, conditions, deadline, ready)

    table = Candidates.build(model, slow, fast, calibration_for(model, None))
    switched = table.keep((table.exit == 2) & (table.upload_cut == 4) & (table.download_cut == 9))
    methods = Edge(model, profiles=[fast], engine=Noting(), clock=clock).service.methods()
    answer = methods[MODEL_INFER].answer
    link = FakeLink({**methods, MODEL_INFER: Unary(answer=infer)}, clock=clock)
    device = made(channel=link, engine=Noting(), environment=Switching)
    assert device.wait_ready(WITHIN)
    makers.clear()
    wanted.append(True)
    picture = np.zeros(model.inputs[0].shape, np.float32)
    assert until(lambda: device.infer(picture).record.plan.configuration.upload_cut == 4)
    assert len(makers) >= 3  # head, middle and suffix
    assert not {"a request", threading.main_thread().name} & set(makers)
    assert not any(name.startswith("edgent-device") for name in makers)


def probes_of(link):
    """Notes the bytes up, and the time, of each probe from now on."""
    probes, answer = [], link.methods[PROBE].answer

    def noted(message, call):
        probes.append((len(message), call.began_at))
        return answer(message, call)

    link.methods = {**link.methods, PROBE: Unary(answer=noted)}
    return probes


def test_on_a_link_that_slows_down_and_recovers_the_plan_changes_and_no_request_is_late(
    model, made, link, clock, until
):
    """20 Mbit/s, then 60 kbit/s, then 20 again."""
    quick, poor = 2e7, 6e4
    picture = np.random.default_rng(1).normal(size=model.inputs[0].shape).astype("float32")
    link.bandwidth, link.round_trip = quick, 0.004
    device = made(pace=Emulated("slow", clock=clock), environment="dynamic")
    assert device.wait_ready(WITHIN)
    records = []

    def sends() -> float:
        records.append(device.infer(picture).record)
        return records[-1].plan.bytes_up

    assert until(lambda: sends() > 2_000)
    link.bandwidth = poor
    assert until(lambda: sends() < 2_000)
    link.bandwidth = quick
    assert until(lambda: sends() > 2_000)
    assert all(record.deadline_met for record in records)
    assert records[-1].by == "edge"


def test_the_planner_keeps_the_devices_margin_free_and_no_more(scope):
    """Brute force: the most accurate of those that leave it free, and the fastest of about equally accurate ones."""
    table, now = scope.candidates, conditions(1.5e5)
    latency, merit = now.latency(table), table.merit
    chosen = {}
    for margin in (0.0, 0.05, 0.1, 0.15, 0.2):
        plan = Static(replace(scope, margin=lambda _, margin=margin: margin)).choose(Seconds(0.0), now, Seconds(0.3))
        free = latency <= 0.3 - margin + 1e-12
        equal = free & (merit >= merit[free].max() - TOLERANCE - DUST)
        assert plan.stages.total == pytest.approx(latency[equal].min())
        chosen[margin] = plan.configuration
    assert len(set(chosen.values())) > 1


def without_codecs(scope, *, race: bool) -> Dynamic:
    """What is sent of a picture is then long, and each plan over the link in time from about 400 kbit/s on."""
    table = scope.candidates
    return Dynamic(replace(scope, candidates=table.keep(table.codec == table.codecs.index("float32")), race=race))


def chosen_after(chooser: Dynamic, *, mean: float, spread: float):
    """The plan on a link that was seen 40 times, log-normal."""
    random = np.random.default_rng(0)
    chooser.observe([crossed(mean * random.lognormal(0, spread), turn / 2) for turn in range(40)])
    return chooser.choose(19.6, conditions(mean), DEADLINE)


def test_without_a_race_an_edge_that_is_likely_and_not_certain_to_be_in_time_is_tried(scope):
    plans = [chosen_after(without_codecs(scope, race=race), mean=6e5, spread=0.8) for race in (False, True)]
    assert 0.5 < plans[0].chance < 0.96
    assert plans[0].configuration == plans[1].configuration
    assert [plan.trial for plan in plans] == [True, False]


@pytest.mark.parametrize("race", [False, True])
def test_an_edge_is_tried_though_the_devices_own_answer_leaves_no_margin(scope, race):
    """The device needs all but a hundredth of the deadline for its fastest branch, and so has no margin to keep."""
    table = scope.candidates
    fastest = table.demand[0][table.messages == 0].min()
    chooser = without_codecs(replace(scope, margin=lambda deadline: 0.04 * deadline), race=race)
    chosen_after(chooser, mean=6e5, spread=0.8)
    plan = chooser.choose(19.6, replace(conditions(6e5), device_factor=0.99 * DEADLINE / fastest), DEADLINE)
    assert plan.trial
    assert plan.chance < 0.96


@pytest.mark.parametrize(("mean", "crosses"), [(1e5, False), (1e7, True)])
def test_an_edge_that_is_hardly_in_time_or_certain_to_be_is_not_tried(scope, mean, crosses):
    plan = chosen_after(without_codecs(scope, race=False), mean=mean, spread=0.2)
    assert plan.configuration.device_only != crosses
    assert not plan.trial


@pytest.mark.parametrize("trial", [True, False])
def test_of_a_trial_the_device_answers_in_time_though_nobody_races(made, model, slow, fast, clock, until, trial):
    class Trusting(Static):
        def choose(self, now, conditions, deadline, ready=None):
            plan = super().choose(now, conditions, deadline, ready)
            return replace(plan, trial=trial and not plan.configuration.device_only)

    methods = Edge(model, profiles=[fast], engine=FakeEngine(), clock=clock).service.methods()
    link = FakeLink(methods, clock=clock)
    device = made(
        channel=link,
        engine=FakeEngine(),
        pace=Emulated("slow", clock=clock),
        race=False,
        deadline=DEADLINE,
        environment=Trusting,
    )
    picture = np.zeros(model.inputs[0].shape, np.float32)
    assert device.wait_ready(WITHIN)
    assert until(lambda: device.infer(picture).record.by == "edge")
    link.bandwidth, link.round_trip = 1e7, 2 * DEADLINE
    record = device.infer(picture).record
    assert not record.plan.configuration.device_only
    assert (record.by, record.deadline_met) == (("device", True) if trial else ("edge", False))
