"""What may be run within a deadline, as plain numbers, and how it fares when a trace is the link.

A trace is one bandwidth, and a number that says how many times as fast the way down is as the way up. So a candidate
takes a + b / B at a bandwidth B that lasts, with a the seconds of both machines and b the bits both ways, those down
divided by that number; and it is in time where B >= b / (deadline - a), its *need*.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgent.link.trace import Trace
from edgent.link.transfer import CALL_TIME, WIRE
from edgent.planning.candidates import Candidates
from edgent.planning.frontier import frontier
from edgent.planning.oracles import best_in_time
from edgent.planning.planner import DUST, TOLERANCE, choose
from edgent.units import Seconds

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choices:
    """The candidates that can be best within a deadline, one number for each in every array.

    Attributes:
        table: The candidates themselves.
        deadline: From the request to its answer.
        accuracy: Of the answer.
        remote: Whether something crosses.
        before: Device seconds until the upload begins.
        between: Seconds from the upload's end to the download's begin: the call's own and the edge's.
        after: Device seconds after the download.
        bits_up: On the wire, headers included.
        bits_down: The same, as so many that take as long on the way up.
        call_time: What a call takes whatever its size and the link, seconds; in `between`.
        rescue: Accuracy of what the device gives at the deadline when the edge is late, of a local branch or of a
            policy's first answers; 0: none.
        first: Seconds to the first answer of a policy.
        deferred: Share of the pictures about which the edge is asked.
        need: Bandwidth from which on it is in time, bits per second.
        downlink: How many times as fast the way down is as the way up.
    """

    table: Candidates
    deadline: Seconds
    accuracy: Floats
    remote: NDArray[np.bool_]
    before: Floats
    between: Floats
    after: Floats
    bits_up: Floats
    bits_down: Floats
    call_time: Seconds
    rescue: Floats
    first: Floats
    deferred: Floats
    need: Floats
    downlink: float = 1.0

    @classmethod
    def of(
        cls,
        candidates: Candidates,
        deadline: Seconds,
        *,
        race: bool,
        call_time: Seconds = CALL_TIME,
        apart: bool = False,
    ) -> Choices:
        """The choices among some candidates.

        Args:
            candidates: What may be run.
            deadline: From the request to its answer.
            race: Whether the device starts a local branch that still fits.
            call_time: What a call takes whatever its size and the link.
            apart: Whether both directions may be of different speeds, see `over`.
        """
        every = cls._all(candidates.frontier(), deadline, race, call_time)
        seconds = every.before + every.between + every.after
        # Where both directions are alike a bit is a bit, and far fewer candidates can be best.
        bits = [every.bits_up, every.bits_down] if apart else [every.bits_up + every.bits_down]
        kept = frontier(every.accuracy, np.stack([seconds, *bits, -every.rescue, *every.table.tells_apart]))
        return cls._all(every.table.keep(kept), deadline, race, call_time)

    def over(self, downlink: float) -> Choices:
        """The same choices on a link whose way down is so many times as fast as its way up."""
        bits_down = self.bits_down * (self.downlink / downlink)
        left = self.deadline - (self.before + self.between + self.after)
        return replace(
            self, downlink=downlink, bits_down=bits_down, need=_need(self.bits_up + bits_down, left, self.remote)
        )

    @classmethod
    def _all(cls, table: Candidates, deadline: Seconds, race: bool, call_time: Seconds) -> Choices:
        remote = table.messages > 0
        ahead = table.head + table.encode
        before, after = table.prepare + ahead, table.suffix
        between = np.where(remote, table.middle + call_time, 0.0)
        bits_up = np.where(remote, WIRE.uplink(table.bytes_up), 0.0)
        bits_down = np.where(remote, WIRE.downlink(table.bytes_down), 0.0)
        left = deadline - (before + between + after)
        return cls(
            table=table,
            deadline=deadline,
            accuracy=table.merit,
            remote=remote,
            before=before,
            between=between,
            after=after,
            bits_up=bits_up,
            bits_down=bits_down,
            call_time=call_time,
            rescue=_rescue(table, deadline, ahead, race=race),
            first=table.prepare + table.head,
            deferred=table.deferred,
            need=_need(bits_up + bits_down, left, remote),
        )

    def latency(self, bandwidth: float) -> Floats:
        """Seconds that each takes at a bandwidth that lasts, shape (m,)."""
        bits = self.bits_up + self.bits_down
        travel = np.where(self.remote, bits / bandwidth if bandwidth > 0 else np.inf, 0.0)
        latency: Floats = self.before + self.between + self.after + travel
        return latency

    @property
    def useful(self) -> float:
        """The least bandwidth at which something that crosses beats what the device does alone; infinite: none."""
        alone = ~self.remote & (self.need <= 0)
        own = self.accuracy[alone].max(initial=0.0)
        return float(self.need[self.remote & (self.accuracy > own + TOLERANCE)].min(initial=np.inf))

    def at_hand(self, row: int) -> float:
        """The accuracy of what the device can have at hand at the deadline behind what a choice sends; 0: nothing."""
        left = self.deadline - (self.table.head[[row]] + self.table.encode[[row]])
        return max(float(self.rescue[row]), float(_most_accurate_alone(self.table, left)[0]))

    def planned(self, bandwidth: float) -> int:
        """The planner's choice for who is sure of the bandwidth."""
        return choose(
            self.table, self.latency(bandwidth), self.deadline, TOLERANCE, occupancy=self._occupancy(bandwidth)
        )

    def _occupancy(self, bandwidth: float) -> Floats | None:
        """See `Conditions.occupancy`; None where no candidate looks at the picture."""
        if self.table.gates is None:
            return None
        bits = self.bits_up + self.bits_down
        return self.deferred * (self.table.middle + (bits / bandwidth if bandwidth > 0 else np.inf))

    def best(self, chance: Floats, bandwidth: float) -> int:
        """The highest expected accuracy in time, given each one's chance; of equals the fastest."""
        expected = self.rescue + chance * (self.accuracy - self.rescue)
        return int(best_in_time(expected, self.latency(bandwidth)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """What happens to requests, for each choice; arrays of one shape, requests first.

    Attributes:
        sent_at: When the upload began.
        uploaded_at: When it ended; infinite if never.
        edge: Seconds from the request to the edge's answer, or the device's where nothing crosses.
        in_time: Whether some answer came within the deadline.
        accuracy: Of the answer in time, 0 where none was: the accuracy in time. A policy's is the mean over pictures,
            of which some are never sent.
        latency: Seconds to the answer that was given, that mean as well; infinite if none ever came.
    """

    sent_at: Floats
    uploaded_at: Floats
    edge: Floats
    in_time: NDArray[np.bool_]
    accuracy: Floats
    latency: Floats


def outcomes(choices: Choices, rows: NDArray[np.intp], trace: Trace, begins: Floats) -> Outcomes:
    """What happens to requests that begin at some times: the trace is integrated while a transfer lasts.

    Args:
        choices: What may be run.
        rows: Which of them, a shape that fits that of `begins`.
        trace: The link, in both directions.
        begins: When the requests come, seconds.
    """
    rows, begins = np.broadcast_arrays(rows, begins)
    sent_at = begins + choices.before[rows]
    uploaded_at = trace.arrivals(sent_at, choices.bits_up[rows])
    downloaded_at = trace.arrivals(uploaded_at + choices.between[rows], choices.bits_down[rows])
    edge = downloaded_at + choices.after[rows] - begins
    met = edge <= choices.deadline + DUST
    rescued = ~met & (choices.rescue[rows] > 0)
    return Outcomes(
        sent_at=sent_at,
        uploaded_at=uploaded_at,
        edge=edge,
        in_time=met | rescued,
        accuracy=np.where(met, choices.accuracy[rows], choices.rescue[rows]),
        latency=_in_the_mean(choices, rows, np.where(rescued, choices.deadline, edge)),
    )


def _in_the_mean(choices: Choices, rows: NDArray[np.intp], latency: Floats) -> Floats:
    """Over pictures, of which a policy's first answer to some is the last."""
    if choices.table.gates is None:
        return latency
    deferred = choices.deferred[rows]
    return np.where(choices.table.gate[rows] < 0, latency, (1 - deferred) * choices.first[rows] + deferred * latency)


def _need(bits: Floats, left: Floats, remote: NDArray[np.bool_]) -> Floats:
    """See `Choices.need`; `left` are the seconds that both machines leave to the link."""
    with np.errstate(divide="ignore", invalid="ignore"):
        need: Floats = np.where(left > 0, bits / left, np.where(remote | (left < 0), np.inf, 0.0))
    return need


def _rescue(table: Candidates, deadline: Seconds, ahead: Floats, *, race: bool) -> Floats:
    """What the device has at hand at the deadline, of each choice; 0: nothing."""
    # A choice that stays on the device and is late has no local branch: nothing runs beside it.
    raced = race & (table.messages > 0)
    local = np.where(raced, _most_accurate_alone(table, deadline - ahead), 0.0)
    first = np.where(table.prepare + table.head <= deadline, table.standing, 0.0)
    return np.where(table.gate < 0, local, first)


def _most_accurate_alone(table: Candidates, left: Floats) -> Floats:
    """Of the branches that the device ends in the time left after head and encoding; 0 where none fits."""
    alone = np.flatnonzero(table.messages == 0)
    takes = (table.prepare + table.head)[alone]
    fits = takes[None, :] <= left[:, None]
    best: Floats = np.where(fits, table.merit[alone][None, :], 0.0).max(axis=1, initial=0.0)
    return best
