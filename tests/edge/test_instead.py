"""A loaded edge answers with less before it refuses: a request names what it would take as well."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.edge.edge import Edge
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import InputError
from edgent.model import segment_name
from edgent.testing import FakeEngine
from edgent.wire import messages as m
from edgent.wire.errors import BusyError, NotServedError
from edgent.wire.notes import NOTHING
from edgent.wire.tensors import parse, raw_parcel, read_arrays, write_request
from shared_fixtures import make_profile

LAYER = 0.01  # seconds, by the profile: exit 0 takes 0.12, exit 4 0.22


class Call:
    """One call with a budget."""

    def __init__(self, budget):
        self._budget, self.notes = budget, NOTHING

    def time_remaining(self):
        return self._budget

    def given_up(self):
        return False

    def window(self):
        return None

    def note(self, notes):
        self.notes = notes


@pytest.fixture
def ask(model, picture, clock):
    """Asks for exit 4, or what is named instead, within a budget: the answer, and the name in it."""
    service = Edge(model, engine=OnnxRuntimeEngine(), profiles=[make_profile(model, layer=LAYER)], clock=clock).service

    def asked(*instead, budget=None):
        wanted = segment_name(model.name, 4, 0, 22)
        request = parse(m.ModelInferRequest, write_request(wanted, "", [raw_parcel(model.inputs[0], picture)], []))
        if instead:
            request.parameters[m.INSTEAD].string_param = " ".join(instead)
        body = service.methods()[m.MODEL_INFER].answer(request.SerializeToString(), Call(budget))
        return parse(m.ModelInferResponse, body).model_name, body

    return asked


def exit_of(model, number):
    return segment_name(model.name, number, 0, len(model.branch(number).layers))


def test_what_is_asked_for_is_answered_where_it_can_be_in_time(model, ask):
    name, body = ask(exit_of(model, 0), budget=0.5)
    assert name == ""  # who gets what it asked for knows its name
    assert set(read_arrays(body, model.branch(4).outputs)) == {"exit4"}


def test_where_only_an_earlier_exit_can_be_in_time_that_answers_and_the_answer_says_so(model, picture, ask):
    name, body = ask(exit_of(model, 3), exit_of(model, 0), budget=0.15)
    assert name == exit_of(model, 0)
    (answer,) = read_arrays(body, model.branch(0).outputs).values()
    tensor = model.branch(0).outputs[0].name
    expected = OnnxRuntimeEngine().session(model, ["image"], [tensor]).run({"image": picture})[tensor]
    assert np.abs(answer - expected).max() <= 1e-5


def test_the_best_of_those_that_can_be_in_time_is_taken(model, ask):
    assert ask(exit_of(model, 1), exit_of(model, 0), budget=0.19)[0] == exit_of(model, 1)


def test_where_none_can_be_in_time_the_request_is_refused(model, ask):
    with pytest.raises(BusyError, match="its budget is 50 ms"):
        ask(exit_of(model, 0), budget=0.05)


def test_what_needs_other_tensors_or_is_not_there_would_not_do(model, ask):
    with pytest.raises(InputError, match=r"would not do as well as .*: it is not made of the same tensors"):
        ask(segment_name(model.name, 4, 3, 22))
    with pytest.raises(NotServedError):
        ask(segment_name(model.name, 9, 0, 22))
    with pytest.raises(InputError, match="9 names of what would do as well; expected at most 8"):
        ask(*[exit_of(model, 0)] * 9)


def test_nothing_of_a_request_that_is_refused_is_computed(model, picture, clock):
    class Counting(FakeEngine):
        asked = 0

        def session(self, *arguments):
            self.asked += 1
            return super().session(*arguments)

    engine = Counting()
    service = Edge(model, engine=engine, profiles=[make_profile(model, layer=LAYER)], clock=clock).service
    message = write_request(exit_of(model, 4), "", [raw_parcel(model.inputs[0], picture)], [])
    with pytest.raises(BusyError):
        service.methods()[m.MODEL_INFER].answer(message, Call(0.1))
    (account,) = service.counters.accounts
    assert (engine.asked, account.answered, account.turned_away) == (0, 0, 1)
