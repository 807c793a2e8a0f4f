"""Goodput and throughput of an edge under load, by raw clients of its protocol in open loop.

    python benchmarks/load.py [--json] [--seconds S] [--rounds N] [--model-ms MS ...] [--seed N] [--alone]

A made network of some milliseconds is served by `edgent serve` on one core; the client (`load_client.py`) has the other
one. Requests have less than 20 kB and a deadline of 100 ms. *Capacity* is what a bare loop over ONNX Runtime does on
the edge's core, measured again before each run, since a shared machine has another one each time. *Load* is what is
asked per second over that capacity, and *goodput* what was answered in time, over the same. Runs are interleaved, and
figures are medians over the rounds.

*Throughput*: 16 callers in closed loop, without deadlines, over the bare loop beside it; our edge, LitServe and
mlserver (PyPI; in environments that this benchmark makes) in turn on the same core, each with the same network and one
thread. *Given up*: callers in waves of 20 who leave while the first of them is computed.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import command
import load_peers
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.lab.processes.server_process import ServerProcess
from edgent.profiling.model_profiler import profile
from edgent.wire.edge_client import EdgeClient
from edgent.wire.grpc_channel import GrpcChannel
from programs import output
from tables import aligned

SIDE, WIDTH = 40, 24  # a picture of 19,200 bytes; channels of a layer
SHAPE = [1, 3, SIDE, SIDE]
DEADLINE = 0.100
BELOW, ABOVE = (0.5, 0.7, 0.85, 1.0), (1.2, 2.0, 4.0)  # loads: the peak is sought below, and kept above
ENOUGH = {9.0: 0.85}  # of the peak, by the model's milliseconds
CALLERS = 16
WAVES, WAVE = 10, 20  # of callers who give up, and how many there are in each
EDGE_CORE, CLIENT_CORE = 0, 1
OURS = "edgent"
_TIMED = 0.4  # seconds of a bare loop
_WARM = 0.5  # seconds
_PATIENCE = 10.0  # seconds for what an edge has counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the client at one load."""

    model_ms: float
    load: float
    capacity: float
    offered: float
    goodput: float
    refused_after_ms: float | None
    statuses: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A load, over all rounds: medians."""

    model_ms: float
    load: float
    goodput: float
    of_peak: float
    refused_after_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """At saturation, over the bare loop: medians."""

    model_ms: float
    server: str
    bare_per_second: float
    of_bare: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Requests whose callers left, and what the edge computed of them; each wave had one that was under way."""

    model_ms: float
    requests: int
    waves: int
    computed: int


def network(layers: int) -> onnx.ModelProto:
    """Convolutions one after the other, and ten scores."""
    draws = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(
            (draws.standard_normal(shape) / math.sqrt(shape[1] * 9)).astype(np.float32), name
        )

    weights, nodes, last, width = [], [], "image", 3
    for layer in range(layers):
        weights.append(weight(f"w{layer}", WIDTH, width, 3, 3))
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        last, width = f"r{layer}", WIDTH
    weights.append(weight("scores_w", 10, WIDTH))
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pooled"]))
    nodes.append(helper.make_node("Flatten", ["pooled"], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "scores_w"], ["scores"], transB=1))
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, SHAPE)
    answer = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, "load", [given], [answer], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class Bare:
    """ONNX Runtime alone, with one thread."""

    def __init__(self, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(file), options)
        self._feeds = {"image": np.full(SHAPE, 0.5, np.float32)}

    def times(self, seconds: float) -> list[float]:
        """Of one run after another, for so long."""
        until, found = time.perf_counter() + seconds, []
        while (began := time.perf_counter()) < until:
            self._session.run(None, self._feeds)
            found.append(time.perf_counter() - began)
        return found

    def per_second(self, seconds: float = _TIMED) -> float:
        """Runs a second, on the edge's core."""
        with on_core(EDGE_CORE):
            times = self.times(seconds)
        return len(times) / sum(times)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """This thread, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def built(folder: Path, milliseconds: float) -> Path:
    """A network that takes about so long on this machine where nobody else uses it."""
    file, layers = folder / f"load-{milliseconds:g}ms.onnx", 8
    for _ in range(3):
        onnx.save(network(layers), file)
        with on_core(EDGE_CORE):
            took = min(Bare(file).times(_TIMED)) * 1e3
        layers = max(1, round(layers * milliseconds / took))
    return file


class Bench:
    """One served network, and who asks it.

    Attributes:
        addresses: of the servers, by their names.
    """

    def __init__(self, file: Path, addresses: dict[str, str], milliseconds: float) -> None:
        self._bare, self.addresses, self._name, self._milliseconds = Bare(file), addresses, file.stem, milliseconds

    def at(self, load: float, seconds: float, seed: int) -> Run:
        """What an open loop gets at a load."""
        capacity = self._bare.per_second()
        found = self._client(rate=load * capacity, seconds=seconds, deadline=DEADLINE, seed=seed)
        return Run(
            model_ms=self._milliseconds,
            load=load,
            capacity=capacity,
            offered=found["sent"] / seconds / capacity,
            goodput=found["in_time"] / seconds / capacity,
            refused_after_ms=found["refused_after_ms"],
            statuses=found["statuses"],
        )

    def saturated(self, seconds: float, server: str = OURS) -> tuple[float, float]:
        """Answers a second at saturation, and runs of the bare loop: before and after, in the mean."""
        before = self._bare.per_second()
        found = self._client(server, rate=None, callers=CALLERS, seconds=seconds, deadline=None, seed=0)
        return found["answered"] / found["seconds"], statistics.mean((before, self._bare.per_second()))

    def given_up(self) -> GivenUp:
        """What is computed for callers that have left."""
        before = self._computed()
        found = self._client(waves=WAVES, callers=WAVE, after=self._milliseconds / 2e3, seconds=0.0)
        return GivenUp(
            model_ms=self._milliseconds,
            requests=found["sent"],
            waves=WAVES,
            computed=self._computed() - before,
        )

    def _computed(self) -> int:
        """Requests that the edge has computed so far."""
        channel = GrpcChannel(self.addresses[OURS], max_message=1 << 20)
        try:
            return sum(account.answered for account in EdgeClient(channel).report(_PATIENCE))
        finally:
            channel.close()

    def _client(self, server: str = OURS, **order: Any) -> dict[str, Any]:
        over = {"http": "/predict"} if server == "litserve" else {}
        asked = {
            "address": self.addresses[server], "model": self._name, "input": "image", "shape": SHAPE, **over, **order
        }  # fmt: skip
        program = str(Path(__file__).with_name("load_client.py"))
        on_its_core = ("taskset", "-c", str(CLIENT_CORE), sys.executable, program)
        found: dict[str, Any] = json.loads(output(*on_its_core, json.dumps(asked), patience=order["seconds"] + 60))
        return found


@contextmanager
def served(folder: Path, milliseconds: float, *, peers: bool) -> Iterator[Bench]:
    """An edge process with a network of so many milliseconds, warm; and others' servers beside it."""
    file = built(folder, milliseconds)
    times = folder / f"{file.stem}.json"
    profile(load(str(file)), OnnxRuntimeEngine(), budget=2.0).save(times)
    prefix = ("taskset", "-c", str(EDGE_CORE))
    with ExitStack() as servers:
        edge = servers.enter_context(ServerProcess.edge(str(file), times, prefix=prefix))
        addresses = {OURS: edge.address}
        if peers:
            addresses["litserve"] = servers.enter_context(load_peers.litserve(file, folder, prefix))
            addresses["mlserver"] = servers.enter_context(load_peers.mlserver(file, folder, prefix))
        bench = Bench(file, addresses, milliseconds)
        for server in addresses:
            bench.saturated(_WARM, server)
        yield bench


def rows(runs: list[Run]) -> list[Row]:
    """Medians over the rounds, beside the peak of the loads up to 1."""
    found = []
    for milliseconds in sorted({run.model_ms for run in runs}):
        of_model = [run for run in runs if run.model_ms == milliseconds]
        goodput = {
            load: statistics.median(run.goodput for run in of_model if run.load == load) for load in BELOW + ABOVE
        }
        peak = max(goodput[load] for load in BELOW)
        for share_of, share in goodput.items():
            refused = [
                run.refused_after_ms for run in of_model if run.load == share_of and run.refused_after_ms is not None
            ]
            found.append(
                Row(
                    model_ms=milliseconds,
                    load=share_of,
                    goodput=share,
                    of_peak=share / peak,
                    refused_after_ms=statistics.median(refused) if refused else None,
                )
            )
    return found


def throughput(milliseconds: float, server: str, pairs: list[tuple[float, float]]) -> Throughput:
    """Medians over the rounds; the share is of each round's own bare loop."""
    return Throughput(
        model_ms=milliseconds,
        server=server,
        bare_per_second=statistics.median(bare for _, bare in pairs),
        of_bare=statistics.median(edge / bare for edge, bare in pairs),
    )


def measured(milliseconds: float, options: Any) -> tuple[list[Run], list[Throughput], GivenUp]:
    """All runs of one network, interleaved."""
    runs, pairs = [], dict[str, list[tuple[float, float]]]()
    with (
        tempfile.TemporaryDirectory(prefix="edgent-load-") as folder,
        served(Path(folder), milliseconds, peers=not options.alone) as bench,
    ):
        for number in range(options.rounds):
            for server in bench.addresses:
                pairs.setdefault(server, []).append(bench.saturated(options.seconds, server))
            for load in BELOW + ABOVE:
                runs.append(bench.at(load, options.seconds, options.seed + number))
                print(runs[-1], file=sys.stderr)
        left = bench.given_up()
    return runs, [throughput(milliseconds, server, its_pairs) for server, its_pairs in pairs.items()], left


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="of all loads; figures are their medians")
    parser.add_argument("--model-ms", type=float, action="append", help="what a network takes (9 and 2.6)")
    parser.add_argument("--seed", type=int, default=0, help="of the arrivals")
    parser.add_argument("--alone", action="store_true", help="without LitServe and mlserver")
    options = parser.parse_args()
    if options.rounds < 1 or not 0 < options.seconds < math.inf:
        parser.error("expected one round or more, and positive, finite seconds")
    found = [measured(milliseconds, options) for milliseconds in options.model_ms or (9.0, 2.6)]
    of_loads = [asdict(row) for row in rows([run for runs, _, _ in found for run in runs])]
    saturated = [asdict(row) for _, throughputs, _ in found for row in throughputs]
    left = [asdict(given_up) for _, _, given_up in found]
    document = {"rows": of_loads, "throughput": saturated, "given_up": left}
    command.show(options, document, lambda: print(*map(aligned, document.values()), sep="\n\n"))
    kept = [row["of_peak"] >= ENOUGH.get(row["model_ms"], 0.0) for row in of_loads if row["load"] > 1]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    command.run(main)
