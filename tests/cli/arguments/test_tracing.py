"""`--trace-to`: an edge and a device as processes, and a collector written from OTLP's protobuf."""

from __future__ import annotations

import contextlib
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from detectors import detector
from edgent.cli.arguments.tracing import collector_address, open_device_traces, open_edge_traces
from edgent.engine.loading import load
from edgent.errors import EdgeError, InputError, MissingExtraError
from edgent.planning.plan import STAGES
from edgent.tracing.context import TraceContext
from edgent.tracing.opentelemetry import OtlpExport
from edgent.tracing.spans import TraceSpan
from shared_fixtures import make_profile

WITHIN = 60.0  # seconds: only ever waited for when something is broken


class Collector:
    """Takes spans as OTLP over HTTP says; keeps them with the name of the service that sent them."""

    def __init__(self, status: int = 200) -> None:
        self.spans: list[tuple[str, object]] = []
        self.paths: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                outer.take(self.path, ExportTraceServiceRequest.FromString(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, request: ExportTraceServiceRequest) -> None:
        self.paths.add(path)
        for resource in request.resource_spans:
            named = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(named["service.name"], span) for span in scope.spans]


@contextlib.contextmanager
def collecting(status: int = 200) -> Iterator[Collector]:
    collector = Collector(status)
    thread = threading.Thread(target=collector.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.server.shutdown()
        collector.server.server_close()


def attributes(span) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_spans_of_both_processes_stand_in_one_trace_with_the_records_times(tmp_path) -> None:
    path = detector(tmp_path / "net.onnx")
    # By its profile the device is so slow, and its edge so fast, that the edge is asked.
    make_profile(load(str(path)), layer=1.0).save(tmp_path / "slow.json")
    make_profile(load(str(path)), layer=1e-6).save(tmp_path / "fast.json")
    picture, records = tmp_path / "1.ppm", tmp_path / "records"
    picture.write_bytes(b"P6\n64 64\n255\n" + bytes(64 * 64 * 3))
    command = [sys.executable, "-m", "edgent"]
    with collecting() as collector:
        serve = [*command, "serve", str(path), "--port", "0", "--json", "--profile", str(tmp_path / "fast.json")]
        with subprocess.Popen([*serve, "--trace-to", collector.url], stdout=subprocess.PIPE, text=True) as serving:
            try:
                edge = json.loads("".join(iter(serving.stdout.readline, "}\n")) + "}")["address"]
                words = ["run", path, picture, "--edge", edge, "--deadline", "30s", "--records", records]
                words += ["--profile", tmp_path / "slow.json", "--bandwidth", "1Gbps", "--trace-to", collector.url]
                done = subprocess.run([*command, *map(str, words)], check=False, capture_output=True, timeout=WITHIN)
                assert done.returncode == 0, done.stderr
            finally:
                serving.terminate()
            assert serving.wait(WITHIN) == 0
    assert collector.paths == {"/v1/traces"}

    (record,) = map(json.loads, records.read_text().splitlines())
    assert record["by"] == "edge"
    context = TraceContext.parse(record["trace"])
    assert context is not None
    mine = [(service, span) for service, span in collector.spans if span.trace_id == context.trace.to_bytes(16)]
    (request,) = [span for _, span in mine if not span.parent_span_id]
    assert request.span_id == context.span.to_bytes(8)
    assert attributes(request)["edgent.by"] == "edge"
    took = (request.end_time_unix_nano - request.start_time_unix_nano) / 1e6
    assert took == pytest.approx(record["total_ms"], abs=0.01)

    stages = {span.name: span for service, span in mine if span.parent_span_id == request.span_id and span.kind == 1}
    assert set(stages) == {stage for stage in STAGES if record["stages_ms"][stage] > 0}
    for name, span in stages.items():
        length = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
        assert length == pytest.approx(record["stages_ms"][name], abs=0.01)

    served = [span for service, span in mine if service == "edgent-edge"]
    (whole,) = [span for span in served if span.parent_span_id == request.span_id]
    middle = next(span for span in served if span.name == "middle")
    assert middle.parent_span_id == whole.span_id
    assert {service for service, _ in mine} == {"edgent-device", "edgent-edge"}
    # The edge's own word of its work is what the device booked.
    assert (middle.end_time_unix_nano - middle.start_time_unix_nano) / 1e6 == pytest.approx(
        record["stages_ms"]["middle"], abs=0.01
    )


SPAN = TraceSpan(name="infer", context=TraceContext(trace=1, span=2), parent=None, began=1, ended=2, error="late")


def test_a_collector_is_told_what_a_span_is() -> None:
    with collecting() as collector:
        export = OtlpExport(f"{collector.url}/own/path", "edgent-test")
        child = TraceSpan(name="queue", context=TraceContext(trace=1, span=3), parent=SPAN.context, began=1, ended=2)
        export.send([SPAN, child])
        export.close()
    (_, request), (service, part) = collector.spans
    assert collector.paths == {"/own/path"}
    assert service == "edgent-test"
    assert (request.name, request.status.message, request.status.code) == ("infer", "late", 2)
    assert (request.trace_id, request.span_id) == ((1).to_bytes(16), (2).to_bytes(8))
    assert part.parent_span_id == request.span_id


def test_who_has_disabled_opentelemetry_sends_nothing_and_hears_nothing_of_it(monkeypatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with collecting() as collector:
        export = OtlpExport(collector.url, "edgent-test")
        export.send([SPAN])
        export.close()
    assert not collector.paths


def test_a_collector_that_takes_nothing_is_one_line_that_says_why() -> None:
    with collecting(status=401) as collector:
        export = OtlpExport(collector.url, "edgent-test")
        with pytest.raises(EdgeError, match=r"does not take them, they are dropped: .*(401|Unauthorized)"):
            export.send([SPAN])
        export.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("https://[2001:db8::1]:4318/", "https://[2001:db8::1]:4318/v1/traces"),
        ("http://collector/otlp/v1/traces?x=1", "http://collector/otlp/v1/traces?x=1"),
        ("", ""),
    ],
)
def test_a_collector_is_named_by_its_host(text: str, address: str) -> None:
    assert collector_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["collector:4318", "grpc://collector:4317", "http://", "http://h:x", "http://h:99999", "http://a b", "http://[::1"],
)
def test_what_is_no_collector_is_bad_input(text: str) -> None:
    with pytest.raises(InputError, match="--trace-to"):
        collector_address(text)


@pytest.mark.parametrize(
    "text", ["https://me:secret@collector", "http://me:secret@h:x", "me:secret@h", "http://[me:secret@h"]
)
def test_a_password_in_an_address_is_refused_and_not_said(text: str) -> None:
    with pytest.raises(InputError, match="--trace-to") as caught:
        collector_address(text)
    assert "secret" not in str(caught.value)


def test_where_a_password_belongs_is_said() -> None:
    with pytest.raises(InputError, match="OTEL_EXPORTER_OTLP_HEADERS"):
        collector_address("https://me:secret@collector")


def test_the_extra_is_named_where_it_is_missing(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    with pytest.raises(MissingExtraError, match="pip install 'edgent\\[tracing\\]'"):
        collector_address("http://collector")


@pytest.mark.parametrize("opened", [open_device_traces, open_edge_traces])
def test_who_traces_nothing_imports_nothing_for_it(opened, monkeypatch) -> None:
    for name in ("device_traces", "edge_traces", "opentelemetry", "span_queue"):
        monkeypatch.setitem(sys.modules, f"edgent.tracing.{name}", None)
    with opened("") as traces:
        assert traces is None
