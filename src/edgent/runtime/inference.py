"""One inference carried out: does what `Request` says, and books where the time went.

Threads only carry events: one waits for the edge and computes the suffix, one runs the local branch, the caller's
thread takes their news from a mailbox, tells the request, and acts.
"""

from __future__ import annotations

import queue
from collections import ChainMap
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.planning.plan import Stages
from edgent.runtime.clock import Clock
from edgent.runtime.faults import BrokenError, BusyError, LateError
from edgent.runtime.remote import Timed
from edgent.runtime.request import LATE, Action, Deliver, Request, Send, StartLocal, WaitUntil
from edgent.runtime.routes import Route
from edgent.runtime.tensors import RAW, Array, write_request
from edgent.runtime.workbench import Material, Workbench
from edgent.units import Seconds

Ask = Callable[[bytes, float], Timed]
"""Sends a ModelInferRequest with a budget; raises EdgeError, RefusedError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer, and how it came about."""

    outputs: dict[str, Array]
    delivered: Deliver
    stages: Stages
    total: Seconds


@dataclass(slots=True)
class _Times:
    """Moments on the device's clock."""

    started: float = 0.0
    prepared: float = 0.0
    head_done: float = 0.0
    encoded: float = 0.0
    local_started: float = 0.0
    local_done: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    outputs: dict[str, Array]
    timed: Timed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failed:
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _LocalDone:
    exit: int
    outputs: dict[str, Array]
    at: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raised:
    error: BaseException


@dataclass(slots=True, kw_only=True)
class Inference:
    """One run.

    Attributes:
        request: decides.
        route: what is computed where.
        name: of the middle's segment on the wire.
        version: of the model; empty towards a foreign server.
        bench: computes.
        ask: reaches the edge.
        clock: times everything.
        pool: runs what must not block the caller.
    """

    request: Request
    route: Route
    name: str
    version: str
    bench: Workbench
    ask: Ask
    clock: Clock
    pool: Executor
    _mail: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    _times: _Times = field(default_factory=_Times)
    _outputs: dict[str, dict[str, Array]] = field(default_factory=dict)
    _timed: Timed | None = None
    _message: bytes = b""

    def run(self, material: Material, started_at: Seconds) -> Outcome:
        """Answers.

        Raises:
            InputError: the input is no image.
            EdgentError: the device's own engine failed.
        """
        self._times.started = started_at
        actions = self.request.started(started_at)
        if self.request.uses_edge:
            self._prepare(material)
            actions = self.request.head_done(self.clock.now())
        else:
            self.bench.prepare(material, tensor=True, pixels=False)
            self._times.prepared = self._times.head_done = self._times.encoded = self.clock.now()
        while (delivered := self.request.delivered) is None:
            wake_at = self._act(actions, material)
            if (delivered := self.request.delivered) is None:
                actions = self._news(wake_at)
        return self._outcome(delivered)

    def _prepare(self, material: Material) -> None:
        """Everything before the upload."""
        route, bench, times = self.route, self.bench, self._times
        bench.prepare(material, tensor=route.wants_tensor, pixels=route.wants_pixels)
        times.prepared = self.clock.now()
        material.tensors.update(bench.run(route.head, material.tensors))
        times.head_done = self.clock.now()
        parcels = bench.encode(route, material)
        codec = route.configuration.download_codec
        coded = None if codec == RAW else codec
        outputs = [(tensor.name, None if tensor.name in route.answers else coded) for tensor in route.down]
        named = outputs if any(codec for _, codec in outputs) else ()  # none named: all, raw
        self._message = write_request(self.name, self.version, parcels, named)
        times.encoded = self.clock.now()

    def _act(self, actions: tuple[Action, ...], material: Material) -> float | None:
        wake_at = None
        for action in actions:
            if isinstance(action, Send):
                self.pool.submit(self._carry, self._reach_edge, action.budget, material)
                return self._act(self.request.sent(self.clock.now()), material)
            if isinstance(action, StartLocal):
                self._start_local(action.exit, material)
            elif isinstance(action, WaitUntil):
                wake_at = action.at
        return wake_at

    def _start_local(self, exit: int, material: Material) -> None:
        self._times.local_started = self.clock.now()
        if self.request.edge_pending:
            self.pool.submit(self._carry, self._run_local, exit, material)
        else:
            self._carry(self._run_local, exit, material)

    def _news(self, wake_at: float | None) -> tuple[Action, ...]:
        try:
            news = self._mail.get(timeout=None if wake_at is None else max(0.0, wake_at - self.clock.now()))
        except queue.Empty:
            return self.request.tick(self.clock.now())
        now = self.clock.now()
        if isinstance(news, _Answered):
            self._outputs["edge"], self._timed = news.outputs, news.timed
            return self.request.edge_answered(now)
        if isinstance(news, _Failed):
            return self.request.edge_failed(now, news.why)
        if isinstance(news, _LocalDone):
            self._outputs["device"], self._times.local_done = news.outputs, news.at
            return self.request.local_done(now, news.exit)
        assert isinstance(news, _Raised)
        raise news.error

    def _carry(self, work: Callable[[Any, Material], Any], what: Any, material: Material) -> None:
        try:
            news = work(what, material)
        except BaseException as error:  # the caller's thread raises it
            news = _Raised(error=error)
        self._mail.put(news)

    def _reach_edge(self, budget: float, material: Material) -> _Answered | _Failed:
        try:
            timed = self.ask(self._message, budget)
            tensors = self.bench.decode(self.route, timed.body)
        except EdgentError as error:
            return _Failed(why=_why(error))
        outputs = {name: tensors[name] for name in self.route.answers if name in tensors}
        outputs |= self.bench.run(self.route.suffix, ChainMap(tensors, material.tensors))
        return _Answered(outputs=outputs, timed=timed)

    def _run_local(self, exit: int, material: Material) -> _LocalDone:
        outputs = self.bench.run_local(self.route, exit, material)
        return _LocalDone(exit=exit, outputs=outputs, at=self.clock.now())

    def _outcome(self, delivered: Deliver) -> Outcome:
        now = self.clock.now()
        stages = self._edge_stages(now) if delivered.by == "edge" else self._device_stages(now)
        total = Seconds(now - self._times.started)
        return Outcome(outputs=self._outputs[delivered.by], delivered=delivered, stages=stages, total=total)

    def _edge_stages(self, now: float) -> Stages:
        times, timed = self._times, self._timed
        assert timed is not None, "an answer of the edge was timed"
        known = timed.queue + timed.middle + timed.downlink
        return Stages(
            prepare=times.prepared - times.started,
            head=times.head_done - times.prepared,
            encode=times.encoded - times.head_done,
            uplink=max(0.0, timed.body_at - times.encoded - known),
            queue=timed.queue,
            middle=timed.middle,
            downlink=timed.downlink,
            suffix=now - timed.body_at,
        )

    def _device_stages(self, now: float) -> Stages:
        """Waiting for an edge that did not answer is booked as uplink, the branch as suffix (alone: as head)."""
        times = self._times
        computing = times.local_done - times.local_started
        waiting = now - times.encoded - computing
        if not self.request.uses_edge:
            return Stages(prepare=times.prepared - times.started, head=computing + waiting)
        return Stages(
            prepare=times.prepared - times.started,
            head=times.head_done - times.prepared,
            encode=times.encoded - times.head_done,
            uplink=max(0.0, waiting),
            suffix=computing,
        )


def _why(error: EdgentError) -> str:
    if isinstance(error, LateError):
        return LATE
    if isinstance(error, BusyError):
        return "edge busy"
    if isinstance(error, RefusedError):
        return "edge refused"
    return "edge lost" if isinstance(error, EdgeError) and not isinstance(error, BrokenError) else "edge failed"
