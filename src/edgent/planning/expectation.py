"""How each candidate is likely to fare when the bandwidth is not known but distributed.

With fixed parts f, bits up u and bits down v, and the bandwidths of both directions given by k weighted quantiles,
candidate i takes

    T_i = f_i + u_i / B_up + v_i / B_down           one value for each quantile, shape (m, k), falling along it

and is in time with the weight of the quantiles at which T_i <= deadline: its *chance* c_i. Between the last quantile
that is too slow and the first that is not, the chance is interpolated. What the candidate is expected to give is

    accuracy_i * c_i + accuracy of its local branch * (1 - c_i)                     (accuracy in time)

where the local branch is the most accurate one that the device can still finish when it starts as soon as it has
encoded what goes up: the race of `edgent.device.request`. It counts for no more than the candidate itself: a candidate
that is less accurate than its own local branch gains nothing by using the edge. In the local branch's place a policy
has its first answers, and its chance is that of a picture that is deferred (`edgent.planning.policy`).

Where the machines' times stray, f_i has a deviation s_i, and c_i is multiplied by the chance that they are in time on
the quickest link (`chance_in_time`). That is right where nothing crosses, or the link is certain, and nearly so where
one of the two strays far less than the other. A local branch, too, counts as often as it is in time.

Among candidates that are expected to give the same, the mean latency decides. It counts an outage as a deadline's wait
and not as the time that the bytes would take, or the fewest bytes would always be the fastest.

Both directions share the air, so their bandwidths are taken to move together: the lowest tenth of one goes with the
lowest tenth of the other. That gives the sum of both times its widest spread, and so the most cautious chance.

Chance and expectation rise as any demand falls. So the frontier, with what the device does before the upload as one
more component, is all that has to be looked at; and while deadline and factors stay as they are, device and edge
seconds are one sum and the local branch is a number, and of that frontier a few dozen candidates remain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link import Bandwidths
from edgent.link.predictive import chances_above
from edgent.link.transfer import WIRE
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions, chance_in_time
from edgent.planning.frontier import frontier
from edgent.planning.planner import TOLERANCE
from edgent.units import BitsPerSecond, Seconds

Floats = NDArray[np.float64]

_AT_ONCE = Seconds(0.0)
# A candidate with no time left for the link needs more bandwidth than any link has. This in place of 0 gives such a
# number, without a division by 0.
_INSTANT = 1e-12  # seconds
_NO_WORK = np.zeros(1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expectation:
    """How some candidates fare, one number for each; the others cannot be the best.

    Attributes:
        rows: Their positions in the table.
        chance: Probability of being in time.
        expected: Expected accuracy in time.
        latency: Mean, seconds, an outage counting as a deadline; infinite where the link carries nothing.
        hopeful: Tells whether each would be in time on a link quicker than expected; never where that is certain. Asked
            only where nothing is likely to be in time.
        rescue: What the answer at hand counts when the edge is late, a local branch's or that which a policy began
            with; 0 where there is none.
        occupancy: Seconds that each is expected to keep edge and link from other devices; None where no candidate looks
            at the picture, or the link carries nothing.
    """

    rows: NDArray[np.intp]
    chance: Floats
    expected: Floats
    latency: Floats
    hopeful: Callable[[], NDArray[np.bool_]]
    rescue: Floats
    occupancy: Floats | None = None


class Expectations:
    """Candidates, and how they are likely to fare.

    Args:
        candidates: What may be run; only their frontier is looked at.
        race: Whether the device starts a local branch when the edge may come too late.

    Raises:
        InputError: no candidate stays on the device.
    """

    def __init__(self, candidates: Candidates, *, race: bool = True) -> None:
        if not np.equal(candidates.messages, 0).any():
            raise InputError("expected a candidate that stays on the device")
        # With a race one thing more may make a candidate the best: that its local branch can start earlier. Left out of
        # the frontier, a candidate with a long head could push out one whose local branch would still be in time.
        ahead = candidates.head + candidates.encode
        demand = [*candidates.demand, *([ahead] if race else []), *candidates.tells_apart]
        self.candidates = table = candidates.keep(frontier(candidates.merit, np.stack(demand))).in_order_of_ties()
        self._race = race
        self._worth = table.merit
        self._device, self._edge, up, down, messages = table.demand
        self._remote = messages > 0
        # Headers and the bytes of a message do not depend on the bandwidth, so bits are counted once.
        bits_up = np.where(self._remote, WIRE.uplink(up), 0.0)
        bits_down = np.where(self._remote, WIRE.downlink(down), 0.0)
        # All that no factor changes is put together once: a device's factors are others in each decision.
        self._bits, self._rows = bits_up + bits_down, np.arange(len(table))
        self._parts = np.stack([np.zeros(len(table)), self._remote, bits_up, bits_down], axis=1)
        self._ahead = table.head + table.encode
        self._deferred = None if table.gates is None else table.deferred[:, None]
        self._spans = table.spans
        # A first answer is there before anything is sent.
        self._standing, self._first = table.standing, table.prepare + table.head
        # Local branches, shape (a, 1): what the device can do alone.
        self._takes, self._local = (column[~self._remote, None] for column in (self._device, self._worth))
        self._situation: tuple[object, ...] | None = None
        self._field: _Field | None = None

    def expect(self, conditions: Conditions | None, deadline: Seconds, margin: Seconds = _AT_ONCE) -> Expectation:
        """How each candidate is likely to fare.

        Args:
            conditions: What is believed of link, queue and machines; None: the link carries nothing.
            deadline: From the input handed over to the answer.
            margin: Seconds before it at which a local branch must be done.
        """
        # Without a link all is certain: a candidate that sends anything is never in time. All rows are returned, for
        # the narrowing below needs factors of the machines; times are those of the profiles then.
        if conditions is None:
            own = np.where(self._remote, math.inf, self._device)
            chance = (own <= deadline).astype(np.float64)
            expected, rescue = chance * self._worth, np.zeros(own.size)
            return Expectation(
                rows=np.arange(own.size),
                chance=chance,
                expected=expected,
                latency=own,
                hopeful=lambda: np.zeros(own.size, dtype=np.bool_),
                rescue=rescue,
            )
        # accuracy c + rescue (1 - c) is written as rescue + c (accuracy - rescue), a line in c: one product less for
        # each candidate. Once the rescue is capped at the candidate's worth, the line rises with the chance.
        field = self._looked_at(conditions, deadline, margin)
        both = conditions.bandwidths
        chance = _chances(field, both, conditions.once, deadline)
        return Expectation(
            rows=field.rows,
            chance=chance,
            expected=field.in_play(conditions.share) * (field.rescue + chance * (field.worth - field.rescue)),
            latency=_mean_latency(field, both, conditions.once, deadline),
            # There is hope where the deadline leaves any time for the link: some bandwidth would then do. A bandwidth
            # that is certain will not become another one.
            hopeful=lambda: field.remote & (_left(field, conditions.once, deadline) > 0) & (both.weights.size > 1),
            rescue=field.rescue,
            occupancy=_occupancy(field, both),
        )

    def informed(self, conditions: Conditions, deadline: Seconds, margin: Seconds = _AT_ONCE) -> float:
        """Expected accuracy in time of a device that looks at the link first, and then takes the best candidate."""
        field = self._looked_at(conditions, deadline, margin)
        # For each bandwidth the best of all, and then the mean: `expect` takes a mean for each candidate, of which the
        # controller takes the highest; here the highest comes first and the mean after it, so this is never less.
        both = conditions.bandwidths
        if both.alike:
            in_time = _need(field, conditions.once, deadline, both.ahead)[:, None] <= both.up
        else:
            in_time = _latencies(field, both, conditions.once) <= deadline
        worth = np.where(in_time, field.worth[:, None], field.rescue[:, None])
        if field.strays is not None:
            worth = np.where(field.remote[:, None], worth, (field.worth * field.alone(deadline))[:, None])
        # What may not be chosen whatever the link is no reason to look at it.
        in_play = field.in_play(conditions.share)
        chosen = worth if in_play is True else worth[in_play]
        return float(chosen.max(axis=0, initial=0.0) @ both.weights)

    def decisive(
        self, conditions: Conditions, deadline: Seconds, margin: Seconds = _AT_ONCE, *, more_than: float = 0.0
    ) -> BitsPerSecond:
        """The least bandwidth at which some candidate over the link is in time and clearly better; infinite: none.

        Args:
            conditions: What is believed of link, queue and machines.
            deadline: From the input handed over to the answer.
            margin: Seconds before it at which a local branch must be done.
            more_than: The accuracy in time that is expected without such a candidate.
        """
        # Better by more than the tolerance, or a probe would be sent for a gain that the planner takes for none.
        field = self._looked_at(conditions, deadline, margin)
        better = field.remote & field.in_play(conditions.share) & (field.worth > more_than + TOLERANCE)
        return BitsPerSecond(_need(field, conditions.once, deadline)[better].min(initial=math.inf))

    def _looked_at(self, conditions: Conditions, deadline: Seconds, margin: Seconds) -> _Field:
        """The candidates that can be best with these factors: all at first, a few dozen once the factors stay."""
        # Narrowing costs more than it saves in one decision, so a situation must come twice to be worth it: the factors
        # of a replay stay as they are, those of a device drift from request to request. Nor can a sum of seconds tell
        # how far it strays: then all are looked at.
        spreads = (conditions.device_spread, conditions.edge_spread)
        factors = (conditions.device_factor, conditions.edge_factor, *spreads, conditions.backlog, conditions.handling)
        situation = (deadline, margin, *factors)
        if self._field is None or situation != self._situation:
            self._field = self._all(conditions, deadline, margin)
        elif not (self._field.narrow or any(spreads)):
            self._field = self._field.narrowed()
        self._situation = situation
        return self._field

    def _all(self, conditions: Conditions, deadline: Seconds, margin: Seconds) -> _Field:
        # With the factors fixed, device and edge seconds are one number. What is left are the four columns that the
        # link prices: 1, messages, bits up and bits down against 1, once, 1 / B_up and 1 / B_down.
        parts = self._parts.copy()
        parts[:, 0] = conditions.on_device(self._device) + conditions.edge_factor * self._edge
        shared = None
        if self._deferred is not None:
            shared = self._deferred * np.column_stack([conditions.edge_factor * self._edge, parts[:, 2:]])
        return _Field(
            rows=self._rows,
            parts=parts,
            bits=self._bits,
            worth=self._worth,
            rescue=self._rescue(conditions, deadline, margin),
            strays=conditions.strays(self._device, self._edge),
            shared=shared,
            spans=self._spans,
        )

    def _rescue(self, conditions: Conditions, deadline: Seconds, margin: Seconds) -> Floats:
        """What is at hand then counts, shape (m,): a first answer, or that of a local branch; 0 where there is none."""
        raced = self._raced(conditions, deadline, margin)
        if self._deferred is None:
            return raced
        first = np.where(conditions.on_device(self._first) <= deadline - margin, self._standing, 0.0)
        return np.where(self.candidates.gate < 0, raced, first)

    def _raced(self, conditions: Conditions, deadline: Seconds, margin: Seconds) -> Floats:
        """What a local branch counts that ends by the margin, shape (m,); 0 where none fits or is started."""
        if not self._race:
            return np.zeros(len(self.candidates))
        # It starts once everything to send is encoded, and the device is free of other requests; it needs its own
        # device time. It counts for no more than the candidate: else a candidate would gain by becoming later, as its
        # better local branch would answer instead, and more bandwidth could lower an expectation.
        begins = np.maximum(conditions.on_device(self._ahead), conditions.backlog)
        left, takes = deadline - margin - begins, conditions.device_factor * self._takes
        chance = chance_in_time(left + margin - takes, conditions.strays(self._takes, _NO_WORK))
        local = (self._local * chance * (takes <= left)).max(axis=0)
        return np.where(self._remote, np.minimum(local, self._worth), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Field:
    """Some candidates under fixed factors.

    `parts` are seconds, messages, bits up and bits down, shape (m, 4), `bits` those of both ways together; `strays` is
    the deviation of the seconds, shape (m,), None where they are exact; `shared` are
    the edge's seconds and the bits of both ways in the mean over pictures, shape (m, 3), if any candidate looks at
    them; `spans` are those of `Candidates.spans`, shape (2, m); `narrow`: no other candidate can be best.
    """

    rows: NDArray[np.intp]
    parts: Floats
    bits: Floats
    worth: Floats
    rescue: Floats
    spans: Floats
    strays: Floats | None = None
    shared: Floats | None = None
    narrow: bool = False

    @property
    def remote(self) -> NDArray[np.bool_]:
        """Which of the candidates use the edge."""
        crosses: NDArray[np.bool_] = self.parts[:, 1] > 0
        return crosses

    def alone(self, deadline: Seconds) -> Floats:
        """The chance of each to be in time where the link takes nothing."""
        return chance_in_time(deadline - self.parts[:, 0], self.strays)

    def in_play(self, share: float) -> NDArray[np.bool_] | bool:
        """Which of the candidates may be chosen with such a share of the edge; where none looks at the picture, all."""
        if self.shared is None:
            return True
        low, high = self.spans
        in_play: NDArray[np.bool_] = (low <= share) & (share < high)
        return in_play

    def narrowed(self) -> _Field:
        """The candidates among them that can be the best under some state of the link."""
        # More of any column is worse, more worth or rescue is better; so the rescue is a demand with its sign turned.
        # A candidate that is undercut in all of these has a lower expectation and a longer mean latency at every
        # bandwidth.
        low, high = self.spans
        shared = () if self.shared is None else (*self.shared.T, low, -high)
        kept = frontier(self.worth, np.stack([*self.parts.T, -self.rescue, *shared]))
        return _Field(
            rows=self.rows[kept],
            parts=self.parts[kept],
            bits=self.bits[kept],
            worth=self.worth[kept],
            rescue=self.rescue[kept],
            shared=None if self.shared is None else self.shared[kept],
            spans=self.spans[:, kept],
            narrow=True,
        )


def _chances(field: _Field, both: Bandwidths, once: float, deadline: Seconds) -> Floats:
    """Probability of being in time; `once` are the seconds of a call whatever its size."""
    if both.alike:
        # A candidate that is in time at one bandwidth is so at all above: a bandwidth for each candidate is enough, in
        # place of a time for each candidate and quantile.
        chance = chances_above(_need(field, once, deadline, both.ahead), both.up, both.weights)
    else:
        chance = chances(_latencies(field, both, once), deadline, both.weights)
    if field.strays is None:
        return chance
    quickest = _seconds(field, both, once, 1 / both.up[-1], 1 / both.down[-1])
    return chance * chance_in_time(deadline - quickest, field.strays)


def _mean_latency(field: _Field, both: Bandwidths, once: float, deadline: Seconds) -> Floats:
    """Seconds, over the bandwidths at which something gets through; an outage adds a deadline."""
    # The mean of u / B is u times the mean of 1 / B, so the quantiles are summed once and not for each candidate. In an
    # outage 1 / B is infinite, and so would every mean be: the outage's weight counts a deadline instead, alike for all
    # who send.
    passing = both.passing
    outage = 1.0 - float(passing.sum())
    return _seconds(field, both, once + outage * deadline, *_seconds_of_bits(both, passing))


def _seconds(field: _Field, both: Bandwidths, once: float, up: float, down: float) -> Floats:
    """What each takes where a bit up and a bit down take so many seconds."""
    wait = both.ahead_up * up + both.ahead_down * down
    seconds: Floats = field.parts @ np.array((1.0, once + wait, up, down))
    return seconds


def _seconds_of_bits(both: Bandwidths, passing: Floats) -> tuple[float, float]:
    """Of a bit up and of a bit down, the mean over the bandwidths at which something gets through."""
    return float(passing @ (1 / both.up)), float(passing @ (1 / both.down))


def _occupancy(field: _Field, both: Bandwidths) -> Floats | None:
    """Seconds that each is expected to keep edge and link from others; None where no candidate looks at the picture."""
    if field.shared is None:
        return None
    occupancy: Floats = field.shared @ np.array((1.0, *_seconds_of_bits(both, both.passing)))
    return occupancy


def _need(field: _Field, once: float, deadline: Seconds, ahead: float = 0.0) -> Floats:
    """The bandwidth of both directions from which on each is in time; infinite: never."""
    # u / B + v / B <= what the deadline leaves, solved for B: B >= (u + v) / left. A candidate that sends nothing needs
    # 0.
    left = _left(field, once, deadline)
    bits = field.bits + ahead * field.parts[:, 1] if ahead else field.bits
    return np.where(left >= 0, bits / np.maximum(left, _INSTANT), math.inf)


def _left(field: _Field, once: float, deadline: Seconds) -> Floats:
    """Seconds that the deadline leaves for the link's bandwidth."""
    left: Floats = deadline - (field.parts[:, 0] + field.parts[:, 1] * once)
    return left


def _latencies(field: _Field, both: Bandwidths, once: float) -> Floats:
    """What each takes at each pair of bandwidths, shape (m, k)."""
    # (m, 4) times (4, k): one product of matrices for all candidates under all bandwidths.
    prices = np.ones((4, both.up.size))
    np.divide(1.0, both.up, out=prices[2])
    np.divide(1.0, both.down, out=prices[3])
    prices[1] = once + both.ahead_up * prices[2] + both.ahead_down * prices[3]
    latency: Floats = field.parts @ prices
    return latency


def chances(latency: Floats, deadline: Seconds, weights: Floats) -> Floats:
    """Probability of being in time, shape (m,), from latencies that fall along the quantiles, shape (m, k)."""
    # Each quantile stands for the weight around it, so it lies in the middle of its share of the distribution. Counting
    # whole weights would let a chance jump by a quantile's weight when a candidate takes a microsecond more.
    middles = weights.cumsum() - weights / 2
    # Latencies fall along the pairs, so those that are late come first, and one number says how many: where the first
    # is that is not late. A candidate that is late even at the last one has no such place.
    late = latency > deadline
    in_time_from = late.argmin(axis=1)
    chance = np.where(late[:, 0], 0.0, 1.0)
    between = in_time_from.nonzero()[0]
    first = in_time_from[between]
    # The distribution function between the last that is late and the first that is not is a line: its place at the
    # deadline is the chance of being late.
    slow, quick = latency[between, first - 1], latency[between, first]
    below = middles[first - 1] + (middles[first] - middles[first - 1]) * (slow - deadline) / (slow - quick)
    chance[between] = 1 - below
    return chance
