"""One inference carried out: does what `Request` says, and books where the time went.

Threads only carry events to the request, and do what it says. Where nothing but the edge's answer can end the request,
and nothing of ours follows it, the caller's own thread waits for it: waking another one costs a fifth of a millisecond
each time. Else a *carrier* waits for the edge and computes the suffix. A *stand-by* keeps the time and runs the local
branch when the edge is late; without a race there is none.
"""

from __future__ import annotations

import math
import threading
from collections import ChainMap
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from edgent.clock import Clock
from edgent.device.compute import Compute
from edgent.device.division import Division
from edgent.device.request import LATE, Action, Deliver, Request, Send, StartHead, StartLocal, WaitUntil
from edgent.engine.feeds import Array
from edgent.engine.material import Material
from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.planning.plan import RAW, Stages
from edgent.units import Seconds
from edgent.wire.edge_client import TimedReply
from edgent.wire.errors import BrokenError, BusyError, LateError, RejectedError
from edgent.wire.tensors import Parcel, write_request

Ask = Callable[[bytes, float], TimedReply]
"""Sends a ModelInferRequest with a budget; raises EdgeError, RefusedError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer, and how it came about; `failed`: not as planned, since the plan cannot be carried out."""

    outputs: dict[str, Array]
    delivered: Deliver
    stages: Stages
    total: Seconds
    failed: bool


@dataclass(slots=True)
class _Times:
    """Moments on the device's clock."""

    started: float = 0.0
    planned: float = 0.0
    begun: float = 0.0
    prepared: float = 0.0
    head_done: float = 0.0
    encoded: float = 0.0
    local_started: float = 0.0
    local_done: float = 0.0


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run.

    Attributes:
        request: decides.
        division: what is computed where.
        name: of the middle's segment on the wire.
        version: of the model; empty towards a foreign server.
        compute: computes.
        ask: reaches the edge.
        clock: times everything.
        pool: runs what must not block the caller.
        failed: told the error of a plan that cannot be carried out where the device by itself could answer.
        changed: told when the request has changed; its lock is that of all requests of the device, which share a
            schedule.
    """

    request: Request
    division: Division
    name: str
    version: str
    compute: Compute
    ask: Ask
    clock: Clock
    pool: Executor
    failed: Callable[[EdgentError], None]
    changed: threading.Condition
    _times: _Times = field(default_factory=_Times)
    _outputs: dict[str, dict[str, Array]] = field(default_factory=dict)
    _timed: TimedReply | None = None
    _message: bytes = b""
    _error: BaseException | None = None
    _failure: EdgentError | None = None

    def run(self, material: Material, started_at: Seconds) -> Outcome:
        """Answers.

        Raises:
            InputError: the input is no image.
            EdgentError: the device's own engine failed.
        """
        self._times.started = started_at
        self.request.started(started_at)
        self._times.planned = self.clock.now()
        self._do(self._tell(self.request.planned), material)
        return self._outcome(self._delivered())

    def _do(self, actions: tuple[Action, ...], material: Material) -> None:
        """Does what the request says, in this thread, until it says no more."""
        while actions:
            (action,) = actions
            actions = self._done(action, material)

    def _done(self, action: Action, material: Material) -> tuple[Action, ...]:
        if isinstance(action, StartHead):
            return self._run_head(material)
        if isinstance(action, StartLocal):
            return self._run_local(action.exit, material)
        if isinstance(action, WaitUntil):
            return self._wait()
        if isinstance(action, Send):
            self._send(action, material)
        return ()

    def _run_head(self, material: Material) -> tuple[Action, ...]:
        division, times = self.division, self._times
        with self._failing():
            self.compute.check(division, material)
            self._prepare(material, tensor=division.wants_tensor, pixels=division.wants_pixels)
            try:
                self._message = self._boundary(material)
            except EdgentError as error:
                times.head_done = times.encoded = self.clock.now()
                return self._plan_failed(error)
        times.encoded = self.clock.now()
        return self._tell(self.request.head_done)

    def _boundary(self, material: Material) -> bytes:
        """The request's message: what the head makes, encoded."""
        material.tensors.update(self.compute.run(self.division.head, material.tensors))
        self._times.head_done = self.clock.now()
        return self._write(self.compute.encode(self.division, material))

    def _prepare(self, material: Material, *, tensor: bool, pixels: bool) -> None:
        self._times.begun = self.clock.now()
        self.compute.prepare(material, tensor=tensor, pixels=pixels)
        self._times.prepared = self.clock.now()

    def _write(self, parcels: list[Parcel]) -> bytes:
        codec = self.division.configuration.download_codec
        coded = None if codec == RAW else codec
        outputs = [
            (tensor.name, None if tensor.name in self.division.answers else coded) for tensor in self.division.down
        ]
        named = outputs if any(codec for _, codec in outputs) else ()  # none named: all, raw
        return write_request(self.name, self.version, parcels, named)

    def _send(self, send: Send, material: Material) -> None:
        if waiting := self._tell(self.request.sent):
            self.pool.submit(self._carry, self._do, waiting, material)
        if send.binding and not self.division.suffix.asked:
            self._ask_edge(send.budget, material)
        else:
            self.pool.submit(self._carry, self._ask_edge, send.budget, material)

    def _ask_edge(self, budget: float, material: Material) -> None:
        try:
            reply = self.ask(self._message, budget)
            tensors = self.compute.decode(self.division, reply.body)
        except EdgentError as error:
            self._do(self._edge_failed(error), material)
            return
        try:
            outputs = {name: tensors[name] for name in self.division.answers if name in tensors}
            outputs |= self.compute.run(self.division.suffix, ChainMap(tensors, material.tensors))
        except EdgentError as error:
            self._do(self._plan_failed(error), material)
            return
        self._outputs["edge"], self._timed = outputs, reply
        self._tell(self.request.edge_answered)

    def _edge_failed(self, error: EdgentError) -> tuple[Action, ...]:
        """The edge gave no answer, for a reason of the link, or of what it was asked for."""
        if _is_of_plan(error):
            self._failure = error
        return self._go_on_alone(_why(error))

    def _plan_failed(self, error: EdgentError) -> tuple[Action, ...]:
        """The device cannot do its own part of the plan."""
        self._failure = error
        return self._go_on_alone(f"plan failed: {error}")

    def _go_on_alone(self, why: str) -> tuple[Action, ...]:
        actions = self._tell(lambda at: self.request.edge_failed(at, why))
        self._blame()
        return actions

    def _blame(self) -> None:
        """Tells of a plan that failed, unless the device by itself fails as well: that is the input's fault."""
        if self._failure is not None and "device" in self._outputs:
            self.failed(self._failure)

    def _run_local(self, exit: int, material: Material) -> tuple[Action, ...]:
        times = self._times
        times.local_started = self.clock.now()
        with self._failing():
            if not self.request.uses_edge:
                self._prepare(material, tensor=True, pixels=False)
            self._outputs["device"] = self.compute.run_local(self.division, exit, material)
        times.local_done = self.clock.now()
        self._blame()
        return self._tell(lambda at: self.request.local_done(at, exit))

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Tells the request if the device cannot do something."""
        try:
            yield
        except BaseException:
            self._tell(self.request.device_failed)
            raise

    def _wait(self) -> tuple[Action, ...]:
        """Waits until the request says something else."""
        with self.changed:
            while (actions := self.request.tick(now := self.clock.now())) and isinstance(actions[0], WaitUntil):
                left = actions[0].at - now
                self.changed.wait(max(0.0, left) if math.isfinite(left) else None)
            self.changed.notify_all()
            return actions

    def _tell(self, event: Callable[[Seconds], tuple[Action, ...]]) -> tuple[Action, ...]:
        """Tells the request what happened, now."""
        with self.changed:
            actions = event(self.clock.now())
            self.changed.notify_all()
            return actions

    def _carry(self, work: Callable[[Any, Material], None], what: Any, material: Material) -> None:
        """Works on a thread of the pool; what goes wrong there is the caller's to raise."""
        try:
            work(what, material)
        except BaseException as error:
            with self.changed:
                self._error = error
                self.changed.notify_all()

    def _delivered(self) -> Deliver:
        with self.changed:
            self.changed.wait_for(lambda: self.request.delivered or self._error)
            if self.request.delivered is None:
                assert self._error is not None, "nothing else ends the wait"
                raise self._error
            return self.request.delivered

    def _outcome(self, delivered: Deliver) -> Outcome:
        now = self.clock.now()
        stages = self._edge_stages(now) if delivered.by == "edge" else self._device_stages(now)
        total = Seconds(now - self._times.started)
        return Outcome(
            outputs=self._outputs[delivered.by],
            delivered=delivered,
            stages=stages,
            total=total,
            failed=self._failure is not None,
        )

    def _edge_stages(self, now: float) -> Stages:
        times, reply = self._times, self._timed
        assert reply is not None, "an answer of the edge was timed"
        known = reply.queue + reply.middle + reply.downlink
        return replace(
            self._begun,
            queue=self._begun.queue + reply.queue,
            uplink=max(0.0, reply.body_at - times.encoded - known),
            middle=reply.middle,
            downlink=reply.downlink,
            suffix=now - reply.body_at,
        )

    def _device_stages(self, now: float) -> Stages:
        """Waiting for an edge that did not answer is booked as uplink, the branch as suffix (alone: as head)."""
        times = self._times
        if not self.request.uses_edge:
            times.head_done = times.encoded = now
            return self._begun
        computing = times.local_done - times.local_started
        return replace(self._begun, uplink=max(0.0, now - times.encoded - computing), suffix=computing)

    @property
    def _begun(self) -> Stages:
        """What came before the upload; waiting for the device's other requests is booked as queue."""
        times = self._times
        return Stages(
            queue=times.begun - times.planned,
            prepare=times.planned - times.started + times.prepared - times.begun,
            head=times.head_done - times.prepared,
            encode=times.encoded - times.head_done,
        )


def _is_of_plan(error: EdgentError) -> bool:
    """Whether an edge would fail again if it were asked the same, or gave what is no answer to it."""
    if isinstance(error, EdgeError):
        return isinstance(error, BrokenError)
    return isinstance(error, RejectedError) or not isinstance(error, RefusedError)


def _why(error: EdgentError) -> str:
    if isinstance(error, LateError):
        return LATE
    if isinstance(error, BusyError):
        return "edge busy"
    if isinstance(error, RefusedError):
        return f"edge refused: {error}"
    return (
        "edge lost" if isinstance(error, EdgeError) and not isinstance(error, BrokenError) else f"edge failed: {error}"
    )
