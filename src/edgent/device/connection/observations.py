"""What exchanges with the edge tell, whoever made them: of the link, of the connection, and of what was late.

A request that was given up may have been late for three reasons: its bytes were slow, the way is longer than it was,
or the edge is slower. Only the first is the bandwidth's, and only what comes next can tell. So a late request is kept
until the check behind it is back, or an exchange that had the link for itself. If the way as it is known then, and the
edge as it was seen then, account for the lateness, it says nothing of the bandwidth; else that is lower than believed.
Where requests share the link, all that was sent was in their way, and counts.

Of the steps of an ascent only the last one is shown to who plans: each proves more than the one before, and whoever saw
all of them would take a link that is merely proven bit by bit for one that rises. And after something was late an empty
message that gets through is no word that the link is as quick as it was: that takes a longer one.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgent.device.connection.busy_interval import UnderWay
from edgent.device.connection.link_direction import EMPTY
from edgent.device.connection.link_follower import TELLING, LinkFollower
from edgent.device.connection.probe_account import ProbeAccount
from edgent.device.connection.upkeep import Upkeep
from edgent.units import Seconds
from edgent.wire.edge_client import TimedReply

if TYPE_CHECKING:
    from edgent.link.transfer import Transfer

_TRANSFERS = 64  # that are kept for who plans
# Seconds between two words to the account of what answers show: of a hundred answers in a second, ninety need not stop
# for it. That the link carries more is heard a tenth of a second later. That it carries less counts only once the last
# sight of more is ten seconds old (`probe_account`), and by then a check has told it.
_TOLD_EVERY = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Late:
    """A message that was given up: its bytes, and when.

    `together` are its bytes and those that had the link beside it, `alone` the seconds of its waiting in which that
    carried nothing that was answered.
    """

    size: int
    at: Seconds
    together: int
    alone: float


class Observations:
    """Takes exchanges in; holds no clock, and is used under the lock of its connection.

    Args:
        link: Is told every transfer.
        upkeep: Is told that the edge was heard, or is suspected.
        account: Of what probes send; is told what the link carries. None: one of its own.
    """

    def __init__(self, link: LinkFollower, upkeep: Upkeep, account: ProbeAccount | None = None) -> None:
        self.link, self.upkeep = link, upkeep
        self.account = ProbeAccount() if account is None else account
        self._transfers: deque[Transfer] = deque(maxlen=_TRANSFERS)
        self._step: tuple[Transfer, ...] = ()
        self._under_way: list[UnderWay] = []
        self._late: list[_Late] = []
        self._late_bytes = 0
        self._told_at = -math.inf
        self._doubted = False  # since something was late, and until something longer than empty was not

    def asked(self, size: int, at: Seconds) -> UnderWay:
        """A request is sent: until it is answered, or given up, others may share the link with it."""
        self.upkeep.began(at)
        request = UnderWay(size=size, began_at=at)
        self._under_way.append(request)
        return request

    def ended(self, request: UnderWay) -> None:
        """It was not answered."""
        self._under_way.remove(request)
        self.upkeep.ended()

    def answered(self, request: UnderWay, reply: TimedReply, at: Seconds) -> None:
        """It was answered."""
        self._under_way.remove(request)
        self.link.admitted()
        self.heard(reply, at, answered=True)

    def heard(
        self, reply: TimedReply, at: Seconds, *, look: bool = False, step: bool = False, answered: bool = False
    ) -> bool:
        """Takes an exchange in; whether its time was its own: what is left of late messages goes before the next.

        Args:
            reply: The exchange.
            at: Now.
            look: Whether it was a look: one way only, it does not spare the measuring of both.
            step: Whether it was a step of an ascent, that the next one replaces.
            answered: Whether it was a request's.
        """
        # Bytes arrive in the order of their sending, so after an answer little is left of what was late before it.
        waited_behind, self._late_bytes = self._late_bytes, 0
        if waited_behind:
            self.probed(reply)
        else:
            # What was late came before, so it is judged before this is believed, but by the way as it is seen now.
            self.link.observe_way(reply)
            # Of an empty message all is the way's, though it takes two of them before that is believed to be longer.
            self.judge_late(at, reply.queue + reply.middle, way=reply.uplink if reply.bytes_up <= EMPTY else 0.0)
            transfers = self.link.observe_bytes(reply, self._under_way)
            if step:
                self._step = transfers
            else:
                self._transfers += transfers
            self._doubted &= reply.bytes_up <= EMPTY
        telling = not look and not waited_behind and reply.uplink - self.link.round_trip >= TELLING
        heard = self.upkeep.answered if answered else self.upkeep.heard
        heard(at, telling=telling)
        if at >= self._told_at + _TOLD_EVERY:
            self.carries(at)
        return not waited_behind

    def probed(self, reply: TimedReply) -> None:
        """A probe has passed whose time tells nothing by itself: it had the link, and requests may have shared it."""
        self.link.probed(reply, self._under_way)

    def late(self, size: int, seconds: float, at: Seconds) -> None:
        """A message was given up. What was sent of it may still be under way, and slows what comes next."""
        self._late_bytes += size
        others = sum(request.size for request in self._under_way)
        others += sum(late.size for late in self._late if late.at > at - seconds)
        alone = self.link.alone_for(seconds, at)
        self._late.append(_Late(size=size, at=at, together=size + others, alone=alone))
        self.upkeep.suspected()

    def carries(self, at: Seconds, proven: float = 0.0) -> None:
        """The account is told what the link carries, as is believed or was proven just now."""
        self._told_at = at
        self.account.carries(max(self.link.carries, proven), at)

    def judge_late(self, at: Seconds, edge_seconds: float = 0.0, way: float = 0.0) -> None:
        """What came after what was late is back, or will never be: now it is known whether the link was to blame.

        Args:
            at: Now.
            edge_seconds: That the edge was just seen to take for a request, in its queue and by computing.
            way: That an empty message was just seen to take.
        """
        # Judged once: what is known then is as much as anybody will ever know of it.
        if not self._late:
            return
        late, self._late = self._late, []
        # Both are what was seen just now, so a way or an edge that is well again accounts for nothing.
        elsewhere = edge_seconds + max(0.0, way - self.link.round_trip)
        conditions = self.link.conditions(at)
        for one in late:
            # On a link that is known to be slow its bytes alone take long, and that is no news.
            usual = 0.0 if conditions is None else conditions.uplink.uplink(float(one.together))
            # Where nothing else was slow it is word of the link, even if it only says again what is believed.
            if elsewhere < TELLING or usual + elsewhere < one.alone:
                self._transfers += self.link.observe_late(one.together, one.alone, one.at)
                self._doubted = True

    def settled(self) -> None:
        """An ascent is over: its last step is shown."""
        # One that was given up has taken its place, or there was none: then nothing is shown.
        step, self._step = self._step, ()
        if not self._doubted:
            self._transfers += step

    def leftover(self, at: Seconds) -> float:
        """Seconds that what was late, or is under way, may still need on the link, before anything else arrives."""
        # By the link as it is believed, which the late message may yet prove too quick; so who waits adds some
        # patience.
        conditions = self.link.conditions(at)
        size = self._late_bytes + sum(request.size for request in self._under_way)
        return 0.0 if conditions is None else conditions.uplink.uplink(float(size))

    def measured(self, small: TimedReply, up: TimedReply, down: TimedReply, at: Seconds) -> None:
        """The link was measured from scratch."""
        self._transfers += self.link.observe_probes(small, up, down)
        self.upkeep.heard(at, telling=True)
        self.carries(at)

    def reconnected(self) -> None:
        """The connection is a new one: nothing of the old one's bytes goes before its own."""
        self._late_bytes = 0
        self.link.reconnected()

    def taken(self) -> tuple[Transfer, ...]:
        """The transfers since this was last asked."""
        # Handed over once: a chooser that learned the same transfer twice would be surer than it may be.
        transfers = tuple(self._transfers)
        self._transfers.clear()
        return transfers

    def __repr__(self) -> str:
        return f"<Observations of {self.link!r}, {len(self._late)} late>"
