"""One request carried out, without a device around it: who computes, in which thread, and where the time is booked.

Work takes the time of a made-up profile by the test's clock (22 ms a layer), so every stage is known by arithmetic.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from edgent.codec import encode_image
from edgent.device.compute import Compute
from edgent.device.division import divide
from edgent.device.execution import Execution
from edgent.device.failures import Reason
from edgent.device.request import Request
from edgent.device.schedule import Schedule
from edgent.edge.edge import Edge
from edgent.engine.material import Material
from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.planning.plan import STAGES, Configuration
from edgent.testing import FakeEngine, FakeLink
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import BrokenError, BusyError, LateError, NotServedError, RejectedError

LAYER, LAYERS = 0.022, 22
MARGIN, ROUND_TRIP = 0.01, 0.02
SPLIT = Configuration(exit=4, upload_cut=4, download_cut=22)
RETURNS = Configuration(exit=4, upload_cut=4, download_cut=10)
ALONE = Configuration(exit=4, upload_cut=22, download_cut=22)
REST = (LAYERS - 4) * LAYER  # what is left of the device's own branch after the head of four layers


class Slowly:
    """A pace at which work takes what its profile says."""

    def __init__(self, clock) -> None:
        self._clock = clock

    def hold(self, started_at, seconds) -> None:
        self._clock.sleep(seconds)


class Failing(FakeEngine):
    """Fails where any of these tensors is asked for, and counts how often."""

    def __init__(self, *names: str, error: Exception | None = None) -> None:
        super().__init__()
        self.names, self.failures = set(names), 0
        self.error = error or EdgentError("the kernel failed")

    def session(self, model, given, asked):
        session = super().session(model, given, asked)
        return self if self.names.intersection(asked) else session

    def run(self, feeds):
        self.failures += 1
        raise self.error


@pytest.fixture
def link(model, clock):
    """To an edge that computes as the device's fake does, in no time."""
    edge = Edge(model, engine=FakeEngine(), clock=clock)
    return FakeLink(edge.service.methods(), clock=clock, round_trip=ROUND_TRIP)


@pytest.fixture
def carried(model, slow, link, clock):
    """Carries out a configuration; `blamed` and `schedule` are what came of it beside the answer."""

    class Carried:
        blamed: list[EdgentError]
        schedule = Schedule()
        threads: list[int]

        def execution(
            self,
            configuration,
            *,
            ask=None,
            deadline=1.0,
            race=True,
            engine=None,
            why=Reason.NONE,
            detail="",
            exits=None,
        ) -> Execution:
            division = divide(model, configuration, device=slow, host=slow)
            changed = clock.condition(threading.Lock())
            branches = [one for one in division.branches if exits is None or one.exit in exits]
            request = Request(
                started_at=clock.now(),
                exit=configuration.exit,
                uses_edge=division.uses_edge,
                deadline=deadline,
                margin=MARGIN,
                branches=branches,
                schedule=self.schedule,
                call=changed.notify_all,
                race=race,
            )
            self.blamed, self.threads = [], []
            send = ask or EdgeClient(link).send

            def noted(message, budget):
                self.message, self.budget = message, budget
                self.threads.append(threading.get_ident())
                return send(message, budget)

            return Execution(
                request=request,
                plan=None,
                why=why,
                detail=detail,
                name="input",
                division=division,
                version=model.version,
                compute=Compute(model, engine or FakeEngine(), slow, Slowly(clock), clock),
                ask=noted,
                clock=clock,
                pool=clock.pool(8, "test"),
                failed=self.blamed.append,
                changed=changed,
            )

        def __call__(self, configuration, data=None, **settings):
            data = np.full((1, 3, 32, 32), 0.5, np.float32) if data is None else data
            clock.sleep(5.0)  # a moment that was never noted would be far away
            return self.execution(configuration, **settings).run(Material(data, model))

    return Carried()


def stages(record) -> dict[str, float]:
    """Those that took any time."""
    return {name: value for name in STAGES if (value := getattr(record.stages, name)) > 1e-4}


def raising(error):
    def ask(message, budget):
        raise error

    return ask


def test_head_link_and_suffix_are_booked_where_they_are_spent(carried):
    record = carried(RETURNS).record
    expected = {"head": 4 * LAYER, "uplink": ROUND_TRIP, "suffix": 12 * LAYER}
    assert stages(record) == pytest.approx(expected, abs=1e-4)
    assert (record.by, record.exit, record.why, record.deadline_met) == ("edge", 4, "", True)
    assert record.total == pytest.approx(sum(expected.values()), abs=1e-4)


@pytest.mark.parametrize(
    "configuration", [SPLIT, RETURNS, ALONE, replace(ALONE, exit=0, upload_cut=12, download_cut=12)]
)
def test_stages_add_up_to_the_total_whoever_answers(carried, link, configuration):
    for held in ((), (m.MODEL_INFER,)):
        link.hold(*held)
        record = carried(configuration).record
        assert sum(getattr(record.stages, name) for name in STAGES) == pytest.approx(record.total, abs=1e-9)


def test_the_edges_own_times_are_no_part_of_the_uplink(carried, link, clock):
    send = EdgeClient(link).send

    def ask(message, budget):
        reply = send(message, budget)
        return replace(reply, queue=0.003, middle=0.005)

    record = carried(SPLIT, ask=ask).record
    assert (record.stages.queue, record.stages.middle) == pytest.approx((0.003, 0.005), abs=1e-4)
    assert record.stages.uplink == pytest.approx(ROUND_TRIP - 0.008, abs=1e-4)


def test_the_device_alone_asks_nobody_and_books_all_as_head(carried):
    record = carried(ALONE).record
    assert stages(record) == pytest.approx({"head": LAYERS * LAYER}, abs=1e-4)
    assert (record.by, record.exit, record.why) == ("device", 4, "")
    assert carried.threads == []


def test_a_picture_is_prepared_before_anything_else_and_that_is_booked(carried, model):
    picture = encode_image("png", np.zeros((32, 32, 3), np.uint8))
    for configuration in (SPLIT, ALONE):
        record = carried(configuration, picture).record
        assert record.stages.prepare == pytest.approx(3e-4, abs=2e-5)
    source = carried(replace(SPLIT, upload_cut=0, codec="source"), picture).record
    assert source.stages.prepare == pytest.approx(0.0, abs=1e-5)


def test_a_codec_of_pictures_refuses_a_tensor_and_gives_the_turn_back(carried):
    with pytest.raises(InputError, match="codec source needs an image"):
        carried(replace(SPLIT, upload_cut=0, codec="source"))
    assert repr(carried.schedule) == "<Schedule 0/1 running, 0 waiting>" and carried.threads == []


def test_the_message_names_segment_and_version_and_has_the_heads_tensors(carried, model):
    carried(SPLIT)
    request = m.ModelInferRequest.FromString(carried.message)
    assert (request.model_name, request.model_version) == (f"{model.name}.x4.u4.d22", model.version)
    assert [entry.name for entry in request.inputs] == [tensor.name for tensor in model.branch(4).sent(4, 22)[0]]


def test_the_answer_is_what_the_edge_sent_and_its_best_class_the_label(carried, model, link):
    send, bodies = EdgeClient(link).send, []

    def ask(message, budget):
        bodies.append(reply := send(message, budget))
        return reply

    answer = carried(SPLIT, ask=ask)
    scores = np.frombuffer(m.ModelInferResponse.FromString(bodies[0].body).raw_output_contents[0], np.float32)
    assert np.array_equal(answer.scores, scores)
    assert answer.label == model.metadata.labels[int(np.argmax(scores))]


def test_while_a_local_branch_may_still_start_the_edge_has_until_then(carried):
    carried(SPLIT)
    assert carried.budget == pytest.approx(1.0 - MARGIN - 4 * LAYER, abs=1e-4)


def test_where_nobody_else_can_answer_in_time_the_edge_has_all_the_patience(carried):
    carried(SPLIT, deadline=0.1)
    assert carried.budget == 10.0


def test_the_caller_itself_waits_where_only_the_edge_can_end_it(carried):
    carried(SPLIT, race=False)
    assert carried.threads == [threading.get_ident()]


@pytest.mark.parametrize("settings", [{"race": False}, {"race": True}])
def test_where_a_suffix_follows_a_carrier_waits_and_the_caller_keeps_the_time(carried, settings):
    carried(RETURNS, **settings)
    assert len(carried.threads) == 1 and carried.threads != [threading.get_ident()]


def test_a_late_edge_is_overtaken_just_in_time(carried, link):
    link.hold(m.MODEL_INFER)
    record = carried(SPLIT).record
    assert (record.by, record.exit, record.why, record.deadline_met) == ("device", 4, "edge late", True)
    waited = 1.0 - MARGIN - 4 * LAYER - REST
    assert stages(record) == pytest.approx({"head": 4 * LAYER, "uplink": waited, "suffix": REST}, abs=1e-3)


def test_an_edge_that_answers_after_the_local_branch_began_still_wins(carried, link):
    link.round_trip = 0.8
    record = carried(SPLIT).record
    assert (record.by, record.why) == ("edge", "")
    assert record.total == pytest.approx(4 * LAYER + 0.8, abs=1e-3)


def test_without_a_race_the_device_begins_when_the_edge_has_failed_and_no_sooner(carried, link):
    link.hold(m.MODEL_INFER)
    record = carried(SPLIT, race=False).record
    assert (record.by, record.why, record.deadline_met) == ("device", "edge late", False)
    assert carried.budget == 10.0 and record.stages.uplink == pytest.approx(10.0, abs=0.01)


FAILURES = [
    (LateError("too long"), "edge late", False),
    (BusyError("full"), "edge busy", False),
    (EdgeError("gone"), "edge lost", False),
    (RefusedError("another version"), "edge refused: another version", False),
    (NotServedError("not here"), "edge refused: not here", False),
    (RejectedError("no such codec"), "edge refused: no such codec", True),
    (BrokenError("its kernel failed"), "edge failed: its kernel failed", True),
    (InputError("no message of ours"), "edge failed: no message of ours", True),
]


@pytest.mark.parametrize(("error", "why", "blamed"), FAILURES, ids=lambda value: getattr(value, "args", value))
@pytest.mark.parametrize("configuration", [SPLIT, RETURNS], ids=["whole", "suffix"])
def test_whatever_the_edge_fails_of_the_device_answers_at_once_and_says_why(carried, configuration, error, why, blamed):
    record = carried(configuration, ask=raising(error)).record
    assert (record.by, record.why) == ("device", why)
    assert record.total == pytest.approx(LAYERS * LAYER, abs=1e-3)  # the head's layers were not computed twice
    assert carried.blamed == ([error] if blamed else [])


def test_an_answer_that_is_none_is_a_failure_of_the_plan(carried, link):
    send = EdgeClient(link).send
    record = carried(SPLIT, ask=lambda *call: replace(send(*call), body=b"\xff\xff nonsense")).record
    assert record.by == "device" and record.why.startswith("edge failed: ") and len(carried.blamed) == 1


def test_a_head_that_fails_leaves_the_device_to_begin_again_from_the_input(carried, model):
    engine = Failing(model.branch(4).sent(4, 22)[0][0].name)
    record = carried(SPLIT, engine=engine).record
    assert (record.by, record.why) == ("device", "plan failed: the kernel failed")
    assert stages(record) == pytest.approx({"suffix": LAYERS * LAYER}, abs=1e-3)
    assert [str(error) for error in carried.blamed] == ["the kernel failed"] and carried.threads == []


def test_a_suffix_that_fails_is_the_plans_fault(carried, model):
    (answer,) = model.branch(4).outputs

    class Once(Failing):
        def session(self, model, given, asked):
            return (
                super().session(model, given, asked) if not self.failures else FakeEngine().session(model, given, asked)
            )

    record = carried(RETURNS, engine=Once(answer.name)).record
    assert (record.by, record.why) == ("device", "plan failed: the kernel failed") and len(carried.blamed) == 1


def test_what_the_device_cannot_do_by_itself_either_is_raised_and_no_plan_is_blamed(carried, model):
    up, _ = model.branch(4).sent(4, 22)
    engine = Failing(up[0].name, *(tensor.name for branch in model.branches for tensor in branch.outputs))
    with pytest.raises(EdgentError, match="the kernel failed"):
        carried(SPLIT, engine=engine)
    assert engine.failures == 2 and carried.blamed == []


@pytest.mark.parametrize("configuration", [SPLIT, ALONE])
def test_a_failed_request_gives_its_turn_to_the_next(carried, model, configuration):
    names = [tensor.name for branch in model.branches for tensor in branch.outputs]
    with pytest.raises(EdgentError):
        carried(configuration, engine=Failing(*names), ask=raising(EdgeError("gone")))
    assert repr(carried.schedule) == "<Schedule 0/1 running, 0 waiting>"
    assert carried(ALONE).record.total == pytest.approx(LAYERS * LAYER, abs=1e-3)


def test_who_is_interrupted_while_it_waits_for_the_device_gives_its_turn_back(carried, model):
    carried.schedule.begin(carried.schedule.reserve(0.0, [9.0], 99.0, print), 0.0, [9.0], 0.0)
    execution = carried.execution(ALONE, deadline=99.0)
    execution.changed.wait = lambda timeout=None: raising(KeyboardInterrupt)(b"", timeout)
    with pytest.raises(KeyboardInterrupt):
        execution.run(Material(np.full((1, 3, 32, 32), 0.5, np.float32), model))
    assert repr(carried.schedule) == "<Schedule 1/1 running, 0 waiting>"


@pytest.mark.parametrize("configuration", [SPLIT, RETURNS], ids=["caller", "carrier"])
def test_whatever_a_reply_throws_is_the_edges_failure(carried, configuration):
    record = carried(configuration, ask=raising(ZeroDivisionError("of nothing")), race=False).record
    assert record.by == "device"
    assert record.why == "edge failed: the edge's answer cannot be read: ZeroDivisionError: of nothing"


def test_what_nobody_expects_of_the_device_is_raised_to_the_caller_in_whichever_thread_it_came_up(carried, model):
    names = [tensor.name for branch in model.branches for tensor in branch.outputs]
    with pytest.raises(ZeroDivisionError, match="of nothing"):
        carried(RETURNS, engine=Failing(*names, error=ZeroDivisionError("of nothing")), race=False)


def test_after_an_answer_the_schedule_is_free(carried, link):
    for held in ((), (m.MODEL_INFER,)):
        link.hold(*held)
        carried(SPLIT)
        assert repr(carried.schedule) == "<Schedule 0/1 running, 0 waiting>"


@pytest.mark.parametrize(
    ("why", "detail", "words"),
    [
        (Reason.NONE, "", ""),
        (Reason.NOT_PLANNED, "", "plans not ready yet"),
        (Reason.REFUSED, "other models", "edge refused: other models"),
    ],
)
def test_why_the_plan_is_not_what_it_should_be_stands_in_the_record(carried, why, detail, words):
    assert carried(ALONE, why=why, detail=detail).record.why == words


def test_what_happened_is_said_rather_than_what_was_wrong_before(carried, link):
    link.hold(m.MODEL_INFER)
    assert carried(SPLIT, why=Reason.NOT_PLANNED).record.why == "edge late"


def test_only_exits_that_may_answer_do_and_late_is_said_to_be_late(carried, link):
    link.hold(m.MODEL_INFER)
    record = carried(SPLIT, deadline=0.4, exits={4}).record
    assert (record.by, record.exit, record.deadline_met) == ("device", 4, False)
    record = carried(SPLIT, deadline=0.4).record
    assert (record.by, record.exit, record.deadline_met) == ("device", 1, True)


def test_waiting_for_another_request_is_booked_as_queue(carried, clock):
    records = []
    first, second = (carried.execution(ALONE, deadline=10.0) for _ in range(2))
    second.changed = first.changed
    material = [Material(np.zeros((1, 3, 32, 32), np.float32), first.compute.model) for _ in range(2)]
    threads = [
        clock.thread(lambda e=e, x=x: records.append(e.run(x).record), "test")
        for e, x in zip((first, second), material, strict=True)
    ]
    for execution in (first, second):
        execution.request._call = first.changed.notify_all
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(r.stages.queue for r in records) == pytest.approx([0.0, LAYERS * LAYER], abs=1e-3)
