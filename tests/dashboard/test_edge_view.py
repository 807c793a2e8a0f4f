"""What is shown of an edge: what its counters, its queue and its callers say."""

from __future__ import annotations

import json

import pytest

from edgent.dashboard.edge_view import EdgeSample, EdgeView, cameras_per_core
from edgent.edge.callers import CallerCounter
from edgent.edge.edge import Edge
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink


class Shown(Edge):
    """An edge that is never started, with an address."""

    address = "127.0.0.1:8001"


@pytest.fixture
def edge(model, fast, clock) -> Edge:
    return Shown(model, profiles=[fast], clock=clock)


@pytest.fixture
def callers(clock) -> CallerCounter:
    return CallerCounter(clock)


@pytest.fixture
def view(edge, callers, clock) -> EdgeView:
    return EdgeView(edge, callers, clock.now)


def test_rates_and_cores_are_the_difference_of_two_moments():
    before = EdgeSample(at=10.0, answered=100, refused=5, computed=2.0, waited=0.1)
    after = EdgeSample(at=14.0, answered=140, refused=7, computed=4.0, waited=0.3)
    assert after.rates(before) == (10.0, 0.5, 0.5)


@pytest.mark.parametrize(("active", "busy", "cameras"), [(3, 0.15, 20.0), (0, 0.15, None), (3, 0.0, None)])
def test_a_core_holds_as_many_cameras_as_those_that_ask_leave_room_for(active, busy, cameras):
    assert cameras_per_core(active, busy) == cameras


def test_a_document_says_what_counters_and_queue_say(view, edge, model, clock):
    for _ in range(4):
        edge.service.counters.answered(model, queue=0.001, middle=0.02)
    edge.service.counters.turned_away(model)
    document = json.loads(json.dumps(view.document(0)))
    assert document["models"] == [
        {
            "name": model.name,
            "version": model.version,
            "answered": 4,
            "refused": 1,
            "queue_ms": 1.0,
            "compute_ms": 20.0,
        }
    ]
    assert document["queue"] == {"running": 0, "slots": 1, "waiting": 0, "bound": 32, "wait_ms": 0.0}


def test_a_sample_is_taken_twice_a_second_and_rates_are_over_the_last(view, edge, model, clock):
    view.document(0)
    for _ in range(10):
        for _ in range(5):
            edge.service.counters.answered(model, queue=0.0, middle=0.01)
        clock.advance(0.25)
        view.document(0)
        clock.advance(0.25)
        view.document(0)
    rows = view.document(0)["rows"]
    assert len(rows) == 11
    assert rows[-1][2:5] == [10.0, 0.0, 0.1]
    assert view.document(rows[-2][0])["rows"] == rows[-1:]


def test_a_device_that_asks_is_shown_with_what_it_asked(view, edge, callers, made, model, clock, picture):
    device = made(channel=FakeLink(callers.counted(edge.service.methods()), clock=clock), bandwidth=1e9)
    assert device.wait_ready()
    layers = len(model.branch(4).layers)
    for _ in range(3):
        device.infer(picture, configuration=Configuration(exit=4, upload_cut=0, download_cut=layers))
    document = view.document(0)
    (shown,) = document["devices"]
    assert (shown["answered"], shown["refused"], shown["failed"]) == (3, 0, 0)
    assert document["active"] == 1
    assert document["models"][0]["answered"] == 3
    clock.advance(60.0)
    assert view.document(0)["active"] == 0
