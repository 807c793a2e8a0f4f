"""Spans to a collector: OTLP over HTTP, by OpenTelemetry's own library, which alone is known here.

What else a collector wants is told by the variables that every program of OpenTelemetry reads, such as
OTEL_EXPORTER_OTLP_HEADERS for a password and OTEL_RESOURCE_ATTRIBUTES for names of one's own.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from edgent.address import machine_name
from edgent.errors import EdgeError
from edgent.text import brief
from edgent.tracing.context import TraceContext
from edgent.tracing.spans import TraceSpan
from edgent.version import __version__

_TIMEOUT = 5.0  # seconds for a batch, with all attempts
_KINDS = {
    "client": trace.SpanKind.CLIENT,
    "server": trace.SpanKind.SERVER,
    "internal": trace.SpanKind.INTERNAL,
}


class OtlpExport:
    """Sends spans to a collector; a `SpanExport`.

    Args:
        url: of the collector, with its path.
        service: by which name it knows this program.
    """

    def __init__(self, url: str, service: str) -> None:
        self._url, self._said = url, _LastWords()
        log = logging.getLogger("opentelemetry")
        log.addHandler(self._said)
        log.propagate = False  # what it says goes into our own line, and that is said once
        resource = Resource.create(
            {"service.name": service, "service.version": __version__, "host.name": machine_name()}
        )
        self._ids, self._ended = _GivenIds(), _Ended()
        # Whether a trace is kept was decided where it began, and no process ends later for what is on its way.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer("edgent", __version__)
        self._exporter = OTLPSpanExporter(endpoint=url, timeout=_TIMEOUT)

    def send(self, spans: Sequence[TraceSpan]) -> None:
        """See `SpanExport.send`.

        Raises:
            EdgeError: the collector is not there, or does not take them.
        """
        for span in spans:
            self._make(span)
        # None are made where OTEL_SDK_DISABLED says so.
        if (ended := self._ended.taken()) and self._exporter.export(ended) is not SpanExportResult.SUCCESS:
            raise EdgeError(f"{self._url} does not take them, they are dropped: {self._said.line}")

    def close(self) -> None:
        """See `SpanExport.close`."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"<OtlpExport to {self._url}>"

    def _make(self, span: TraceSpan) -> None:
        self._ids.context = span.context
        parent = None if span.parent is None else trace.NonRecordingSpan(_otel_context(span.parent))
        begun = self._tracer.start_span(
            span.name,
            context=trace.set_span_in_context(trace.INVALID_SPAN if parent is None else parent),
            kind=_KINDS[span.kind],
            attributes=span.attributes,
            start_time=span.began,
        )
        if span.error:
            begun.set_status(trace.StatusCode.ERROR, span.error)
        begun.end(span.ended)


class _GivenIds(IdGenerator):
    """Spans had their ids before they were spans: an edge has been told them."""

    context: TraceContext

    def generate_trace_id(self) -> int:
        return self.context.trace

    def generate_span_id(self) -> int:
        return self.context.span


class _Ended(SpanProcessor):
    """Where spans are when they have ended."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def taken(self) -> list[ReadableSpan]:
        """Those that were not taken before."""
        spans, self._spans = self._spans, []
        return spans


class _LastWords(logging.Handler):
    """What the library said last: why it could not send."""

    line = "it does not say why"

    def emit(self, record: logging.LogRecord) -> None:
        self.line = brief(" ".join(record.getMessage().split()))


def _otel_context(context: TraceContext) -> Any:
    return trace.SpanContext(context.trace, context.span, is_remote=True, trace_flags=trace.TraceFlags(0x01))
