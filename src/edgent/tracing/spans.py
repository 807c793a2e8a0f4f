"""What is known of a request, as spans. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edgent.planning.plan import STAGES, milliseconds
from edgent.telemetry import Record
from edgent.tracing.context import Bits, TraceContext, some_bits
from edgent.wire.notes import Notes

SpanKind = Literal["client", "server", "internal"]
Attribute = str | bool | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSpan:
    """A piece of work.

    Attributes:
        name: of the work.
        context: its own.
        parent: the span of which it is a part; None: it begins a trace.
        began: nanoseconds since 1970, by the clock of the machine that did it.
        ended: likewise.
        kind: on which side of a call it is.
        attributes: what else is known.
        error: why it failed, in one line; empty: it did not.
    """

    name: str
    context: TraceContext
    parent: TraceContext | None
    began: int
    ended: int
    kind: SpanKind = "internal"
    attributes: Mapping[str, Attribute] = field(default_factory=dict, hash=False)
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRequest:
    """One request, as an edge knows it.

    Attributes:
        parent: as its caller sent it; empty: the caller does not trace.
        name: of the model or segment that was asked for.
        began: when it came, in nanoseconds since 1970.
        ended: when its answer was there.
        notes: that go with the answer.
        error: why there is none; else empty.
    """

    parent: str
    name: str
    began: int
    ended: int
    notes: Notes
    error: str


def spans_of_record(record: Record, ended: int, bits: Bits) -> list[TraceSpan]:
    """A device's spans: one of the request, and one of each stage that took time.

    Args:
        record: with the context under which the request was traced.
        ended: nanoseconds since 1970 at the answer.
        bits: random ones, for what spans are known by.
    """
    context = TraceContext.parse(record.trace)
    assert context is not None, "what is traced has a context"
    lengths = {stage: _nanoseconds(getattr(record.stages, stage)) for stage in STAGES}
    began = ended - _nanoseconds(record.total)
    asked = record.stages.uplink > 0
    kind: SpanKind = "client" if asked else "internal"
    request = TraceSpan(
        name="infer", context=context, parent=None, began=began, ended=ended, kind=kind, attributes=_known_of(record)
    )
    planned = {} if record.plan is None else {stage: getattr(record.plan.stages, stage) for stage in STAGES}
    attributes = {stage: {"edgent.planned_ms": milliseconds(seconds)} for stage, seconds in planned.items()}
    return [request, *_in_turn(request, lengths, attributes, bits)]


def spans_of_edge(request: EdgeRequest, bits: Bits) -> Sequence[TraceSpan]:
    """An edge's spans: one of the request, one of its wait, one of its work; none where the caller keeps none."""
    parent = TraceContext.parse(request.parent)
    if parent is not None and not parent.sampled:
        return ()
    own = TraceContext.new(bits) if parent is None else TraceContext(trace=parent.trace, span=some_bits(bits, 64))
    whole = TraceSpan(
        name="infer",
        context=own,
        parent=parent,
        began=request.began,
        ended=request.ended,
        kind="server",
        attributes={"edgent.segment": request.name},
        error=request.error,
    )
    lengths = {"queue": _nanoseconds(request.notes.queue), "middle": _nanoseconds(request.notes.middle)}
    return [whole, *_in_turn(whole, lengths, {}, bits)]


def _in_turn(
    whole: TraceSpan, lengths: Mapping[str, int], attributes: Mapping[str, Mapping[str, Attribute]], bits: Bits
) -> Iterator[TraceSpan]:
    """The parts of a span, one behind the other up to its end; those that took no time are none."""
    began = whole.ended - sum(lengths.values())
    for name, length in lengths.items():
        if length > 0:
            yield TraceSpan(
                name=name,
                context=TraceContext(trace=whole.context.trace, span=some_bits(bits, 64)),
                parent=whole.context,
                began=began,
                ended=began + length,
                attributes=attributes.get(name, {}),
            )
        began += length


def _known_of(record: Record) -> dict[str, Attribute]:
    known: dict[str, Attribute | None] = {
        "edgent.input": record.input,
        "edgent.label": record.label,
        "edgent.exit": record.exit,
        "edgent.by": record.by,
        "edgent.deadline_met": record.deadline_met,
        "edgent.why": record.why or record.path or None,
        "edgent.plan": None if record.plan is None else str(record.plan.configuration),
    }
    return {name: value for name, value in known.items() if value is not None}


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
