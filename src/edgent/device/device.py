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
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Self

from edgent.clock import Clock, MonotonicClock
from edgent.device.answer import Answer
from edgent.device.choosers.candidate_sets import Restriction
from edgent.device.choosers.chooser import Environment, MakeChooser
from edgent.device.choosers.dynamic import chooser_of
from edgent.device.compute import Compute
from edgent.device.connection.connection import Connection
from edgent.device.connection.link_state import LinkState
from edgent.device.connection.sight import EdgeState, Sight
from edgent.device.division import Divisions, Kind
from edgent.device.drift import Drifts, Factors
from edgent.device.execution import Execution
from edgent.device.plan_source import ChosenPlan, PlanSource
from edgent.device.record_listener import RecordListener
from edgent.device.request import PATIENCE, Request
from edgent.device.schedule import Schedule
from edgent.device.warm_sessions import Sessions
from edgent.engine.material import Input, Material
from edgent.engine.pace import Pace, slots
from edgent.errors import EdgeError
from edgent.model import Model, check_model
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.plan import Stages
from edgent.planning.planner import ROOM
from edgent.units import Seconds, rate_of, seconds_of
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.message_limit import message_limit
from edgent.wire.transport import Channel

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.engine.onnxruntime import Engine
    from edgent.latency import Profile
    from edgent.planning.candidates import Direction
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
        self.model, self.deadline, self._version = model, deadline, model.version
        self._race, self._required = race, require_edge
        self._margin_of = lru_cache(partial(_margin_of, margin))  # of few deadlines, and asked by each request
        host = host_profile or device_profile
        self._clock = clock or MonotonicClock()
        self._divisions = Divisions(model, device_profile, host)
        self._compute = Compute(model, engine or _engine(), host, pace, self._clock)
        self._listener = None if on_record is None else RecordListener(on_record, self._clock)
        self._drifts = Drifts()
        self._schedule = Schedule(slots(pace, self._compute.engine.threads), _MARGIN_LEAST)
        self._turns = threading.Lock()
        self._pool = self._clock.pool(32, "edgent-device")
        if channel is None and edge is not None:
            channel = _grpc(edge, message_limit([model]), self._clock)
        self._factors = partial(_factors, self._drifts, self._schedule, self._turns, self._clock)
        up, down = rate_of(bandwidth, "bandwidth"), rate_of(downlink, "downlink")
        delay = None if round_trip is None else Seconds(round_trip)
        gain = _LAST_SAMPLE if environment == "static" else _SMOOTH
        link = LinkState(bandwidth=up, downlink=down, round_trip=delay, gain=gain)
        self._connection = (
            None
            if channel is None
            else Connection(EdgeClient(channel), model, link, self._clock, wants_calibration=calibration is None)
        )
        self._sessions = Sessions(self._compute, self._divisions, self._connection, self._clock)
        self._plans = PlanSource(
            model,
            device=device_profile,
            edge=edge_profile or host,
            calibration=calibration,
            divisions=self._divisions,
            warmer=self._sessions.warmer,
            machines=self._factors,
            make_chooser=chooser_of(environment),
            deadline=deadline,
            race=race,
            margin=self._margin_of,
            restriction=Restriction(
                direction=direction,
                exits=None if exits is None else frozenset(exits),
                codecs=None if codecs is None else tuple(codecs),
            ),
        )
        if self._connection is not None:
            self._connection.start(self._plans)
        if device_profile is not None:  # the one session that must be there before the first request
            self._sessions.make_alone(self._plans.alone(self._divisions.usual))

    @property
    def connected(self) -> bool:
        """Whether the edge is there and serves this model."""
        return self._connection is not None and self._connection.sight.state is EdgeState.UP

    @property
    def conditions(self) -> Conditions | None:
        """Link, queue and the machines' speed as they seem now; None if unknown."""
        return None if self._connection is None else self._connection.conditions(self._factors())

    def expect(self, sizes: Calibration) -> None:
        """Tells how large codecs make the pictures that will come, where no calibration says it.

        Later, what their files take is learned from the requests themselves.

        Args:
            sizes: of this model; see `edgent.evaluation.sizes`.

        Raises:
            InputError: it is of another model.
        """
        self._plans.expect(sizes)

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
        self._check_edge(self._connection.sight)
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
        deadline = self.deadline if deadline is None else seconds_of(deadline, "deadline")
        if configuration is not None:
            self._make_sure(configuration)
        started_at, factors = self._clock.now(), self._factors()
        sight = Sight(at=started_at)
        if self._connection is not None:
            sight = self._connection.requested(started_at, factors)
        self._check_edge(sight)
        material = Material(given, self.model)
        kind: Kind = "array" if material.source is None else "image"
        if material.source is not None:
            self._plans.came(len(material.source))
        choice = self._plans.choose(kind, sight, deadline, factors, configuration)
        name, exactly = name or material.name, configuration is not None
        execution = self._execution(choice, sight, deadline, race, kind, name, exactly)
        answer = execution.run(material, started_at)
        if execution.failure is None:
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
        edge = "no edge" if self._connection is None else self._connection.sight.problem or "edge up"
        return f"<Device {self.model.name} {self.model.version}, {self.deadline * 1e3:g} ms: {edge}>"

    def _execution(
        self,
        choice: ChosenPlan,
        sight: Sight,
        deadline: Seconds,
        race: bool | None,
        kind: Kind,
        name: str,
        exactly: bool,
    ) -> Execution:
        taken, changed = self._divisions.of(choice.configuration, kind), self._clock.condition(self._turns)
        planned = Stages() if choice.plan is None else choice.plan.stages
        ahead, rest = planned.around_upload
        request = Request(
            exit=choice.configuration.exit,
            uses_edge=taken.uses_edge,
            deadline=deadline,
            margin=self._margin_of(deadline),
            branches=self._plans.allowed(taken, exactly=exactly),
            schedule=self._schedule,
            call=changed.notify_all,
            head=ahead,
            expected=Seconds(math.inf if choice.plan is None else rest),
            race=self._race if race is None else race,
            patience=Seconds(max(PATIENCE, 3 * (ahead + rest))),
        )
        return Execution(
            request=request,
            plan=choice.plan,
            why=choice.why,
            name=name,
            division=taken,
            version="" if sight.foreign else self._version,
            compute=self._compute,
            ask=self._connection.ask if self._connection is not None else _nobody,
            clock=self._clock,
            pool=self._pool,
            failed=partial(self._plans.failed, choice.configuration),
            changed=changed,
        )

    def _make_sure(self, configuration: Configuration) -> None:
        """Readies what was given; a refusal of the edge is told first."""
        if self._connection is not None:
            self._check_edge(self._connection.sight)
        self._sessions.make_sure(configuration)

    def _check_edge(self, sight: Sight) -> None:
        if sight.refusal is not None:
            raise sight.refusal
        if self._required and sight.state not in (EdgeState.UP, EdgeState.NO_EDGE):
            raise EdgeError(f"{sight.problem}, and it is required")


def _margin_of(margin: float | None, deadline: Seconds) -> Seconds:
    usual = min(max(deadline * ROOM, _MARGIN_LEAST), _MARGIN_MOST)
    return Seconds(usual if margin is None else margin)


def _factors(drifts: Drifts, schedule: Schedule, turns: threading.Lock, clock: Clock) -> Factors:
    """How fast the machines are, and what the device has to do already."""
    with turns:
        backlog = schedule.backlog(clock.now())
    return drifts.factors(backlog)


def _engine() -> Engine:
    from edgent.engine.onnxruntime import Engine  # ONNX Runtime, only when something is to be run

    return Engine()


def _grpc(edge: str, max_message: int, clock: Clock) -> Channel:
    from edgent.wire.grpc_transport import GrpcChannel  # gRPC, only when there is an edge

    return GrpcChannel(edge, max_message=max_message, clock=clock)


def _nobody(message: bytes, budget: float) -> TimedReply:
    raise EdgeError("this device has no edge")
