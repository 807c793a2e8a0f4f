"""What a probe of the link must be to tell what matters, and when the next one is affordable.

A plan that crosses needs some bandwidth to be in time. Whether the link has it is all that the next request must know,
so a probe is sized for the *cheapest* plan that would help: at just that plan's need it takes a few errors of a clock.
On a quicker link it takes less; on a slower one it is given up after little more, for slower than that is of no use.

Probes take at most a fiftieth of the link's time, over any ten seconds. So the more often requests come, the shorter a
probe may be, if each is to have one; and where even the shortest would be too much, some go without.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from edgent.units import Seconds

SHARE = 0.02
"""Of the link's time that probes may take."""
WINDOW = Seconds(10.0)
"""Over which they may."""

# Five timing errors of a busy device tell a bandwidth within a quarter; one is the least that tells it from none.
_LONGEST, _SHORTEST = 0.040, 0.008  # seconds, at just the bandwidth that matters
_ROOM = 0.8  # of a request's share, so that a rhythm that wavers finds its next probe affordable
_GIVEN_UP = 1.2  # times as long as at that bandwidth: slower by a sixth is slower for certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A message that tells whether the link has some bandwidth.

    Attributes:
        bits: On the wire, headers included.
        patience: Seconds after which it is given up.
    """

    bits: float
    patience: Seconds


def probe_for(useful: float, *, period: float = math.inf, least: float = 0.0) -> Probe | None:
    """The probe that tells whether the link has the bandwidth from which on it is of use; None: there is none.

    Args:
        useful: Bits per second; infinite: it never is.
        period: Seconds between requests; infinite where they do not come regularly.
        least: Bits on the wire that a message has at the least.
    """
    if not 0 < useful < math.inf:
        return None
    seconds = min(max(_ROOM * SHARE * period / _GIVEN_UP, _SHORTEST), _LONGEST)
    bits = max(useful * seconds, least)
    patience = min(_GIVEN_UP * bits / useful, SHARE * WINDOW)
    return Probe(bits=bits, patience=Seconds(patience))


class ProbeBudget:
    """Keeps account of the link's time that probes have taken; holds no clock.

    >>> budget = ProbeBudget()
    >>> for k in range(2):
    ...     budget.spent(Seconds(1.0 + k), 0.1)
    >>> budget.affordable(0.05)
    11.0
    """

    def __init__(self) -> None:
        self._spent: deque[tuple[float, float]] = deque()

    def spent(self, at: Seconds, seconds: float) -> None:
        """A probe was begun then, and took so long until it had arrived or was given up."""
        while self._spent and self._spent[0][0] <= at - WINDOW:
            self._spent.popleft()
        self._spent.append((at, seconds))

    def affordable(self, seconds: float) -> Seconds:
        """When at the earliest a probe of so many seconds may begin; in the past where it may at once."""
        # Begun a window after an earlier one, it is never in one window with the whole of that.
        left = SHARE * WINDOW - seconds
        for at, took in reversed(self._spent):
            left -= took
            if left < -1e-9:
                return Seconds(at + WINDOW)
        return Seconds(-math.inf)

    def __repr__(self) -> str:
        return f"<ProbeBudget {sum(took for _, took in self._spent):.3g} s spent>"
