"""Delivers what waits for one sink, the oldest first, for as long as it takes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from edgent.clock import Clock
from edgent.errors import EdgentError
from edgent.sinks.lines import EventLine
from edgent.sinks.outbox import Outbox
from edgent.sinks.sink import Sink
from edgent.wire.serving.sparing_log import SparingLog

_log = logging.getLogger("edgent.sinks")

MOST_AT_ONCE = 100  # events, so that what was delivered leaves the outbox soon
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a sink is tried again; each is twice the one before
GRACE = 3.0  # seconds that a sink has at the end for what still waits


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkState:
    """How a sink is doing.

    Attributes:
        name: the sink's.
        waiting: events that it does not have yet.
        delivered: events that it has.
        dropped: events that were given up, for newer ones or because the sink will never take them.
        problem: why it takes none, in one line; empty: it does.
    """

    name: str
    waiting: int
    delivered: int
    dropped: int
    problem: str


class SinkDelivery:
    """One sink, its outbox and the thread between them.

    Args:
        sink: takes the events.
        outbox: where they wait.
        clock: makes the thread, and times the pauses.
    """

    def __init__(self, sink: Sink, outbox: Outbox, clock: Clock) -> None:
        self.sink, self._outbox, self._clock = sink, outbox, clock
        self._changed, self._sparing = clock.condition(), SparingLog(_log, now=clock.now)
        self._delivered = self._refused = 0
        self._problem, self._closes_at = "", 0.0
        if outbox.problem:
            self._note_no_disk()
        self._thread = clock.thread(self._run, "edgent-sink")
        self._thread.start()

    @property
    def state(self) -> SinkState:
        """How the sink is doing now."""
        return SinkState(
            name=self.sink.name,
            waiting=len(self._outbox),
            delivered=self._delivered,
            dropped=self._outbox.dropped + self._refused,
            problem=self._problem or self._outbox.problem,
        )

    def put(self, events: Sequence[EventLine]) -> None:
        """Has these delivered, after all that wait."""
        had_problem = self._outbox.problem
        self._outbox.put(events)
        if self._outbox.problem and not had_problem:
            self._note_no_disk()
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """From now on the sink has a little time for what waits; returns at once."""
        with self._changed:
            self._closes_at = self._clock.now() + GRACE
            self._changed.notify_all()

    def close(self) -> None:
        """Waits for that; what is left waits for the next start."""
        if not self._closes_at:
            self.stop()
        self._thread.join(2 * GRACE)  # it ends by itself, unless the sink hangs
        self._outbox.close()
        if left := len(self._outbox):
            _log.warning("sink %s: %d events wait for the next start", self.sink.name, left)

    def __repr__(self) -> str:
        return f"<SinkDelivery {self.state}>"

    def _run(self) -> None:
        pause = 0.0
        while self._wait(pause):
            # At the end each sink has one try: one that fails keeps nobody.
            if (pause := self._try(pause)) and self._closes_at:
                break
        self.sink.close()

    def _wait(self, pause: float) -> bool:
        """Waits until there is something to deliver, and the pause is over; whether there is."""
        with self._changed:
            if pause:
                self._changed.wait_for(lambda: self._closes_at, pause)
            self._changed.wait_for(lambda: len(self._outbox) or self._closes_at)
        return len(self._outbox) > 0 and not 0.0 < self._closes_at <= self._clock.now()

    def _try(self, pause: float) -> float:
        """Delivers some; returns the pause before the next try."""
        delivered: list[EventLine] = []
        if not (events := self._outbox.oldest(MOST_AT_ONCE)):
            if len(self._outbox):  # or it was dropped meanwhile
                self._note_problem("what waits cannot be read from the disk")
            return FIRST_PAUSE
        try:
            for receipt in self.sink.deliver(events):
                delivered.append(receipt.event)
                self._note(receipt.refusal)
        except Exception as error:  # a fault of ours, too: a thread that ended would deliver nothing, and not say so
            self._note_problem(_words(error))
            return min(LONGEST_PAUSE, 2 * pause or FIRST_PAUSE)
        finally:
            self._outbox.done(delivered)
        self._note_problem("")
        return 0.0

    def _note(self, refusal: str) -> None:
        self._delivered += not refusal
        self._refused += bool(refusal)
        if refusal:
            self._sparing.log(logging.WARNING, f"sink {self.sink.name}: an event was given up: {refusal}")

    def _note_no_disk(self) -> None:
        _log.warning("sink %s: %s; events wait in memory", self.sink.name, EdgentError(self._outbox.problem))

    def _note_problem(self, problem: str) -> None:
        """Says once that a sink takes nothing, and once that it does again."""
        if problem and not self._problem:
            _log.warning("sink %s: %s; what comes waits, and is tried again", self.sink.name, problem)
        elif self._problem and not problem:
            lost = f"; {self._outbox.dropped} events were dropped meanwhile" if self._outbox.dropped else ""
            _log.warning("sink %s: takes events again%s", self.sink.name, lost)
        self._problem = problem


def _words(error: Exception) -> str:
    """What went wrong, in one line; only messages of our own are sure to show no secret."""
    return str(error) if isinstance(error, EdgentError) else f"fails unexpectedly ({type(error).__name__})"
