"""What is expected of the link: two distributions of the bandwidth, and the rest of the conditions as they are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link import Predictive
from edgent.link.predictive import NOTHING
from edgent.link.transfer import CALL_TIME, Transfer
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.link.forecast import LinkForecast
    from edgent.planning.conditions import Conditions

Floats = NDArray[np.float64]

_AT_ONCE = Seconds(0.0)
_ROUNDING = 1e-9  # weights add up to 1 only so far


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkBelief:
    """What is expected of the link, and the rest of the conditions as they are.

    Attributes:
        uplink: Distribution of its bandwidth.
        downlink: Distribution of its bandwidth.
        round_trip: Of the empty link.
        call_time: What a call takes whatever its size and the link.
        queue: Seconds that a request waits at the edge.
        device_factor: How many times slower the device is now than when it was profiled.
        edge_factor: The same for the edge.
    """

    uplink: Predictive
    downlink: Predictive
    round_trip: Seconds = _AT_ONCE
    call_time: Seconds = CALL_TIME
    queue: Seconds = _AT_ONCE
    device_factor: float = 1.0
    edge_factor: float = 1.0

    def __post_init__(self) -> None:
        if not all(0 <= seconds < math.inf for seconds in (self.round_trip, self.call_time, self.queue)):
            raise InputError(
                f"round trip {self.round_trip!r}, call time {self.call_time!r}, queue {self.queue!r}: "
                "expected finite numbers of seconds, 0 or more"
            )
        if not (0 < self.device_factor < math.inf and 0 < self.edge_factor < math.inf):
            raise InputError(f"factors {self.device_factor!r}, {self.edge_factor!r}: expected positive, finite numbers")

    @classmethod
    def around(cls, conditions: Conditions, variation: float = 0.0) -> LinkBelief:
        """The conditions as they are, their bandwidths log-normal around what is stated.

        Args:
            conditions: Mean bandwidths, and the rest.
            variation: Coefficient of variation of both bandwidths; 0: they are certain.
        """
        up, down = conditions.uplink, conditions.downlink
        return cls(
            uplink=Predictive.log_normal(up.bandwidth, variation),
            downlink=Predictive.log_normal(down.bandwidth, variation),
            round_trip=up.round_trip,
            call_time=up.call_time,
            queue=conditions.queue,
            device_factor=conditions.device_factor,
            edge_factor=conditions.edge_factor,
        )

    @property
    def alike(self) -> bool:
        """Whether one distribution stands for both directions."""
        return self.uplink is self.downlink

    @property
    def once(self) -> float:
        """Seconds that a call takes whatever its size and the bandwidth."""
        return self.round_trip + self.call_time + self.queue

    def pairs(self) -> tuple[Floats, Floats, Floats]:
        """Quantiles that move together: bandwidths up and down, and weights, each of shape (k,)."""
        up, down = self.uplink, self.downlink
        if self.alike or np.array_equal(up.weights, down.weights):
            return up.bandwidths, down.bandwidths, up.weights
        ends = [np.minimum(np.cumsum(side.weights), 1.0) for side in (up, down)]
        ends[0][-1] = ends[1][-1] = 1.0
        borders = np.union1d(*ends)
        weights = np.diff(borders, prepend=0.0)
        here, there = (np.searchsorted(end, borders - weights / 2) for end in ends)
        return up.bandwidths[here], down.bandwidths[there], weights

    def median(self) -> tuple[float, float]:
        """The bandwidths in the middle, up and down, bits per second; of those at which something gets through."""
        up, down, weights = self.pairs()
        reached = np.cumsum(np.where(np.minimum(up, down) > NOTHING, weights, 0.0))
        place = int(np.searchsorted(reached, reached[-1] * (0.5 - _ROUNDING)))
        return float(up[place]), float(down[place])


class LearnedBelief:
    """Transfers and probes in both directions go in, beliefs come out; holds no clock.

    Args:
        uplink: Follows the uplink.
        downlink: Follows the downlink; until it has seen a transfer, the uplink stands for both.

    Attributes:
        round_trip: Of the empty link; its owner keeps it up to date.
        call_time: What a call takes whatever its size; likewise.
        queue: Seconds that a request waits at the edge; likewise.
        device_factor: How many times slower the device is now than when it was profiled; likewise.
        edge_factor: The same for the edge; likewise.
    """

    def __init__(self, uplink: LinkForecast, downlink: LinkForecast, *, round_trip: Seconds = _AT_ONCE) -> None:
        self._uplink, self._downlink = uplink, downlink
        self.round_trip, self.call_time, self.queue = round_trip, CALL_TIME, _AT_ONCE
        self.device_factor = self.edge_factor = 1.0
        self._told: tuple[Predictive | None, Predictive | None] = (None, None)

    def under(self, conditions: Conditions) -> None:
        """Takes over what is not forecast; also the bandwidth of a direction in which nothing was seen, as certain."""
        self.round_trip, self.call_time = conditions.uplink.round_trip, conditions.uplink.call_time
        self.queue = conditions.queue
        self.device_factor, self.edge_factor = conditions.device_factor, conditions.edge_factor
        up, down = (Predictive.certain(link.bandwidth) for link in (conditions.uplink, conditions.downlink))
        self._told = (up, down)

    def observe(self, event: Transfer) -> None:
        """Takes in a transfer.

        Raises:
            InputError: numbers that no transfer has.
        """
        direction = self._uplink if event.direction == "up" else self._downlink
        take = direction.observe_cut if event.cut else direction.observe
        take(event.size, event.seconds, event.at)

    def belief(self, now: Seconds) -> LinkBelief | None:
        """What is expected now; None before the first transfer."""
        told_up, told_down = self._told
        up = self._uplink.predictive(now) or told_up
        down = self._downlink.predictive(now) or told_down or up
        if up is None or down is None:
            return None
        return LinkBelief(
            uplink=up,
            downlink=down,
            round_trip=self.round_trip,
            call_time=self.call_time,
            queue=self.queue,
            device_factor=self.device_factor,
            edge_factor=self.edge_factor,
        )

    def __repr__(self) -> str:
        return f"<LearnedBelief up {self._uplink!r}, down {self._downlink!r}>"
