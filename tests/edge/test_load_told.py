"""An edge tells its load with each answer and each refusal, so that devices need not come to find out."""

from __future__ import annotations

import pytest

from edgent.edge.edge import Edge
from edgent.edge.queue import EdgeWork
from edgent.testing import FakeEngine, FakeLink
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import BusyError
from edgent.wire.tensors import raw_parcel, write_request


class Meanwhile(FakeEngine):
    """Has something happen while it computes."""

    def __init__(self, happens):
        super().__init__()
        self.happens = happens

    def session(self, *arguments):
        self.happens()
        return super().session(*arguments)


@pytest.fixture
def asked(model, picture, clock):
    """What an edge answers while so many others, of half a second each, come to wait behind the request."""

    def ask(others):
        def visit():
            with edge.service.queue_threads.turn(budget=None, choices=(EdgeWork(key="other", profiled=0.5),)):
                clock.sleep(0.5)

        def come():
            for number in range(others):
                clock.thread(visit, f"other {number}").start()
            clock.sleep(0.01)

        edge = Edge(model, engine=Meanwhile(come), clock=clock)
        message = write_request(model.name, "", [raw_parcel(model.inputs[0], picture)], ())
        return EdgeClient(FakeLink(edge.service.methods(), clock=clock)).send(message, 10.0)

    return ask


@pytest.mark.parametrize("others", [0, 1, 3])
def test_an_answer_tells_what_the_next_request_would_wait_and_not_what_it_waited_itself(asked, others):
    reply = asked(others)
    assert reply.load == pytest.approx(0.5 * others, abs=0.02)
    assert reply.queue == 0.0


def test_a_refusal_tells_the_load(model, picture, clock):
    service = Edge(model, engine=FakeEngine(), clock=clock).service
    message = write_request(model.name, "", [raw_parcel(model.inputs[0], picture)], ())
    client = EdgeClient(FakeLink(service.methods(), clock=clock))
    with (
        service.queue_threads.turn(budget=None, choices=(EdgeWork(key="other", profiled=2.0),)),
        pytest.raises(BusyError) as caught,
    ):
        client.send(message, 1.0)
    assert caught.value.load == pytest.approx(2.0, abs=0.02)


def test_a_probe_that_is_answered_tells_it_too(model, clock):
    service = Edge(model, engine=FakeEngine(), clock=clock).service
    link = FakeLink(service.methods(), clock=clock)
    request = m.ProbeRequest(name=model.name).SerializeToString()
    assert link.call(m.PROBE, request, 1.0).notes.load == 0.0
    with service.queue_threads.turn(budget=None, choices=(EdgeWork(key="other", profiled=2.0),)):
        assert link.call(m.PROBE, request, 1.0).notes.load == pytest.approx(2.0, abs=0.02)
