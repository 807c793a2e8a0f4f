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
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from edgent.clock import Clock
from edgent.device.answer import Answer
from edgent.device.compute import Compute
from edgent.device.division import Division, Instead
from edgent.device.failures import Reason, failure_of_edge, in_words, is_of_plan, reason_of
from edgent.device.gating import combined, is_sure
from edgent.device.request import Action, By, Deliver, Request, Send, StartHead, StartLocal, WaitUntil
from edgent.engine.feeds import Array
from edgent.engine.material import Material
from edgent.errors import EdgentError, InputError
from edgent.planning.gates import Gate
from edgent.planning.plan import Plan, Stages
from edgent.telemetry import Record
from edgent.units import Seconds
from edgent.wire.edge_client import TimedReply
from edgent.wire.tensors import answered_by, write_request

_EXPLAINED = (Reason.REFUSED, Reason.FAILED, Reason.PLAN_FAILED)  # what was said is told with these

Ask = Callable[[bytes, float], TimedReply]
"""Sends a ModelInferRequest with a budget; raises EdgeError, RefusedError."""


@dataclass(slots=True)
class _Times:
    """Moments on the device's clock."""

    planned: float = 0.0
    begun: float = 0.0
    prepared: float = 0.0
    head_done: float = 0.0
    encoded: float = 0.0
    local_started: float = 0.0
    local_done: float = 0.0

    def of_edge(self, started_at: float, reply: TimedReply, now: float) -> Stages:
        """Of a request that the edge answered."""
        # The uplink is what is left when all is taken off that was measured: so the stages add up to the total, and
        # the time that the answer spent in this process before it was read is not lost.
        known = reply.queue + reply.middle + reply.downlink
        return self._stages(
            started_at,
            uplink=max(0.0, reply.body_at - self.encoded - known),
            queue=reply.queue,
            middle=reply.middle,
            downlink=reply.downlink,
            suffix=now - reply.body_at,
        )

    def of_device(self, started_at: float, now: float, *, asks_edge: bool) -> Stages:
        """Of one that the device answered.

        Waiting for an edge that did not answer is booked as uplink, the branch as suffix (alone: as head).
        """
        if not asks_edge:
            self.head_done = self.encoded = now
            return self._stages(started_at)
        computing = self.local_done - self.local_started
        return self._stages(started_at, uplink=max(0.0, now - self.encoded - computing), suffix=computing)

    def _stages(
        self,
        started_at: float,
        *,
        uplink: float = 0.0,
        queue: float = 0.0,
        middle: float = 0.0,
        downlink: float = 0.0,
        suffix: float = 0.0,
    ) -> Stages:
        """After what came before the upload; waiting for the device's other requests is booked as queue."""
        return Stages(
            prepare=self.planned - started_at + self.prepared - self.begun,
            head=self.head_done - self.prepared,
            encode=self.encoded - self.head_done,
            uplink=uplink,
            queue=self.begun - self.planned + queue,
            middle=middle,
            downlink=downlink,
            suffix=suffix,
        )


@dataclass(slots=True, kw_only=True)
class Execution:
    """One run.

    Attributes:
        request: decides.
        plan: what it goes by; None: it has no price.
        why: the reason where that is not what it should be.
        detail: what is known about that, in words.
        name: of the input, for the record.
        division: what is computed where.
        version: of the model; empty towards a foreign server.
        compute: computes.
        ask: reaches the edge.
        clock: times everything.
        pool: runs what must not block the caller.
        failed: told the error of a plan that cannot be carried out where the device by itself could answer.
        changed: told when the request has changed; its lock is that of all requests of the device, which share a
            schedule.
        failure: why the plan cannot be carried out; None: it can.
        stand_in: what the local branch was expected to take that was run in the edge's place; None: none was.
        trace: the context under which the request is traced, as a `traceparent`; empty: it is not.
    """

    request: Request
    plan: Plan | None
    why: Reason
    detail: str
    name: str
    division: Division
    version: str
    compute: Compute
    ask: Ask
    clock: Clock
    pool: Executor
    failed: Callable[[EdgentError], None]
    changed: threading.Condition
    trace: str = ""
    _times: _Times = field(default_factory=_Times)
    _outputs: dict[str, dict[str, Array]] = field(default_factory=dict)
    _timed: TimedReply | None = None
    _message: bytes = b""
    _instead: dict[str, Instead] = field(default_factory=dict)
    _error: BaseException | None = None
    failure: EdgentError | None = None
    stand_in: Seconds | None = None
    _details: dict[Reason, str] = field(default_factory=dict)

    def run(self, material: Material) -> Answer:
        """Answers.

        Raises:
            InputError: the input is no image.
            EdgentError: the device's own engine failed.
        """
        # The caller's own thread does the head: so a request that meets no trouble wakes no other one.
        first, self._times.planned = self._tell(self.request.planned), self.clock.now()  # to find a place is no waiting
        self._do(first, material)
        return self._answer(self._delivered(), material)

    def _do(self, actions: tuple[Action, ...], material: Material) -> None:
        """Does what the request says, in this thread, until it says no more."""
        # A loop and no recursion: a request that is late, busy and alone in turn goes through several of them.
        while actions:
            (action,) = actions
            actions = self._done(action, material)

    def _done(self, action: Action, material: Material) -> tuple[Action, ...]:
        # What a request says is data, so that it can be tested without a thread; here each becomes a deed.
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
        # The device's own failure ends the request and gives its turn back, or those behind it would wait for ever.
        with self._failing():
            self._check(material)
            if self._gate is None:
                self._prepare(material, division.tensors, division.pixels)
            elif over := self._answer_first(self._gate, material):
                return over
            try:
                self._message = self._boundary(material)
            except EdgentError as error:
                # The stages must add up to the total even where the head failed halfway.
                times.head_done = times.encoded = self.clock.now()
                return self._plan_failed(error)
        times.encoded = self.clock.now()
        return self._tell(self.request.head_done)

    def _answer_first(self, gate: Gate, material: Material) -> tuple[Action, ...]:
        """The device's answer before the edge is asked; what is to be done where that is all."""
        division, times = self.division, self._times
        self._prepare(material, division.head.given or division.alone[gate.exit].given)
        self._layers_before(material)  # which of an earlier exit of one network are its own
        outputs = self._outputs["device"] = self.compute.run_local(division, gate.exit, material)
        sure = is_sure(gate, outputs)
        times.head_done = times.encoded = self.clock.now()
        if over := self._tell(lambda at: self.request.answered_first(at, gate.exit, is_sure=sure)):
            return over
        self.compute.prepare(material, tensors=division.tensors, pixels=division.pixels)
        return ()

    def _layers_before(self, material: Material) -> None:
        if self.division.head.asked:  # else all is done at the edge, and what goes up is the input itself
            material.tensors.update(self.compute.run(self.division.head, material.tensors))

    def _boundary(self, material: Material) -> bytes:
        """The request's message: what the head makes, encoded."""
        division = self.division
        if self._gate is None:  # else the first answer was the head
            self._layers_before(material)
            self._times.head_done = self.clock.now()  # a codec that has become slow is no slow layer
        parcels = self.compute.encode(division, material)
        # Another maker's server does not know what is meant; and a name costs bytes, so only what helps is named.
        if self.version and division.instead:
            taken = self.request.would_take()
            self._instead = {other.segment: other for other in division.instead if other.exit in taken}
        # The budget is longer where only the edge can answer: better late than never, but better early than late.
        travel = 0.0 if self.plan is None else self.plan.stages.uplink + self.plan.stages.downlink
        within = self.request.give_at - self.clock.now() - travel
        asked = division.wanted, self._instead, within, self.trace
        return write_request(division.segment, self.version, parcels, *asked)

    def _check(self, material: Material) -> None:
        if self.division.image and material.source is None:
            # The caller's mistake, so it is no failure of the plan: the device alone would not be asked in its place.
            codec = self.division.configuration.codec
            raise InputError(f"codec {codec} needs an image, but the input is a tensor")

    def _prepare(self, material: Material, tensors: Collection[str], pixels: Collection[str] = ()) -> None:
        # Between planned and begun lies the wait for the device, which is booked as queue.
        self._times.begun = self.clock.now()
        self.compute.prepare(material, tensors=tensors, pixels=pixels)
        self._times.prepared = self.clock.now()

    def _send(self, send: Send, material: Material) -> None:
        # First the stand-by, then the message: sending may block on a full socket for as long as the link is slow, and
        # the local branch must begin on time all the same.
        if send.meanwhile:
            self.pool.submit(self._carry, self._do, send.meanwhile, material)
        if send.binding and not self.division.suffix.asked:
            self._ask_edge(send.budget, material)
        else:
            self.pool.submit(self._carry, self._ask_edge, send.budget, material)

    def _ask_edge(self, budget: float, material: Material) -> None:
        try:
            # Decoding belongs to the edge's part: what cannot be read is a failure of the edge, not of the plan.
            reply = self.ask(self._message, budget)
            other = self._instead.get(answered_by(reply.body)) if self._instead else None
            tensors = self.compute.decode(self.division, reply.body, None if other is None else other.down)
        except Exception as error:
            # What the request wants done next is done in this thread: the caller's may be waiting for nothing else.
            self._do(self._edge_failed(failure_of_edge(error)), material)
            return
        try:
            # A busy edge may have answered at an earlier exit: then there is no suffix, and its tensors are all.
            answers = self.division.answers if other is None else tensors
            outputs = {name: tensors[name] for name in answers if name in tensors}
            if self.division.suffix.asked:
                outputs |= self.compute.run(self.division.suffix, ChainMap(tensors, material.tensors))
            # The weights are of the planned exit: another one's answer stands by itself.
            if self._gate is not None and self._gate.combines and other is None:
                first = self._outputs["device"]
                outputs = combined(self._gate, first, outputs, self.compute.metadata, material.source or b"")
        except EdgentError as error:
            self._do(self._plan_failed(error), material)
            return
        # Before the request is told: from that moment on the caller may read them, without a lock.
        self._outputs["edge"], self._timed = outputs, reply
        self._tell(lambda at: self.request.edge_answered(at, None if other is None else other.exit))

    def _edge_failed(self, error: EdgentError) -> tuple[Action, ...]:
        """The edge gave no answer, for a reason of the link, or of what it was asked for."""
        if is_of_plan(error):
            self.failure = error  # the link is not to blame, so the same plan would fail again
        return self._go_on_alone(reason_of(error), error)

    def _plan_failed(self, error: EdgentError) -> tuple[Action, ...]:
        """The device cannot do its own part of the plan."""
        self.failure = error
        return self._go_on_alone(Reason.PLAN_FAILED, error)

    def _go_on_alone(self, why: Reason, error: EdgentError) -> tuple[Action, ...]:
        # The rest explains itself; these carry somebody's words, which the record is to pass on.
        if why in _EXPLAINED:
            self._details[why] = str(error)
        actions = self._tell(lambda at: self.request.edge_failed(at, why))
        self._blame()
        return actions

    def _blame(self) -> None:
        """Tells of a plan that failed, unless the device by itself fails as well: that is the input's fault."""
        # Called after either ends, whichever is last: the verdict needs both.
        if self.failure is not None and "device" in self._outputs:
            self.failed(self.failure)

    def _run_local(self, exit: int, material: Material) -> tuple[Action, ...]:
        times = self._times
        times.local_started = self.clock.now()
        with self._failing():
            # With a head the input was prepared before; a branch that takes over has it, or what the head left.
            if self.request.uses_edge:
                self.stand_in = self.request.expected_of(exit)
            else:
                self._prepare(material, self.division.alone[exit].given)
            # Under its own name: the edge's answer may come at the same moment, and the request says which one counts.
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
        # The schedule may call a turn earlier than it was told, or later: so the request is asked again at each wake,
        # and the time to wait for is the one that it names now.
        # The lock is of all requests: a turn given back by one may be the moment of another, by who is interrupted too.
        with self._failing(), self.changed:
            while (actions := self.request.tick(now := self.clock.now())) and isinstance(actions[0], WaitUntil):
                left = actions[0].at - now
                self.changed.wait(max(0.0, left) if math.isfinite(left) else None)
            self.changed.notify_all()
            return actions

    def _tell(self, event: Callable[[Seconds], tuple[Action, ...]]) -> tuple[Action, ...]:
        """Tells the request what happened, now."""
        with self.changed:
            # The time is taken under the lock, so that events of two threads reach the request in its order.
            actions = event(self.clock.now())
            self.changed.notify_all()
            return actions

    def _carry(self, work: Callable[[Any, Material], None], what: Any, material: Material) -> None:
        """Works on a thread of the pool; what goes wrong there is the caller's to raise."""
        try:
            work(what, material)
        except BaseException as error:
            # A pool would keep it in a future that nobody reads, and the caller would wait for ever.
            with self.changed:
                self._error = error
                self.changed.notify_all()

    def _delivered(self) -> Deliver:
        with self.changed:
            # An error on another thread counts only while there is no answer: after that it is nobody's concern.
            self.changed.wait_for(lambda: self.request.delivered or self._error)
            if self.request.delivered is None:
                assert self._error is not None, "nothing else ends the wait"
                raise self._error
            return self.request.delivered

    def _answer(self, delivered: Deliver, material: Material) -> Answer:
        now = self.clock.now()
        # Taken before anything else is put together: what comes after it is the record's time, not the answer's.
        outputs, total = self._outputs[delivered.by], Seconds(now - self.request.started_at)
        # What the request says comes before what the plan said: it has seen more.
        label, why = self.compute.label(delivered.exit, outputs), delivered.why or self.why
        record = Record(
            input=self.name,
            label=label,
            exit=delivered.exit,
            by=delivered.by,
            deadline_met=total <= self.request.deadline,
            total=total,
            stages=self._stages(delivered.by, now),
            plan=self.plan,
            why=in_words(why, self._details.get(why, self.detail)) if why else "",
            trace=self.trace,
        )
        metadata = self.compute.metadata[delivered.exit]
        return Answer(outputs=outputs, label=label, record=record, metadata=metadata, source=material.source)

    def _stages(self, by: By, now: float) -> Stages:
        if by == "device":
            return self._times.of_device(self.request.started_at, now, asks_edge=self.request.uses_edge)
        assert self._timed is not None, "an answer of the edge was timed"
        return self._times.of_edge(self.request.started_at, self._timed, now)

    @property
    def _gate(self) -> Gate | None:
        return None if self.plan is None else self.plan.gate
