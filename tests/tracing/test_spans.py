from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from edgent.planning.plan import STAGES, Stages
from edgent.telemetry import Record
from edgent.tracing.context import TraceContext
from edgent.tracing.spans import EdgeRequest, spans_of_edge, spans_of_record
from edgent.units import Seconds
from edgent.wire.notes import NOTHING, Notes

CONTEXT = TraceContext(trace=7, span=9)
ENDED = 1_700_000_000_000_000_000
seconds = st.one_of(st.just(0.0), st.floats(1e-6, 2.0))


def record_of(stages: Stages) -> Record:
    total = Seconds(sum(getattr(stages, stage) for stage in STAGES))
    return Record(
        input="1.png",
        label="cat",
        exit=1,
        by="edge",
        deadline_met=True,
        total=total,
        stages=stages,
        plan=None,
        trace=str(CONTEXT),
    )


def request_of(parent: str, *, notes: Notes = NOTHING, error: str = "") -> EdgeRequest:
    return EdgeRequest(parent=parent, name="net", began=ENDED - 10**9, ended=ENDED, notes=notes, error=error)


@given(st.builds(Stages, **dict.fromkeys(STAGES, seconds)))
def test_a_devices_spans_are_as_long_as_its_records_stages_and_fill_the_request(stages: Stages) -> None:
    record = record_of(stages)
    request, *parts = spans_of_record(record, ENDED, Random(1).getrandbits)

    assert (request.context, request.parent) == (CONTEXT, None)
    assert request.ended == ENDED
    assert abs((request.ended - request.began) - record.total * 1e9) <= 1
    assert [part.name for part in parts] == [stage for stage in STAGES if getattr(stages, stage) > 0]
    for part in parts:
        assert part.parent == CONTEXT
        assert part.context.trace == CONTEXT.trace
        assert abs((part.ended - part.began) - getattr(stages, part.name) * 1e9) <= 1
    assert all(before.ended <= after.began for before, after in pairwise(parts))
    assert not parts or (abs(parts[0].began - request.began) < 10 and parts[-1].ended <= ENDED)


def test_each_span_is_known_by_another_number() -> None:
    spans = spans_of_record(record_of(Stages(prepare=1.0, head=1.0, uplink=1.0)), ENDED, Random(1).getrandbits)

    assert len({span.context.span for span in spans}) == len(spans) == 4


def test_a_request_that_asked_nobody_is_no_call() -> None:
    alone, *_ = spans_of_record(record_of(Stages(head=1.0)), ENDED, Random(1).getrandbits)
    asked, *_ = spans_of_record(record_of(Stages(head=1.0, uplink=0.1)), ENDED, Random(1).getrandbits)

    assert (alone.kind, asked.kind) == ("internal", "client")


def test_a_span_says_what_the_record_says() -> None:
    record = replace(record_of(Stages(head=1.0)), why="edge late", deadline_met=False, label=None)
    request, *_ = spans_of_record(record, ENDED, Random(1).getrandbits)

    assert request.attributes == {
        "edgent.input": "1.png",
        "edgent.exit": 1,
        "edgent.by": "edge",
        "edgent.deadline_met": False,
        "edgent.why": "edge late",
    }


def test_an_edges_spans_are_children_of_the_devices() -> None:
    notes = Notes(queue=0.25, middle=0.5)
    whole, queue, middle = spans_of_edge(request_of(str(CONTEXT), notes=notes), Random(1).getrandbits)

    assert whole.parent == CONTEXT
    assert {span.context.trace for span in (whole, queue, middle)} == {CONTEXT.trace}
    assert queue.parent == middle.parent == whole.context
    assert (queue.name, queue.began, queue.ended) == ("queue", ENDED - 750_000_000, ENDED - 500_000_000)
    assert (middle.name, middle.began, middle.ended) == ("middle", queue.ended, ENDED)


def test_an_edge_begins_a_trace_where_its_caller_has_none() -> None:
    for parent in ("", "nonsense"):
        (whole,) = spans_of_edge(request_of(parent), Random(1).getrandbits)
        assert whole.parent is None


def test_an_edge_keeps_no_spans_of_a_trace_that_is_not_kept() -> None:
    assert not spans_of_edge(request_of(str(replace(CONTEXT, sampled=False))), Random(1).getrandbits)


def test_a_request_that_was_refused_says_why() -> None:
    (whole,) = spans_of_edge(request_of(str(CONTEXT), error="the queue is full"), Random(1).getrandbits)

    assert whole.error == "the queue is full"
