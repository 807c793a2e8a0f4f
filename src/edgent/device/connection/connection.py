"""The device's connection to its edge: made, checked and mended in the background.

At connect: does it list our extension, is it the right one (`Handshake`), how fast is the link. Afterwards `Upkeep`
says when to look again. Requests go through `ask`, which tells link state and upkeep what it saw. An edge that is lost
is no error here but a state; a refusal is kept, to be told.

Whoever plans for the edge (`Plans`) comes after the connection, and is handed to the thread that looks after it. What
transfers tell of the link is kept until a request, or that thread, looks at the edge: it is handed over with the rest.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Protocol

from edgent.clock import Clock
from edgent.device.connection.handshake import EdgeFacts, Handshake, OnVersion
from edgent.device.connection.link_follower import PROBE_SIZES, TELLING, LinkFollower
from edgent.device.connection.probing import Ascent, probe_link
from edgent.device.connection.sight import EdgeState, Sight
from edgent.device.connection.upkeep import SEARCH, Task, Upkeep
from edgent.device.drift import AS_PROFILED, Factors
from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.link.slow_start import INITIAL_WINDOW
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.errors import BrokenError, BusyError, LateError, RejectedError
from edgent.wire.messages import EXTENSION

if TYPE_CHECKING:
    from edgent.link.transfer import Transfer
    from edgent.model import Model
    from edgent.planning.conditions import Conditions
    from edgent.units import BitsPerSecond, Seconds

_log = logging.getLogger("edgent.device")

# Of two seconds, within which an edge that has come back is to be used: a check that a dead connection swallowed is
# given up early enough for a new one; `_TIMEOUT` is for what has bytes to carry.
_CHECK_TIMEOUT, _CONNECT_TIMEOUT = 1.0, 1.5
_TIMEOUT = 10.0
_PATIENCE = 0.06  # seconds beyond the round trip for a look: the link is then far slower than what decides
# These end a request, not the connection: the edge has answered, so it is there.
_OF_ONE_REQUEST = (BusyError, BrokenError, RejectedError)
_TRANSFERS = 64  # that are kept for who plans


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

    def decisive(self, sight: Sight) -> BitsPerSecond | None:
        """The bandwidth that a plan depends on; None: on none."""
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
        self._remote, self._model, self._link, self._clock = remote, model, link, clock
        self._handshake = Handshake(remote, model, wants_calibration=wants_calibration, on_version=on_version)
        self._on_version = on_version
        self._upkeep = Upkeep(measures=not link.stated)
        self._changed = clock.condition()
        self._facts: EdgeFacts | None = None
        self._was_up = False
        self._tried = False
        self._closed = False
        self._late_bytes = 0
        self._refusal: RefusedError | None = None
        self._state, self._detail = EdgeState.CONNECTING, ""
        self._transfers: deque[Transfer] = deque(maxlen=_TRANSFERS)
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
        self._remote.channel.close()
        if self._thread is not None:
            self._thread.join()
        self._remote.channel.close()  # the thread may just have renewed it

    @property
    def foreign(self) -> bool:
        """Whether the edge is a server without our extension."""
        with self._changed:
            return self._foreign

    @property
    def sight(self) -> Sight:
        """The edge as it seems now, without the link."""
        with self._changed:
            return self._seen(None)

    def conditions(self, factors: Factors = AS_PROFILED) -> Conditions | None:
        """Link, queue and the machines' speed as they seem now; None if unknown."""
        window = self._remote.channel.window()
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
        window = self._remote.channel.window()
        with self._changed:
            self._upkeep.requested(at)
            conditions = self._link.conditions(at, window, factors) if self._state is EdgeState.UP else None
            return self._seen(conditions, at)

    def ask(self, message: bytes, budget: float) -> TimedReply:
        """Sends a ModelInferRequest.

        Raises:
            LateError, BusyError, BrokenError, RejectedError: of this request only.
            EdgeError: the edge is lost.
            RefusedError: it is no longer the right one.
        """
        # While a request is under way nothing is probed: it would only be slower, and its own time will tell.
        started_at = self._clock.now()
        with self._changed:
            self._upkeep.began()
        try:
            reply = self._remote.send(message, budget)
        except EdgentError as error:
            self._failed(error, len(message), self._clock.now() - started_at)
            raise
        finally:
            with self._changed:
                self._upkeep.ended()
        self._heard(reply, answered=True)
        self._tell_version(reply)
        return reply

    def prepare(self, name: str) -> None:
        """Has the edge make a segment's sessions; raises as `ask`."""
        try:
            self._remote.prepare(name, self._model.version, _TIMEOUT)
        except EdgentError as error:
            self._failed(error, 0, 0.0)
            raise

    def __repr__(self) -> str:
        return f"<Connection over {self._remote.channel!r}: {self.sight.problem or 'up'}>"

    @property
    def _foreign(self) -> bool:
        return self._facts is not None and self._facts.segments is not None

    def _seen(self, conditions: Conditions | None, at: Seconds | None = None) -> Sight:
        """The edge beside what is known of the link; who is shown that is shown the transfers as well."""
        transfers: tuple[Transfer, ...] = ()
        if conditions is not None:
            # Handed over once: a chooser that learned the same transfer twice would be surer than it may be.
            transfers = tuple(self._transfers)
            self._transfers.clear()
        return Sight(
            at=self._clock.now() if at is None else at,
            state=self._state,
            detail=self._detail,
            refusal=self._refusal,
            foreign=self._foreign,
            conditions=conditions,
            transfers=transfers,
        )

    def _look_round(self, plans: Plans) -> Sight:
        """The edge and the link as they seem now, for who plans."""
        window, factors = self._remote.channel.window(), plans.factors()
        with self._changed:
            return self._seen(self._link.conditions(self._clock.now(), window, factors))

    def _heard(self, reply: TimedReply, *, look: bool = False, answered: bool = False) -> bool:
        """Takes an exchange in; whether its time was its own: what is left of late requests goes before the next.

        A look, one way only, does not spare the measuring of both. `answered`: it was a request's.
        """
        with self._changed:
            # Bytes arrive in the order of their sending, so after an answer little is left of what was late before it.
            waited_behind, self._late_bytes = self._late_bytes, 0
            if waited_behind:
                self._link.probed(reply)
            else:
                self._transfers += self._link.observe(reply)
            telling = not look and not waited_behind and reply.uplink - self._link.round_trip >= TELLING
            heard = self._upkeep.answered if answered else self._upkeep.heard
            heard(self._clock.now(), telling=telling)
        return not waited_behind

    def _tell_version(self, reply: TimedReply) -> None:
        """An edge that was started anew may have gone unnoticed: its answers tell what the model's name stands for."""
        if reply.newest and self._on_version is not None:
            self._on_version(reply.newest)

    def _failed(self, error: EdgentError, bytes_up: int, seconds: float) -> None:
        with self._changed:
            now = self._clock.now()
            # Too late is no failure of the edge. What was sent of it may still be under way, and slows what comes next.
            if isinstance(error, LateError):
                self._late_bytes += bytes_up
                self._transfers += self._link.observe_late(bytes_up, seconds, now)
                self._upkeep.suspected()
            elif not isinstance(error, _OF_ONE_REQUEST):
                self._down(error)
            self._changed.notify_all()

    def _down(self, error: Exception) -> None:
        self._state, self._detail = EdgeState.LOST if self._was_up else EdgeState.NOT_THERE, ""
        if isinstance(error, RefusedError):
            self._state, self._detail = EdgeState.REFUSED, str(error)
            self._refusal = self._refusal if self._was_up or self._on_version else error
        elif not isinstance(error, EdgentError):
            self._state, self._detail = EdgeState.FAILED, _unexpected(error)
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
                self._changed.wait(max(0.0, task - self._clock.now()))
                task = self._upkeep.next(self._clock.now())
            return task if isinstance(task, Task) and not self._closed else None

    def _do(self, task: Task, plans: Plans) -> None:
        if task is Task.CONNECT:
            self._connect(plans)
        elif task is Task.CHECK:
            self._check()
        elif task is Task.SEEK:
            self._seek(plans)
        elif (decisive := plans.decisive(self._look_round(plans))) is not None:
            self._look(decisive) if task is Task.LOOK else self._refresh()
        else:
            with self._changed:
                self._upkeep.declined(self._clock.now())

    def _give_up(self, error: Exception) -> None:
        if not isinstance(error, EdgentError):
            _log.error("the connection to the edge is made anew: %s", _unexpected(error))
        with self._changed:
            if self._closed:
                return
            # Who had a connection tries another one at once; who tried in vain waits a little.
            connecting = not self._upkeep.up
            self._down(error)
            self._tried = True
            if connecting:
                self._upkeep.connect_failed(self._clock.now())
            self._changed.notify_all()
            self._link.reconnected()
        try:
            # A new one tries at once, and does not wait for what a dead connection still had to send.
            self._remote.channel.renew()
        except Exception as failure:  # then the old one is tried again
            _log.error("the connection to the edge cannot be made anew: %s", _unexpected(failure))

    def _connect(self, plans: Plans) -> None:
        try:
            extended = EXTENSION in self._remote.extensions(_CONNECT_TIMEOUT)
        except EdgeError:
            if not self._was_up and (words := self._remote.channel.first_words(_CONNECT_TIMEOUT)):
                raise RefusedError(f"{self._remote.channel!r} speaks another protocol: {words!r}") from None
            raise
        # First who it is, then how fast the link is, then the sessions; only then do requests see the edge as up.
        facts = self._handshake.ours(_TIMEOUT) if extended else self._handshake.foreign(_TIMEOUT)
        if not self._link.stated and not extended:
            raise RefusedError(f"{self._remote.channel!r} cannot measure the link: state its bandwidth")
        if extended:
            self._meet_link()
        with self._changed:
            self._facts = facts  # sessions are made for it before a request finds the edge up
        plans.edge_up(facts, self._look_round(plans))
        with self._changed:
            self._facts, self._refusal, self._was_up = facts, None, True
            self._state, self._detail = EdgeState.UP, ""
            self._upkeep.connected(self._clock.now())
            self._changed.notify_all()

    def _check(self) -> Ascent:
        """An empty exchange, from which longer ones may be begun."""
        # A check behind bytes of late requests waits for them: it is given that long, or a slow link would be taken for
        # a lost edge.
        with self._changed:
            conditions = self._link.conditions(self._clock.now())
            leftover = 0.0 if conditions is None else conditions.uplink.uplink(float(self._late_bytes))
        within, ascent = min(_CHECK_TIMEOUT + leftover, _TIMEOUT), Ascent(allowance=SEARCH)
        if self.foreign:
            self._remote.extensions(within)
            with self._changed:
                self._upkeep.checked(self._clock.now(), 0.0)
            return ascent
        follows = {"name": self._model.name, "version": self._model.version} if self._on_version else {}
        reply = self._remote.probe(0, 0, within, **follows)
        if not self._heard(reply) and self._link.beyond(reply) >= TELLING:
            # It was late behind what was late: only the next one tells whether the way is long, or the link slow.
            reply = self._remote.probe(0, 0, within, **follows)
            self._heard(reply)
        self._tell_version(reply)
        with self._changed:
            ascent.began(took=reply.on_link, beyond=self._link.beyond(reply))
            self._upkeep.checked(self._clock.now(), ascent.occupied)
        return ascent

    def _seek(self, plans: Plans) -> None:
        """Requests go without the edge: is it there, and can the link carry what they would send?"""
        began_at, ascent = self._clock.now(), self._check()
        while (size := self._next_step(plans, ascent)) is not None and self._tried_size(size, ascent):
            pass
        with self._changed:
            self._upkeep.sought(began_at, ascent.occupied)

    def _next_step(self, plans: Plans, ascent: Ascent) -> int | None:
        """Bytes of a search's next probe; None where it is over: by what is known now nobody would plan otherwise."""
        # A request that came meanwhile will tell more, and must not wait.
        if self._link.stated or self._upkeep.busy:
            return None
        decisive = plans.decisive(self._look_round(plans))
        return None if decisive is None else ascent.next(self._link.telling_size(decisive))

    def _tried_size(self, size: int, ascent: Ascent) -> bool:
        """Sends a search's next probe; whether it has come back in time."""
        began_at = self._clock.now()
        try:
            reply = self._remote.probe(size, 0, self._link.round_trip + _PATIENCE)
        except LateError as error:
            self._failed(error, size, self._clock.now() - began_at)
            return False
        self._heard(reply, look=True)
        ascent.passed(reply.bytes_up, 0, took=reply.on_link)
        return True

    def _refresh(self) -> None:
        """The estimate is old: one message each way; where it is long, another one before it widens TCP's windows."""
        with self._changed:
            began_at, size = self._clock.now(), self._link.probe_size()
        if size > INITIAL_WINDOW:
            self._probed(size, size)
        if not self._heard(self._remote.probe(size, size, _TIMEOUT)):
            return  # and measure again at once
        with self._changed:
            self._upkeep.measured(now := self._clock.now(), now - began_at)

    def _look(self, decisive: BitsPerSecond) -> None:
        """A request is expected: one message up that ends well before it, or is given up."""
        with self._changed:
            began_at, size = self._clock.now(), self._link.look_size(decisive)
        # A look that does not come back in time is an answer too: below what decides, however far.
        try:
            self._heard(self._remote.probe(size, 0, self._link.round_trip + _PATIENCE), look=True)
        except LateError as error:
            self._failed(error, size, self._clock.now() - began_at)
        with self._changed:
            self._upkeep.looked(now := self._clock.now(), now - began_at)

    def _meet_link(self) -> None:
        """A connection is made: a link that nothing is known of is measured from scratch, else only its round trip.

        What it carries after an outage is sought beside the requests: to measure it first would keep them waiting.
        """
        if self._link.known and self._was_up:
            self._heard(self._remote.probe(0, 0, _CONNECT_TIMEOUT))
            return
        # Even a stated link is measured once: its round trip and the call time are not stated with a bandwidth.
        probes = probe_link(self._probed, () if self._link.stated else PROBE_SIZES)
        with self._changed:
            self._transfers += self._link.observe_probes(probes.small, probes.up, probes.down)
            self._upkeep.heard(self._clock.now(), telling=True)

    def _probed(self, bytes_up: int, bytes_down: int) -> TimedReply:
        reply = self._remote.probe(bytes_up, bytes_down, _TIMEOUT)
        with self._changed:
            self._link.probed(reply)
        return reply


def _unexpected(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
