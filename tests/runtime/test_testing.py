"""The public fakes keep their promises, so that programs tested with them can rely on these."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import edgent.testing
from edgent.errors import EdgeError, InputError, RefusedError
from edgent.runtime import messages as m
from edgent.runtime.edge import Edge
from edgent.runtime.engine import Engine
from edgent.runtime.faults import LateError
from edgent.testing import FakeEngine, FakeLink


@pytest.fixture
def link(model):
    return FakeLink(Edge(model, engine=FakeEngine()).service.methods())


def test_the_examples_in_the_documentation_run():
    assert doctest.testmod(edgent.testing).failed == 0


def test_a_cut_link_fails_and_a_mended_one_answers(link):
    link.cut()
    with pytest.raises(EdgeError):
        link.call(m.SERVER_LIVE, b"", 1.0)
    link.mend()
    assert link.call(m.SERVER_LIVE, b"", 1.0).body


def test_a_held_answer_is_late_by_the_callers_own_timeout_and_comes_when_released(link):
    link.hold(m.SERVER_LIVE)
    with pytest.raises(LateError):
        link.call(m.SERVER_LIVE, b"", 0.01)
    assert link.call(m.SERVER_READY, b"", 1.0).body
    link.release()
    assert link.call(m.SERVER_LIVE, b"", 1.0).body


def test_refusals_are_those_of_the_real_wire(link, channel):
    bad = m.ModelInferRequest(model_name="b-alexnet").SerializeToString()
    for either in (link, channel):
        with pytest.raises(RefusedError) as refused:
            either.call(m.MODEL_INFER, bad, 20.0)
        assert "expected image" in str(refused.value)


def test_fake_and_real_engines_make_tensors_of_one_shape_and_type(model, picture):
    given, asked = ["image"], ["exit0", "exit4"]
    fake, real = (engine.session(model, given, asked).run({"image": picture}) for engine in (FakeEngine(), Engine()))
    assert {name: (array.shape, array.dtype) for name, array in fake.items()} == {
        name: (array.shape, array.dtype) for name, array in real.items()
    }


def test_a_fake_session_wants_exactly_its_tensors(model):
    with pytest.raises(InputError):
        FakeEngine().session(model, ["image"], ["exit0"]).run({"other": np.zeros(1)})
