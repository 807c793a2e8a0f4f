"""`--trace-to`: where spans of requests go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import urlsplit

import typer

from edgent.cli.terminal import show
from edgent.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from edgent.tracing.device_traces import DeviceTraces
    from edgent.tracing.edge_traces import EdgeTraces
    from edgent.tracing.span_queue import SpanQueue

TraceTo = Annotated[
    str,
    typer.Option(
        "--trace-to", metavar="URL", help="Send spans of requests to OpenTelemetry's collector, as http://HOST:4318."
    ),
]

Traces = TypeVar("Traces")

_PATH = "/v1/traces"  # where a collector takes spans, if nothing else is named


def parse_collector(text: str) -> str:
    """Reads the address of a collector; with its path.

    Raises:
        InputError: no such address.
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not text.isprintable() or " " in text:
        # What stands before an @ may be secret, wherever the address goes wrong.
        shown = "..." if "@" in text else text[:60]
        raise InputError(f"--trace-to {shown!r}: expected http://HOST:PORT or https://HOST:PORT, as of port 4318")
    if "@" in parts.netloc:
        raise InputError(
            "--trace-to: what nobody else may know stands in OTEL_EXPORTER_OTLP_HEADERS, and in no address"
        )
    return parts._replace(path=_PATH).geturl() if parts.path in ("", "/") else text


def collector_address(text: str) -> str:
    """Where spans go; empty: nowhere.

    Raises:
        InputError: no such address.
        MissingExtraError: what sends them is not installed.
    """
    if not text:
        return ""
    address = parse_collector(text)
    try:
        import opentelemetry.exporter.otlp.proto.http
        import opentelemetry.sdk  # noqa: F401 - whether the extra is there is known before any work is done
    except ImportError:
        raise MissingExtraError("--trace-to", "tracing") from None
    return address


def open_device_traces(text: str) -> AbstractContextManager[DeviceTraces | None]:
    """Traces the requests of a device, while something runs; None: nobody does.

    Args:
        text: of the option; empty: nobody does.
    """

    def traces(queue: SpanQueue) -> DeviceTraces:
        from edgent.tracing.device_traces import DeviceTraces

        return DeviceTraces(queue)

    return _opened(text, "edgent-device", traces)


def open_edge_traces(text: str) -> AbstractContextManager[EdgeTraces | None]:
    """The same for the requests of an edge."""

    def traces(queue: SpanQueue) -> EdgeTraces:
        from edgent.tracing.edge_traces import EdgeTraces

        return EdgeTraces(queue)

    return _opened(text, "edgent-edge", traces)


@contextmanager
def _opened(text: str, service: str, traces: Callable[[SpanQueue], Traces]) -> Iterator[Traces | None]:
    # Imported only when it is asked for: whoever traces nothing pays nothing.
    if not (address := collector_address(text)):
        yield None
        return
    from edgent.clock import MonotonicClock
    from edgent.tracing.opentelemetry import OtlpExport
    from edgent.tracing.span_queue import SpanQueue

    queue = SpanQueue(OtlpExport(address, service), MonotonicClock(), show.complain)
    try:
        yield traces(queue)
    finally:
        queue.close()
