"""Frames in flight beside one at a time: frames a second against the slowest stage, and in time on a camera's frames.

    python benchmarks/streams.py [--json] [--seconds S] [--trace S] [--traces DIR] [--seed N]

An emulated board, a shaped link and an edge process, at several rates of the link; the device plans for itself.
*Rate*: a frame is always there, for S seconds each way; *bound* is what the slowest stage of the plan that most frames
ran allows, each stage measured alone: frames one by one for device and edge, and for the link the bytes that one of
them takes there, packet headers included, at its rate.
*Camera*: 30 frames a second, the newest one wins, and deadlines count from capture; *in time* is a share of all frames.
*cpu ms* is the processor's time of the device's process for an answered frame, *memory* the most it ever had.

Then F10 and F11 of the paper: the link follows a bus log scaled to 0 .. 10 Mbit/s (a generated one without --traces),
with a frame always there, one at a time and in flight, by the static and by the dynamic environment. The frames that
were answered are counted by the second; where the paper reads its curves, at 0.6 of their distribution, and the lowest.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Literal

import numpy as np

import command
from edgent.clock import MonotonicClock
from edgent.demo.paper.run import test_images
from edgent.device.device import Device
from edgent.device.streams.flow import MOST
from edgent.device.streams.frame_stream import FrameStream
from edgent.device.streams.outcomes import FrameOutcome
from edgent.engine.loading import load
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.evaluation.calibration_files import calibration_for
from edgent.events import Frame
from edgent.lab.boards.emulation import Emulated, emulated_profile, find_device
from edgent.lab.figures.links import bus_link
from edgent.lab.links.driven import Driven
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.lab.reproduction.figure import Lab
from edgent.lab.reproduction.parts import Parts
from edgent.link.trace import Trace
from edgent.planning.plan import Configuration, Stages
from edgent.profiling.model_profiler import profile
from edgent.telemetry import Record
from edgent.units import BitsPerSecond, Seconds, serialisation_time
from tables import aligned

MODEL, DEVICE = "b-alexnet", "paper-pi3"
CLOCK = MonotonicClock()
WAYS = {"one at a time": 1, "in flight": MOST}
CELLS = ((0.5e6, 0.005), (1e6, 0.005), (1e6, 0.060))  # bits a second, round trip
DEADLINE, PAPERS_DEADLINE = Seconds(0.3), Seconds(1.0)
CAMERA = 30.0  # frames a second
LEAST_SHARE = 0.9  # of the bound
_BUDGET, _ALONE, _WARM = 4.0, 15, 1.0  # seconds of profiling; frames measured alone; seconds of a rest between ways
_AT = 0.6  # of the distribution: where the paper reads its curves
Environment = Literal["static", "dynamic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to answer at one link."""

    link: str
    way: str
    frames_per_second: float
    bound: float
    share_of_bound: float
    p50_ms: float
    p99_ms: float
    camera_in_time: float
    camera_replaced: float
    cpu_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One way to answer on a moving link."""

    environment: str
    way: str
    frames_per_second: float
    at_60: float
    lowest: float
    follows: float
    in_time: float
    p99_ms: float


class Outcomes:
    """What a stream tells, with the moments."""

    def __init__(self) -> None:
        self.records: list[tuple[float, Record]] = []
        self.kinds: Counter[str] = Counter()

    def __call__(self, outcome: FrameOutcome) -> None:
        """Takes one in."""
        self.kinds[outcome.kind] += 1
        if outcome.answer is not None:
            self.records.append((CLOCK.now(), outcome.answer.record))

    def percentile(self, share: float) -> float:
        """Of the latency, in milliseconds."""
        return 1e3 * float(np.percentile([record.total for _, record in self.records], share))

    @property
    def in_time(self) -> float:
        """A share of all frames, whatever became of them."""
        return sum(record.deadline_met for _, record in self.records) / max(1, self.kinds.total())


class Bench:
    """Edge, link, and what a device is made of."""

    def __init__(self, stack: ExitStack) -> None:
        self.model, self.pictures = load(MODEL), test_images()
        self._host = profile(self.model, OnnxRuntimeEngine(), source=self.pictures[0], budget=_BUDGET)
        self._board = emulated_profile(self._host, find_device(DEVICE))
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-streams-"))) / "host.json"
        self._host.save(file)
        edge = stack.enter_context(ServerProcess.edge(MODEL, file))
        self.link = stack.enter_context(ShapedLink(edge.address, uplink=BitsPerSecond(20e6)))

    @contextmanager
    def device(self, deadline: Seconds, environment: Environment = "static") -> Iterator[Device]:
        """A connected one."""
        device = Device(
            self.model,
            edge=self.link.address,
            deadline=deadline,
            environment=environment,
            device_profile=self._board,
            host_profile=self._host,
            calibration=calibration_for(self.model),
            pace=Emulated(DEVICE),
        )
        with device:
            if not device.wait_ready(30.0):
                raise EdgentError("the edge process was not reached")
            device.infer(self.pictures[0])
            device.wait_ready(30.0)
            yield device

    def frames(self) -> Iterator[Frame]:
        """Pictures without end, each captured when it is asked for."""
        for number in count():
            picture = self.pictures[number % len(self.pictures)]
            yield Frame(read=lambda picture=picture: picture, source="camera", number=number, at=CLOCK.now())

    def always(self, device: Device, most: int, seconds: float) -> tuple[Outcomes, float]:
        """A frame is there whenever there is a place; also the seconds until the last was answered."""
        outcomes, began = Outcomes(), CLOCK.now()
        stream = FrameStream(device, outcomes, most=most)
        for frame in self.frames():
            if CLOCK.now() - began > seconds:
                break
            stream.put(frame)
        stream.close()
        return outcomes, CLOCK.now() - began

    def filmed(self, device: Device, most: int, seconds: float) -> Outcomes:
        """A camera's frames."""
        outcomes, began = Outcomes(), CLOCK.now()
        stream = FrameStream(device, outcomes, most=most, from_capture=True)
        for number, frame in zip(range(int(seconds * CAMERA)), self.frames(), strict=False):
            stream.offer(frame)
            time.sleep(max(0.0, began + (number + 1) / CAMERA - CLOCK.now()))
        stream.close()
        return outcomes


def bound(stages: Stages, up: float, turns: int) -> float:
    """Frames a second that the slowest stage allows, where the bytes take `up` seconds of the link."""
    return 1 / max(stages.device / turns, up, stages.middle)


def alone(bench: Bench, device: Device, configuration: Configuration, rate: float) -> float:
    """The bound of a configuration, each of its stages measured alone."""
    before = bench.link.counts().up_wire_bytes
    records = [
        device.infer(bench.pictures[0], configuration=configuration, race=False, deadline=10.0).record
        for _ in range(_ALONE)
    ]
    names = ("prepare", "head", "encode", "middle", "suffix")
    stages = Stages(**{name: statistics.median(getattr(record.stages, name) for record in records) for name in names})
    sent = (bench.link.counts().up_wire_bytes - before) / _ALONE
    return bound(stages, serialisation_time(sent, BitsPerSecond(rate)), device.turns)


def measured(bench: Bench, seconds: float) -> list[Row]:
    """All ways at all links."""
    return [row for rate, round_trip in CELLS for row in cell(bench, rate, round_trip, seconds)]


def cell(bench: Bench, rate: float, round_trip: float, seconds: float) -> list[Row]:
    """Both ways at one link."""
    bench.link.set(uplink=BitsPerSecond(rate), downlink=BitsPerSecond(rate), round_trip=Seconds(round_trip))
    rows = []
    for way, most in WAYS.items():
        with bench.device(DEADLINE) as device:
            before = time.process_time()
            outcomes, took = bench.always(device, most, seconds)
            cpu = time.process_time() - before
            time.sleep(_WARM)
            camera = bench.filmed(device, most, seconds)
            usual = Counter(record.plan.configuration for _, record in outcomes.records if record.plan is not None)
            at_most = alone(bench, device, usual.most_common(1)[0][0], rate)
        answered = len(outcomes.records)
        rows.append(
            Row(
                link=f"{rate / 1e6:g} Mbit/s, {round_trip * 1e3:g} ms",
                way=way,
                frames_per_second=answered / took,
                bound=at_most,
                share_of_bound=answered / took / at_most,
                p50_ms=outcomes.percentile(50),
                p99_ms=outcomes.percentile(99),
                camera_in_time=camera.in_time,
                camera_replaced=camera.kinds["replaced"] / camera.kinds.total(),
                cpu_ms=1e3 * cpu / answered,
            )
        )
    return rows


def by_second(ends: Sequence[float], seconds: int) -> list[int]:
    """How many frames were answered in each second."""
    return np.bincount([int(end) for end in ends if end < seconds], minlength=seconds)[:seconds].tolist()


def follows(counts: Sequence[int], rates: Sequence[float]) -> float:
    """Correlation of bandwidth and throughput by the second, both in logarithms, where there was any."""
    pairs = [(rate, answered) for rate, answered in zip(rates, counts, strict=True) if rate > 0 and answered]
    return float(np.corrcoef(np.log(pairs).T)[0, 1]) if len(pairs) > 2 else 0.0


def on_trace(bench: Bench, trace: Trace) -> list[TraceRow]:
    """Both ways, by both environments."""
    seconds = int(trace.duration)
    rates = [trace.at(second + 0.5) for second in range(seconds)]
    rows = []
    for environment in ("static", "dynamic"):
        for way, most in WAYS.items():
            start = BitsPerSecond(max(trace.at(0.0), 1e5))
            bench.link.set(uplink=start, downlink=start, round_trip=Seconds(0.005))
            with bench.device(PAPERS_DEADLINE, environment) as device, Driven(bench.link, trace):
                began = CLOCK.now()
                outcomes, _ = bench.always(device, most, seconds)
            counts = by_second([at - began for at, _ in outcomes.records], seconds)
            rows.append(
                TraceRow(
                    environment=environment,
                    way=way,
                    frames_per_second=statistics.mean(counts),
                    at_60=float(np.quantile(counts, _AT)),
                    lowest=float(min(counts)),
                    follows=follows(counts, rates),
                    in_time=outcomes.in_time,
                    p99_ms=outcomes.percentile(99),
                )
            )
    return rows


def main() -> int:
    """Measures and prints; fails where frames in flight are slower than 0.9 of the slowest stage."""
    parser = command.options(__doc__)
    parser.add_argument("--seconds", type=command.at_least(1), default=6, help="of each way, twice")
    parser.add_argument("--trace", type=command.at_least(0), default=30, help="seconds of the moving link; 0: none")
    parser.add_argument("--traces", type=Path, help="a folder of recorded links")
    parser.add_argument("--seed", type=int, default=0, help="of a generated link")
    options = parser.parse_args()
    with ExitStack() as stack:
        bench = Bench(stack)
        rows, moving, words = measured(bench, options.seconds), list[TraceRow](), ""
        if options.trace:
            parts = Parts(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-parts-"))), depends={})
            lab = Lab(parts=parts, seed=options.seed, traces=options.traces, progress=lambda *_: None)
            links = bus_link(lab, options.trace)
            moving, words = on_trace(bench, links.traces[0]), links.words
    tables = {"rows": [asdict(row) for row in rows], "moving": [asdict(row) for row in moving]}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    document = {"device": f"{DEVICE} (emulated)", "deadline_ms": DEADLINE * 1e3, "link": words, "memory_mb": memory}
    command.show(options, document | tables, lambda: [print(aligned(table)) for table in tables.values() if table])
    return 0 if all(row.share_of_bound >= LEAST_SHARE for row in rows if row.way == "in flight") else 1


if __name__ == "__main__":
    command.run(main)
