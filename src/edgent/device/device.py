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
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Self, Unpack

from edgent.clock import Clock, MonotonicClock
from edgent.device.answer import Answer
from edgent.device.compute import Compute
from edgent.device.connection.connection import Connection
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.opening import certificate_renewal, grpc_channel
from edgent.device.connection.sight import EdgeState, Sight
from edgent.device.division import Divisions
from edgent.device.drift import Drifts, Factors
from edgent.device.execution import Execution
from edgent.device.listener import Listener
from edgent.device.plan_source import ChosenPlan, PlanSource
from edgent.device.request import PATIENCE, Request, at_pace
from edgent.device.schedule import Schedule
from edgent.device.settings import LEAST_MARGIN, DeviceKeywords, DeviceSettings, settings_of
from edgent.device.streams.openings import Like, Openings
from edgent.device.streams.refining import is_better
from edgent.device.streams.streaming import StreamingDevice
from edgent.device.warm_sessions import Sessions
from edgent.engine.material import Input, Material
from edgent.engine.pace import slots
from edgent.errors import EdgeError
from edgent.model import Model, check_model
from edgent.planning.plan import Stages
from edgent.units import Seconds, delay_of, rate_of, seconds_of
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.message_limit import message_limit

if TYPE_CHECKING:
    from edgent.engine.engine import Engine
    from edgent.planning.conditions import Conditions
    from edgent.planning.plan import Configuration, SourceKind

_log = logging.getLogger("edgent.device")

_LAST_SAMPLE, _SMOOTH = 1.0, 0.5  # gains of the link's estimate


class Device(StreamingDevice):
    """A device with a model, and perhaps an edge. Thread-safe; a context manager that connects and closes.

    Args:
        model: what to run.
        edge: "HOST:PORT", or None for the device alone.
        settings: deadline, profiles, the link, and all else that a device may be told.
        keywords: the fields of `DeviceSettings`, for what `settings` leaves out or says otherwise.

    Raises:
        InputError: no model, or a deadline that is none; a profile of another model; an unknown exit, codec or
            environment; a map for another model, device or deadline.
        TypeError: a keyword that is no setting, or no deadline.
    """

    began_alone = False
    """Whether the edge was waited for, in vain, before the device was made; see `Follower`."""

    def __init__(
        self,
        model: Model,
        edge: str | None = None,
        settings: DeviceSettings | None = None,
        **keywords: Unpack[DeviceKeywords],
    ) -> None:
        check_model(model, "Device")
        settings = settings_of(settings, keywords)
        if settings.gates is not None:
            settings.gates.check(model)
        self.model, self.settings, self._version = model, settings, model.version
        self.deadline = Seconds(settings.deadline)
        self._margin_of = lru_cache(settings.margin_before)  # of few deadlines, and asked by each request
        self._clock = settings.clock or MonotonicClock()
        exits = settings.restriction.exits
        self._divisions = Divisions(model, settings.device_profile, settings.host, exits)
        self._compute = Compute(model, settings.engine or _engine(), settings.host, settings.pace, self._clock)
        self._listener = None if settings.on_record is None else Listener(settings.on_record, self._clock)
        self._drifts = Drifts()
        self._schedule = Schedule(slots(settings.pace, self._compute.engine.threads), LEAST_MARGIN, self.deadline)
        self._turns, self._openings = threading.Lock(), Openings(self._schedule)
        self._in_hand: set[Material] = set()
        # A request that is out at the edge holds a thread until it is given up: with a bound, an edge that is silent
        # would take the threads from the local branches that are to stand in for it.
        self._pool = self._clock.pool(None, "edgent-device")
        self._factors = partial(_factors, self._drifts, self._schedule, self._turns, self._clock)
        self._connection = _connection(model, edge, settings, self._clock)
        self._renewal = None if edge is None or settings.channel else certificate_renewal(edge)
        self._sessions = Sessions(self._compute, self._divisions, self._connection, self._clock)
        self._plans = PlanSource(
            model,
            settings,
            divisions=self._divisions,
            warmer=self._sessions.warmer,
            machines=self._factors,
            edge_took=self._drifts.edge_took,
            margin=self._margin_of,
        )
        if self._connection is not None:
            self._connection.start(self._plans)
        if settings.device_profile is not None:  # the one session that must be there before the first request
            self._sessions.make_alone(self._plans.alone(self._divisions.usual))

    @property
    def has_edge(self) -> bool:
        """Whether it was given one, be it there or not."""
        return self._connection is not None

    @property
    def connected(self) -> bool:
        """Whether the edge is there and serves this model."""
        return self._connection is not None and self._connection.sight.state is EdgeState.UP

    @property
    def conditions(self) -> Conditions | None:
        """Link, queue and the machines' speed as they seem now; None if unknown."""
        return None if self._connection is None else self._connection.conditions(self._factors())

    @property
    def problem(self) -> str:
        """Why requests do without the edge, in words; empty where they need not, or there is none."""
        return "" if self._connection is None else self._connection.sight.problem

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of messages that requests have sent to the edge, and of its answers."""
        return (0, 0) if self._connection is None else self._connection.remote.traffic

    @property
    def turns(self) -> int:
        """Branches that it computes at once without slowing any down."""
        return self._schedule.slots

    def opening(self, at: Seconds, left: Seconds, waited: Seconds = Seconds(0.0)) -> Seconds:
        """From when on an input may be handed over that shall be answered in time, as things stand now.

        At once, while the edge answers. Else the device does, and has to keep what it has promised to requests in hand.
        Where that is now, it is expected, and what will be late anyway leaves it its time.

        Args:
            at: the time now, on the device's clock.
            left: seconds until its deadline.
            waited: seconds of its deadline that it has lost by waiting.

        Returns:
            The moment, not before `at`; infinite where it has waited too long, and one that comes now would not.
        """
        margin = self._margin_of(self.deadline, len(self._in_hand))
        with self._turns:
            return self._openings.opening(at, left - margin, waited)

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
        data: Input,
        *,
        name: str = "",
        deadline: float | None = None,
        configuration: Configuration | None = None,
        race: bool | None = None,
    ) -> Answer:
        """Answers one input.

        Args:
            data: the bytes of an image file; the path of one, or of a .npy or .npz file; an array; or arrays by name.
            name: of the input, for the record; empty: that of the file.
            deadline: for this one, seconds; None: the device's.
            configuration: run this one instead of planning. What it takes to make it ready is part of the answer's
                time, on the edge too; `warm` does that beforehand.
            race: for this one; None: the device's.

        Raises:
            InputError: the input is not what the model takes; no profile to plan with.
            RefusedError: the edge serves something else.
            EdgeError: the edge is lost, and `require_edge`.
        """
        deadline = self.deadline if deadline is None else seconds_of(deadline, "deadline")
        started_at = self._clock.now()
        factors = self._factors()
        # A refusal of the edge is told before anything is made ready.
        sight = Sight(at=started_at) if self._connection is None else self._connection.requested(started_at, factors)
        self._check_edge(sight)
        if configuration is not None:
            self._sessions.make_sure(configuration)
        material = Material(data, self.model)
        kind: SourceKind = "array" if material.source is None else "image"
        source_bytes = None if material.source is None else len(material.source)
        choice = self._plans.choose(kind, sight, deadline, factors, configuration, source_bytes)
        name, exactly = name or material.name, configuration is not None
        self._in_hand.add(material)
        try:
            execution = self._execution(choice, sight, deadline, race, kind, name, exactly, factors)
            answer = execution.run(material)
        finally:
            self._in_hand.remove(material)
        if execution.failure is None:
            self._drifts.learn(answer.record, factors, execution.stand_in)
        if self._listener is not None:
            self._listener.tell(answer.record)
        if self.settings.traces is not None:
            self.settings.traces.tell(answer.record)
        return answer

    def refine(self, data: Input, answer: Answer, within: float) -> Answer | None:
        """Asks the edge about what the device has answered by itself.

        Args:
            data: that was asked about.
            answer: that was given.
            within: seconds from now that a better answer may take.

        Returns:
            The edge's answer; None where it is not expected to have a better one in that time, or has given none.

        Raises:
            As `infer`.
        """
        if self._connection is None or answer.record.by == "edge":
            return None
        within, factors = seconds_of(within, "within"), self._factors()
        sight = self._connection.requested(self._clock.now(), factors)
        kind: SourceKind = "array" if answer.source is None else "image"
        offer = None if sight.conditions is None else self._plans.with_edge(kind)
        # Not the planner's choice: in that long a time it may be a later exit on the device, at other frames' cost.
        plan = None if offer is None or sight.conditions is None else offer.over_edge(sight.conditions, within)
        if plan is None or not is_better(
            plan, answer.record.exit, self._divisions.of(plan.configuration, kind).branches
        ):
            return None
        name, configuration = answer.record.input, plan.configuration
        refined = self.infer(data, name=name, deadline=within, configuration=configuration, race=False)
        return refined if refined.record.by == "edge" and refined.record.deadline_met else None

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
        if self._renewal is not None:
            self._renewal.close()
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
        kind: SourceKind,
        name: str,
        exactly: bool,
        factors: Factors,
    ) -> Execution:
        division, changed = self._divisions.of(choice.configuration, kind), self._clock.condition(self._turns)
        # A board that is throttled takes longer to stand in for a late edge as well, so it has to begin earlier.
        branches = division.branches if division.uses_edge or not exactly else division.branches[:1]
        branches = at_pace(branches, factors.layers, factors.pictures)
        planned = Stages() if choice.plan is None else choice.plan.stages
        tried = choice.plan is not None and choice.plan.trial
        # The upload divides it: before that the device computes, and from then on it can only wait.
        ahead = planned.prepare + planned.head + planned.encode
        if not exactly:  # what was asked for by its configuration, to refine an answer, is like no frame
            self._openings.like = Like(branches, ahead, division.uses_edge)
        rest = planned.uplink + planned.queue + planned.middle + planned.downlink + planned.suffix
        request = Request(
            started_at=sight.at,
            exit=choice.configuration.exit,
            uses_edge=division.uses_edge,
            deadline=deadline,
            margin=self._margin_of(deadline, len(self._in_hand) - 1),
            branches=branches,
            schedule=self._schedule,
            call=changed.notify_all,
            head=Seconds(ahead),
            expected=Seconds(math.inf if choice.plan is None else rest),
            scatter=factors.scatter,
            race=self.settings.race if race is None else race,
            trial=tried,
            patience=Seconds(max(PATIENCE, 3 * (ahead + rest))),
        )
        return Execution(
            request=request,
            plan=choice.plan,
            why=choice.why,
            detail=choice.detail,
            name=name,
            division=division,
            version="" if sight.foreign else self._version,
            compute=self._compute,
            ask=_nobody if self._connection is None else self._connection.ask,
            clock=self._clock,
            pool=self._pool,
            failed=partial(self._plans.failed, choice.configuration),
            changed=changed,
            trace="" if self.settings.traces is None else self.settings.traces.begin(),
        )

    def _check_edge(self, sight: Sight) -> None:
        if sight.refusal is not None:
            raise sight.refusal
        if self.settings.require_edge and sight.state not in (EdgeState.UP, EdgeState.NO_EDGE):
            raise EdgeError(f"{sight.problem}, and it is required")


def _connection(model: Model, edge: str | None, settings: DeviceSettings, clock: Clock) -> Connection | None:
    """To the edge; None where there is neither an address nor a channel."""
    channel = settings.channel
    if channel is None:
        if edge is None:
            return None
        channel = grpc_channel(edge, message_limit([model]), clock, settings.insecure)
    link = LinkFollower(
        bandwidth=rate_of(settings.bandwidth, "bandwidth"),
        downlink=rate_of(settings.downlink, "downlink"),
        round_trip=delay_of(settings.round_trip, "round_trip"),
        gain=_LAST_SAMPLE if settings.environment == "static" else _SMOOTH,
        gives_way=settings.gates is not None and settings.gates.has_steps,
    )
    return Connection(
        EdgeClient(channel),
        model,
        link,
        clock,
        wants_calibration=settings.calibration is None,
        on_version=settings.on_version,
    )


def _factors(drifts: Drifts, schedule: Schedule, turns: threading.Lock, clock: Clock) -> Factors:
    """How fast the machines are, and what the device has to do already."""
    # Most requests find the device idle: none of them waits for a lock to learn that.
    if schedule.idle:
        return drifts.factors()
    with turns:
        backlog = schedule.backlog(clock.now())
    return drifts.factors(backlog)


def _engine() -> Engine:
    from edgent.engine.onnxruntime import OnnxRuntimeEngine  # ONNX Runtime, only when something is to be run

    return OnnxRuntimeEngine()


def _nobody(message: bytes, budget: float) -> TimedReply:
    raise EdgeError("this device has no edge")
