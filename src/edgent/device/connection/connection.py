"""The device's connection to its edge: made, checked and mended in the background.

At connect: does it list our extension, is it the right one (`Handshake`), how fast is the link. Afterwards `Upkeep`
says when to look again. Requests go through `ask`, which tells link state and upkeep what it saw. An edge that is lost
is no error here but a state; a refusal is kept, to be told.

Whoever plans for the edge (`Plans`) comes after the connection, and is handed to the thread that looks after it. What
transfers tell of the link is kept until a request, or that thread, looks at the edge: it is handed over with the rest.
"""

from __future__ import annotations

import logging
import math
import threading
from functools import partial
from typing import TYPE_CHECKING, Protocol

from edgent.clock import Clock
from edgent.device.connection.handshake import EdgeFacts, Handshake, OnVersion
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.observations import Observations
from edgent.device.connection.probe_account import ProbeAccount
from edgent.device.connection.prober import Prober
from edgent.device.connection.probing import Ascent
from edgent.device.connection.sight import EdgeState, Sight, Trial
from edgent.device.connection.upkeep import AGAIN, Task, Upkeep
from edgent.device.drift import AS_PROFILED, Factors
from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.text import brief
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.errors import BrokenError, BusyError, LateError, RejectedError
from edgent.wire.messages import EXTENSION

if TYPE_CHECKING:
    from edgent.model import Model
    from edgent.planning.conditions import Conditions
    from edgent.units import BitsPerSecond, Seconds

_log = logging.getLogger("edgent.device")

# A call that a dead connection swallowed is given up in time for another one within two seconds of the link's return;
# `_TIMEOUT` is for what has bytes to carry, and for a first meeting, which has no hurry.
_CONNECT_TIMEOUT, _TIMEOUT = 1.5, 10.0
SLOWED = 1.2  # times its profile, from which on an edge is tried while requests go without it
_SAID = 100  # lines about an edge that answers otherwise each time; then no more
_TRIALS = 5  # in a row at the most: one that differs may be chance, so many alike are believed
# These end a request, not the connection: the edge has answered, so it is there.
_OF_ONE_REQUEST = (BusyError, BrokenError, RejectedError)


class Plans(Protocol):
    """Who plans for an edge: asked and told by the thread that looks after the connection."""

    def factors(self) -> Factors:
        """How fast the machines are."""
        ...

    def edge_up(self, facts: EdgeFacts, sight: Sight) -> None:
        """The edge is there, perhaps again after an outage.

        Raises:
            RefusedError: nobody can plan with this one.
        """
        ...

    def decisive(self, sight: Sight, *, unlikely: bool = False) -> BitsPerSecond | None:
        """The bandwidth that a plan depends on; None: on none, or, unless `unlikely`, on one that the link lacks."""
        ...

    def trial(self) -> Trial | None:
        """What the edge is to run so that its speed is known; None: nothing is worth it."""
        ...

    def tried(self, trial: Trial, seconds: float) -> bool:
        """The edge has run that, and took so long; whether that is about what is believed of it by now."""
        ...


class Connection:
    """A connection that mends itself; thread-safe.

    Args:
        remote: the edge's methods.
        model: what the device runs, and the edge must serve.
        link: is told every transfer.
        clock: must be that of the channel; what is waited for here is waited for by it.
        wants_calibration: whether to fetch the edge's.
        on_version: is told the version that the model's name stands for at the edge. With it the model is known to be
            the edge's own, so no refusal is kept: another version is there, or will be again.
    """

    def __init__(
        self,
        remote: EdgeClient,
        model: Model,
        link: LinkFollower,
        clock: Clock,
        *,
        wants_calibration: bool = False,
        on_version: OnVersion | None = None,
    ) -> None:
        self.remote, self._model, self._link, self._clock = remote, model, link, clock
        # Each of these decides one thing, and none of them has a thread or a lock: this class is what moves them.
        self._handshake = Handshake(remote, model, wants_calibration=wants_calibration, on_version=on_version)
        self._on_version = on_version
        self._account = ProbeAccount()
        self._upkeep = Upkeep(measures=not link.stated, account=self._account)
        self._changed = clock.condition()
        self._seen = Observations(link, self._upkeep, self._account)
        # Whoever follows a name has each check ask what that stands for: a new version is known within seconds.
        follows = model.name if on_version else ""
        self._prober = Prober(remote, self._seen, self._changed, clock, version=model.version, follows=follows)
        self._facts: EdgeFacts | None = None
        self._wakes_at = -math.inf
        self._was_up = False
        self._tried = False
        self._closed = False
        self._refusal: RefusedError | None = None
        self._said: set[str] = set()
        self._state, self._detail = EdgeState.CONNECTING, ""
        self._thread: threading.Thread | None = None

    def start(self, plans: Plans) -> None:
        """Begins to connect, in the background, on behalf of who plans."""
        self._thread = self._clock.thread(partial(self._run, plans), "edgent-watch")
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.remote.channel.close()
        if self._thread is not None:
            self._thread.join()
        self.remote.channel.close()  # the thread may just have renewed it

    @property
    def foreign(self) -> bool:
        """Whether the edge is a server without our extension."""
        with self._changed:
            return self._foreign

    @property
    def sight(self) -> Sight:
        """The edge as it seems now, without the link."""
        with self._changed:
            return self._sight(None)

    def conditions(self, factors: Factors = AS_PROFILED) -> Conditions | None:
        """Link, queue and the machines' speed as they seem now; None if unknown."""
        window = self.remote.channel.window()
        with self._changed:
            return self._link.conditions(self._clock.now(), window, factors)

    def wait_settled(self, timeout: float) -> bool:
        """Waits for the outcome of the first attempt, or until connected; whether it is connected."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._state is EdgeState.UP or self._tried, timeout)
            return self._state is EdgeState.UP

    def requested(self, at: Seconds, factors: Factors) -> Sight:
        """A request has come to the device, whoever will answer it: the edge as it finds it."""
        # The kernel is asked before the lock is taken: a system call is no reason to keep others waiting.
        window = self.remote.channel.window()
        with self._changed:
            self._upkeep.requested(at)
            # Who looks after the connection may sleep for seconds, as nothing was to be feared when that began.
            if self._wakes_at > at + AGAIN:
                self._changed.notify_all()
            # Of a link without an edge nobody is shown anything, so who plans sees at once that it is alone.
            conditions = self._link.conditions(at, window, factors) if self._state is EdgeState.UP else None
            return self._sight(conditions, at)

    def ask(self, message: bytes, budget: float) -> TimedReply:
        """Sends a ModelInferRequest.

        Raises:
            LateError, BusyError, BrokenError, RejectedError: of this request only.
            EdgeError: the edge is lost.
            RefusedError: it is no longer the right one.
        """
        # While a request is under way nothing is probed: it would only be slower, and its own time will tell.
        with self._changed:
            request = self._seen.asked(len(message), self._clock.now())
        try:
            reply = self.remote.send(message, budget)
        except BaseException as error:
            with self._changed:
                self._seen.ended(request)
                if isinstance(error, EdgentError):
                    self._failed(error, request.size, self._clock.now() - request.began_at)
            raise
        with self._changed:
            self._seen.answered(request, reply, self._clock.now())
        # After the lock is given back: a new version is fetched and made ready, which takes its time.
        self._tell_version(reply)
        return reply

    def prepare(self, name: str) -> None:
        """Has the edge make a segment's sessions; raises as `ask`."""
        try:
            self.remote.prepare(name, self._model.version, _TIMEOUT)
        except EdgentError as error:
            self._failed(error, 0, 0.0)
            raise

    def __repr__(self) -> str:
        return f"<Connection over {self.remote.channel!r}: {self.sight.problem or 'up'}>"

    @property
    def _foreign(self) -> bool:
        return self._facts is not None and self._facts.segments is not None

    def _sight(self, conditions: Conditions | None, at: Seconds | None = None) -> Sight:
        """The edge beside what is known of the link; who is shown that is shown the transfers as well."""
        return Sight(
            at=self._clock.now() if at is None else at,
            state=self._state,
            detail=self._detail,
            refusal=self._refusal,
            foreign=self._foreign,
            conditions=conditions,
            transfers=() if conditions is None else self._seen.taken(),
        )

    def _look_round(self, plans: Plans) -> Sight:
        """The edge and the link as they seem now, for who plans."""
        # Both ask others, who may wait: so before the lock is taken.
        window, factors = self.remote.channel.window(), plans.factors()
        with self._changed:
            return self._sight(self._link.conditions(self._clock.now(), window, factors))

    def _tell_version(self, reply: TimedReply) -> None:
        """An edge that was started anew may have gone unnoticed: its answers tell what the model's name stands for."""
        if reply.newest and self._on_version is not None:
            self._on_version(reply.newest)

    def _failed(self, error: EdgentError, bytes_up: int, seconds: float) -> None:
        with self._changed:
            now = self._clock.now()
            # What was late may be the link's, the way's or the edge's fault; the check behind it will tell.
            if isinstance(error, LateError):  # which is no failure of the edge
                self._seen.late(bytes_up, seconds, now)
            elif isinstance(error, BusyError) and error.load is not None:
                self._link.refused(error.load, now)
            elif not isinstance(error, _OF_ONE_REQUEST):
                self._down(error)
            self._changed.notify_all()

    def _down(self, error: Exception) -> None:
        # Two states, for people: an edge that was there may come back, one that never was may be a wrong address.
        self._state, self._detail = EdgeState.LOST if self._was_up else EdgeState.NOT_THERE, ""
        if isinstance(error, RefusedError):
            self._state, self._detail = EdgeState.REFUSED, str(error)
            self._refusal = self._refusal if self._was_up or self._on_version else error
        elif isinstance(error, BrokenError) or not isinstance(error, EdgeError):
            self._state, self._detail = EdgeState.FAILED, _in_words(error)
        # Who comes back may be another edge, or the same with another model: nothing that was said is believed on.
        self._facts = None
        self._upkeep.lost(self._clock.now())

    def _run(self, plans: Plans) -> None:
        while (task := self._next_task()) is not None:
            try:
                self._do(task, plans)
            except Exception as error:  # whatever one reply throws: the next attempt may go well
                self._give_up(error)

    def _next_task(self) -> Task | None:
        """Waits for something to do; None: it is closed."""
        with self._changed:
            # `next` says what is to be done now, or until when nothing is; whoever changes something wakes this thread
            # to ask again.
            task = self._upkeep.next(self._clock.now())
            while not self._closed and not isinstance(task, Task):
                self._wakes_at = float(task)
                self._changed.wait(max(0.0, task - self._clock.now()))
                task = self._upkeep.next(self._clock.now())
            return task if isinstance(task, Task) and not self._closed else None

    def _do(self, task: Task, plans: Plans) -> None:
        # Outside of the lock, for each of these waits for the edge; requests go on meanwhile.
        if task is Task.CONNECT:
            self._connect(plans)
        elif task is Task.CHECK:
            # The link is not the only one that may have made a request late.
            self._check(plans, trial=self._upkeep.is_suspected)
            self._prober.settle()
        elif task is Task.SEEK:
            self._seek(plans)
        # A look and a measurement cost bytes: who plans is asked first whether the answer could change a plan.
        elif (decisive := plans.decisive(self._look_round(plans))) is not None:
            self._prober.look(decisive) if task is Task.LOOK else self._prober.refresh()
        else:
            with self._changed:
                self._upkeep.declined(self._clock.now())

    def _give_up(self, error: Exception) -> None:
        is_raised = isinstance(error, RefusedError) and not self._was_up  # then whoever asks is told
        if (isinstance(error, BrokenError) or not isinstance(error, EdgeError)) and not is_raised:
            self._say("the connection to the edge is made anew", error)
        with self._changed:
            if self._closed:
                return
            # Who had a connection tries another one at once; who tried in vain waits a little.
            # Asked before it is told that the edge is lost, for then both look alike.
            connecting = not self._upkeep.up
            self._down(error)
            self._tried = True
            if connecting:
                self._upkeep.connect_failed(self._clock.now())
            self._changed.notify_all()
            # In this order: what was late is judged by the connection that it was sent over.
            self._seen.judge_late(self._clock.now())
            self._seen.reconnected()
        try:
            # A new one tries at once, and does not wait for what a dead connection still had to send.
            self.remote.channel.renew()
        except Exception as failure:  # then the old one is tried again
            self._say("the connection to the edge cannot be made anew", failure)

    def _say(self, what: str, error: Exception) -> None:
        """Says what nobody expects of an edge, each once: it may come again at every attempt, for days."""
        line = f"{what}: {_in_words(error)}"
        if line not in self._said and len(self._said) < _SAID:
            self._said.add(line)
            _log.error("%s", line)

    def _connect(self, plans: Plans) -> None:
        try:
            # A short question first: a server that is not there or not ours is known within its timeout, not ten
            # seconds later.
            extended = EXTENSION in self.remote.extensions(_CONNECT_TIMEOUT)
        except EdgeError:
            # Only at the first meeting: an edge that was one is not taken for a web server because of a damaged answer.
            if not self._was_up and (words := self.remote.channel.first_words(_CONNECT_TIMEOUT)):
                raise RefusedError(f"{self.remote.channel!r} speaks another protocol: {words!r}") from None
            raise
        # First who it is, then how fast the link is, then the sessions; only then do requests see the edge as up.
        within = _CONNECT_TIMEOUT if self._was_up else _TIMEOUT
        facts = (self._handshake.ours if extended else self._handshake.foreign)(within)
        if not self._link.stated and not extended:
            raise RefusedError(f"{self.remote.channel!r} cannot measure the link: state its bandwidth")
        # After the handshake, so that a link is measured only towards somebody who will answer requests over it.
        if extended:
            self._meet_link()
        with self._changed:
            self._facts = facts  # sessions are made for it before a request finds the edge up
        plans.edge_up(facts, self._look_round(plans))
        with self._changed:
            self._facts, self._refusal, self._was_up = facts, None, True
            self._state, self._detail = EdgeState.UP, ""
            self._upkeep.connected(now := self._clock.now())
            self._seen.carries(now)
            self._changed.notify_all()

    def _check(self, plans: Plans, *, trial: bool) -> Ascent | None:
        """Is the edge there, and how fast is it? None: it is a foreign server, which nothing longer can be sent to."""
        if self.foreign:
            self._prober.check_foreign()
            return None
        for _ in range(_TRIALS):
            # A request under way tells as much, and a trial before it in the edge's queue would make it late.
            tried = plans.trial() if trial and not self._upkeep.busy else None
            reply, ascent = self._prober.check(tried)
            self._tell_version(reply)
            if tried is None or plans.tried(tried, reply.middle):
                break
        return ascent

    def _seek(self, plans: Plans) -> None:
        """Requests go without the edge: is it there and quick, and can the link carry what they would send?"""
        began_at = self._clock.now()
        # A slow edge is tried by the same message that finds the link: told from it, and followed as quickly.
        ascent = self._check(plans, trial=plans.factors().edge > SLOWED)
        decisive = None if self._link.stated else plans.decisive(self._look_round(plans), unlikely=True)
        if ascent is None or decisive is None:
            self._prober.settle()
        else:
            # A request that has come meanwhile will tell more, and must not wait.
            self._prober.climb(ascent, decisive, lambda: not self._upkeep.busy)
        with self._changed:
            self._upkeep.sought(began_at, 0.0 if ascent is None else ascent.cost)

    def _meet_link(self) -> None:
        """A connection is made: a link that nothing is known of is measured, else only its round trip.

        What it carries after an outage is sought beside the requests: to measure it first would keep them waiting.
        """
        if self._link.known and self._was_up:
            self._prober.check()
            self._prober.settle()
        else:
            self._prober.measure()


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, EdgentError) else brief(f"{type(error).__name__}: {error}")
