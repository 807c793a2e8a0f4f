"""What others' software takes for the same answer over the same emulated link: a row each.

    python benchmarks/peers.py [--json] [--repeats N]

A CIFAR-10 picture's file in, the label of b-alexnet's last exit out; server and client processes of this machine, none
of them slowed (others' software cannot be held to an emulated pace), one compute thread each, connections kept.

    edgent source      the picture as it came, everything on the edge, over gRPC
    edgent jpeg-90     the same with a JPEG of quality 90, encoded on the device
    bare loop          the same over a plain TCP socket
    litserve           ONNX Runtime behind LitServe's HTTP, the picture as it came
    axonmesh frame     the same network in torch: a JPEG of quality 85, all of it on the server
    axonmesh features  cut behind the first pooling, int8, compressed

LitServe and axonmesh live in environments of their own, which this benchmark makes (about 1 GB with torch). One that
cannot be installed gives a row that says so. `agree` is the share of labels that are the undivided network's. About 2
minutes once they are there.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

import command
from edgent.demo.paper.run import test_images
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.lab.rivals.rival import Classifier, Rival, preprocessing_of
from edgent.planning.plan import Configuration
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond, Seconds
from environments import python
from litserve_peer import Client, process, serving
from programs import output

HERE = Path(__file__).resolve().parent
MODEL = "b-alexnet"
RATES = (1e6, 20e6)
ROUND_TRIP = Seconds(0.005)
CUT = 3  # axonmesh's last layer on the client: normalisation, convolution, ReLU, pooling
FAST = BitsPerSecond(1e9)
PATIENCE = Seconds(30.0)
_WARM = 2

Answer = Callable[[bytes], int]
"""A picture's file to a label's number."""

Answers = Callable[[], tuple[list[float], list[int]]]
"""Seconds and label of every picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to the answer at one rate; `problem` where there was none."""

    software: str
    bandwidth_bps: float
    p50_ms: float | None = None
    p95_ms: float | None = None
    agree: float | None = None
    problem: str = ""


class Bench:
    """Pictures, their right labels by the undivided network, and a folder."""

    def __init__(self, folder: Path, repeats: int) -> None:
        self.model, self.folder = load(MODEL), folder
        self.pictures = test_images()[:repeats]
        whole = Classifier(self.model)
        self.labels = [int(whole(picture).argmax()) for picture in self.pictures]

    def rows(self, software: str, link: ShapedLink, answers: Answers) -> list[Row]:
        """Every rate over a link."""
        found = []
        for rate in RATES:
            link.set(uplink=BitsPerSecond(rate), downlink=BitsPerSecond(rate))
            seconds, labels = answers()
            found.append(
                Row(
                    software=software,
                    bandwidth_bps=rate,
                    p50_ms=statistics.median(seconds) * 1e3,
                    p95_ms=float(np.quantile(seconds, 0.95)) * 1e3,
                    agree=statistics.fmean(a == b for a, b in zip(labels, self.labels, strict=True)),
                )
            )
        return found

    def timed(self, answer: Answer) -> tuple[list[float], list[int]]:
        """Seconds and label of each picture, after some that warm up."""
        for picture in self.pictures[:_WARM]:
            answer(picture)
        seconds, labels = [], []
        for picture in self.pictures:
            began = time.perf_counter()
            labels.append(answer(picture))
            seconds.append(time.perf_counter() - began)
        return seconds, labels


def edgent(bench: Bench, stack: ExitStack) -> list[Row]:
    """Our own edge and device."""
    host, file = (
        profile(bench.model, OnnxRuntimeEngine(), source=bench.pictures[0], budget=4.0),
        bench.folder / "host.json",
    )
    host.save(file)
    link = _linked(stack, stack.enter_context(ServerProcess.edge(MODEL, file)).address)
    device = stack.enter_context(
        Device(bench.model, edge=link.address, deadline=PATIENCE, device_profile=host, insecure=True)
    )
    if not device.wait_ready(PATIENCE):
        raise EdgentError("the edge process was not reached")
    layers = len(bench.model.branches[-1].layers)
    exit = bench.model.branches[-1].exit

    def asked(codec: str) -> Answers:
        whole = Configuration(exit=exit, upload_cut=0, download_cut=layers, codec=codec)

        def answer(picture: bytes) -> int:
            found = device.infer(picture, configuration=whole, race=False)
            if found.record.by != "edge":
                raise EdgentError(f"the edge did not answer: {found.record.why}")
            return bench.model.metadata.labels.index(found.label or "")

        return lambda: bench.timed(answer)

    return [row for codec in ("source", "jpeg-90") for row in bench.rows(f"edgent {codec}", link, asked(codec))]


def bare_loop(bench: Bench, stack: ExitStack) -> list[Row]:
    """The lab's rival."""
    link = _linked(stack, stack.enter_context(ServerProcess.rival(MODEL)).address)
    rival = Rival(link.address, codec="source", preprocessing=preprocessing_of(bench.model))
    stack.enter_context(rival)
    return bench.rows("bare loop", link, lambda: bench.timed(lambda picture: int(rival.ask(picture).scores.argmax())))


def litserve(bench: Bench, stack: ExitStack) -> list[Row]:
    """What PyPI has as litserve."""
    output = bench.model.branches[-1].outputs[0].name
    server = serving("peers_litserve.py", bench.model.path, output, folder=bench.folder)
    link = _linked(stack, stack.enter_context(server))
    client = stack.enter_context(closing(Client(link.address)))
    return bench.rows("litserve", link, lambda: bench.timed(lambda picture: int(client.ask(picture, "label"))))


def axonmesh(bench: Bench, stack: ExitStack) -> list[Row]:
    """What PyPI has as axonmesh; without ultralytics, which only its detectors need."""
    needs = ("torch==2.13.0", "numpy", "opencv-python-headless", "psutil", "tqdm")
    interpreter = python("axonmesh", *needs, alone=("axonmesh",))
    weights = bench.folder / "weights.npz"
    np.savez(weights, **{t.name: numpy_helper.to_array(t) for t in onnx.load(bench.model.path).graph.initializer})
    files = [bench.folder / f"{number}.png" for number in range(len(bench.pictures))]
    for file, picture in zip(files, bench.pictures, strict=True):
        file.write_bytes(picture)
    script = [interpreter, HERE / "peers_axonmesh.py"]
    server = process([*script, "serve", weights, str(CUT)], bench.folder / "axonmesh.log")
    child = stack.enter_context(server)
    link = _linked(stack, json.loads(child.stdout.readline() or '{"address": ""}')["address"])

    def asked(mode: str) -> Answers:
        def ask() -> tuple[list[float], list[int]]:
            answers = json.loads(output(*script, "ask", weights, CUT, link.address, mode, *files))
            return answers["seconds"], answers["labels"]

        return ask

    return [row for mode in ("frame", "features") for row in bench.rows(f"axonmesh {mode}", link, asked(mode))]


def _linked(stack: ExitStack, target: str) -> ShapedLink:
    return stack.enter_context(ShapedLink(target, uplink=FAST, round_trip=ROUND_TRIP))


def rows(repeats: int) -> Iterator[Row]:
    """Every row; software that is not to be had says why."""
    with tempfile.TemporaryDirectory(prefix="edgent-peers-") as folder:
        bench = Bench(Path(folder), repeats)
        for measured in (bare_loop, edgent, litserve, axonmesh):
            try:
                with ExitStack() as stack:
                    yield from measured(bench, stack)
            except EdgentError as error:
                yield from (
                    Row(software=measured.__name__.replace("_", " "), bandwidth_bps=rate, problem=str(error))
                    for rate in RATES
                )


def _print(row: Row) -> None:
    values = row.problem or f"p50 {row.p50_ms:7.1f} ms  p95 {row.p95_ms:7.1f} ms  agree {row.agree:6.1%}"
    print(f"{row.software:18} {row.bandwidth_bps / 1e6:4g} Mbit/s  {values}")


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--repeats", type=int, default=60, help="pictures at each rate")
    options = parser.parse_args()
    if not _WARM <= options.repeats <= 256:
        parser.error(f"--repeats {options.repeats}: expected {_WARM}..256")
    found = []
    for row in rows(options.repeats):
        found.append(row)
        if not options.json:
            _print(row)
    if options.json:
        command.write({"rows": [asdict(row) for row in found]})
    return 0


if __name__ == "__main__":
    command.run(main)
