"""The device: answers inferences within a deadline, with the edge when that is better, by itself when it must.

    device = Device(load("b-alexnet"), edge="10.0.0.2:8001", deadline=0.1, device_profile=profile)
    answer = device.infer(Path("cat.jpg"))

Per request: plan (the chooser, for the link as it is now) -> head, encode, send -> race -> answer and record. Beside
the requests, in the background: the connection (`Connection`) and the sessions of new plans (`Sessions`). Until those
are ready the best plan whose sessions are answers, which may be the device alone.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self

from edgent.clock import Clock, MonotonicClock
from edgent.device.answer import Answer, answer_of
from edgent.device.choosers.candidate_sets import Restriction
from edgent.device.choosers.chooser import Chooser, Environment, MakeChooser, Scope
from edgent.device.choosers.dynamic import chooser_of
from edgent.device.compute import Compute
from edgent.device.connection.connection import Connection
from edgent.device.connection.link_state import LinkState
from edgent.device.division import Divisions, Kind
from edgent.device.drift import Drifts, Factors
from edgent.device.execution import Execution
from edgent.device.plan_source import ChosenPlan, PlanSource
from edgent.device.record_listener import RecordListener
from edgent.device.request import PATIENCE, Request
from edgent.device.schedule import Schedule
from edgent.device.warm_sessions import Sessions, name_of
from edgent.engine.material import Input, Material
from edgent.engine.pace import OwnPace, Pace, slots
from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.model import Model, check_model
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.plan import Stages
from edgent.planning.planner import ROOM
from edgent.units import BitsPerSecond, Seconds, rate_of, seconds_of
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.message_limit import message_limit
from edgent.wire.transport import Channel

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.device.connection.handshake import EdgeFacts
    from edgent.engine.onnxruntime import Engine
    from edgent.latency import Profile
    from edgent.planning.candidates import Candidates, Direction
    from edgent.planning.conditions import Conditions
    from edgent.planning.plan import Configuration
    from edgent.telemetry import Record

_log = logging.getLogger("edgent.device")

_LAST_SAMPLE, _SMOOTH = 1.0, 0.5  # gains of the link's estimate
_MARGIN_LEAST, _MARGIN_MOST = 0.002, 0.020  # seconds: a thread may wake 5 ms late beside a full load


class Device:
    """A device with a model, and perhaps an edge. Thread-safe; a context manager that connects and closes.

    Args:
        model: what to run.
        edge: "HOST:PORT", or None for the device alone.
        deadline: seconds from input handed over to answer.
        device_profile: of this device; None: only given configurations can be run.
        edge_profile: where the edge has none to fetch; None: that of this machine.
        calibration: sizes and accuracies of codecs; None: the edge's, if it has one.
        bandwidth: uplink, told, bits per second; None: measured, and kept fresh.
        downlink: told; None: as the bandwidth if told.
        round_trip: told, seconds; None: measured.
        engine: runs segments; by default one of one thread.
        pace: holds the device's work to that of a slower machine.
        host_profile: of the machine that stands in for the device, held to its pace; None: `device_profile`.
        clock: times everything, and whatever waits here waits by it.
        channel: to the edge, in place of gRPC to `edge`.
        require_edge: whether a lost edge is an error.
        race: whether the device starts a branch of its own when the edge is late.
        margin: kept free before the deadline; None: 3 %, within 2 .. 20 ms.
        environment: "static": plans are chosen by the planner, for what the last transfer found; "dynamic": by a
            controller that follows the link; a configuration map: they are looked up in it by the paper's Algorithm 3;
            or what makes a chooser of your own.
        direction: "any", "device-first" or "edge-first".
        exits: that may answer; None: all.
        codecs: that may be used; None: all.
        on_record: is told of each answer's record after the answer, in a thread of its own; what it raises is logged.

    Raises:
        InputError: no model, or a deadline that is none; a profile of another model; an unknown exit, codec or
            environment; a map for another model, device or deadline.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        model: Model,
        *,
        edge: str | None = None,
        deadline: float,
        device_profile: Profile | None = None,
        edge_profile: Profile | None = None,
        calibration: Calibration | None = None,
        bandwidth: float | None = None,
        downlink: float | None = None,
        round_trip: float | None = None,
        engine: Engine | None = None,
        pace: Pace | None = None,
        host_profile: Profile | None = None,
        clock: Clock | None = None,
        channel: Channel | None = None,
        require_edge: bool = False,
        race: bool = True,
        margin: float | None = None,
        environment: Environment | ConfigurationMap | MakeChooser = "static",
        direction: Direction = "any",
        exits: Collection[int] | None = None,
        codecs: Collection[str] | None = None,
        on_record: Callable[[Record], object] | None = None,
    ) -> None:
        check_model(model, "Device")
        deadline = seconds_of(deadline, "deadline")
        if isinstance(environment, ConfigurationMap) and device_profile is not None:
            environment.check(deadline, device_profile)
        self.model, self.deadline, self._latest_deadline = model, deadline, deadline  # the latest: of a request
        self._race, self._required, self._margin = race, require_edge, margin
        self._profile, host = device_profile, host_profile or device_profile
        self._clock = clock or MonotonicClock()
        self._divisions = Divisions(model, device_profile, host)
        self._compute = Compute(model, engine or _engine(), host, pace or OwnPace(), self._clock)
        self._listener = None if on_record is None else RecordListener(on_record, self._clock)
        self._drifts = Drifts()
        self._schedule = Schedule(slots(pace, self._compute.engine.threads), _MARGIN_LEAST)
        self._turns = threading.Lock()
        self._pool = self._clock.pool(32, "edgent-device")
        if channel is None and edge is not None:
            channel = _grpc(edge, message_limit([model]), self._clock)
        up, down = rate_of(bandwidth, "bandwidth"), rate_of(downlink, "downlink")
        delay = None if round_trip is None else Seconds(round_trip)
        gain = _LAST_SAMPLE if environment == "static" else _SMOOTH
        self._connection = (
            None
            if channel is None
            else Connection(
                EdgeClient(channel),
                model,
                LinkState(bandwidth=up, downlink=down, round_trip=delay, gain=gain),
                self._clock,
                on_up=self._edge_up,
                on_transfer=lambda event: self._plans.observe(event),  # noqa: PLW0108 - the plans are made below
                decisive=self._decisive,
                wants_calibration=calibration is None,
            )
        )
        self._sessions = Sessions(self._compute, self._divisions, self._connection, self._clock)
        self._plans = PlanSource(
            model,
            device=device_profile,
            edge=edge_profile or host,
            calibration=calibration,
            divisions=self._divisions,
            warmer=self._sessions.warmer,
            chooser=self._chooser(environment),
            restriction=Restriction(
                direction=direction,
                exits=None if exits is None else frozenset(exits),
                codecs=None if codecs is None else tuple(codecs),
            ),
        )
        if self._connection is not None:
            self._connection.start()
        self._warm_alone()

    @property
    def connected(self) -> bool:
        """Whether the edge is there and serves this model."""
        return self._connection is not None and self._connection.facts is not None

    @property
    def conditions(self) -> Conditions | None:
        """Link, queue and the machines' speed as they seem now; None if unknown."""
        return None if self._connection is None else self._under(self._factors)

    def wait_ready(self, timeout: float = 10.0) -> bool:
        """Waits until the edge is connected and the sessions of the first plan are warm.

        Returns:
            Whether that is so; False at once without an edge, or when connecting failed (it is tried again beside).

        Raises:
            RefusedError: the edge serves something else.
            EdgeError: it is not there, and `require_edge`.
        """
        if self._connection is None:
            return False
        until = self._clock.now() + timeout
        if self._connection.wait_settled(timeout):
            return self._sessions.warmer.wait_idle(until - self._clock.now())
        self._raise_refusal()
        self._raise_if_required(self._connection.problem)
        return False

    def infer(
        self,
        given: Input,
        *,
        name: str = "",
        deadline: float | None = None,
        configuration: Configuration | None = None,
        race: bool | None = None,
    ) -> Answer:
        """Answers one input.

        Args:
            given: the bytes of an image file; the path of one, or of a .npy or .npz file; an array; or arrays by name.
            name: of the input, for the record; empty: that of the file.
            deadline: for this one, seconds; None: the device's.
            configuration: run this one instead of planning; made ready before the clock starts.
            race: for this one; None: the device's.

        Raises:
            InputError: the input is not what the model takes; no profile to plan with.
            RefusedError: the edge serves something else.
            EdgeError: the edge is lost, and `require_edge`.
        """
        self._raise_refusal()
        deadline = self.deadline if deadline is None else seconds_of(deadline, "deadline")
        self._latest_deadline = deadline
        if configuration is not None:
            self._sessions.make_sure(configuration)
        started_at = self._clock.now()
        if self._connection is not None:
            self._connection.requested(started_at)
        material = Material(given, self.model)
        kind: Kind = "array" if material.source is None else "image"
        factors = self._factors
        choice = self._choose(kind, deadline, configuration, factors)
        self._raise_if_required(choice.why)
        inference = self._inference(choice, deadline, race, kind, configuration is not None)
        outcome = inference.run(material, started_at)
        answer = answer_of(choice, outcome, self.model.metadata.labels, name=name or material.name, deadline=deadline)
        if not outcome.failed:
            self._drifts.learn(answer.record, factors)
        if self._listener is not None:
            self._listener.tell(answer.record)
        return answer

    def warm(self, configuration: Configuration) -> None:
        """Makes the sessions of a configuration on both sides, now.

        Raises:
            ModelError: no such exit or cuts.
            EdgeError, RefusedError: the edge cannot.
        """
        self._sessions.make(configuration)

    def close(self) -> None:
        """Ends the connection and all threads."""
        if self._connection is not None:
            self._connection.close()
        self._sessions.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._listener is not None:
            self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        edge = "no edge" if self._connection is None else self._connection.problem or "edge up"
        return f"<Device {self.model.name} {self.model.version}, {self.deadline * 1e3:g} ms: {edge}>"

    @property
    def _factors(self) -> Factors:
        with self._turns:
            backlog = self._schedule.backlog(self._clock.now())
        return replace(self._drifts.factors, backlog=backlog)

    def _under(self, factors: Factors) -> Conditions | None:
        conditions = None if self._connection is None else self._connection.conditions()
        return None if conditions is None else factors.applied(conditions)

    def _choose(self, kind: Kind, deadline: Seconds, given: Configuration | None, factors: Factors) -> ChosenPlan:
        connection = self._connection
        conditions = self._under(factors) if connection is not None and connection.facts is not None else None
        problem = connection.problem if connection is not None and conditions is None else ""
        if given is None:
            return self._plans.choose(kind, self._clock.now(), deadline, conditions, problem, alone=factors.alone)
        if conditions is None and connection is None and not given.device_only:
            raise InputError(f"{given} needs an edge; this device has none")
        return self._plans.given(given, kind, deadline, conditions, problem, alone=factors.alone)

    def _inference(
        self, choice: ChosenPlan, deadline: Seconds, race: bool | None, kind: Kind, exactly: bool
    ) -> Execution:
        taken, changed = self._divisions.of(choice.configuration, kind), self._clock.condition(self._turns)
        planned = Stages() if choice.plan is None else choice.plan.stages
        request = Request(
            exit=choice.configuration.exit,
            uses_edge=not choice.configuration.device_only,
            deadline=deadline,
            margin=self._margin_of(deadline),
            branches=self._plans.allowed(taken.branches, choice.configuration, exactly=exactly),
            schedule=self._schedule,
            call=changed.notify_all,
            head=planned.ahead,
            expected=Seconds(math.inf if choice.plan is None else planned.total - planned.ahead),
            race=self._race if race is None else race,
            patience=Seconds(max(PATIENCE, 3 * planned.total)),
        )
        foreign = self._connection is not None and self._connection.foreign
        return Execution(
            request=request,
            division=taken,
            name=name_of(self.model.name, choice.configuration),
            version="" if foreign else self.model.version,
            compute=self._compute,
            ask=self._connection.ask if self._connection is not None else _nobody,
            clock=self._clock,
            pool=self._pool,
            failed=partial(self._plans.failed, choice.configuration),
            changed=changed,
        )

    def _warm_alone(self) -> None:
        """The one session that must be there before the first request: what the device would do by itself."""
        if self._profile is not None:
            choice = self._plans.choose(self._divisions.usual, self._clock.now(), self.deadline, None, "")
            self._sessions.make_alone(choice.configuration)

    def _edge_up(self, facts: EdgeFacts) -> None:
        self._sessions.warmer.forget()
        if self._connection is None or self._profile is None:
            return
        try:
            self._plans.edge_is(facts)
        except RefusedError:
            raise
        except EdgentError as error:
            _log.warning("cannot plan with this edge: %s", error)
            return
        if (conditions := self._under(self._factors)) is not None:
            self._plans.choose(self._divisions.usual, self._clock.now(), self.deadline, conditions, "")

    def _decisive(self) -> BitsPerSecond | None:
        return self._plans.decisive(self._clock.now(), self._latest_deadline, self.conditions)

    def _margin_of(self, deadline: Seconds) -> Seconds:
        usual = min(max(deadline * ROOM, _MARGIN_LEAST), _MARGIN_MOST)
        return Seconds(usual if self._margin is None else self._margin)

    def _chooser(
        self, environment: Environment | ConfigurationMap | MakeChooser
    ) -> Callable[[Candidates, Profile], Chooser]:
        make = chooser_of(environment)

        def made(candidates: Candidates, edge: Profile) -> Chooser:
            assert self._profile is not None, "a device without a profile does not plan"
            scope = Scope(
                candidates=candidates,
                device=self._profile,
                edge=edge,
                deadline=self.deadline,
                race=self._race,
                margin=self._margin_of,
            )
            return make(scope)

        return made

    def _raise_refusal(self) -> None:
        if self._connection is not None and self._connection.refusal is not None:
            raise self._connection.refusal

    def _raise_if_required(self, why: str) -> None:
        if why and self._required:
            raise EdgeError(f"{why}, and it is required")


def _engine() -> Engine:
    from edgent.engine.onnxruntime import Engine  # ONNX Runtime, only when something is to be run

    return Engine()


def _grpc(edge: str, max_message: int, clock: Clock) -> Channel:
    from edgent.wire.grpc_transport import GrpcChannel  # gRPC, only when there is an edge

    return GrpcChannel(edge, max_message=max_message, clock=clock)


def _nobody(message: bytes, budget: float) -> TimedReply:
    raise EdgeError("this device has no edge")
