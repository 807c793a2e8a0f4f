from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from edgent.tracing.context import TraceContext

_EXAMPLE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"  # of the specification


def _as_opentelemetry_reads(text: str) -> trace.SpanContext:
    context = TraceContextTextMapPropagator().extract({"traceparent": text})
    return trace.get_current_span(context).get_span_context()


@given(
    st.one_of(
        st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[a-z]{0,3})?", fullmatch=True),
        st.text(max_size=60),
    )
)
def test_a_context_is_read_as_opentelemetry_reads_it(text: str) -> None:
    theirs, ours = _as_opentelemetry_reads(text), TraceContext.parse(text)

    if ours is None:
        assert not theirs.is_valid
    elif text == text.strip():
        assert (ours.trace, ours.span) == (theirs.trace_id, theirs.span_id)
        assert ours.sampled == theirs.trace_flags.sampled


def test_the_specifications_example_is_read_and_written() -> None:
    context = TraceContext.parse(_EXAMPLE)

    assert context == TraceContext(trace=0x4BF92F3577B34DA6A3CE929D0E0E4736, span=0x00F067AA0BA902B7)
    assert str(context) == _EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        _EXAMPLE.upper(),
        _EXAMPLE + "-more",
        "ff" + _EXAMPLE[2:],
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        _EXAMPLE + "\n",
    ],
)
def test_what_is_no_context_is_none(text: str) -> None:
    assert TraceContext.parse(text) is None


def test_a_later_version_is_read_as_this_one() -> None:
    context = TraceContext.parse("01" + _EXAMPLE[2:] + "-something")

    assert context is not None
    assert str(context) == _EXAMPLE


def test_whether_spans_are_kept_is_said_by_a_flag() -> None:
    context = TraceContext.parse(_EXAMPLE[:-2] + "00")

    assert context is not None
    assert not context.sampled
    assert str(context) == _EXAMPLE[:-2] + "00"


def test_a_new_context_is_none_of_zeros() -> None:
    assert TraceContext.parse(str(TraceContext.new(lambda _: 0))) is not None
    assert TraceContext.new(Random(1).getrandbits) != TraceContext.new(Random(2).getrandbits)
