"""When to look after the connection to the edge: a pure state machine.

::

            connected                          lost, or a check failed
    down ---------------> up ------------------------------------------> down
     |  ^                  |
     |  | failed           |-- something was late ----------------> Check now
     |  |                  |-- requests go without the edge ------> Seek
     `--+ Connect          |-- idle and nothing heard ------------> Check
       (again after RETRY) |-- a request is expected -------------> Look    | if somebody would plan by it;
                           `-- idle and the estimate is old ------> Measure | else asked again after ASK

Requests themselves notice a dead edge soonest; this is for the time between them. A check costs some hundred bytes,
which on a slow link are worth waiting for: the time between checks grows with what the last one took.

A request that has much time would notice it last: it may wait for a minute, and fifty others with it, whose own answers
lie ready meanwhile. So where nothing is heard for long, the edge is checked once for all of them; if it is gone, none
of them waits any longer.

A measurement occupies the link for a tenth of a second, and a request that comes meanwhile waits behind it. While
requests are answered their own times tell whether the plan holds, so then the link is measured rarely. Where requests
come regularly that is known beforehand: a look, one message up, is over just before the next one.

Searches, looks and measurements share one account of a fiftieth of what the link carries over any ten seconds
(`edgent.device.connection.probe_account`). Looks and measurements wait until they fit into a part of it.

Requests that go without the edge tell nothing of it, whatever their rhythm: somebody else must notice that trouble is
over. So while the last request was not answered by the edge it is sought again and again, by a check that grows into a
look as far as the link proves able (`edgent.device.connection.probing`). How often is a matter of what a search
occupies the link for, and never of how long an answer was under way: a delay costs the link nothing, and who waits
longer for being delayed comes back late.
"""

from __future__ import annotations

import enum
import math

from edgent.device.connection.probe_account import LOOK_SHARE, OWN_SHARE, ProbeAccount
from edgent.link.probing import SHARE
from edgent.units import Seconds

RETRY = 0.4  # the edge is to be found within 2 s of its return, which includes making sessions
IDLE = 2.0
STALE = 2.5
RARELY = 30.0
ASK = 1.0
BUSY = 0.1
LEAD = 0.1  # seconds before a request at which a look begins
SEARCH_LEAD = 0.25  # the same for a search, which may try an edge several times before it looks at the link
# The edge is to be used again within two seconds of the link's being well: what a search under way may still take, the
# time until the next one, and what that takes, must fit in. While requests come a search is soon too old for the next
# one to rely on.
AGAIN, SELDOM = 0.25, 1.6  # seconds between two searches: at least, and at most, whatever they cost
CALM = 1.0  # seconds between them where requests are rare
_RARE = 5.0  # seconds without one
_ON_ITS_WAY = 0.1  # seconds for which a request may still be about to ask the edge
_PUT_OFF = 1.0  # seconds for which a search may wait, to be just before a request
# On a slow link a check takes long, so checks become rare there by themselves.
_SHARE = 0.05  # of the time may go into checks
# Of what a measurement sent: the next one fits itself into what is left, and checks between them send a little too.
_ABOUT = 0.75
SEARCH = SELDOM * SHARE
"""Seconds for which a search may occupy the link."""

# A camera's clock is far more regular than this; a person who presses a button is not.
_ALIKE = 0.1  # share by which a gap between requests may differ from the ones before
_REGULAR = 3  # gaps alike, so that it is no chance
_SILENT = 3  # periods after which they seem to have ended
_GAIN = 0.2


class Task(enum.Enum):
    """What to do next."""

    CONNECT = "connect"
    CHECK = "check"
    LOOK = "look"
    SEEK = "seek"
    MEASURE = "measure"


class Arrivals:
    """When the next request will come, of requests that come regularly: a camera's, a conveyor belt's. Holds no clock.

    >>> arrivals = Arrivals()
    >>> for k in range(5):
    ...     arrivals.came(Seconds(2.0 * k))
    >>> arrivals.next(Seconds(8.5))
    10.0
    """

    def __init__(self) -> None:
        self._last = -math.inf
        self._period, self._alike = math.inf, 0

    def came(self, at: Seconds) -> None:
        """A request has come."""
        gap, self._last = at - self._last, at
        # The gap is compared with a running mean, which follows a clock that drifts; one gap that is off begins anew.
        if self._period < math.inf and abs(gap - self._period) <= _ALIKE * self._period:
            self._alike += 1
            self._period += _GAIN * (gap - self._period)
        else:
            self._period, self._alike = gap, 1

    @property
    def period(self) -> float:
        """Seconds between requests; infinite where they do not come regularly."""
        return self._period if self._alike >= _REGULAR else math.inf

    def next(self, after: Seconds) -> float:
        """When the first one later than this is expected; infinite where none is."""
        since = after - self._last
        # The chained comparison also refuses an infinite period, and requests that have ended.
        if not since <= _SILENT * self.period < math.inf:
            return math.inf
        # At least one period on: the last request itself is no future one.
        return self._last + self.period * max(1, math.floor(since / self.period) + 1)

    def __repr__(self) -> str:
        return f"<Arrivals of {self.period:.3g} s>"


class Upkeep:
    """Keeps track of one connection.

    Args:
        measures: whether the bandwidth is to be kept fresh.
        account: of what probes send; None: one of its own.
    """

    def __init__(self, *, measures: bool, account: ProbeAccount | None = None) -> None:
        self.measures = measures
        self._account = ProbeAccount() if account is None else account
        self.up = False
        self._busy, self._asked_from = 0, -math.inf  # requests under way, and since when there are any
        self._suspected = False
        self._heard_at = self._measured_at = self._answered_at = self._requested_at = -math.inf
        self._retry_at = self._ask_at = self._look_from = self._seek_from = -math.inf
        self._check_after = IDLE
        # What the last ones sent, which the next ones will send as well. A search may always begin, or it would come
        # too late; but looks and measurements are of use only now and then, and wait until there is room for them.
        self._look_bits = self._measure_bits = 0.0
        self._without_at = math.inf  # of the first request since the last one that the edge answered
        self._arrivals = Arrivals()

    def next(self, at: Seconds) -> Task | Seconds:
        """What to do now, or until when there is nothing to do unless something happens."""
        if not self.up:
            return Task.CONNECT if at >= self._retry_at else Seconds(self._retry_at)
        # Before anything else: while something is late, every measurement would measure what delays it.
        if self._suspected:
            return Task.CHECK
        # A request under way will tell soon whether the edge is there, and a look would only slow it down. But one that
        # nobody may overtake would wait for a dead edge until its patience ends, so a long silence is looked after.
        if self._busy:
            silent_at = max(self._heard_at, self._asked_from) + self._check_after
            return Task.CHECK if at >= silent_at else Seconds(min(at + BUSY, silent_at))
        if math.isfinite(self._without_at):
            seek_at = max(self._seek_at(at), self._without_at + _ON_ITS_WAY)
            return Task.SEEK if at >= seek_at else Seconds(seek_at)
        check_at = self._heard_at + self._check_after
        look_at, measure_at = (self._look_at(at), self._measure_at(at)) if self.measures else (math.inf, math.inf)
        if at >= look_at:
            return Task.LOOK
        if at >= measure_at:
            return Task.MEASURE
        return Task.CHECK if at >= check_at else Seconds(min(check_at, look_at, measure_at))

    @property
    def is_suspected(self) -> bool:
        """Whether an answer was late, and nothing has been heard since."""
        return self._suspected

    @property
    def busy(self) -> bool:
        """Whether the edge is being asked."""
        return self._busy > 0

    def connected(self, at: Seconds) -> None:
        """The edge is there, and the right one."""
        self.up = True
        self._suspected = False
        self._heard_at = self._measured_at = at
        # What the link can carry is no longer known, and the first request is to find it known.
        self._seek_from = -math.inf

    def lost(self, at: Seconds) -> None:
        """The connection broke: try at once whether it comes back."""
        if self.up:
            self.up = False
            self._retry_at = at

    def connect_failed(self, at: Seconds) -> None:
        """Nobody there, or not the right one."""
        self.up = False
        self._retry_at = at + RETRY

    def requested(self, at: Seconds) -> None:
        """A request has come, whoever will answer it."""
        self._requested_at, self._without_at = at, min(at, self._without_at)
        self._arrivals.came(at)

    def began(self, at: Seconds) -> None:
        """The edge is asked."""
        if not self._busy:
            self._asked_from = at
        self._busy += 1

    def ended(self) -> None:
        """The edge is no longer asked, and has given no answer."""
        self._busy -= 1

    def heard(self, at: Seconds, *, telling: bool = False) -> None:
        """The edge has answered something; `telling` if its size told the bandwidth."""
        self._heard_at = at
        self._suspected = False
        if telling:
            self._measured_at = at

    def answered(self, at: Seconds, *, telling: bool = False) -> None:
        """The edge has answered a request, and is no longer asked; see `heard`."""
        self._busy -= 1
        self._answered_at, self._without_at = at, math.inf
        self.heard(at, telling=telling)

    def checked(self, at: Seconds, took: float) -> None:
        """A check was answered."""
        self.heard(at)
        # From the last check and not from a mean: one slow check must be enough to spare a link that has become slow.
        self._check_after = max(IDLE, took / _SHARE)

    def measured(self, at: Seconds, bits: float) -> None:
        """The link was measured, for its own sake, by so many bits."""
        self.heard(at, telling=True)
        self._measure_bits = _ABOUT * bits

    def looked(self, at: Seconds, bits: float) -> None:
        """The link was looked at by so many bits, or that was given up."""
        self._look_bits = bits
        self._look_from = at + LEAD  # the request that it was for has one now, however little that took

    def sought(self, began_at: Seconds, occupied: float) -> None:
        """The edge was sought, which has occupied the link for so long."""
        # From its beginning on: what it took beyond that was waiting, and has cost the link nothing.
        least = AGAIN if began_at - self._requested_at < _RARE else CALM
        self._seek_from = began_at + min(max(least, occupied / SHARE), SELDOM)

    def declined(self, at: Seconds) -> None:
        """Nobody would plan otherwise for a measurement now."""
        self._ask_at = at + ASK

    def suspected(self) -> None:
        """An answer was late."""
        self._suspected = True

    def _look_at(self, at: Seconds) -> float:
        """Before the next request that still leaves the time for it."""
        # Requests that come so fast leave no gap for a look, and tell of the link themselves.
        # And a measurement that is due would never be affordable if looks took all of the budget.
        if self._arrivals.period < 2 * LEAD or at >= self._measure_due:
            return math.inf
        # Half the lead of grace: a thread that woke a little late still looks before this request, not before the next.
        affordable = self._account.affordable(self._look_bits, at, LOOK_SHARE)
        begin = max(affordable, self._look_from, self._ask_at, at - LEAD / 2)
        return self._arrivals.next(Seconds(begin + LEAD)) - LEAD

    def _seek_at(self, at: Seconds) -> float:
        """As soon as it may be, or a little later where that is just before a request."""
        begin = max(self._seek_from, at - LEAD / 2)
        expected = self._arrivals.next(Seconds(begin + SEARCH_LEAD)) - SEARCH_LEAD
        # What is seen just before a request is what the request will find; but a search must not be put off for long,
        # or an edge that is lost would stay so until then.
        return expected if expected <= self._seek_from + _PUT_OFF + SEARCH_LEAD else self._seek_from

    @property
    def _measure_due(self) -> float:
        # Where requests come regularly, a look before each does better than a measurement that one of them might meet.
        rarely, idle = self._measured_at + RARELY, self._answered_at + STALE
        spared = rarely if self._arrivals.period < math.inf else min(idle, rarely)
        return max(self._measured_at + STALE, spared, self._ask_at)

    def _measure_at(self, at: Seconds) -> float:
        return max(self._measure_due, self._account.affordable(self._measure_bits, at, OWN_SHARE))

    def __repr__(self) -> str:
        return f"<Upkeep {'up' if self.up else 'down'}, {self._busy} under way>"
