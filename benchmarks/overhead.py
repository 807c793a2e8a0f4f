"""What our transport and runtime add to the limit: a real edge process and a real device, over the shaped link.

    python benchmarks/overhead.py [--json] [--repeats N]

*Limit* is head, codec, middle and suffix, measured alone in the same run, the tensors' bytes * 8 / rate, and the round
trip: no header, no thread, no gRPC. A topology of the onnx wheel for 224 x 224 pictures (seeded weights, raw tensors)
is divided where about 100 kB, 300 kB and 1 MB cross; the ratio of a rate is the worst of the three, of medians of
interleaved runs. For B-AlexNet, whose bytes are few, milliseconds are given instead: over the limit (its input of 12 kB
up, everything at the edge), and over a bare socket that carries the same coded picture.
The link is emulated; its own fixed part of a few tenths of a millisecond a message is in the ratio.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import command
from edgent.codec import encode_image
from edgent.device.device import Device
from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.lab.rivals.rival import Rival, preprocessing_of
from edgent.lab.topologies import LIGHT, with_seeded_weights
from edgent.model import SHIPPED, Branch, Model
from edgent.planning.plan import Configuration
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond, Seconds, serialisation_time

TOPOLOGY = "light_squeezenet.onnx"
RATES = (1e6, 10e6, 100e6)
TARGETS = {1e6: 1.10, 10e6: 1.10, 100e6: 1.25}
CROSSING = (100e3, 300e3, 1e6)
ROUND_TRIP = Seconds(0.005)
BUDGET = 4.0  # seconds of profiling, so that the edge need not do it
PATIENCE = Seconds(60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Medians of one division at one rate, in milliseconds; `spread` is the interquartile range over the median."""

    rate_bps: float
    upload_cut: int
    download_cut: int
    bytes: int
    runs: int
    total_ms: float
    spread: float
    limit_ms: float
    computing_ms: float
    ratio: float


class Divided:
    """A division of a network with raw tensors, and its pieces to be timed alone."""

    def __init__(self, model: Model, engine: OnnxRuntimeEngine, up: int, down: int) -> None:
        branch = model.branches[-1]
        self.configuration = Configuration(exit=branch.exit, upload_cut=up, download_cut=down)
        boundary = branch.boundary(up, down)
        self.bytes_up, self.bytes_down = (
            sum(tensor.nbytes or 0 for tensor in tensors) for tensors in (boundary.up, boundary.down)
        )
        self.bytes = self.bytes_up + self.bytes_down
        self.feeds = random_feeds(model.inputs, np.random.default_rng(0))
        self._sent = [tensor.name for tensor in boundary.up]
        self._returned = [tensor.name for tensor in boundary.down]
        given = [tensor.name for tensor in model.inputs]
        answer = [tensor.name for tensor in branch.outputs]
        self._pieces = [engine.session(model, given, self._sent)] if up else []
        self._pieces.append(engine.session(model, self._sent, self._returned))
        if down < len(branch.layers):
            self._pieces.append(engine.session(model, self._returned, answer))

    def alone(self) -> float:
        """Seconds of every piece, and of making bytes of what crosses and tensors of bytes on either side."""
        began, tensors = time.perf_counter(), dict(self.feeds)
        for piece in self._pieces:
            names = [tensor.name for tensor in piece.segment.given]
            made = piece.run({name: tensors[name] for name in names})
            for name in made:
                flat = np.frombuffer(made[name].tobytes(), dtype=made[name].dtype)
                tensors[name] = flat.reshape(made[name].shape)
        return time.perf_counter() - began


def divisions(branch: Branch, crossing: Sequence[float] = CROSSING) -> list[tuple[int, int]]:
    """The cuts, head and suffix not empty, at which what crosses is nearest to some bytes, within their range."""
    up, down = branch.boundary_bytes()
    n, least, most = len(branch.layers), min(crossing), max(crossing)
    pairs = [(u, d) for u in range(1, n - 1) for d in range(u + 1, n) if least <= up[u, d] + down[u, d] <= most]
    return [min(pairs, key=lambda pair: abs(np.log((up[pair] + down[pair]) / wanted))) for wanted in crossing]


def rows(model: Model, link: ShapedLink, device: Device, repeats: int) -> list[Row]:
    """Every division at every rate, interleaved with its pieces alone."""
    engine = OnnxRuntimeEngine()
    each = [Divided(model, engine, *pair) for pair in divisions(model.branches[-1])]
    found = []
    for rate in RATES:
        link.set(uplink=BitsPerSecond(1e9), downlink=BitsPerSecond(1e9))
        for one in each:
            run_once(device, one)
        link.set(uplink=BitsPerSecond(rate), downlink=BitsPerSecond(rate))
        totals: list[list[float]] = [[] for _ in each]
        alone: list[list[float]] = [[] for _ in each]
        for turn in range(repeats):
            for index, one in enumerate(each):
                if turn < max(3, 12 * rate / (8 * one.bytes)):
                    alone[index].append(one.alone())
                    totals[index].append(run_once(device, one))
        found += [_row(rate, *of) for of in zip(each, totals, alone, strict=True)]
        print(f"{rate / 1e6:g} Mbit/s done", file=sys.stderr)
    return found


def run_once(device: Device, one: Divided) -> float:
    """Seconds of a co-inference."""
    feeds = next(iter(one.feeds.values()))
    record = device.infer(feeds, configuration=one.configuration, deadline=PATIENCE, race=False).record
    if record.by != "edge":
        raise EdgentError(f"the edge did not answer: {record.why}")
    return record.total


def _row(rate: float, one: Divided, totals: list[float], alone: list[float]) -> Row:
    computing = statistics.median(alone)
    limit = computing + serialisation_time(one.bytes, BitsPerSecond(rate)) + ROUND_TRIP
    low, total, high = np.percentile(totals, [25, 50, 75])
    return Row(
        rate_bps=rate,
        upload_cut=one.configuration.upload_cut,
        download_cut=one.configuration.download_cut,
        bytes=one.bytes,
        runs=len(totals),
        total_ms=float(total) * 1e3,
        spread=float((high - low) / total),
        limit_ms=limit * 1e3,
        computing_ms=computing * 1e3,
        ratio=float(total) / limit,
    )


def small(model: Model, repeats: int, profile_file: Path) -> dict[str, Mapping[str, float]]:
    """B-AlexNet: milliseconds over the limit, and over a bare socket with the same picture."""
    with np.load(SHIPPED / "cifar10-256.npz") as images:
        picture = encode_image("png", images["pixels"][0])
    layers = len(model.branches[-1].layers)
    whole = Divided(model, OnnxRuntimeEngine(), 0, layers)
    coded = Configuration(exit=whole.configuration.exit, upload_cut=0, download_cut=layers, codec="source")
    over_limit, over_socket = {}, {}
    with ExitStack() as stack:
        link, device = _machines(stack, model, profile_file)
        server = stack.enter_context(ServerProcess.rival(model.name))
        bare = stack.enter_context(ShapedLink(server.address, uplink=BitsPerSecond(1e9), round_trip=ROUND_TRIP))
        rival = stack.enter_context(Rival(bare.address, codec="source", preprocessing=preprocessing_of(model)))
        tasks: list[Callable[[], float]] = [
            lambda: run_once(device, whole),
            whole.alone,
            lambda: device.infer(picture, configuration=coded, deadline=PATIENCE, race=False).record.total,
            lambda: rival.ask(picture).total,
        ]
        for rate in map(BitsPerSecond, RATES):
            for one in (link, bare):
                one.set(uplink=rate, downlink=rate)
            runs = np.array([[task() for task in tasks] for _ in range(min(repeats, 30) + 2)])[2:]
            total, alone, ours, socket = np.median(runs, axis=0)
            limit = alone + serialisation_time(whole.bytes, rate) + ROUND_TRIP
            over_limit[_key(rate)] = float(total - limit) * 1e3
            over_socket[_key(rate)] = float(ours - socket) * 1e3
    return {"b_alexnet_ms": over_limit, "b_alexnet_over_bare_socket_ms": over_socket}


def _machines(stack: ExitStack, model: Model, profile_file: Path) -> tuple[ShapedLink, Device]:
    measured = profile(model, OnnxRuntimeEngine(), budget=BUDGET)
    profile_file.write_text(measured.to_json())
    edge = stack.enter_context(ServerProcess.edge(str(model.path), profile_file))
    fast = BitsPerSecond(1e9)
    link = stack.enter_context(ShapedLink(edge.address, uplink=fast, round_trip=ROUND_TRIP))
    device = stack.enter_context(
        Device(model, edge=link.address, deadline=PATIENCE, device_profile=measured, bandwidth=fast, insecure=True)
    )
    if not device.wait_ready(30.0):
        raise EdgentError("the edge process was not reached")
    return link, device


def measured(repeats: int) -> dict[str, Any]:
    """The document."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        large = load(with_seeded_weights(LIGHT / TOPOLOGY, Path(folder)))
        link, device = _machines(stack, large, Path(folder) / "large.json")
        found = rows(large, link, device, repeats)
        stack.pop_all().close()
        extra = small(load("b-alexnet"), repeats, Path(folder) / "small.json")
    ratio = {_key(rate): max(row.ratio for row in found if row.rate_bps == rate) for rate in RATES}
    return {"ratio": ratio, **extra, "rows": [asdict(row) for row in found]}


def _key(rate: float) -> str:
    return f"{rate:.0f}"


def _print(document: Mapping[str, Any]) -> None:
    print(f"{'rate':>9} {'cuts':>7} {'crossing':>9} {'limit':>10} {'total':>10} {'spread':>7} {'ratio':>6}   n")
    for row in document["rows"]:
        cuts = f"{row['upload_cut']}..{row['download_cut']}"
        print(
            f"{row['rate_bps'] / 1e6:4g} Mb/s {cuts:>7} {row['bytes'] / 1e3:6.0f} kB {row['limit_ms']:7.1f} ms "
            f"{row['total_ms']:7.1f} ms {row['spread']:6.1%} {row['ratio']:6.3f} {row['runs']:3d}"
        )
    for rate in RATES:
        key = _key(rate)
        print(
            f"{rate / 1e6:4g} Mb/s: ratio {document['ratio'][key]:.3f} (target {TARGETS[rate]}); b-alexnet "
            f"{document['b_alexnet_ms'][key]:+.2f} ms over the limit, "
            f"{document['b_alexnet_over_bare_socket_ms'][key]:+.2f} ms over a bare socket"
        )


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument(
        "--repeats", type=command.at_least(3), default=30, help="runs of each division at each rate, at most"
    )
    options = parser.parse_args()
    document = measured(options.repeats)
    command.show(options, document, lambda: _print(document))
    return 0


if __name__ == "__main__":
    command.run(main)
