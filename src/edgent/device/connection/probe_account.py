"""What probes may send: a fiftieth of what the link carries, over any ten seconds.

Each message that is sent for the link's own sake is booked before it is sent, with its headers. It may be sent if none
of the ten seconds that begin with a probe, or now, then holds more than its share of what the link carries in it: so
far as it was believed to carry, and from now on as it is believed to carry now. So the bound holds by construction;
what breaks it is a link that becomes slower than believed afterwards, which nobody knows beforehand.

What it is believed to carry is the most that it was seen to within ten seconds. Loss and delay make a link seem slow
that carries as much as before; and were the account to follow that at once, what was sent before would leave no room
for the probes that find out. A link that really is slow is spared by the size of probes, which are cheap by their time.

An empty message is booked like any other and never refused: by what else would anybody learn that a link that carried
next to nothing is well again?
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

from edgent.link.probing import SHARE, WINDOW
from edgent.units import Seconds

LOOK_SHARE = 0.7 * SHARE
"""Of looks that a plan depends on: the rest is kept for searches, or trouble's end would find the account empty."""
OWN_SHARE = SHARE / 5
"""Of what is sent for the link's sake alone, with no plan in question.

So little that a link that is well for four of ten seconds carries fifty times what this and a search sent in them.
"""
_MOST = 1e12  # bits per second: beyond any link, and finite


class ProbeAccount:
    """Holds no clock, and takes times in rising order.

    >>> account = ProbeAccount()
    >>> account.carries(1e6, Seconds(0.0))
    >>> account.room(Seconds(5.0))
    200000.0
    >>> account.sent(150_000, Seconds(5.0))
    >>> account.room(Seconds(6.0)), account.affordable(60_000, Seconds(6.0))
    (50000.0, 15.0)
    """

    def __init__(self) -> None:
        self._sent: deque[tuple[float, float, float]] = deque()  # when, bits, and what the link had carried until then
        # When what was seen that nothing later exceeds: the first one is the most within a window, and so in force.
        self._seen: deque[tuple[float, float]] = deque([(0.0, 0.0)])
        self._carried, self._at = 0.0, 0.0

    def carries(self, bandwidth: float, at: Seconds) -> None:
        """The link is seen to carry so many bits per second."""
        self._go_on(at)
        bandwidth = min(bandwidth, _MOST)
        # What was seen before and is no more than this can never be the most of a window again.
        while self._seen and self._seen[-1][1] <= bandwidth:
            self._seen.pop()
        self._seen.append((at, bandwidth))

    def sent(self, bits: float, at: Seconds) -> None:
        """A message of so many bits on the wire is sent."""
        self._go_on(at)
        # No window that is still open begins with them.
        while self._sent and self._sent[0][0] <= at - WINDOW:
            self._sent.popleft()
        self._sent.append((at, bits, self._carried))

    def spent(self, since: Seconds) -> float:
        """Bits that were sent from then on."""
        return sum(bits for at, bits, _ in self._sent if at >= since)

    def most(self, share: float = SHARE) -> float:
        """Bits that ten seconds hold which begin now."""
        return share * WINDOW * self._bandwidth

    def room(self, at: Seconds, share: float = SHARE) -> float:
        """Bits that may be sent now, of a share of what the link carries."""
        self._go_on(at)
        return max(0.0, min(left for _, left in self._windows(at, share)))

    def affordable(self, bits: float, at: Seconds, share: float = SHARE) -> Seconds:
        """When at the earliest so many bits may be sent if the link stays as it is; in the past where they may now.

        What is more than ten seconds allow is affordable when nothing was sent in ten seconds: its sender makes it fit.
        """
        self._go_on(at)
        bits = min(bits, self.most(share))
        # A window that leaves too little does so until the probe that it begins with is ten seconds old.
        full = (began_at for began_at, left in self._windows(at, share) if left < bits * (1 - 1e-9))
        return Seconds(next(full, -math.inf) + WINDOW)

    def _windows(self, at: float, share: float) -> Iterator[tuple[float, float]]:
        """Of the ten seconds that begin now, and with each probe, the latest first: their beginning, and bits left."""
        # Backwards, so that each window holds the probes passed so far, and one pass serves them all.
        sent = 0.0
        yield at, self.most(share)
        for began_at, bits, before in reversed(self._sent):
            if began_at <= at - WINDOW:
                return
            sent += bits
            yield began_at, share * (self._carried - before + (began_at + WINDOW - at) * self._bandwidth) - sent

    @property
    def _bandwidth(self) -> float:
        return self._seen[0][1]

    def _go_on(self, at: float) -> None:
        """Time has passed: the link has carried on, and what was seen longer ago than a window is in force no more."""
        while len(self._seen) > 1 and self._seen[0][0] + WINDOW <= at:
            # What it carried until then it carried at the old rate, though nobody asked in between.
            until = max(self._at, self._seen[0][0] + WINDOW)
            self._carried, self._at = self._carried + self._bandwidth * (until - self._at), until
            self._seen.popleft()
        self._carried, self._at = self._carried + self._bandwidth * (at - self._at), at

    def __repr__(self) -> str:
        return f"<ProbeAccount: {len(self._sent)} sent, over {self._bandwidth:.3g} bit/s>"
