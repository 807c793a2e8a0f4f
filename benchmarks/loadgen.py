"""The device under MLPerf's LoadGen: SingleStream, and Server, an open loop. Percentiles are LoadGen's.

    python benchmarks/loadgen.py [--json] [--queries N] [--seed N]

LoadGen (PyPI `mlcommons-loadgen`, which this benchmark installs into a folder of its own) issues pictures to a real
device that plans over the bundle of b-alexnet and b-alexnet-int8, an edge process behind the shaped link. The device is
emulated, each layer type perturbed by a hidden factor; it computes one thing at a time. In Server, with Poisson
arrivals, up to eight pictures are in its hands at once; the time that another one waits is taken off its deadline.

Each runs on a steady link, and on one that stops every byte for 0.2 s of every second, with the race and without:
*deadlines met at the 99th percentile* wherever the fastest local answer fits, and what the race costs in device time
(emulated milliseconds of computing per answer). About 5 minutes.
"""

from __future__ import annotations

import itertools
import json
import queue
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import command
from edgent.demo.paper.run import test_images
from edgent.device.device import Device
from edgent.engine.loading import load as load_model
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgentError
from edgent.evaluation.calibration_files import calibration_for
from edgent.lab.boards.emulation import Emulated, EmulationReport, find_device
from edgent.lab.boards.hidden import hidden_device
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.profiling.model_profiler import profile
from edgent.units import BitsPerSecond, Seconds
from environments import folder

MODEL, DEVICE = "b-alexnet+b-alexnet-int8", "paper-pi3-resident"
RATES, DEADLINES = (5e6, 20e6), (0.050, 0.100)
SERVER_RATE, SERVER_DEADLINE, QUERIES_PER_SECOND = 5e6, 0.100, (10.0, 30.0)
ROUND_TRIP = Seconds(0.005)
PERIOD, CUT = 1.0, 0.2  # seconds: of every PERIOD the disturbed link stops for CUT
BUDGET = 8.0  # seconds of profiling
WORKERS = {"SingleStream": 1, "Server": 8}
_WARM = 12
_LEAST_DEADLINE = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A LoadGen run; latencies are its own figures."""

    scenario: str
    bandwidth_bps: float
    deadline_ms: float
    link: str
    race: bool
    queries_per_second: float | None
    queries: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    deadlines_met: float
    met_at_p99: bool
    local_fits: bool
    device_ms: float
    pieces: int
    overran: int
    worst_overrun_ms: float


class Subject:
    """The device as LoadGen's system under test: workers take the queries in the order of arrival."""

    def __init__(self, loadgen: Any, device: Device, pictures: Sequence[bytes], deadline: float, workers: int) -> None:
        self._loadgen, self._device, self._pictures, self._deadline = loadgen, device, pictures, deadline
        self._waiting: queue.SimpleQueue[tuple[Any, float] | None] = queue.SimpleQueue()
        self._workers = [threading.Thread(target=self._work) for _ in range(workers)]
        self.totals: list[float] = []

    def issue(self, samples: Sequence[Any]) -> None:
        """LoadGen's queries."""
        for sample in samples:
            self._waiting.put(((sample.id, sample.index), time.perf_counter()))

    def __enter__(self) -> Subject:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        for _ in self._workers:
            self._waiting.put(None)
        for worker in self._workers:
            worker.join()

    def _work(self) -> None:
        while (taken := self._waiting.get()) is not None:
            (number, index), came_at = taken
            left = max(_LEAST_DEADLINE, self._deadline - (time.perf_counter() - came_at))
            self._device.infer(self._pictures[index], deadline=Seconds(left))
            self.totals.append(time.perf_counter() - came_at)
            self._loadgen.QuerySamplesComplete([self._loadgen.QuerySampleResponse(number, 0, 0)])


def run(loadgen: Any, subject: Subject, pictures: int, settings: Any) -> dict[str, float]:
    """One test; LoadGen's latencies at its percentiles, in seconds."""
    under_test = loadgen.ConstructSUT(subject.issue, lambda: None)
    library = loadgen.ConstructQSL(pictures, pictures, lambda _: None, lambda _: None)
    with tempfile.TemporaryDirectory(prefix="edgent-loadgen-") as out, subject:
        logs = loadgen.LogSettings()
        logs.log_output.outdir = out
        logs.log_output.copy_summary_to_stdout = False
        loadgen.StartTestWithLogSettings(under_test, library, settings, logs)
        text = (Path(out) / "mlperf_log_detail.txt").read_text()
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(under_test)
    return percentiles(text)


def percentiles(log: str) -> dict[str, float]:
    """The latencies in LoadGen's detailed log, in seconds, by percentile: {"99.00": ...}."""
    found = {}
    for line in log.splitlines():
        entry = json.loads(line.removeprefix(":::MLLOG "))
        words = entry["key"].split("_")
        if entry["key"].startswith("result_") and entry["key"].endswith("_percentile_latency_ns"):
            found[words[1]] = float(entry["value"]) / 1e9
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What LoadGen does in a run, and over which link."""

    scenario: str
    rate: float
    deadline: float
    race: bool
    disturbed: bool = False
    arrivals: float | None = None


def settings(loadgen: Any, load: Load, queries: int) -> Any:
    """LoadGen's settings of a performance run of so many queries."""
    made = loadgen.TestSettings()
    made.mode = loadgen.TestMode.PerformanceOnly
    made.scenario = getattr(loadgen.TestScenario, load.scenario)
    made.min_query_count = made.max_query_count = queries
    made.min_duration_ms = 0
    made.single_stream_target_latency_percentile = made.server_target_latency_percentile = 0.99
    made.server_target_latency_ns = int(load.deadline * 1e9)
    if load.arrivals is not None:
        made.server_target_qps = load.arrivals
    return made


class Lab:
    """Edge, link, and for each run a device that LoadGen drives."""

    def __init__(self, stack: ExitStack, loadgen: Any, seed: int) -> None:
        self._loadgen, self._pictures, self._model = loadgen, test_images(), load_model(MODEL)
        host = profile(self._model, OnnxRuntimeEngine(), source=self._pictures[0], budget=BUDGET)
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgent-loadgen-"))) / "host.json"
        host.save(file)
        self._emulated = hidden_device(host, self._model, find_device(DEVICE), seed=seed)
        print(f"emulated: {self._emulated}", file=sys.stderr)
        found = self._emulated.profile
        prepare = found.decode_source.median + found.fit.median + found.normalise.median
        self.local = prepare + min(branch.whole.median for branch in found.branches)
        edge = stack.enter_context(ServerProcess.edge(MODEL, file))
        link = ShapedLink(edge.address, uplink=BitsPerSecond(RATES[0]), round_trip=ROUND_TRIP)
        self._link = stack.enter_context(link)

    def row(self, load: Load, queries: int) -> Row:
        """One run of LoadGen, on a device of its own, warm."""
        self._link.set(uplink=BitsPerSecond(load.rate), downlink=BitsPerSecond(load.rate))
        pace = self._emulated.pace()
        with self._device(pace, load) as device:
            for picture in self._pictures[:_WARM]:
                device.infer(picture)
                device.wait_ready()
            warm = pace.computed
            subject = Subject(self._loadgen, device, self._pictures, load.deadline, WORKERS[load.scenario])
            made = settings(self._loadgen, load, queries)
            with self._disturbed() if load.disturbed else nullcontext():
                found = run(self._loadgen, subject, len(self._pictures), made)
        met = sum(total <= load.deadline for total in subject.totals) / len(subject.totals)
        return Row(
            scenario=load.scenario,
            bandwidth_bps=load.rate,
            deadline_ms=load.deadline * 1e3,
            link="stops" if load.disturbed else "steady",
            race=load.race,
            queries_per_second=load.arrivals,
            queries=len(subject.totals),
            p50_ms=found["50.00"] * 1e3,
            p90_ms=found["90.00"] * 1e3,
            p99_ms=found["99.00"] * 1e3,
            deadlines_met=met,
            met_at_p99=found["99.00"] <= load.deadline,
            local_fits=self.local <= load.deadline,
            device_ms=(pace.computed - warm) / len(subject.totals) * 1e3,
            pieces=pace.account.pieces,
            overran=pace.account.overran,
            worst_overrun_ms=pace.account.worst * 1e3,
        )

    def _device(self, pace: Emulated, load: Load) -> Device:
        device = Device(
            self._model,
            edge=self._link.address,
            deadline=Seconds(load.deadline),
            device_profile=self._emulated.profile,
            host_profile=self._emulated.table,
            calibration=calibration_for(self._model),
            pace=pace,
            race=load.race,
        )
        if not device.wait_ready(30.0):
            device.close()
            raise EdgentError("the edge process was not reached")
        return device

    @contextmanager
    def _disturbed(self) -> Iterator[None]:
        """The link stops for a while of every period."""
        over = threading.Event()

        def disturb() -> None:
            while not over.wait(PERIOD - CUT):
                self._link.cut()
                over.wait(CUT)
                self._link.restore()

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def loads() -> Iterator[Load]:
    """Every run."""
    for rate, deadline, disturbed, race in itertools.product(RATES, DEADLINES, (False, True), (True, False)):
        yield Load(scenario="SingleStream", rate=rate, deadline=deadline, race=race, disturbed=disturbed)
    server = Load(scenario="Server", rate=SERVER_RATE, deadline=SERVER_DEADLINE, race=True)
    for arrivals, disturbed, race in itertools.product(QUERIES_PER_SECOND, (False, True), (True, False)):
        yield replace(server, arrivals=arrivals, disturbed=disturbed, race=race)


def rows(loadgen: Any, queries: int, seed: int) -> Iterator[Row]:
    """What came of them."""
    with ExitStack() as stack:
        lab = Lab(stack, loadgen, seed)
        print(f"the fastest local answer takes {lab.local * 1e3:.1f} ms by the device's profile", file=sys.stderr)
        for load in loads():
            yield lab.row(load, queries)


def _print(row: Row) -> None:
    arrivals = "" if row.queries_per_second is None else f"{row.queries_per_second:g}/s"
    print(
        f"{row.scenario:12} {arrivals:>5} {row.bandwidth_bps / 1e6:3g} Mb/s {row.deadline_ms:4g} ms {row.link:6} "
        f"race {'on ' if row.race else 'off'} p50 {row.p50_ms:6.1f} p90 {row.p90_ms:6.1f} p99 {row.p99_ms:6.1f} ms "
        f"met {row.deadlines_met:6.1%}  device {row.device_ms:5.1f} ms"
    )


def main() -> int:
    """Measures and prints."""
    parser = command.options(__doc__)
    parser.add_argument("--queries", type=command.at_least(10), default=200, help="of each run")
    parser.add_argument("--seed", type=int, default=0, help="of the device's hidden factors")
    options = parser.parse_args()
    sys.path.append(str(folder("loadgen", "mlcommons-loadgen")))
    import mlperf_loadgen

    found = []
    for row in rows(mlperf_loadgen, options.queries, options.seed):
        found.append(row)
        if not options.json:
            _print(row)
    each = (EmulationReport(pieces=row.pieces, overran=row.overran, worst=row.worst_overrun_ms / 1e3) for row in found)
    print(f"emulated: {sum(each, EmulationReport())}", file=sys.stderr)
    if options.json:
        command.write({"device": f"{DEVICE} (emulated)", "rows": [asdict(row) for row in found]})
    return 0


if __name__ == "__main__":
    command.run(main)
