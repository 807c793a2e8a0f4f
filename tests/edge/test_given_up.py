"""What nobody waits for any more is not computed."""

from __future__ import annotations

import pytest

from edgent.edge.edge import Edge
from edgent.testing import FakeEngine, FakeLink
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import LateError
from edgent.wire.notes import NOTHING
from edgent.wire.tensors import raw_parcel, write_request


class Call:
    """One call, of a caller who may have left."""

    def __init__(self, *, gone):
        self.gone, self.notes = gone, NOTHING

    def time_remaining(self):
        return None

    def given_up(self):
        return self.gone

    def window(self):
        return None

    def note(self, notes):
        self.notes = notes


class Counting(FakeEngine):
    """Counts the sessions that it was asked for."""

    asked = 0

    def session(self, *arguments):
        self.asked += 1
        return super().session(*arguments)


@pytest.mark.parametrize(("gone", "computed"), [(False, 1), (True, 0)])
def test_a_request_that_was_given_up_while_it_waited_is_turned_away(model, picture, clock, gone, computed):
    engine = Counting()
    service = Edge(model, engine=engine, clock=clock).service
    infer = service.methods()[m.MODEL_INFER].answer
    message = write_request(model.name, "", [raw_parcel(model.inputs[0], picture)], [])
    if gone:
        with pytest.raises(LateError, match="gave it up"):
            infer(message, Call(gone=True))
    else:
        infer(message, Call(gone=False))
    (account,) = service.counters.accounts
    assert (engine.asked, account.answered, account.turned_away) == (computed, computed, 1 - computed)


def test_its_slot_is_free_for_the_next_one(model, picture, clock):
    service = Edge(model, engine=FakeEngine(), clock=clock).service
    infer = service.methods()[m.MODEL_INFER].answer
    message = write_request(model.name, "", [raw_parcel(model.inputs[0], picture)], [])
    for gone in (True, False, True, False):
        call = Call(gone=gone)
        if gone:
            with pytest.raises(LateError):
                infer(message, call)
        else:
            infer(message, call)
            assert call.notes.queue == 0.0


def test_a_request_whose_budget_ran_out_in_the_queue_is_not_computed(model, picture, clock):
    class Slow(Counting):
        def session(self, *arguments):
            clock.sleep(1.0)
            return super().session(*arguments)

    edge = Edge(model, engine=(engine := Slow()), clock=clock)
    link = FakeLink(edge.service.methods(), clock=clock)
    message = write_request(model.name, "", [raw_parcel(model.inputs[0], picture)], [])
    first = clock.thread(lambda: link.call(m.MODEL_INFER, message, 20.0), "first")
    first.start()
    clock.sleep(0.1)
    with pytest.raises(LateError):
        link.call(m.MODEL_INFER, message, 0.05)
    first.join()
    link.call(m.MODEL_INFER, message, 20.0)
    (report,) = EdgeClient(link).report(20.0)
    assert (engine.asked, report.name, report.answered, report.turned_away) == (2, model.name, 2, 1)
