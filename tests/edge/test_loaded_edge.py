"""A device whose edge is loaded takes an earlier exit of it before none, where it could not answer as well itself."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.edge.edge import Edge
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from edgent.wire import messages as m
from edgent.wire.tensors import parse
from shared_fixtures import make_profile

PICTURE = np.full((1, 3, 32, 32), 0.5, np.float32)
LAYER = 0.01  # seconds at the edge, whose exits take 0.12 to 0.22
WHOLE = Configuration(exit=4, upload_cut=0, download_cut=22)


@pytest.fixture
def sent():
    return []


@pytest.fixture
def link(model, clock, sent):
    """To an edge that takes its time by a profile; notes the inferences that are sent."""
    service = Edge(model, profiles=[make_profile(model, layer=LAYER)], clock=clock).service

    class Noting(FakeLink):
        def call(self, method, message, timeout):
            if method == m.MODEL_INFER:
                sent.append(parse(m.ModelInferRequest, message))
            return super().call(method, message, timeout)

    return Noting(service.methods(), clock=clock)


@pytest.fixture
def asked(made):
    """The answer of an edge-only plan within a deadline."""

    def ask(deadline, **settings):
        device = made(bandwidth=1e8, round_trip=0.001, deadline=deadline, **settings)
        device.wait_ready(20.0)
        return device.infer(PICTURE, configuration=WHOLE)

    return ask


def test_the_edge_answers_at_the_exit_that_can_be_in_time_and_the_record_says_so(model, asked):
    answer = asked(0.19)
    assert (answer.record.by, answer.record.why) == ("edge", "edge busy")
    assert 0 < answer.record.exit < 4
    (tensor,) = model.branch(answer.record.exit).outputs
    expected = OnnxRuntimeEngine().session(model, ["image"], [tensor.name]).run({"image": PICTURE})
    assert np.abs(answer.outputs[tensor.name] - expected[tensor.name]).max() <= 1e-5


def test_an_edge_that_can_be_in_time_answers_as_planned(asked):
    record = asked(0.26).record
    assert (record.by, record.exit, record.why) == ("edge", 4, "")


def test_what_the_device_can_answer_as_well_by_itself_is_not_named(model, asked, sent, fast):
    asked(0.19, device_profile=fast)
    asked(0.19)
    (quick, weak) = (message.parameters[m.INSTEAD].string_param.split() for message in sent)
    assert quick == []
    assert weak[0].startswith(f"{model.name}.x3.") and weak[-1].startswith(f"{model.name}.x0.")


def test_a_plan_that_divides_a_branch_names_nothing(made, sent):
    device = made(bandwidth=1e8, round_trip=0.001, deadline=0.19)
    device.wait_ready(20.0)
    device.infer(PICTURE, configuration=Configuration(exit=4, upload_cut=1, download_cut=22))
    assert sent and not any(m.INSTEAD in message.parameters for message in sent)
