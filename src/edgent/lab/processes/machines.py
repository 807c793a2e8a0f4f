"""Machines as processes: servers, and a device that stands in for a slow board."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from edgent.errors import EdgentError
from edgent.lab.boards.emulation import EmulationReport
from edgent.lab.processes.runs import Decision, LiveRuns, Setup, StreamRequest, WorkerSettings
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Configuration

_START = 60.0  # seconds, on a busy host
_ANSWER = 120.0


class ServerProcess:
    """A server in a process of its own, that prints one JSON document with its address; a context manager.

    Args:
        arguments: of Python.
        prefix: what its command line begins with, such as `TunLink.far`.

    Raises:
        EdgentError: it did not start.
    """

    def __init__(self, *arguments: str, prefix: Sequence[str] = ()) -> None:
        self._arguments, self._prefix = arguments, prefix
        self.address = ""

    @classmethod
    def edge(cls, model: str, profile: Path, *, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> Self:
        """`edgent serve`; with this machine's profile, so that it is not measured twice."""
        listening = ("--host", host, "--port", "0", "--json")
        return cls("-m", "edgent", "serve", model, *listening, "--profile", str(profile), prefix=prefix)

    @classmethod
    def slow_edge(cls, model: str, profile: Path) -> Self:
        """An edge that computes at the pace of a profile."""
        return cls("-m", "edgent.lab.processes.ends", "edge", "127.0.0.1", model, str(profile))

    @classmethod
    def rival(cls, model: str) -> Self:
        """The rival's bare loop."""
        return cls("-m", "edgent.lab.rivals.rival", "--model", model)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._prefix, sys.executable, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None and self._process.stderr is not None
        impatience = threading.Timer(_START, self._process.kill)
        impatience.start()
        try:
            self.address = _document(self._process.stdout)["address"]
        except ValueError as error:
            self._process.kill()
            words = self._process.stderr.read().strip().splitlines() or ["no word"]
            self.__exit__(None, None, None)
            raise EdgentError(f"{' '.join(self._arguments[1:3])} did not start: {words[-1]}") from error
        finally:
            impatience.cancel()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


class DeviceProcess:
    """A device in a process of its own, told what to do over a pipe; a context manager."""

    def __init__(self, settings: WorkerSettings) -> None:
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

    def run(self, setups: Sequence[Setup], rounds: int, patience: Sequence[float]) -> list[LiveRuns]:
        """Runs setups interleaved, all equally often; an answer later than its patience counts as none."""
        within = _ANSWER + rounds * sum(patience)
        found: list[LiveRuns] = self._ask("run", tuple(setups), rounds, tuple(patience), within=within)
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

    def end_stream(self) -> tuple[StreamRequest, ...]:
        """Waits for the end of what `begin_stream` began."""
        requests: tuple[StreamRequest, ...] = self._answer()
        return requests

    def conditions(self) -> Conditions:
        """Link and edge as the device now takes them to be."""
        found: Conditions = self._ask("conditions")
        return found

    def account(self) -> EmulationReport:
        """How well this machine stood in for the device so far."""
        counted: EmulationReport = self._ask("account")
        return counted

    def _ask(self, what: str, *arguments: object, within: float = _ANSWER) -> Any:
        with suppress(OSError):  # it has ended: said below
            self._pipe.send((what, arguments))
        return self._answer(within)

    def _answer(self, within: float = _ANSWER) -> Any:
        try:
            if not self._pipe.poll(within):
                raise EdgentError(f"the device process did not answer within {within:g} s")
            problem, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise EdgentError("the device process ended unexpectedly") from error
        if problem:
            raise EdgentError(f"the device process: {problem}")
        return answer


def _device(pipe: Connection, settings: WorkerSettings) -> None:
    from edgent.lab.processes.bench import DeviceWorker  # the device's side, in its own process only

    bench = DeviceWorker(settings)
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


def _document(stream: IO[str]) -> Any:
    """The one JSON document that a command prints, perhaps over several lines.

    Raises:
        ValueError: the stream ended before.
    """
    text = ""
    for line in stream:
        text += line
        with suppress(json.JSONDecodeError):
            return json.loads(text)
    raise ValueError(f"found {text[:200]!r}, expected a JSON document")
