"""What a request costs beyond its computing: the device's and the edge's own work around a call, on loopback.

    python benchmarks/call.py [--json] [--rounds N]

A real device and a real edge in two processes, without a link between them: B-AlexNet's input as raw tensor (12 kB),
everything at the edge, the configuration given, no race. *Over computing* is the request's total less the same piece
and its codec, alone in this process. Beside it, by turns in blocks: the same bytes as a plain call of gRPC to a process
that answers at once, and through a bare socket to another one. Medians over all blocks; and the lowest tenths, for
where the machine is shared a median is mostly waiting for a core. So is the processor's time of the device (system
included), which waiting does not lengthen. Half a minute.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import grpc
import numpy as np

import command
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.lab.links.stopwatch import Exchange, listening
from edgent.lab.processes.server_process import ServerProcess
from edgent.model import Model
from edgent.profiling.model_profiler import profile
from edgent.telemetry import Record
from edgent.units import BitsPerSecond
from overhead import BUDGET, PATIENCE, Divided

TARGET_MS = 0.45
DOWN = 40  # bytes of the answer: ten scores
BLOCK = 100  # runs of one kind, before the next one has its turn
_METHOD = "/plain.Service/Call"
_STAGES = ("prepare", "encode", "uplink", "queue", "middle", "downlink", "suffix")


def _answer(pipe: Connection) -> None:
    """A process: a plain server of gRPC."""

    class Plain(grpc.GenericRpcHandler):
        def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(lambda _body, _context: bytes(DOWN))

    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((Plain(),))
    pipe.send(server.add_insecure_port("127.0.0.1:0"))
    server.start()
    pipe.poll(None)  # until its owner closes the pipe


@contextmanager
def plain_grpc() -> Iterator[Callable[[bytes], bytes]]:
    """A method of another process."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(there,), daemon=True)
    process.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{here.recv()}") as channel:
            yield channel.unary_unary(_METHOD)
    finally:
        process.kill()


def measured(model: Model, rounds: int) -> dict[str, Any]:
    """The document."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        times = profile(model, OnnxRuntimeEngine(), budget=BUDGET)
        (file := Path(folder) / "profile.json").write_text(times.to_json())
        edge = stack.enter_context(ServerProcess.edge(str(model.path), file))
        device = stack.enter_context(
            Device(model, edge=edge.address, deadline=PATIENCE, device_profile=times, bandwidth=BitsPerSecond(1e9))
        )
        if not device.wait_ready(30.0):
            raise EdgentError("the edge process was not reached")
        whole = Divided(model, OnnxRuntimeEngine(), 0, len(model.branches[-1].layers))
        call, socket = stack.enter_context(plain_grpc()), Exchange(stack.enter_context(listening("answer")))
        message = bytes(whole.bytes_up)
        tasks: dict[str, Callable[[], float | Record]] = {
            "request": lambda: _asked(device, whole),
            "computing": whole.alone,
            "plain_grpc": lambda: _timed(lambda: call(message)),
            "socket": lambda: socket.ask(whole.bytes_up, DOWN),
        }
        results = _blocks(tasks, rounds)
        return _document(whole, results) | {"device_cpu_ms": _processor(tasks["request"])}


def _asked(device: Device, whole: Divided) -> Record:
    feeds = next(iter(whole.feeds.values()))
    record = device.infer(feeds, configuration=whole.configuration, deadline=PATIENCE, race=False).record
    if record.by != "edge":
        raise EdgentError(f"the edge did not answer: {record.why}")
    return record


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def _blocks(tasks: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[Any]]:
    """What each task gave, in blocks by turns; the first tenth of each block warms up."""
    results: dict[str, list[Any]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            results[name] += [task() for _ in range(BLOCK)][BLOCK // 10 :]
    return results


def _processor(task: Callable[[], object]) -> float:
    """Milliseconds of this process for each request."""
    began = process_time()
    for _ in range(BLOCK):
        task()
    return (process_time() - began) / BLOCK * 1e3


def _document(whole: Divided, results: Mapping[str, list[Any]]) -> dict[str, Any]:
    records: list[Record] = results["request"]
    rows = {"request": [record.total for record in records], **{k: v for k, v in results.items() if k != "request"}}
    medians, tenths = ({k: _percentile(v, q) for k, v in rows.items()} for q in (50, 10))
    return {
        "bytes_up": whole.bytes_up,
        "runs": len(records),
        "over_computing_ms": medians["request"] - medians["computing"],
        "over_computing_tenth_ms": tenths["request"] - tenths["computing"],
        "target_ms": TARGET_MS,
        "median_ms": medians,
        "tenth_ms": tenths,
        "stages_ms": {name: statistics.median(getattr(r.stages, name) for r in records) * 1e3 for name in _STAGES},
    }


def _percentile(seconds: list[float], percent: float) -> float:
    return float(np.percentile(seconds, percent)) * 1e3


def _print(document: Mapping[str, Any]) -> None:
    print(f"{document['bytes_up']} bytes up, {document['runs']} requests")
    for name, median in document["median_ms"].items():
        print(f"{name:12} {median:7.3f} ms, lowest tenth {document['tenth_ms'][name]:7.3f} ms")
    print("stages:", ", ".join(f"{name} {value:.3f}" for name, value in document["stages_ms"].items()))
    print(
        f"over computing: {document['over_computing_ms']:.3f} ms, of lower tenths "
        f"{document['over_computing_tenth_ms']:.3f} (target {document['target_ms']}); "
        f"the device's processor {document['device_cpu_ms']:.3f} ms a request"
    )


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--rounds", type=command.at_least(1), default=10, help="blocks of each kind")
    options = parser.parse_args()
    document = measured(load("b-alexnet"), options.rounds)
    command.show(options, document, lambda: _print(document))
    return 0


if __name__ == "__main__":
    command.run(main)
