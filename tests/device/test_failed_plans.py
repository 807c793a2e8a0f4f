"""A plan that fails is answered by the device, and not chosen again for this edge."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto as T
from onnx import helper as h

import kinds
from edgent.device.device import Device
from edgent.device.warm_sessions import Warmed, Warmer
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgeError, EdgentError, InputError, ModelError
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.errors import BusyError, LateError
from shared_fixtures import make_profile

WITHIN = 60.0
X = np.random.default_rng(2).standard_normal((1, 8, 64, 64)).astype(np.float32)


class Failing(Engine):
    """Real sessions, but some fail: `runs` and `makes` are names of tensors; who is asked for one fails so."""

    def __init__(self, *, runs=(), makes=()):
        super().__init__()
        self.runs, self.makes, self.made = set(runs), set(makes), []

    def session(self, model, given, asked):
        self.made.append(tuple(asked))
        if self.makes.intersection(asked):
            raise ModelError(f"no kernel makes {list(asked)}")
        session = super().session(model, given, asked)
        return _FailingSession() if self.runs.intersection(asked) else session


class _FailingSession:
    def run(self, feeds):
        raise EdgentError("the kernel failed")


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A pooling that makes 128 kB into 2 kB, and five products: the device pools, and the edge does the rest."""
    nodes = [h.make_node("AveragePool", ["x"], ["p"], kernel_shape=[8, 8], strides=[8, 8])]
    names = ["p", *(f"t{k}" for k in range(4)), "y"]
    nodes += [h.make_node("MatMul", [a, "w"], [b]) for a, b in pairwise(names)]
    weight = kinds.constant("w", np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32))
    ends = [kinds.tensor("x", T.FLOAT, X.shape)], [kinds.tensor("y", T.FLOAT, [1, 8, 8, 8])]
    return kinds.saved(tmp_path_factory.mktemp("plans"), nodes, *ends, [weight], name="pooling")


@pytest.fixture(scope="module")
def net(path):
    return load(path)


@pytest.fixture
def joined(net, clock):
    devices = []

    def join(*, device=None, edge=None, **settings):
        served = Edge(net, engine=edge, profiles=[make_profile(net)], clock=clock)
        link = FakeLink(served.service.methods(), clock=clock)
        told = {"bandwidth": 2e7, "round_trip": 1e-3, "deadline": 30.0, "device_profile": make_profile(net, layer=0.02)}
        devices.append(Device(net, channel=link, engine=device, clock=clock, **(told | settings)))
        assert devices[-1].wait_ready(WITHIN)
        return devices[-1], link

    yield join
    for device in devices:
        device.close()


def right(path, answer):
    return np.allclose(answer.outputs["y"], kinds.plain(path, {"x": X})["y"], rtol=1e-4, atol=1e-4)


def configuration(answer):
    return answer.record.plan.configuration


def asked_again(device, count=6):
    """Some more answers, each with what the background had to do before it done."""
    answers = []
    for _ in range(count):
        assert device.wait_ready(WITHIN)
        answers.append(device.infer(X))
    return answers


def test_without_a_failure_the_plan_pools_on_the_device(joined, path):
    device, _ = joined()
    answer = device.infer(X)
    assert (configuration(answer).upload_cut, answer.record.by) == (1, "edge")
    assert right(path, answer)


def test_a_plan_whose_head_fails_is_answered_by_the_device_and_another_is_chosen(joined, path):
    device, _ = joined(device=Failing(runs=["p"]))
    first, *later = [device.infer(X), *asked_again(device)]
    assert configuration(first).upload_cut == 1
    assert first.record.by == "device"
    assert first.record.why == "plan failed: the kernel failed"
    assert right(path, first)
    assert all(right(path, answer) for answer in later)
    assert all(configuration(answer) != configuration(first) for answer in later)
    assert later[-1].record.by == "edge"
    assert later[-1].record.why == ""


def test_the_stages_of_a_failed_plan_sum_up(joined):
    device, _ = joined(device=Failing(runs=["p"]))
    record = device.infer(X).record
    stages = [getattr(record.stages, name) for name in ("prepare", "head", "encode", "uplink", "queue", "suffix")]
    assert all(seconds >= 0 for seconds in stages)
    assert sum(stages) == pytest.approx(record.total, abs=1e-3)


@pytest.mark.parametrize("race", [True, False])
def test_a_plan_at_which_the_edges_engine_fails_is_answered_by_the_device_and_another_is_chosen(joined, path, race):
    device, _ = joined(edge=Failing(runs=["y"]), direction="device-first", race=race)
    first = device.infer(X)
    assert (first.record.by, first.record.why) == ("device", "edge failed: the kernel failed")
    assert right(path, first)
    chosen = [configuration(answer) for answer in asked_again(device, 24)]
    with_edge = [one for one in chosen if not one.device_only]
    assert len(set(with_edge)) == len(with_edge)
    assert chosen[-1].device_only


def test_a_plan_that_the_edge_rejects_is_not_chosen_again(joined, path):
    device, link = joined()
    answer, refusals = link.methods[m.MODEL_INFER], []

    def pedantic(message, call):
        request = m.ModelInferRequest.FromString(message)
        if request.model_name.endswith(".u1.d6"):
            refusals.append(request.model_name)
            raise InputError("this edge does not like it")
        return answer.answer(message, call)

    link.mend({**link.methods, m.MODEL_INFER: type(answer)(answer=pedantic)})
    first, *later = [device.infer(X), *asked_again(device)]
    assert (first.record.by, first.record.why) == ("device", "edge refused: this edge does not like it")
    assert right(path, first)
    assert device.connected
    assert len(refusals) == 1
    assert later[-1].record.by == "edge"
    assert right(path, later[-1])


def test_a_suffix_that_fails_is_answered_by_the_device(joined, path):
    device, _ = joined(device=Failing(runs=[]))
    device.warm(given := Configuration(exit=0, upload_cut=1, download_cut=3))
    suffix = device._divisions.of(given, "array").suffix

    class Session:
        def run(self, feeds):
            raise EdgentError("the suffix failed")

    engine, make = device._compute.engine, device._compute.engine.session
    engine.session = lambda model, given, asked: (
        Session() if tuple(given) == suffix.given else make(model, given, asked)
    )
    for race in (False, True):
        answer = device.infer(X, configuration=given, race=race)
        assert (answer.record.by, answer.record.why) == ("device", "plan failed: the suffix failed")
        assert right(path, answer)


def test_values_that_the_codec_cannot_carry_are_answered_by_the_device(joined, path):
    device, _ = joined()
    broken = X.copy()
    broken[0, 0, 0, 0] = np.nan
    given = Configuration(exit=0, upload_cut=1, download_cut=6, codec="uint8")
    answer = device.infer(broken, configuration=given, race=False)
    assert answer.record.by == "device"
    assert answer.record.why.startswith("plan failed: found NaN")
    assert np.isnan(answer.outputs["y"]).any()


def test_where_the_device_fails_as_well_the_error_is_raised_and_nobody_is_blamed(joined):
    engine = Failing(runs=["p", "y"])
    device, _ = joined(device=engine)
    for _ in range(2):
        with pytest.raises(EdgentError, match="the kernel failed"):
            device.infer(X)
    engine.runs.clear()
    answer = device.infer(X)
    assert (configuration(answer).upload_cut, answer.record.by) == (1, "edge")


def test_a_lost_link_is_no_fault_of_the_plan(joined):
    device, link = joined()
    link.hold(m.MODEL_INFER)
    late = device.infer(X, deadline=0.4)
    assert (late.record.by, late.record.why) == ("device", "edge late")
    link.release()
    answer = asked_again(device, 2)[-1]
    assert configuration(answer) == configuration(late)


def test_another_edge_is_asked_again(joined, until):
    device, link = joined(device=(engine := Failing(runs=["p"])))
    first = device.infer(X)
    assert configuration(asked_again(device, 3)[-1]) != configuration(first)
    engine.runs.clear()
    link.cut()
    assert device.infer(X).record.by == "device"
    link.mend()
    assert until(lambda: device.connected)
    assert configuration(asked_again(device, 4)[-1]) == configuration(first)


def test_a_plan_whose_sessions_cannot_be_made_gives_way_to_the_next_and_is_not_tried_for_ever(joined, path):
    engine = Failing(makes=["p"])
    device, _ = joined(device=engine)
    answers = asked_again(device, 16)
    assert all(right(path, answer) for answer in answers)
    assert answers[-1].record.by == "edge"
    assert configuration(answers[-1]).upload_cut != 1
    assert engine.made.count(("p",)) <= 5  # once for each plan that begins so


def test_a_given_plan_that_failed_may_be_given_again(joined):
    engine = Failing(runs=["p"])
    device, _ = joined(device=engine)
    given = Configuration(exit=0, upload_cut=1, download_cut=6)
    assert device.infer(X, configuration=given).record.by == "device"
    engine.runs.clear()
    assert device.infer(X, configuration=given).record.by == "edge"


def test_the_warmer_keeps_failures_apart_from_what_is_ready(clock):
    ready, broken = (Configuration(exit=0, upload_cut=k, download_cut=9) for k in (1, 2))

    def make(configuration):
        if configuration == broken:
            raise ModelError("no kernel")

    warmer = Warmer(make, clock)
    try:
        for one in (ready, broken):
            warmer.want(one)
            assert warmer.wait_idle(WITHIN)
        assert warmer.warmed == Warmed(ready=frozenset({ready}), failed=frozenset({broken}))
        warmer.give_up(ready)
        warmer.readied(ready)
        assert warmer.warmed.ready == frozenset()
        assert warmer.forget() == ready  # what was readied last
        assert warmer.warmed.failed == frozenset()
        warmer.want(ready)
        assert warmer.wait_idle(WITHIN)
        assert warmer.warmed.ready == {ready}
    finally:
        warmer.close()


@pytest.mark.parametrize("error", [LateError("no answer"), BusyError("full"), EdgeError("gone")])
def test_what_could_not_be_readied_for_the_links_sake_is_readied_when_it_is_wanted_again(clock, error):
    wanted, failing = Configuration(exit=0, upload_cut=1, download_cut=9), [error]

    def make(configuration):
        if failing:
            raise failing.pop()

    warmer = Warmer(make, clock)
    try:
        warmer.want(wanted)
        assert warmer.wait_idle(WITHIN)
        assert warmer.warmed == Warmed()
        warmer.want(wanted)
        assert warmer.wait_idle(WITHIN)
        assert warmer.warmed == Warmed(ready=frozenset({wanted}))
    finally:
        warmer.close()


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("gone"), ZeroDivisionError(), MemoryError()])
def test_the_warmer_survives_whatever_a_job_throws_and_says_so(clock, caplog, error):
    wanted, broken = (Configuration(exit=exit, upload_cut=1, download_cut=1) for exit in (0, 1))

    def make(configuration):
        if configuration == broken:
            raise error

    def throw():
        raise error

    warmer = Warmer(make, clock)
    try:
        for job in (lambda: warmer.do(throw), lambda: warmer.want(broken), lambda: warmer.want(wanted)):
            job()
            assert warmer.wait_idle(WITHIN)
        assert warmer.warmed == Warmed(ready=frozenset({wanted}), failed=frozenset({broken}))
    finally:
        warmer.close()
    assert sum(type(error).__name__ in line for line in caplog.messages) == 2
