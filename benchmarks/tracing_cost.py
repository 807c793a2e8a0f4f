"""What `--trace-to` costs a request: the same requests with and without, by turns in one process, on loopback.

    python benchmarks/tracing_cost.py [--json] [--rounds N]

Three devices in this process, each with an edge, a process of its own, for whoever comes second to one finds it warm;
and a collector, a process too, that takes all and keeps nothing. B-AlexNet's input as raw tensor (12 kB), everything at
the edge, the configuration given, no race. Requests that are not traced, that the device traces, and that device and
edge trace take turns in every order. *Added* is the median over triples of what a traced request took beyond the one
that was not, with its 95 % interval (bootstrap over rounds). What is done beside the requests, spans and their sending,
shows in the processor's time of the device: of a round of one kind, until its spans have been sent. A minute.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice, permutations
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.cli.arguments.tracing import open_device_traces
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.lab.processes.server_process import ServerProcess
from edgent.model import Model
from edgent.profiling.model_profiler import profile
from edgent.tracing.device_traces import DeviceTraces
from edgent.tracing.span_queue import EVERY
from edgent.units import BitsPerSecond
from overhead import BUDGET, PATIENCE, Divided, run_once

BLOCK = 120  # requests of each kind in a round
KINDS = ("plain", "device", "device_and_edge")
_SENT = 1.5 * EVERY  # seconds after which what was traced has been sent


def _collect(pipe: Connection) -> None:
    """A process: a collector that keeps nothing."""

    class Takes(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    pipe.send(server.server_port)
    server.serve_forever()


@contextmanager
def collector() -> Iterator[str]:
    """The address of a collector in another process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_collect, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.kill()


def measured(model: Model, rounds: int) -> dict[str, Any]:
    """The document."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        times = profile(model, OnnxRuntimeEngine(), budget=BUDGET)
        (file := Path(folder) / "profile.json").write_text(times.to_json())
        address = stack.enter_context(collector())
        traces = stack.enter_context(open_device_traces(address))
        devices = {}
        for kind in KINDS:
            tracing = ("--trace-to", address) if kind == "device_and_edge" else ()
            edge = stack.enter_context(ServerProcess.edge(str(model.path), file, options=tracing))
            devices[kind] = stack.enter_context(_device(model, times, edge, None if kind == "plain" else traces))
            if not devices[kind].wait_ready(30.0):
                raise EdgentError("an edge process was not reached")
        whole = Divided(model, OnnxRuntimeEngine(), 0, len(model.branches[-1].layers))
        latencies = np.array([_round(devices, whole) for _ in range(rounds)])
        processor = _processor(devices, whole)
    return {"bytes_up": whole.bytes_up, "rounds": rounds} | _document(latencies * 1e6, processor)


def _device(model: Model, times: Any, edge: ServerProcess, traces: DeviceTraces | None) -> Device:
    settings = {"device_profile": times, "bandwidth": BitsPerSecond(1e9), "traces": traces}
    return Device(model, edge=edge.address, deadline=PATIENCE, **settings)


def _round(devices: Mapping[str, Device], whole: Divided) -> list[list[float]]:
    """Seconds of each request, shape (requests, kinds)."""
    rows = []
    for order in islice(cycle(permutations(KINDS)), BLOCK):
        seconds = {kind: run_once(devices[kind], whole) for kind in order}
        rows.append([seconds[kind] for kind in KINDS])
    return rows


def _processor(devices: Mapping[str, Device], whole: Divided) -> dict[str, float]:
    """Microseconds of this process for each request, until what it traced has been sent; by turns, medians."""
    rounds: dict[str, list[float]] = {kind: [] for kind in devices}
    for _ in range(5):
        for kind, device in devices.items():
            began = time.process_time()
            for _ in range(BLOCK):
                run_once(device, whole)
            time.sleep(_SENT)
            rounds[kind].append((time.process_time() - began) / BLOCK * 1e6)
    return {kind: statistics.median(spent) for kind, spent in rounds.items()}


def _document(latencies: Any, processor: Mapping[str, float]) -> dict[str, Any]:
    """Of microseconds, shape (rounds, requests, kinds)."""
    beyond = latencies[:, :, 1:] - latencies[:, :, :1]
    random = np.random.default_rng(0)
    drawn = [beyond[random.integers(0, len(beyond), len(beyond))] for _ in range(500)]
    medians = np.array([np.median(rounds, axis=(0, 1)) for rounds in drawn])
    rows = {}
    for k, kind in enumerate(KINDS):
        rows[kind] = {
            "median_us": float(np.median(latencies[:, :, k])),
            "added_us": float(np.median(beyond[:, :, k - 1])) if k else 0.0,
            "interval_us": [float(end) for end in np.percentile(medians[:, k - 1], [2.5, 97.5])] if k else [0.0, 0.0],
            "processor_us": processor[kind],
        }
    return {"kinds": rows}


def _print(document: Mapping[str, Any]) -> None:
    print(f"{document['bytes_up']} bytes up, {document['rounds'] * BLOCK} requests of each kind")
    for kind, row in document["kinds"].items():
        low, high = row["interval_us"]
        print(
            f"{kind:16} {row['median_us']:6.0f} µs, added {row['added_us']:5.1f} ({low:.1f} .. {high:.1f}); "
            f"the device's processor {row['processor_us']:6.0f} µs"
        )


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--rounds", type=command.at_least(2), default=20, help="of requests by turns")
    options = parser.parse_args()
    document = measured(load("b-alexnet"), options.rounds)
    command.show(options, document, lambda: _print(document))
    return 0


if __name__ == "__main__":
    command.run(main)
