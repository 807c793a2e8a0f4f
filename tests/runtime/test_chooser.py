"""Who chooses plans: the planner, the controller and a stranger, without a device and inside one."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from edgent.codec import is_image_codec
from edgent.errors import InputError
from edgent.lab.link import ShapedLink
from edgent.link import TransferModel
from edgent.planning import Candidates, Conditions, Planner
from edgent.planning.outlook import Transfer
from edgent.runtime import watch
from edgent.runtime.calibrator import calibration_for
from edgent.runtime.chooser import Scope, Static, best
from edgent.runtime.clock import MonotonicClock
from edgent.runtime.device import Device
from edgent.runtime.dynamic import Dynamic, chooser_of
from edgent.runtime.edge import Edge
from edgent.runtime.messages import MODEL_INFER, PROBE
from edgent.runtime.transport import Unary
from edgent.runtime.way import CALL_BYTES
from edgent.testing import FakeEngine, FakeLink

DEADLINE = 0.3
WITHIN = 20.0


@pytest.fixture(scope="module")
def scope(model, slow, fast):
    table = Candidates.build(model, slow, fast, calibration_for(model, None))
    return Scope(candidates=table, device=slow, edge=fast, deadline=DEADLINE, race=True, margin=lambda _: 0.009)


def link(bandwidth: float) -> Conditions:
    way = TransferModel(bandwidth=bandwidth, round_trip=0.005)
    return Conditions(uplink=way, downlink=way)


def crossed(bandwidth: float, at: float, *, direction="up", size=10_000, cut=False) -> Transfer:
    seconds = (size + CALL_BYTES) * 1.046 * 8 / bandwidth
    return Transfer(direction=direction, size=size, seconds=seconds, at=at, cut=cut)


@pytest.mark.parametrize("bandwidth", [3e4, 1e6, 1e8])
@pytest.mark.parametrize("make", [Static, Dynamic])
def test_both_choose_as_the_planner_for_a_link_they_are_told(scope, bandwidth, make):
    expected = Planner(scope.candidates).plan(link(bandwidth), DEADLINE)
    assert make(scope).choose(0.0, link(bandwidth), DEADLINE).configuration == expected.configuration


@pytest.mark.parametrize("make", [Static, Dynamic])
def test_among_what_is_ready_both_take_nothing_else(scope, make):
    chooser = make(scope)
    wanted = chooser.choose(0.0, link(1e8), DEADLINE)
    assert not wanted.configuration.device_only
    assert chooser.choose(0.0, link(1e8), DEADLINE, ready=()).configuration.device_only
    assert chooser.choose(0.0, link(1e8), DEADLINE, ready=[wanted.configuration]).configuration == wanted.configuration
    assert chooser.choose(0.0, link(1e8), DEADLINE).configuration == wanted.configuration


def test_the_controller_is_sure_of_less_on_a_link_that_varies(scope):
    """At a mean bandwidth at which the planner's choice would just be in time, the controller sends less."""
    steady, varying = Dynamic(scope), Dynamic(scope)
    random = np.random.default_rng(0)
    for turn in range(40):
        steady.observe(crossed(4e5, float(turn)))
        varying.observe(crossed(4e5 * random.lognormal(0, 0.6), float(turn)))
    plans = [chooser.choose(40.0, link(4e5), DEADLINE) for chooser in (steady, varying)]
    assert plans[0].chance > plans[1].chance
    assert plans[0].bytes_up >= plans[1].bytes_up


def test_after_transfers_that_were_all_given_up_the_device_stays_alone_until_one_gets_through(scope):
    chooser = Dynamic(scope)
    for turn in range(10):
        chooser.observe(crossed(1e8, float(turn)))
    assert not chooser.choose(10.0, link(1e8), DEADLINE).configuration.device_only
    for turn in range(3):
        chooser.observe(Transfer(direction="up", size=10_000, seconds=0.3, at=10.0 + turn, cut=True))
    assert chooser.choose(13.0, link(1e8), DEADLINE).configuration.device_only
    for turn in range(5):
        chooser.observe(crossed(1e8, 14.0 + turn))
    assert not chooser.choose(20.0, link(1e8), DEADLINE).configuration.device_only


def test_who_goes_by_the_last_transfer_always_wants_a_look(scope):
    assert Static(scope).decisive(0.0, link(1e6), DEADLINE) == 1e6


def test_the_controller_wants_a_look_once_its_knowledge_is_old_and_only_where_the_link_matters(scope):
    chooser = Dynamic(scope)
    random = np.random.default_rng(0)
    for turn in range(60):
        for direction in ("up", "down"):
            chooser.observe(crossed(2e6 * random.lognormal(0, 1.0), 3.0 * turn, direction=direction))
    seen_at = 3.0 * 59
    assert chooser.decisive(seen_at, link(2e6), DEADLINE) is None
    assert 0 < chooser.decisive(seen_at + 30.0, link(2e6), 0.02) < 1e9
    patient = 3600.0
    assert chooser.choose(seen_at + 30.0, link(2e6), patient).configuration.device_only
    assert chooser.decisive(seen_at + 30.0, link(2e6), patient) is None


@pytest.mark.parametrize("wanted", [1e6, None])
def test_an_idle_link_is_measured_if_the_chooser_wants_a_look(model, slow, fast, monkeypatch, wanted):
    class Asked(Static):
        def decisive(self, now, conditions, deadline):
            asked.append(now)
            return wanted

    for name, seconds in {"STALE": 0.05, "ASK": 0.05, "IDLE": 60.0}.items():
        monkeypatch.setattr(watch, name, seconds)
    asked = []
    channel = FakeLink(Edge(model, profiles=[fast]).service.methods())
    with Device(model, channel=channel, deadline=DEADLINE, device_profile=slow, environment=Asked) as device:
        assert device.wait_ready(WITHIN)
        before, turns = channel.calls.count(PROBE), len(asked)
        assert until(lambda: len(asked) >= turns + 3)
        assert until(lambda: channel.calls.count(PROBE) > before) if wanted else channel.calls.count(PROBE) == before


def test_before_a_request_that_is_expected_one_message_up_tells_whether_the_link_is_fast_enough(
    model, slow, fast, monkeypatch
):
    class Asked(Static):
        def decisive(self, now, conditions, deadline):
            return 1e6

    class Probed(FakeLink):
        def call(self, method, message, timeout):
            if method == PROBE:
                probes.append((timeout, len(message)))
            return super().call(method, message, timeout)

    monkeypatch.setattr(watch, "STALE", 60.0)
    probes = []
    channel = Probed(Edge(model, profiles=[fast]).service.methods())
    with Device(model, channel=channel, deadline=DEADLINE, device_profile=slow, environment=Asked) as device:
        assert device.wait_ready(WITHIN)
        probes.clear()
        for _ in range(8):
            device.infer(np.zeros(model.inputs[0].shape, np.float32))
            time.sleep(0.4)
    looks = [size for timeout, size in probes if timeout < 0.1]
    assert 0 < len(looks) <= 5
    assert all(3_000 < size < 6_000 for size in looks)  # 34 ms at 1 Mbit/s


def test_a_look_is_asked_for_by_the_deadline_that_requests_have(model, slow, fast, monkeypatch):
    """Not by the device's: with that much time nobody may need the edge at all."""

    class Asked(Static):
        def decisive(self, now, conditions, deadline):
            asked.append(deadline)

    for name, seconds in {"STALE": 0.05, "ASK": 0.05, "IDLE": 60.0}.items():
        monkeypatch.setattr(watch, name, seconds)
    asked = []
    channel = FakeLink(Edge(model, profiles=[fast]).service.methods())
    with Device(model, channel=channel, deadline=3600.0, device_profile=slow, environment=Asked) as device:
        assert device.wait_ready(WITHIN)
        device.infer(np.zeros(model.inputs[0].shape, np.float32), deadline=DEADLINE)
        asked.clear()
        assert until(lambda: asked)
    assert set(asked) == {DEADLINE}


def test_the_margin_of_a_local_branch_is_that_of_the_requests_deadline(scope):
    margins = []
    chooser = Dynamic(replace(scope, margin=lambda deadline: margins.append(deadline) or 0.03 * deadline))
    chooser.choose(0.0, link(1e6), 0.04)
    assert margins == [DEADLINE, 0.04]


def test_a_deadline_of_one_request_is_that_requests_alone(scope):
    chooser = Dynamic(scope)
    usual = chooser.choose(0.0, link(1e6), DEADLINE)
    assert not chooser.choose(0.0, link(1e6), 1e-3).meets_deadline
    assert chooser.choose(0.0, link(1e6), DEADLINE) == usual


def test_an_environment_that_is_none_is_refused(model, slow):
    with pytest.raises(InputError, match="expected static or dynamic"):
        chooser_of("windy")
    with pytest.raises(InputError, match="windy"):
        Device(model, deadline=1.0, device_profile=slow, environment="windy", engine=FakeEngine())


def test_a_chooser_of_ones_own_is_told_the_transfers_and_asked_for_each_plan(model, slow, fast):
    class Noted(Static):
        def __init__(self, scope):
            super().__init__(scope)
            self.heard, self.asked = [], 0
            self.codecs = {scope.candidates.configuration(row).codec for row in range(len(scope.candidates))}
            made.append(self)

        def observe(self, event):
            self.heard.append(event)

        def choose(self, now, conditions, deadline, ready=None):
            self.asked += 1
            return super().choose(now, conditions, deadline, ready)

    made = []
    channel = FakeLink(Edge(model, profiles=[fast]).service.methods())
    picture = np.zeros((1, 3, 32, 32), "float32")
    with Device(
        model,
        channel=channel,
        deadline=DEADLINE,
        device_profile=slow,
        calibration=calibration_for(model, None),
        environment=Noted,
    ) as device:
        assert device.wait_ready(WITHIN)
        (chooser,) = made
        assert {event.direction for event in chooser.heard} == {"up", "down"}  # from when the link was first measured
        before = chooser.asked
        device.infer(picture, configuration=None)
        assert until(lambda: len(made) == 2)  # arrays have candidates of their own
        assert until(lambda: device.infer(picture).record.why == "")  # it was told all, and chooses
        assert made[-1].asked > 0
        assert {event.direction for event in made[-1].heard} == {"up", "down"}
        assert made[-1].heard[: len(chooser.heard)] == chooser.heard
        assert chooser.asked == before
        assert "source" in chooser.codecs and "float32" in made[-1].codecs
        assert not any(is_image_codec(codec) for codec in made[-1].codecs)  # nobody has their picture


def test_no_request_pays_for_a_switch_of_plans(model, slow, fast):
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
    methods = Edge(model, profiles=[fast], engine=Noting()).service.methods()
    answer = methods[MODEL_INFER].answer
    channel = FakeLink({**methods, MODEL_INFER: Unary(answer=infer)})
    with Device(
        model, channel=channel, deadline=DEADLINE, device_profile=slow, engine=Noting(), environment=Switching
    ) as device:
        assert device.wait_ready(WITHIN)
        makers.clear()
        wanted.append(True)
        picture = np.zeros(model.inputs[0].shape, np.float32)
        assert until(lambda: device.infer(picture).record.plan.configuration.upload_cut == 4)
    assert len(makers) >= 3  # head, middle and suffix
    assert not {"a request", threading.main_thread().name} & set(makers)
    assert not any(name.startswith("edgent-device") for name in makers)


class Held:
    """A device that really is as slow as its profile says."""

    def hold(self, started_at, seconds):
        time.sleep(max(0.0, started_at + seconds - MonotonicClock().now()))


def until(condition) -> bool:
    give_up_at = time.monotonic() + WITHIN
    while not condition() and time.monotonic() < give_up_at:
        time.sleep(0.005)
    return condition()


def test_on_a_real_link_that_slows_down_and_recovers_the_plan_changes(model, slow, fast):
    """Loopback sockets behind a shaped link: 20 Mbit/s, then 60 kbit/s, then 20 again."""
    quick, poor = 2e7, 6e4
    picture = np.random.default_rng(1).normal(size=model.inputs[0].shape).astype("float32")
    with (
        Edge(model, port=0, profiles=[fast]) as edge,
        ShapedLink(edge.address, uplink=quick, round_trip=0.004) as between,
        Device(
            model, edge=between.address, deadline=DEADLINE, device_profile=slow, pace=Held(), environment="dynamic"
        ) as device,
    ):
        assert device.wait_ready(WITHIN)

        def sends() -> float:
            return device.infer(picture).record.plan.bytes_up

        assert until(lambda: sends() > 2_000)
        between.set(uplink=poor, downlink=poor)
        assert until(lambda: sends() < 2_000)
        between.set(uplink=quick, downlink=quick)
        assert until(lambda: sends() > 2_000)
