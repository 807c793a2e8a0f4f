"""Many devices on one edge in virtual time: the objects are those of the product, the machines and links are not.

A `Device` with its connection, belief and chooser, and an edge's service with admission and queue, run on a
`ManualClock`: they wait for each other and for moments, and time passes where all of them do. The engine computes
nothing, and work takes what a made-up profile says. So a run of some minutes takes seconds, and the same course each
time: all that happens follows from its seed.

Each request asks about a number of its own, and the engine answers with the mean of what it was given. So an answer
that belongs to another request, or was damaged on its way, is another number.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np

from edgent.clock import Clock
from edgent.codec import TENSOR_CODECS
from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import EdgentError
from edgent.lab.boards.emulation import Emulated
from edgent.lab.chaos import simulated_link
from edgent.lab.chaos.callers import LOSSLESS, close, needs_of
from edgent.lab.chaos.faults import faults
from edgent.lab.chaos.invariants import ChaosDevice, ChaosOutcome
from edgent.lab.chaos.simulated_link import SimulatedLink
from edgent.latency.profile import BranchProfile, CodecTime, Profile, Timing
from edgent.model import Model
from edgent.telemetry import Record
from edgent.testing import FakeEngine, ManualClock
from edgent.units import Seconds
from edgent.wire.transport import Methods

_READY = 20.0
_AFTER = 1.0  # seconds in which all records have been told
_EDGE_LAYER = 1e-4  # seconds that each layer takes on the edge
_SLOWED = 30.0  # times that an edge is slower while something else runs on it
_RESTART, _BUSY = "restart", "busy"
_PICTURE = (1, 3, 32, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedBoard:
    """A device of a run.

    Attributes:
        layer: seconds that each layer takes on it.
        callers: how many ask it.
        requests: of each of them.
        pause: seconds between them, about; 0: each asks when its last one is answered.
        jitter: standard deviation of the logarithm of what its work takes.
        spare: times the shortest deadline within which it could answer all callers by itself.
        environment: how it chooses its plans.
        seed: of its link's faults, and of its callers' pauses.
    """

    layer: float
    callers: int
    requests: int
    pause: float
    jitter: float
    spare: float
    environment: Literal["static", "dynamic"]
    seed: int


def boards(seed: int, requests: int = 1_000) -> tuple[SimulatedBoard, ...]:
    """The devices of a run that has about so many requests."""
    chance = random.Random(seed)
    count = chance.choice([1, 2, 5, 12])
    return tuple(
        SimulatedBoard(
            layer=10 ** chance.uniform(-3.3, -1.7),
            callers=(callers := chance.choice([1, 1, 2, 5, 50 // count])),
            requests=max(1, requests // count // callers),
            pause=chance.choice([0.0, 10 ** chance.uniform(-2.0, 0.3)]),
            jitter=chance.choice([0.0, 0.05]),
            spare=chance.choice([0.3, 1.02, 1.5, 4.0]),
            environment=chance.choice(["static", "dynamic"]),
            seed=chance.randrange(2**31),
        )
        for _ in range(count)
    )


def run(seed: int, requests: int = 1_000) -> tuple[ChaosOutcome, ...]:
    """Everything that the callers of a run saw; the same for the same seed.

    Args:
        seed: of all that happens.
        requests: about so many in all.
    """
    simulation = _Simulation(seed=seed, model=load("b-alexnet"))
    return simulation.run(boards(seed, requests))


@dataclass(slots=True)
class _Simulation:
    """One run: the edge as it is now, and what was seen so far."""

    seed: int
    model: Model
    clock: ManualClock = field(default_factory=ManualClock)
    outcomes: list[ChaosOutcome] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=itertools.count)
    told: Counter[str] = field(default_factory=Counter)
    faulty: dict[int, str] = field(default_factory=dict)  # by device, the fault that its link has now
    over: bool = False

    def run(self, of_boards: tuple[SimulatedBoard, ...]) -> tuple[ChaosOutcome, ...]:
        pace = _EdgePace(self.clock)
        methods = self._started(pace)
        links = [SimulatedLink(methods, self.clock, board.seed) for board in of_boards]
        devices = [self._device(board, link) for board, link in zip(of_boards, links, strict=True)]
        troubles = [
            self._thread(partial(self._spoil, place, link, board.seed))
            for place, (link, board) in enumerate(zip(links, of_boards, strict=True))
        ]
        troubles.append(self._thread(partial(self._trouble_the_edge, links, pace)))
        callers = [
            self._thread(partial(self._call, place, device, board, turn))
            for place, (device, board) in enumerate(zip(devices, of_boards, strict=True))
            for turn in range(board.callers)
        ]
        for thread in (*troubles, *callers):
            thread.start()
        for thread in callers:
            thread.join()
        self.over = True
        for thread in troubles:
            thread.join()
        self.clock.sleep(_AFTER)
        for device in devices:
            device.close()
        return tuple(replace(outcome, records=self.told[outcome.name]) for outcome in self.outcomes)

    def _thread(self, target: Callable[[], object]) -> threading.Thread:
        return self.clock.thread(target, "chaos")

    def _started(self, pace: _EdgePace) -> Methods:
        """An edge that has just been started, and knows nothing of what was before."""
        profile = made_up_profile(self.model, _EDGE_LAYER)
        edge = Edge(self.model, engine=FakeEngine(), profiles=[profile], clock=self.clock, pace=pace)
        return edge.service.methods()

    def _device(self, board: SimulatedBoard, link: SimulatedLink) -> Device:
        profile = made_up_profile(self.model, board.layer)
        device = Device(
            self.model,
            deadline=1.0,  # each request has its own
            device_profile=profile,
            channel=link,
            clock=self.clock,
            engine=FakeEngine(),
            pace=Emulated("simulated", clock=self.clock, jitter=board.jitter, seed=board.seed),
            codecs=LOSSLESS,
            environment=board.environment,
            on_record=self._tell,
        )
        device.wait_ready(_READY)
        return device

    def _tell(self, record: Record) -> None:
        self.told[record.input] += 1

    def _spoil(self, place: int, link: SimulatedLink, seed: int) -> None:
        """One fault of a link follows the other."""
        for fault in faults(seed, kinds=simulated_link.KINDS, quiet=(0.1, 5.0), seconds=(0.05, 5.0)):
            self.clock.sleep(fault.quiet)
            if self.over:
                return
            link.fault(fault.kind)
            self.faulty[place] = fault.kind
            self.clock.sleep(fault.seconds)
            link.well()
            del self.faulty[place]

    def _trouble_the_edge(self, links: list[SimulatedLink], pace: _EdgePace) -> None:
        """The edge is started anew, or something else runs beside it."""
        for fault in faults(self.seed, kinds=(_RESTART, _BUSY), quiet=(1.0, 20.0), seconds=(0.5, 5.0)):
            self.clock.sleep(fault.quiet)
            if self.over:
                return
            if fault.kind == _BUSY:
                pace.slower = _SLOWED
            else:
                for link in links:
                    link.cut()
            self.clock.sleep(fault.seconds)
            pace.slower = 1.0
            if fault.kind == _RESTART:
                methods = self._started(pace)
                for link in links:
                    link.mend(methods)

    def _call(self, place: int, device: Device, board: SimulatedBoard, turn: int) -> None:
        chance = random.Random(board.seed + turn)
        needs = needs_of(made_up_profile(self.model, board.layer), device.settings.margin_before)
        deadline = board.spare * needs.least_deadline(board.callers)
        for _ in range(board.requests):
            if board.pause:
                self.clock.sleep(chance.expovariate(1 / board.pause))
            self.outcomes.append(self._asked(place, device, needs, Seconds(deadline), board.callers))

    def _asked(self, place: int, device: Device, needs: ChaosDevice, deadline: Seconds, callers: int) -> ChaosOutcome:
        number, began_at, during = next(self.numbers), self.clock.now(), self.faulty.get(place, "")
        name, value = f"request {number} of seed {self.seed}", 1.0 + number / 1024  # a number that float32 has exactly
        by, why, error, right, typed = "", "", "", None, True
        try:
            answer = device.infer(np.full(_PICTURE, value, np.float32), name=name, deadline=deadline)
            by, why = answer.record.by, answer.record.why
            right = all(close(array, np.full(array.shape, value, array.dtype)) for array in answer.outputs.values())
        except EdgentError as raised:
            error = f"{type(raised).__name__}: {raised}"
        except Exception as raised:  # whatever it is, it is what is looked for here
            error, typed = f"{type(raised).__name__}: {raised}", False
        return ChaosOutcome(
            name=name,
            at=began_at,
            total=self.clock.now() - began_at,
            deadline=deadline,
            fits=needs.fits(deadline, callers),
            by=by,
            why=why,
            during=during,
            right=right,
            error=error,
            typed=typed,
        )


class _EdgePace:
    """An edge that takes what its profile says, or a multiple while something else runs beside it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.slower = 1.0

    def hold(self, started_at: Seconds, seconds: float) -> None:
        """See `Pace.hold`."""
        self._clock.sleep(started_at + seconds * self.slower - self._clock.now())


def made_up_profile(model: Model, layer: float) -> Profile:
    """A machine on which every layer takes the same time."""

    def timing(seconds: float) -> Timing:
        return Timing(median=seconds, spread=0.0, samples=1)

    branches = tuple(
        BranchProfile(
            exit=branch.exit,
            whole=timing(layer * len(branch.layers)),
            layers=(layer,) * len(branch.layers),
            unassigned=0.0,
        )
        for branch in model.branches
    )
    nothing = {"encode_base": 0.0, "encode_per_byte": 0.0, "decode_base": 0.0, "decode_per_byte": 0.0}
    return Profile(
        model=model.name,
        digest=model.digest,
        machine="made up",
        engine="fake",
        threads=1,
        branches=branches,
        codecs=tuple(CodecTime(codec=name, **nothing) for name in TENSOR_CODECS),
        decode_source=timing(layer),
        fit=timing(layer),
        normalise=timing(layer),
    )
