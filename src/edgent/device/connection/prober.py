"""The exchanges that are made for their own sake: is the edge there, how fast is it, what does the link carry.

`Upkeep` says when, `edgent.device.connection.probing` how large, `Observations` what is learned of it. Here they are
sent. All but the last step of a measurement from scratch are cheap on any link, or are proven to be so before.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

from edgent.clock import Clock
from edgent.device.connection.link_direction import wire_bits
from edgent.device.connection.link_follower import PROBE_SIZES, PROBE_TIME, TELLING
from edgent.device.connection.observations import Observations
from edgent.device.connection.probe_account import LOOK_SHARE, OWN_SHARE
from edgent.device.connection.probing import Ascent, probe_link
from edgent.device.connection.sight import Trial
from edgent.device.connection.upkeep import SEARCH
from edgent.link.probing import SHARE
from edgent.link.slow_start import INITIAL_WINDOW
from edgent.link.transfer import CALL_BYTES
from edgent.units import BitsPerSecond, Seconds
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.errors import LateError

# Of two seconds, within which an edge that has come back is to be used: a check that a dead connection swallowed is
# given up early enough for a new one. `_TIMEOUT` is for what has bytes to carry.
_CHECK_TIMEOUT, _TIMEOUT = 1.0, 10.0
_PATIENCE = 0.06  # seconds beyond the round trip for a look: the link is then far slower than what decides
_SLOWER = 4.0  # times its profile, for which an edge that is tried is waited for
_AROUND = CALL_BYTES + 20  # bytes of a probe beside its load: the call's, and those of its message
_ABOUT = 0.8  # of the share, which a look takes at the most
_ENOUGH = 1 / 4  # of what is believed: proving that, a measurement finds the link about as it was


class Prober:
    """Sends probes, and has what they tell taken in.

    Args:
        remote: The edge's methods.
        observations: Take in what they tell.
        lock: The connection's.
        clock: The connection's.
        version: Of the model.
        follows: Its name, where it is followed from version to version; else empty.
    """

    def __init__(
        self,
        remote: EdgeClient,
        observations: Observations,
        lock: threading.Condition,
        clock: Clock,
        *,
        version: str,
        follows: str = "",
    ) -> None:
        self._remote, self._seen, self._lock, self._clock = remote, observations, lock, clock
        self._version, self._follows = version, follows

    def check(self, trial: Trial | None = None) -> tuple[TimedReply, Ascent]:
        """An empty exchange, from which longer ones may be begun; `climb` or `settle` ends it.

        Args:
            trial: What the edge is to run meanwhile, for its speed's sake; None: nothing.

        Raises:
            EdgeError: the edge is lost.
        """
        with self._lock:
            # A check behind bytes of late requests waits for them: it is given that long, or a slow link would be taken
            # for a lost edge.
            within = _CHECK_TIMEOUT + self._seen.leftover(self._clock.now())
        # A trial on a slow edge is waited for, as far as that tells how slow; beyond it the edge is lost to requests
        # anyway.
        within = min(within + (_SLOWER * trial.seconds if trial else 0.0), _TIMEOUT)
        reply = self._empty(within, trial)
        if not self._heard(reply, step=True) and self._seen.link.beyond(reply) >= TELLING:
            # It was late behind what was late: only the next one tells whether the way is long, or the link slow.
            reply = self._empty(within, trial)
            self._heard(reply, step=True)
        ascent = Ascent(allowance=SEARCH, believed=self._seen.link.measured)
        with self._lock:
            now = self._clock.now()
            # As far as the way is known to be shorter, the rest is held against the link: the next step is the smaller
            # for it.
            ascent.began(took=reply.on_link, beyond=self._seen.link.beyond(reply))
            self._seen.judge_late(now, reply.queue + reply.middle)
            self._seen.upkeep.checked(now, ascent.occupied)
        return reply, ascent

    def check_foreign(self) -> None:
        """The same towards a server without our extension: whether it is there.

        Raises:
            EdgeError: it is lost.
        """
        with self._lock:
            within = _CHECK_TIMEOUT + self._seen.leftover(self._clock.now())
        self._remote.extensions(min(within, _TIMEOUT))
        with self._lock:
            now = self._clock.now()
            self._seen.judge_late(now)
            self._seen.upkeep.checked(now, 0.0)

    def climb(self, ascent: Ascent, enough: float, may_go_on: Callable[[], bool], share: float = SHARE) -> None:
        """Longer and longer probes, while they are cheap and there is room for them, until so much is proven."""
        # Room is asked for anew with each step: the step before has proven more, and used some.
        while may_go_on() and (size := ascent.next(enough, self._room(share, ascent.proven))) is not None:
            reply = self._in_time(size, step=True)
            if reply is None:
                break
            ascent.passed(size, took=reply.on_link)
        self.settle()

    def settle(self) -> None:
        """Nothing longer follows a check."""
        with self._lock:
            self._seen.settled()

    def look(self, decisive: BitsPerSecond) -> None:
        """A request is expected: one message up that ends well before it, or is given up."""
        # Whoever goes by the last transfer has a look with no plan in question, so it may take less of the link.
        share = OWN_SHARE if math.isinf(decisive) else LOOK_SHARE
        room = self._room(share)
        with self._lock:
            # Checks between looks send a little too, so one that took all would never find room again.
            most = _ABOUT * self._seen.account.most(share)
            size = min(self._seen.link.look_size(decisive), _bytes(most))
        # A smaller one would tell nothing: it waits until there is room for it.
        if size <= room:
            self._in_time(size)
        with self._lock:
            self._seen.upkeep.looked(self._clock.now(), wire_bits(size + _AROUND))

    def refresh(self) -> None:
        """The estimate is old: one message each way; where it is long, another one before it widens TCP's windows."""
        began_at = self._clock.now()
        # As old as the estimate is, it may be wrong by any factor, and so would be the size that is made of it.
        _, ascent = self.check()
        self.climb(ascent, _ENOUGH * (self._seen.link.measured or math.inf), lambda: True, OWN_SHARE)
        # What is believed may be far too much, and what was proven just now never is.
        size = min(self._seen.link.probe_size(), max(ascent.proven_bytes(PROBE_TIME), PROBE_SIZES[0]))
        # Twice, for a long one is sent before it: so each has half of what is left.
        size = min(size, int(self._room(OWN_SHARE, ascent.proven) / 2))
        if size > INITIAL_WINDOW:
            reply = self._there_and_back(size)
            with self._lock:
                self._seen.probed(reply)
        if not self._heard(self._there_and_back(size)):
            return  # and measure again at once
        with self._lock:
            self._seen.upkeep.measured(self._clock.now(), self._seen.account.spent(began_at))

    def measure(self) -> None:
        """Nothing is known of the link: empty probes for the round trip, then each direction by itself."""
        # Even a stated link is measured once: its round trip and the call time are not stated with a bandwidth.
        probes = probe_link(self._first, () if self._seen.link.stated else PROBE_SIZES)
        with self._lock:
            self._seen.measured(probes.small, probes.up, probes.down, self._clock.now())

    def _empty(self, within: float, trial: Trial | None) -> TimedReply:
        self._book(0)
        segment = "" if trial is None else trial.segment
        return self._remote.probe(0, 0, within, name=self._follows, version=self._version, segment=segment)

    def _in_time(self, size: int, *, step: bool = False) -> TimedReply | None:
        """A message up; None where it does not come back in time: below what decides, however far."""
        began_at = self._book(size)
        try:
            reply = self._remote.probe(size, 0, self._seen.link.round_trip + _PATIENCE)
        except LateError:
            with self._lock:
                self._seen.late(size, (now := self._clock.now()) - began_at, now)
            return None
        self._heard(reply, look=True, step=step)
        return reply

    def _heard(self, reply: TimedReply, *, look: bool = False, step: bool = False) -> bool:
        with self._lock:
            return self._seen.heard(reply, self._clock.now(), look=look, step=step)

    def _there_and_back(self, size: int) -> TimedReply:
        self._book(size)
        return self._remote.probe(size, size, _TIMEOUT)

    def _first(self, bytes_up: int, bytes_down: int) -> TimedReply:
        """One of a link that nothing is known of: no share of it can be told yet."""
        reply = self._remote.probe(bytes_up, bytes_down, _TIMEOUT)
        with self._lock:
            self._seen.probed(reply)
        return reply

    def _room(self, share: float, proven: float = 0.0) -> int:
        """Bytes that a message may have now, if the link carries what is believed, or at least what was proven."""
        with self._lock:
            now = self._clock.now()
            self._seen.carries(now, proven)
            return _bytes(self._seen.account.room(now, share))

    def _book(self, size: int) -> Seconds:
        """A message of so many bytes is sent now."""
        with self._lock:
            # Before it is sent: whether it arrives or not, its bytes are on the link.
            self._seen.account.sent(wire_bits(size + _AROUND), now := self._clock.now())
        return now

    def __repr__(self) -> str:
        return f"<Prober over {self._remote!r}>"


def _bytes(bits: float) -> int:
    """A probe's load that has so many bits on the wire."""
    return max(0, int(bits / wire_bits(1)) - _AROUND)
