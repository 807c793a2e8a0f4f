"""The device of a run with faults, in a process of its own, and those who ask it.

`python -m edgent.lab.chaos.callers` takes the orders of `CallersProcess`. Each request has a name of its own; its
answer is held against that of the undivided model, which the owner has computed with plain ONNX Runtime.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edgent.device.answer import Answer
from edgent.device.device import Device
from edgent.engine.loading import load
from edgent.errors import EdgentError
from edgent.lab.boards.emulation import Emulated, EmulationReport
from edgent.lab.chaos.heartbeat import NOTED
from edgent.lab.chaos.invariants import ChaosDevice, ChaosOutcome
from edgent.lab.processes.child_process import ChildProcess
from edgent.lab.processes.orders import Orders, answer
from edgent.latency import Profile
from edgent.telemetry import Record, write_records
from edgent.units import Seconds

LOSSLESS = ("float32",)
"""Of the codecs those that change no number: an answer that differs is wrong, and not merely coded."""

_CLOSE = 1e-3  # relative: a graph that is cut may be fused in another way
_TELLING = 10.0  # seconds in which all records have been told
_READY = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallersSettings:
    """What the process is given; paths are text, for they go as JSON.

    Attributes:
        model: name or file.
        edge: "HOST:PORT".
        profile: file of this machine's times.
        whole: seconds that the slowest branch takes on the device that this machine stands in for.
        deadline: seconds; requests may name others.
        pictures: .npz of `inputs` [n, ...] and of each exit's answers [n, ...] by the name of its output.
        records: file that every record is appended to; its disk may be full.
    """

    model: str
    edge: str
    profile: str
    whole: float
    deadline: float
    pictures: str
    records: str


class Callers:
    """A device, and those who ask it."""

    def __init__(self, settings: CallersSettings) -> None:
        self._settings = settings
        self._model = load(settings.model)
        here = Profile.load(Path(settings.profile))
        self._profile = here.scaled(settings.whole / max(branch.whole.median for branch in here.branches), "chaos")
        with np.load(settings.pictures) as arrays:
            self._expected = {name: arrays[name] for name in arrays.files}
        self._inputs = self._expected.pop("inputs")
        self._numbers, self._guard, self._outstanding = itertools.count(), threading.Lock(), 0
        self._told: Counter[str] = Counter()
        self._pace = _NotedPace("chaos")
        self._device = Device(
            self._model,
            settings.edge,
            deadline=settings.deadline,
            device_profile=self._profile,
            pace=self._pace,
            codecs=LOSSLESS,
            on_record=self._tell,
        )
        self.needs = needs_of(self._profile, self._device.settings.margin_before)
        self._device.wait_ready(_READY)

    def run(self, callers: int, requests: int, deadline: float, rate: float) -> dict[str, object]:
        """So many requests at a rate a second, as many at once as there are callers."""
        outcomes: list[ChaosOutcome] = []
        turns, began_at = iter(range(requests)), time.perf_counter()
        takes = threading.Lock()

        def call() -> None:
            while True:
                with takes:
                    turn = next(turns, None)
                if turn is None:
                    return
                # All callers together, and then a pause: so that many are there at once, and one alone as often.
                together = turn // callers * callers
                time.sleep(max(0.0, began_at + together / rate - time.perf_counter()))
                outcomes.append(self._asked(deadline))

        threads = [threading.Thread(target=call, name="caller") for _ in range(callers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        overruns, self._pace.overruns = self._pace.overruns, []
        return {"outcomes": [asdict(self._with_records(outcome)) for outcome in outcomes], "overruns": overruns}

    def account(self) -> dict[str, object]:
        """How well this machine stood in for the device."""
        return asdict(self._pace.account)

    def close(self) -> None:
        """Ends the device."""
        self._device.close()

    def _asked(self, deadline: float) -> ChaosOutcome:
        number = next(self._numbers)
        with self._guard:
            self._outstanding += 1
            outstanding = self._outstanding
        name, error, given = f"request {number}", "", None
        typed = True
        began_at = time.perf_counter()
        try:
            given = self._device.infer(self._inputs[number % len(self._inputs)], name=name, deadline=deadline)
        except EdgentError as raised:
            error = f"{type(raised).__name__}: {raised}"
        except Exception as raised:  # whatever it is, it is what is looked for here
            error, typed = f"{type(raised).__name__}: {raised}", False
        total = time.perf_counter() - began_at
        with self._guard:
            self._outstanding -= 1
        return ChaosOutcome(
            name=name,
            at=began_at,
            total=total,
            deadline=deadline,
            fits=self.needs.fits(deadline, outstanding),
            by="" if given is None else given.record.by,
            why="" if given is None else given.record.why,
            right=None if given is None else self._right(given, number % len(self._inputs)),
            error=error,
            typed=typed,
        )

    def _right(self, given: Answer, picture: int) -> bool:
        return all(close(array, self._expected[name][picture]) for name, array in given.outputs.items())

    def _tell(self, record: Record) -> None:
        self._told[record.input] += 1
        with suppress(EdgentError):  # the disk may be full, on purpose
            write_records(Path(self._settings.records), [record])

    def _with_records(self, outcome: ChaosOutcome) -> ChaosOutcome:
        give_up_at = time.perf_counter() + _TELLING
        while not outcome.error and not self._told[outcome.name] and time.perf_counter() < give_up_at:
            time.sleep(0.001)
        return ChaosOutcome(**asdict(outcome) | {"records": self._told.pop(outcome.name, 0)})


class _NotedPace(Emulated):
    """The pace of a slow device, which notes when this machine did not keep it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.overruns: list[tuple[float, float]] = []

    def hold(self, started_at: Seconds, seconds: float) -> None:
        """See `Pace.hold`."""
        late = time.perf_counter() - started_at - seconds
        if seconds > 0 and late > NOTED:
            self.overruns.append((started_at + seconds, late))
        super().hold(started_at, seconds)


class CallersProcess:
    """`Callers` in a process of their own; a context manager.

    Attributes:
        needs: what the device needs by itself.
        overruns: when a piece of work should have ended, and by how many seconds it ended later.
    """

    def __init__(self, settings: CallersSettings) -> None:
        self._settings = settings
        self.overruns: list[tuple[float, float]] = []
        self._child = ChildProcess("-m", "edgent.lab.chaos.callers")

    def __enter__(self) -> Self:
        """Starts it, and waits until its device has met the edge."""
        self._child.__enter__()
        try:
            self.needs = ChaosDevice(**self._child.ask("begin", **asdict(self._settings))["needs"])
        except BaseException:
            self._child.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._child.pid

    def run(self, *, callers: int, requests: int, deadline: float, rate: float, within: float) -> list[ChaosOutcome]:
        """See `Callers.run`; raises EdgentError where that hangs."""
        found = self._child.ask("run", within=within, callers=callers, requests=requests, deadline=deadline, rate=rate)
        self.overruns += [(at, late) for at, late in found["overruns"]]
        return [ChaosOutcome(**fields) for fields in found["outcomes"]]

    def account(self) -> EmulationReport:
        """How well this machine stood in for the device."""
        return EmulationReport(**self._child.ask("account"))


def needs_of(profile: Profile, margin_before: Any) -> ChaosDevice:
    """What a device of this profile needs by itself, for deadlines of a second or so."""
    seconds = [branch.whole.median for branch in profile.branches]
    return ChaosDevice(fastest=Seconds(min(seconds)), slowest=Seconds(max(seconds)), margin=margin_before(math.inf))


def close(given: NDArray[Any], expected: NDArray[Any]) -> bool:
    """Whether an answer is the expected one, but for the rounding of other kernels."""
    scale = float(np.abs(expected).max())
    return given.shape == expected.shape and float(np.abs(given - expected).max()) <= _CLOSE * max(scale, 1e-6)


def main() -> None:
    """Takes orders until there are no more."""
    running: list[Callers] = []

    def begin(**settings: Any) -> dict[str, object]:
        running.append(Callers(CallersSettings(**settings)))
        does.update(run=running[0].run, account=running[0].account)
        return {"needs": asdict(running[0].needs)}

    does: dict[str, Any] = {"begin": begin}
    answer({})
    Orders(does).obey_all()
    for callers in running:
        callers.close()


if __name__ == "__main__":
    main()
