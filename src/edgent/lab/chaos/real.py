"""Device, edge and link as real processes, while one fault follows another."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgent.errors import EdgentError
from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.chaos.callers import CallersProcess, CallersSettings
from edgent.lab.chaos.faults import KINDS, Fault, FaultSpell, during
from edgent.lab.chaos.ground import GOOD, ROUND_TRIP, Ground, SupervisedEdge, is_root, small_disk
from edgent.lab.chaos.growth import Footprint, Growth, footprint, growth
from edgent.lab.chaos.heartbeat import Heartbeat, MachineLateness
from edgent.lab.chaos.invariants import ChaosOutcome
from edgent.lab.links.link import ShapedLink
from edgent.units import Seconds

WHOLE = Seconds(0.018)  # that the slowest branch takes on the device: so the edge is worth asking
_SPARE, _BUSY = 2.0, 0.5
_LOOKS_EVERY = 1.0  # seconds, at what the processes hold
_SETTLED = 30.0  # seconds after which a process has made what it keeps
_PATIENCE = 300.0  # seconds beyond all deadlines until callers are said to hang


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Some requests of a run.

    Attributes:
        callers: how many ask at once.
        requests: how many in all.
        rate: a second; None: as many as keep the device half busy where it has to answer all of them by itself.
    """

    callers: int
    requests: int
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRun:
    """What was seen of a run.

    Attributes:
        outcomes: every request.
        lateness: of the machine meanwhile.
        faults: those that came.
        grown: what the processes held at the beginning and at the end.
        edge_starts: how many processes the edge was.
        pace: how well this machine stood in for the device.
        seconds: that it took.
    """

    outcomes: tuple[ChaosOutcome, ...]
    lateness: MachineLateness
    faults: tuple[FaultSpell, ...]
    grown: tuple[Growth, ...]
    edge_starts: int
    pace: EmulationReport
    seconds: float


@dataclass(slots=True)
class _Watch:
    """What each process held, by its number: an edge that was started again is another one."""

    seen: defaultdict[tuple[str, int], list[Footprint]] = field(default_factory=lambda: defaultdict(list))

    def look(self, name: str, pid: int | None) -> None:
        if pid is not None and (held := footprint(pid, time.perf_counter())) is not None:
            self.seen[name, pid].append(held)

    def grown(self) -> tuple[Growth, ...]:
        """Of each name the process that lived longest; what it holds is judged when it has lived for `_SETTLED`."""
        longest: dict[str, list[Footprint]] = {}
        for (name, _), held in self.seen.items():
            longest[name] = max(longest.get(name, []), held, key=len)
        judged = (growth(name, held, held[0].at + _SETTLED) for name, held in longest.items())
        return tuple(each for each in judged if each is not None)


def possible_kinds() -> tuple[str, ...]:
    """The kinds of fault that can be made here: a full disk takes root."""
    return tuple(kind for kind in KINDS if kind != "disk" or is_root())


def run(
    folder: Path,
    model: str,
    profile: Path,
    pictures: Path,
    phases: Iterable[Phase],
    faults: Iterator[Fault],
    say: Callable[[str], object] = lambda _line: None,
) -> RealRun:
    """Runs the phases one after the other while faults come.

    Args:
        folder: an empty one, for caches and records.
        model: name or file.
        profile: file of this machine's times of it.
        pictures: see `CallersSettings`.
        phases: what is asked.
        faults: what goes wrong meanwhile.
        say: is told how it goes, in lines.

    Raises:
        EdgentError: a process does not start, or its callers hang.
    """
    began_at, spells, watch = time.perf_counter(), list[FaultSpell](), _Watch()
    with ExitStack() as stack:
        disk = folder / "disk"
        if is_root():
            stack.enter_context(small_disk(disk))
        disk.mkdir(exist_ok=True)
        stack.enter_context(_environment("XDG_CACHE_HOME", str(disk / "cache")))
        heartbeat = stack.enter_context(Heartbeat())
        edge = stack.enter_context(SupervisedEdge(model, profile))
        link = stack.enter_context(ShapedLink(edge.address, uplink=GOOD, round_trip=ROUND_TRIP))
        settings = CallersSettings(
            model=model,
            edge=link.address,
            profile=str(profile),
            whole=WHOLE,
            deadline=1.0,
            pictures=str(pictures),
            records=str(disk / "records.jsonl"),
        )
        device = stack.enter_context(CallersProcess(settings))
        ground = Ground(link, edge, disk if is_root() else None)
        outcomes: list[ChaosOutcome] = []
        with _beside(lambda: _look(watch, device.pid, edge), _LOOKS_EVERY), faults_beside(ground, faults, spells):
            for phase in phases:
                outcomes += _asked(device, phase)
                say(f"{time.perf_counter() - began_at:6.0f} s: {len(outcomes)} requests, {len(spells)} faults")
        return RealRun(
            outcomes=tuple(replace(outcome, during=during(spells, outcome.at)) for outcome in outcomes),
            lateness=heartbeat.lateness().among(device.overruns),
            faults=tuple(spells),
            grown=watch.grown(),
            edge_starts=edge.starts,
            pace=device.account(),
            seconds=time.perf_counter() - began_at,
        )


def _asked(device: CallersProcess, phase: Phase) -> list[ChaosOutcome]:
    # Twice what the device needs for all that ask at once: it is emulated, and its machine has other things to do.
    deadline = _SPARE * device.needs.least_deadline(phase.callers)
    rate = _BUSY / device.needs.slowest if phase.rate is None else phase.rate
    return device.run(
        callers=phase.callers,
        requests=phase.requests,
        deadline=deadline,
        rate=rate,
        within=phase.requests / rate + _PATIENCE,
    )


def _look(watch: _Watch, device: int, edge: SupervisedEdge) -> None:
    watch.look("device", device)
    watch.look("edge", edge.pid)


@contextmanager
def faults_beside(ground: Ground, faults: Iterator[Fault], spells: list[FaultSpell]) -> Iterator[None]:
    """Faults come in a thread of their own; at the end all is well again.

    Args:
        ground: where they are made.
        faults: that come.
        spells: is given each of them, when it is over.

    Raises:
        EdgentError: an edge could not be started again.
    """
    failed = list[EdgentError]()

    def make(over: threading.Event) -> None:
        try:
            for fault in faults:
                if over.wait(fault.quiet):
                    return
                since = time.perf_counter()
                ground.make(fault)
                spells.append(FaultSpell(kind=fault.kind, since=since, until=time.perf_counter()))
        except EdgentError as error:
            failed.append(error)

    with _thread(make, "faults"):
        yield
    if failed:
        raise failed[0]


@contextmanager
def _beside(work: Callable[[], object], every: float) -> Iterator[None]:
    """Does something again and again, beside what is done inside."""

    def repeat(over: threading.Event) -> None:
        while not over.wait(every):
            work()

    with _thread(repeat, "watch"):
        yield


@contextmanager
def _thread(work: Callable[[threading.Event], object], name: str) -> Iterator[None]:
    """Work in a thread of its own, which is told by an event that it is over, and waited for."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """A variable that the processes inherit."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
