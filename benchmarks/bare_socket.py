"""A co-inference beside the same bytes through a bare TCP socket and its computing alone, on a link with real TCP.

    python benchmarks/bare_socket.py [--json] [--repeats N]

A real device and a real edge process stand at the two ends of the TUN link (needs root), and beside them a bare socket:
no gRPC, no threads, no planner. In turns the device runs a division of a network, the bare socket carries that
division's tensors up and down as so many bytes, and head, codec, middle and suffix run alone. Device and socket do it
twice in a row and the second time counts, so that TCP's window is what the same bytes have left of it. *Ratio* is the
co-inference over the sum of the other two, of medians; for less than 100 kB the difference is given in milliseconds.
The large divisions are of a topology of the onnx wheel for 224 x 224 pictures (seeded weights), the small ones of
B-AlexNet; raw tensors, head and suffix never empty. The link is emulated, TCP is the kernel's (CUBIC) in both.
About 4 minutes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import command
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.stopwatch import Exchange, listening
from edgent.lab.links.tun import TunLink, obstacle
from edgent.lab.processes.server_process import ServerProcess
from edgent.lab.topologies import LIGHT, with_seeded_weights
from edgent.model import Model
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond, Seconds
from overhead import BUDGET, CROSSING, PATIENCE, TOPOLOGY, Divided, divisions, run_once

ROUND_TRIPS = (0.005, 0.040)
RATES = (5e6, 20e6, 50e6)
SMALL = (2e3, 5e3, 20e3, 50e3)
TARGET, FROM_BYTES = 1.10, 100e3
_FAST = BitsPerSecond(50e6)
_SHARE = 12.0  # seconds that the repetitions of one division may take on the wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Medians of one division on one link, in milliseconds."""

    model: str
    round_trip_ms: float
    bandwidth_bps: float
    bytes_up: int
    bytes_down: int
    runs: int
    total_ms: float
    socket_ms: float
    computing_ms: float
    difference_ms: float
    ratio: float


class Contest:
    """A division, run by the device, and its parts alone."""

    def __init__(self, name: str, one: Divided, device: Device, socket: Exchange) -> None:
        self._name, self._one, self._device, self._socket = name, one, device, socket

    def turn(self) -> tuple[float, float, float]:
        """Seconds of the co-inference, of the bare socket and of computing."""
        one = self._one
        run_once(self._device, one)
        total = run_once(self._device, one)
        self._socket.ask(one.bytes_up, one.bytes_down)
        return total, self._socket.ask(one.bytes_up, one.bytes_down), one.alone()

    def runs(self, rate: float, repeats: int) -> int:
        """How often, so that slow links do not take for ever."""
        return max(3, min(repeats, int(_SHARE * rate / (8 * 4 * self._one.bytes))))

    def row(self, round_trip: float, rate: float, turns: Sequence[tuple[float, float, float]]) -> Row:
        """What came of it."""
        total, socket, computing = (statistics.median(of) for of in zip(*turns, strict=True))
        return Row(
            model=self._name,
            round_trip_ms=round_trip * 1e3,
            bandwidth_bps=rate,
            bytes_up=self._one.bytes_up,
            bytes_down=self._one.bytes_down,
            runs=len(turns),
            total_ms=total * 1e3,
            socket_ms=socket * 1e3,
            computing_ms=computing * 1e3,
            difference_ms=(total - socket - computing) * 1e3,
            ratio=total / (socket + computing),
        )


def rows(repeats: int) -> list[Row]:
    """Every division on every link."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-bare-")))
        large, small = load(with_seeded_weights(LIGHT / TOPOLOGY, folder)), load("b-alexnet")
        link = stack.enter_context(TunLink(uplink=_FAST))
        link.enter_near()
        groups = [
            _contests(stack, link, model, crossing, folder) for model, crossing in ((large, CROSSING), (small, SMALL))
        ]
        return [
            row
            for round_trip in ROUND_TRIPS
            for rate in RATES
            for group in groups
            for row in _on(link, round_trip, rate, group, repeats)
        ]


def _contests(stack: ExitStack, link: TunLink, model: Model, crossing: Sequence[float], folder: Path) -> list[Contest]:
    """A model's divisions: one device for all of them, and one bare socket."""
    measured, file, engine = (
        profile(model, OnnxRuntimeEngine(), budget=BUDGET),
        folder / f"{model.name}.json",
        OnnxRuntimeEngine(),
    )
    measured.save(file)
    edge = stack.enter_context(ServerProcess.edge(str(model.path), file, host=FAR, prefix=link.far))
    device = stack.enter_context(
        Device(model, edge=edge.address, deadline=PATIENCE, device_profile=measured, bandwidth=_FAST, insecure=True)
    )
    if not device.wait_ready(30.0):
        raise EdgentError("the edge process was not reached")
    socket = stack.enter_context(Exchange(stack.enter_context(listening("answer", host=FAR, prefix=link.far))))
    pairs = divisions(model.branches[-1], crossing)
    return [Contest(model.name, Divided(model, engine, *pair), device, socket) for pair in pairs]


def _on(link: TunLink, round_trip: float, rate: float, contests: Sequence[Contest], repeats: int) -> list[Row]:
    """One link's rows, its divisions interleaved."""
    link.set(uplink=_FAST, downlink=_FAST, round_trip=Seconds(round_trip))
    for contest in contests:
        contest.turn()
    link.set(uplink=BitsPerSecond(rate), downlink=BitsPerSecond(rate))
    turns: list[list[tuple[float, float, float]]] = [[] for _ in contests]
    for number in range(repeats):
        for contest, found in zip(contests, turns, strict=True):
            if number < contest.runs(rate, repeats):
                found.append(contest.turn())
    print(f"{rate / 1e6:g} Mbit/s, {round_trip * 1e3:g} ms done", file=sys.stderr)
    return [contest.row(round_trip, rate, found) for contest, found in zip(contests, turns, strict=True)]


def judged(found: Sequence[Row]) -> dict[str, Any]:
    """The document."""
    large = [row.ratio for row in found if row.bytes_up + row.bytes_down >= FROM_BYTES]
    small = [row.difference_ms for row in found if row.bytes_up + row.bytes_down < FROM_BYTES]
    return {
        "worst_ratio": max(large),
        "median_ratio": statistics.median(large),
        "worst_difference_ms": max(small),
        "median_difference_ms": statistics.median(small),
        "rows": [asdict(row) for row in found],
    }


def _print(document: Mapping[str, Any]) -> None:
    print("  link                  up      down       total =    socket + computing + difference   ratio   n")
    for row in document["rows"]:
        print(
            f"{row['round_trip_ms']:3g} ms {row['bandwidth_bps'] / 1e6:3g} Mb/s "
            f"{row['bytes_up'] / 1e3:6.1f} kB {row['bytes_down'] / 1e3:6.1f} kB {row['total_ms']:8.1f} ms "
            f"{row['socket_ms']:8.1f} ms {row['computing_ms']:6.1f} ms {row['difference_ms']:+8.1f} ms "
            f"{row['ratio']:8.3f} {row['runs']:3d}"
        )
    print(
        f"from 100 kB: ratio {document['median_ratio']:.3f} in the median, {document['worst_ratio']:.3f} at worst "
        f"(target {TARGET})\nbelow: {document['median_difference_ms']:+.1f} ms in the median, "
        f"{document['worst_difference_ms']:+.1f} ms at worst"
    )


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="runs of each division on each link, at most")
    options = parser.parse_args()
    if options.repeats < 3:
        parser.error(f"--repeats {options.repeats}: expected 3 or more")
    if reason := obstacle():
        print(f"not measured: {reason}; over the proxy: python benchmarks/overhead.py", file=sys.stderr)
        command.show(options, {"worst_ratio": None, "rows": [], "skipped": reason}, lambda: None)
        return 0
    document = judged(rows(options.repeats))
    command.show(options, document, lambda: _print(document))
    return 0


if __name__ == "__main__":
    command.run(main)
