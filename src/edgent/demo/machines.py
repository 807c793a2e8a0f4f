"""The demo's device: a process that stands in for a slow board."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from edgent.demo.outage import Request
from edgent.demo.values import Decision, Measured, Setup
from edgent.errors import EdgentError
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration

_ANSWER = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """What a device process needs; files, so that little has to be pickled."""

    model: str
    host_profile: str
    emulated: str
    calibration: str | None
    images: tuple[bytes, ...]


class DeviceProcess:
    """A device in a process of its own, told what to do over a pipe; a context manager."""

    def __init__(self, settings: DeviceSettings) -> None:
        self._settings = settings

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_device, args=(theirs, self._settings), daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._pipe.send(None)
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def connect(self, edge: str, first: Configuration | None) -> Conditions:
        """Connects to an edge; an empty address is none.

        Args:
            edge: its address.
            first: what to run a few times, so that the device learns what a call takes; it is told nothing.

        Returns:
            Link and edge as the device has measured them.
        """
        conditions: Conditions = self._ask("connect", edge, first)
        return conditions

    def run(self, setups: Sequence[Setup], rounds: int, patience: Sequence[float]) -> list[Measured]:
        """Runs setups interleaved, all equally often; an answer later than its patience counts as none."""
        found: list[Measured] = self._ask("run", tuple(setups), rounds, tuple(patience))
        return found

    def decide(self, deadlines: Sequence[float], warm: Sequence[Configuration]) -> list[Decision]:
        """Has the device itself plan and answer, one picture for each deadline, the race on; what to warm before."""
        found: list[Decision] = self._ask("decide", tuple(deadlines), tuple(warm))
        return found

    def meet_rival(self, address: str, codecs: Sequence[str]) -> None:
        """Connects to the rival's server, once for each codec."""
        self._ask("meet_rival", address, tuple(codecs))

    def ready_stream(self, deadline: float) -> None:
        """Makes the sessions ready that `begin_stream` needs."""
        self._ask("ready_stream", deadline)

    def begin_stream(self, seconds: float, period: float, deadline: float) -> None:
        """Begins to answer an image every `period`, planned freely, with the race on."""
        self._pipe.send(("stream", (seconds, period, deadline)))

    def end_stream(self) -> tuple[Request, ...]:
        """Waits for the end of what `begin_stream` began."""
        requests: tuple[Request, ...] = self._answer()
        return requests

    def overruns(self) -> tuple[int, int, float]:
        """Pieces of work held to the pace, those that came too late for it, and the worst of them in seconds."""
        counted: tuple[int, int, float] = self._ask("overruns")
        return counted

    def _ask(self, what: str, *arguments: object) -> Any:
        with suppress(OSError):  # it has ended: said below
            self._pipe.send((what, arguments))
        return self._answer()

    def _answer(self) -> Any:
        try:
            if not self._pipe.poll(_ANSWER):
                raise EdgentError(f"the device process did not answer within {_ANSWER:g} s")
            problem, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise EdgentError("the device process ended unexpectedly") from error
        if problem:
            raise EdgentError(f"the device process: {problem}")
        return answer


def _device(pipe: Connection, settings: DeviceSettings) -> None:
    from edgent.demo.bench import Bench  # the device's side, in its own process only

    bench = Bench(settings)
    try:
        while (order := pipe.recv()) is not None:
            what, arguments = order
            try:
                answer = ("", getattr(bench, what)(*arguments))
            except EdgentError as error:
                answer = (str(error), None)
            pipe.send(answer)
    except (EOFError, KeyboardInterrupt):
        pass
    finally:
        bench.close()
