"""A device and its edge trace one request: over the message, whatever carries it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detectors import detector
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.planning.plan import Configuration
from edgent.testing import FakeLink
from edgent.tracing.context import TraceContext
from edgent.tracing.device_traces import DeviceTraces
from edgent.tracing.edge_traces import EdgeTraces
from edgent.tracing.span_queue import MakeSpans
from edgent.tracing.spans import TraceSpan
from edgent.units import Seconds
from edgent.wire.errors import BusyError
from edgent.wire.messages import MODEL_INFER, ModelInferRequest
from edgent.wire.transport import Unary
from shared_fixtures import make_profile


class Requests:
    """In place of a queue: keeps what it is told."""

    def __init__(self) -> None:
        self.makers: list[MakeSpans] = []

    def put(self, make: MakeSpans) -> None:
        self.makers.append(make)

    @property
    def spans(self) -> Sequence[Sequence[TraceSpan]]:
        return [make() for make in self.makers]


@pytest.fixture
def model(tmp_path):
    return load(str(detector(tmp_path / "net.onnx")))


def answered(model, clock, *, traced_by_device: bool, traced_by_edge: bool):
    """One request that the edge answers: its answer, what was sent, and the spans of both."""
    ours, theirs, sent = Requests(), Requests(), []
    edge = Edge(model, profiles=[make_profile(model)], clock=clock)
    methods = dict(edge.service.methods())
    if traced_by_edge:
        methods = dict(EdgeTraces(theirs, now=lambda: round(clock.now() * 1e9)).traced(methods))
    infer = methods[MODEL_INFER].answer
    methods[MODEL_INFER] = Unary(answer=lambda message, call: sent.append(message) or infer(message, call))
    traces = DeviceTraces(ours, now=lambda: round(clock.now() * 1e9)) if traced_by_device else None
    with Device(
        model,
        channel=FakeLink(methods, clock=clock, round_trip=Seconds(0.01)),
        clock=clock,
        deadline=5.0,
        device_profile=make_profile(model),
        bandwidth=1e8,
        traces=traces,
    ) as device:
        assert device.wait_ready()
        middle = Configuration(exit=0, upload_cut=0, download_cut=len(model.branches[0].layers))
        picture = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in model.inputs}
        answer = device.infer(picture, configuration=middle, race=False)
    return answer, sent[-1], ours.spans, theirs.spans


def test_the_edges_spans_are_children_of_the_devices_request(model, clock) -> None:
    answer, _, ((request, *stages),), ((served, *_),) = answered(
        model, clock, traced_by_device=True, traced_by_edge=True
    )

    assert answer.record.by == "edge"
    assert str(request.context) == answer.record.trace
    assert served.parent == request.context
    assert served.context.trace == request.context.trace
    assert {stage.name for stage in stages} >= {"uplink"}
    # One clock is behind both here: what the edge did lies within what the device waited for.
    assert request.began <= served.began <= served.ended <= request.ended


def test_nothing_of_it_is_in_a_message_or_a_record_where_nobody_traces(model, clock) -> None:
    answer, message, ours, theirs = answered(model, clock, traced_by_device=False, traced_by_edge=False)

    assert not ours and not theirs and not answer.record.trace
    assert b"traceparent" not in message


def test_a_context_costs_a_request_some_eighty_bytes(model, clock) -> None:
    _, plain, *_ = answered(model, clock, traced_by_device=False, traced_by_edge=False)
    _, traced, *_ = answered(model, clock, traced_by_device=True, traced_by_edge=False)

    context = ModelInferRequest.FromString(traced).parameters["traceparent"].string_param
    assert TraceContext.parse(context) is not None
    assert 55 < len(traced) - len(plain) <= 80


def test_an_edge_whose_caller_does_not_trace_begins_a_trace(model, clock) -> None:
    *_, ((served, *_),) = answered(model, clock, traced_by_device=False, traced_by_edge=True)

    assert served.parent is None


def test_of_what_a_caller_sends_little_is_kept_however_much_it_is() -> None:
    requests = Requests()
    message = ModelInferRequest(model_name="n" * 10**6)
    message.parameters["traceparent"].string_param = "0" * 10**6
    infer = EdgeTraces(requests).traced({MODEL_INFER: Unary(answer=lambda message, call: b"")})[MODEL_INFER]
    assert infer.answer(message.SerializeToString(), object()) == b""
    (kept, *_) = requests.makers[0].args
    assert len(kept.name) == len(kept.parent) == 200


def test_a_refusal_is_raised_as_it_was_and_stands_in_the_span() -> None:
    requests = Requests()

    def refuse(message, call):
        raise BusyError("the queue is full")

    traced = EdgeTraces(requests).traced({MODEL_INFER: Unary(answer=refuse)})[MODEL_INFER]
    for message in (ModelInferRequest(model_name="n" * 999).SerializeToString(), b"\xff no message"):
        with pytest.raises(BusyError, match="full"):
            traced.answer(message, object())

    (named,), (unread,) = requests.spans
    assert named.error == unread.error == "the queue is full"
    assert len(named.attributes["edgent.segment"]) == 200
