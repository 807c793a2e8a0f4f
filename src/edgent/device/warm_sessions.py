"""Sessions made and warmed beside the requests, so that none of them pays for a switch of plans."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from edgent.clock import Clock
from edgent.device.compute import Compute
from edgent.device.division import Division, Divisions
from edgent.errors import EdgeError, EdgentError
from edgent.planning.plan import Configuration
from edgent.wire.errors import BrokenError

if TYPE_CHECKING:
    from edgent.device.connection.connection import Connection

_log = logging.getLogger("edgent.device")

_KEPT = 8  # configurations; more would push each other's sessions out of the engine's cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """Configurations that can be run at once, and those that cannot be run with this edge."""

    ready: frozenset[Configuration] = frozenset()
    failed: frozenset[Configuration] = frozenset()


class Warmer:
    """A background thread that readies what was asked for last.

    Args:
        ready: makes everything a configuration needs on both sides; one for which it raises EdgentError has *failed*,
            as one has that could not be carried out: it is not readied again before `forget`. Only where the link or
            the edge's load is to blame is it readied again when it is wanted again.
        clock: makes the thread, and what it waits on.

    Attributes:
        warmed: what came of it so far; replaced as a whole, so that whoever reads it needs no lock.
    """

    def __init__(self, ready: Callable[[Configuration], None], clock: Clock) -> None:
        self._make = ready
        self.warmed = Warmed()
        self._ready: OrderedDict[Configuration, None] = OrderedDict()
        self._failed: set[Configuration] = set()
        # At most one configuration: what was wanted before a change of plans is wanted no more.
        self._jobs: list[Configuration | Callable[[], None]] = []
        self._working = False
        self._closed = False
        self._changed = clock.condition()
        self._thread = clock.thread(self._run, "edgent-warm")
        self._thread.start()

    def give_up(self, configuration: Configuration) -> None:
        """A configuration could not be carried out."""
        with self._changed:
            # Kept until another edge comes: readying it again at each request would only fail again, and take time.
            self._failed.add(configuration)
            self._publish()

    def want(self, configuration: Configuration) -> None:
        """Asks for a configuration; without effect on one that is ready or already asked for."""
        with self._changed:
            if configuration in self._ready:
                self._ready.move_to_end(configuration)
            # Another job is never pushed out: it was asked for by somebody who waits for it.
            elif configuration not in self._failed and configuration not in self._jobs:
                self._jobs = [job for job in self._jobs if not isinstance(job, Configuration)]
                self._jobs.append(configuration)
                self._changed.notify_all()

    def readied(self, configuration: Configuration) -> None:
        """A configuration was readied, here or elsewhere."""
        with self._changed:
            self._ready[configuration] = None
            # The least recently wanted one goes: `want` moves what is used to the end.
            while len(self._ready) > _KEPT:
                self._ready.popitem(last=False)
            self._publish()

    def do(self, job: Callable[[], None]) -> None:
        """Has something else done in the background."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def forget(self) -> Configuration | None:
        """Another edge, or the same one started again: what it had ready is gone; what came last of that."""
        with self._changed:
            last = next(reversed(self._ready), None)
            self._ready.clear()
            self._failed.clear()
            self._publish()
            return last

    def wait_idle(self, timeout: float) -> bool:
        """Waits until nothing is asked for any more."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not (self._jobs or self._working), timeout)

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def __repr__(self) -> str:
        return f"<Warmer: {len(self._ready)} ready, {len(self._jobs)} asked for>"

    def _publish(self) -> None:
        self.warmed = Warmed(ready=frozenset(self._ready.keys() - self._failed), failed=frozenset(self._failed))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._working = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or self._jobs)
                if self._closed:
                    return
                job = self._jobs.pop(0)
                self._working = True
            # Outside of the lock: making a session takes up to seconds, and requests read and ask meanwhile.
            try:
                self._carry_out(job)
            except EdgentError as error:
                if isinstance(job, Configuration):
                    _log.info("%s cannot be readied: %s", job, error)
                    self._could_not(job, error)
            except Exception as error:  # whatever one job throws: others are still to be done
                _log.error("%s failed in the background: %s: %s", job, type(error).__name__, error)
                if isinstance(job, Configuration):
                    self.give_up(job)

    def _could_not(self, configuration: Configuration, error: EdgentError) -> None:
        # A link in trouble or an edge that is busy says nothing of the plan: who wants it again has it readied again.
        if not isinstance(error, EdgeError) or isinstance(error, BrokenError):
            self.give_up(configuration)

    def _carry_out(self, job: Configuration | Callable[[], None]) -> None:
        if not isinstance(job, Configuration):
            job()
            return
        self._make(job)
        self.readied(job)


class Sessions:
    """Readies configurations.

    Args:
        compute: makes the device's sessions.
        divisions: says which those are.
        connection: to the edge that makes the others; None: there is none.
        clock: the device's.

    Attributes:
        warmer: does it in the background.
    """

    def __init__(self, compute: Compute, divisions: Divisions, connection: Connection | None, clock: Clock) -> None:
        self._compute, self._divisions, self._connection = compute, divisions, connection
        self.warmer = Warmer(self._make, clock)
        self._make_own_once = lru_cache(_KEPT)(self._make_own)

    def make(self, configuration: Configuration) -> None:
        """Readies one on both sides, now.

        Raises:
            ModelError: no such exit or cuts.
            EdgeError, RefusedError: the edge cannot.
        """
        self._make(configuration)
        self.warmer.readied(configuration)

    def make_sure(self, configuration: Configuration) -> None:
        """Readies the device's side of one now if it is not ready, for a request that waits.

        Raises:
            ModelError: no such exit or cuts.
        """
        # The edge makes its own side when the request comes to it. Asked for it beforehand, an edge that is silent
        # would take seconds from a request that the device could have answered meanwhile.
        self._make_own_once(configuration)

    def make_alone(self, configuration: Configuration) -> None:
        """Readies the one session that a configuration of the device alone needs."""
        model = self._compute.model
        part = self._division(configuration).locals[configuration.exit]
        self._compute.engine.session(model, part.given, part.asked)

    def close(self) -> None:
        """Ends the background's work."""
        self.warmer.close()

    def __repr__(self) -> str:
        return f"<Sessions: {self.warmer!r}>"

    def _make(self, configuration: Configuration) -> None:
        self._make_own(configuration)
        connection = self._connection
        # A foreign server has no method for it, and makes its sessions when it starts.
        if connection is not None and not configuration.device_only and not connection.foreign:
            connection.prepare(self._division(configuration).segment)

    def _make_own(self, configuration: Configuration) -> None:
        self._compute.warm(self._division(configuration))

    def _division(self, configuration: Configuration) -> Division:
        return self._divisions.of(configuration, self._divisions.usual)
