"""The planner: of all candidates the best answer in time, under the conditions of the moment.

This is the paper's Algorithm 1 for two cuts, codecs and unequal links: the most accurate answer that is in time, and
among answers that are equally accurate the fastest. Where the candidates are restricted to what the paper considers, it
finds the same plan (`edgent.planning.paper.algorithm1` is the test's oracle).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.model import Model, check_model
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.plan import Plan
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile

TOLERANCE = 0.002
"""Accuracies this close count as equal: on 10,000 images they differ by less than chance."""

MARGIN_SHARE = 0.03
"""Share of a deadline that the plans of a running device keep free: predictions are off by some per cent."""

_NO_MARGIN = Seconds(0.0)

DUST = 1e-9  # less than one image in any data set, more than what rounding does to a difference of fractions


class Planner:
    """Chooses plans among some candidates.

    The frontier is found once, here; a decision is then one small vectorised evaluation, and exact.

    Raises:
        InputError: there are no candidates.
    """

    def __init__(self, candidates: Candidates) -> None:
        # A planner always has an answer, so it is never made without a candidate.
        if not len(candidates):
            raise InputError("no candidate is left to plan with: allow more exits, codecs or directions")
        # Under any conditions latency rises with each component of the demand, so a candidate that is undercut now is
        # undercut always. That makes it right to look for the frontier once, before any conditions are known.
        self.candidates = candidates.frontier()

    def plan(
        self,
        conditions: Conditions,
        deadline: Seconds,
        tolerance: float = TOLERANCE,
        margin: Seconds = _NO_MARGIN,
    ) -> Plan:
        """The most accurate plan in time; among equally accurate ones the fastest, then that of the fewest bytes.

        No plan in time is an answer too: the fastest of all, with `meets_deadline` false.

        Args:
            conditions: Link, queue and machines as they are now.
            deadline: From the input handed over to the answer; may be infinite.
            tolerance: Accuracies that differ by no more count as equal.
            margin: See `choose`.

        Raises:
            InputError: deadline or tolerance is not a number, or the tolerance negative.
        """
        return best(self.candidates, conditions, deadline, tolerance=tolerance, margin=margin)

    def __repr__(self) -> str:
        return f"<Planner on a frontier of {self.candidates!r}>"


def plan(  # noqa: PLR0913 - each is a setting of its own
    model: Model,
    device: Profile,
    edge: Profile,
    *,
    bandwidth: float,
    deadline: float,
    downlink: float | None = None,
    round_trip: float = 0.0,
    calibration: Calibration | None = None,
    source_bytes: float | None = None,
) -> Plan:
    """The plan for one model, two machines and one link: `edgent plan` as a function.

    Args:
        model: what is asked.
        device: the device's profile of it.
        edge: the edge's profile of it.
        bandwidth: of the uplink, bits per second.
        deadline: seconds from the input handed over to the answer.
        downlink: bandwidth of the downlink; None: as the uplink.
        round_trip: of the empty link, seconds.
        calibration: sizes and accuracies of codecs; without one only raw tensors cross, and files as they came.
        source_bytes: mean size of the pictures' files as they come; None: that of the calibration, if it has one.

    Raises:
        InputError: no model, or a profile or calibration of another one; a number that is none.
    """
    # A link that is stated and not measured: so nothing is known of queue, drift or windows. All three count as none,
    # which is the best case: a running device knows them, and may plan otherwise.
    check_model(model, "plan")
    up, down, delay = BitsPerSecond(bandwidth), BitsPerSecond(downlink or bandwidth), Seconds(round_trip)
    conditions = Conditions(
        uplink=TransferModel(bandwidth=up, round_trip=delay),
        downlink=TransferModel(bandwidth=down, round_trip=delay),
    )
    candidates = Candidates.build(model, device, edge, calibration, source_bytes=source_bytes)
    return Planner(candidates).plan(conditions, Seconds(deadline))


def usual_margin(deadline: Seconds) -> Seconds:
    """What is kept free of a deadline where nobody says otherwise."""
    return Seconds(MARGIN_SHARE * deadline)


def best(
    candidates: Candidates,
    conditions: Conditions,
    deadline: Seconds,
    *,
    tolerance: float = TOLERANCE,
    margin: Seconds = _NO_MARGIN,
) -> Plan:
    """The plan of the best of all candidates under these conditions; see `choose`."""
    row, latency = best_row(candidates, conditions, deadline, tolerance=tolerance, margin=margin)
    return plan_of(candidates, row, conditions, meets_deadline=latency <= deadline)


def best_row(
    candidates: Candidates,
    conditions: Conditions,
    deadline: Seconds,
    *,
    tolerance: float = TOLERANCE,
    margin: Seconds = _NO_MARGIN,
) -> tuple[int, float]:
    """The position of the best of all candidates under these conditions, and its latency; see `choose`."""
    # All candidates at once: a few hundred rows of a frontier take some microseconds, and nothing is left out.
    latency, occupancy = conditions.latency(candidates), None
    chance = conditions.chance(candidates, deadline - latency)
    if candidates.gates is not None:
        latency = np.where(candidates.in_play(conditions.share), latency, math.inf)
        occupancy = conditions.occupancy(candidates)
    row = choose(candidates, latency, deadline, tolerance, margin, occupancy, chance)
    return row, float(latency[row])


def choose(
    candidates: Candidates,
    latency: NDArray[np.float64],
    deadline: Seconds,
    tolerance: float,
    margin: Seconds = _NO_MARGIN,
    occupancy: NDArray[np.float64] | None = None,
    chance: NDArray[np.float64] | None = None,
) -> int:
    """The position of the best candidate, given the latency of each.

    Args:
        candidates: One at least.
        latency: Seconds of each.
        deadline: For all of them; may be infinite.
        tolerance: Accuracies that differ by no more count as equal.
        margin: Kept free before the deadline where any candidate leaves it free.
        occupancy: Seconds that each is expected to keep edge and link from others (`Conditions.occupancy`), where that
            counts for more than time saved; None: it does not.
        chance: Probability of each to be in time (`Conditions.chance`); None: latencies are exact.

    Raises:
        InputError: deadline or tolerance is not a number, or the tolerance negative.
    """
    if math.isnan(deadline) or not 0 <= tolerance < math.inf:
        raise InputError(f"deadline {deadline!r}, tolerance {tolerance!r}: expected numbers, the tolerance 0 or more")
    # Two rules in the order of the paper (its Algorithm 1 takes the longest branch that is in time): accuracy first,
    # as far as the deadline allows; latency among what is equally accurate.
    # Where times stray, an answer counts as often as it is in time.
    merit = candidates.merit if chance is None else candidates.merit * chance
    # First only plans that leave the margin free, for predictions are off by some per cent. Where there is none, one
    # that is barely in time is still better than one that is not.
    in_time = latency <= deadline - margin
    if not in_time.any():
        in_time = latency <= deadline
    # Accuracies within the tolerance are taken for equal, and the fastest of those wins: a tenth of a point is less
    # than the error of measuring it, and time saved is certain. The tolerance is counted from the best that is in time,
    # never from one candidate to the next: a chain of small steps would lead down to any accuracy. If nothing is in
    # time, all compete for the least latency.
    pool = in_time & (merit >= merit[in_time].max() - tolerance - DUST) if in_time.any() else np.ones_like(in_time)
    # Who sets gates wants the edge asked less. Of equally good answers in time that which leaves most of edge and link
    # to others comes first then, and only then the fastest.
    if occupancy is not None and in_time.any():
        pool &= occupancy <= least(occupancy[pool])
    tied = np.flatnonzero(pool & (latency == latency[pool].min()))
    if len(tied) == 1:
        return int(tied[0])
    # Ties are common (codecs that cost nothing, cuts between free layers); a fixed order makes plans reproducible.
    return int(tied[candidates.keep(tied).order_of_ties()[0]])


def least(numbers: NDArray[np.float64]) -> float:
    """The least of some, and what rounding may have made of it."""
    return float(numbers.min()) + DUST


def plan_of(
    candidates: Candidates, row: int, conditions: Conditions, *, meets_deadline: bool, chance: float | None = None
) -> Plan:
    """One candidate as a plan, with its predicted stages."""
    # The stages are priced anew from the one row, and not kept for all: a decision needs the sums only. In the table an
    # unknown accuracy is nan, so that a column has one type; outside it is None, which JSON and people can read.
    accuracy = float(candidates.accuracy[row])
    return Plan(
        configuration=candidates.configurations[row],
        accuracy=None if math.isnan(accuracy) else accuracy,
        meets_deadline=meets_deadline,
        stages=conditions.stages(candidates, row),
        bytes_up=float(candidates.bytes_up[row]),
        bytes_down=float(candidates.bytes_down[row]),
        layers=int(candidates.layers[row]),
        chance=chance,
        measure=candidates.measure,
        gate=None if candidates.gates is None else candidates.gate_of(row),
    )
