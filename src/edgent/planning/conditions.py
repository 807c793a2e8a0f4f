"""What is believed at one moment: the link, the edge's queue, and how fast the machines are.

This is the one value that plans are priced on. Whoever takes the link to stay as it was last seen leaves its bandwidths
certain, one for each direction; whoever follows a moving link says how they are distributed (`Conditions.expecting`).
The planner prices a candidate at the bandwidths in the middle. The controller also reads its chance off the
distribution, which for certain bandwidths has a single point.

The machines' own times *stray*: work of t seconds has a deviation of spread x t. So what is believed to be done just
within the deadline is not in time for certain, and an earlier exit may give more (`chance_in_time`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link import Bandwidths, Predictive, TransferModel
from edgent.link.transfer import WIRE, there_and_back
from edgent.planning.candidates import Candidates
from edgent.planning.plan import Stages
from edgent.units import BitsPerSecond, Seconds

SLICE = Seconds(3e-3)
"""A kernel's time slice: shorter work does not wait until longer work is done."""

NO_HANDLING = Stages()

_LOGISTIC = math.pi / math.sqrt(12)  # of half a logistic variable, where its deviation is 1
_INSTANT = 1e-12  # seconds, in place of a deviation of 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The link, the edge's queue and the machines' present speed.

    Attributes:
        uplink: Transfer model from device to edge, at the bandwidth in the middle of what is expected.
        downlink: The same from edge to device.
        queue: Seconds that a request waits at the edge.
        device_factor: How many times slower the device is now than when it was profiled.
        edge_factor: The same for the edge.
        device_spread: Deviation of the device's times, as a share of each; 0: they are exact.
        edge_spread: The same of the edge's.
        backlog: Seconds that work on the device waits for that of other requests, unless it is shorter than a `SLICE`.
        handling: Seconds that each stage takes whatever its work. Those before `encode` are every request's, the others
            one's that asks the edge.
        share: Of the pictures about which the device would ask the edge, those about which it may: below 1 where the
            edge has turned it away lately.
        distribution: How both bandwidths are distributed, see `expecting`; None: they are certain.
    """

    uplink: TransferModel
    downlink: TransferModel
    queue: Seconds = Seconds(0.0)
    device_factor: float = 1.0
    edge_factor: float = 1.0
    device_spread: float = 0.0
    edge_spread: float = 0.0
    backlog: Seconds = Seconds(0.0)
    handling: Stages = NO_HANDLING
    share: float = 1.0
    distribution: Bandwidths | None = None

    def __post_init__(self) -> None:
        for name, wait in (("queue", self.queue), ("backlog", self.backlog)):
            if not 0 <= wait < math.inf:
                raise InputError(f"{name} {wait!r} is not a finite number of seconds, 0 or more")
        if not (0 < self.device_factor < math.inf and 0 < self.edge_factor < math.inf):
            raise InputError(f"factors {self.device_factor!r}, {self.edge_factor!r}: expected positive, finite numbers")

    def expecting(self, up: Predictive | None, down: Predictive | None) -> Conditions:
        """The same of a link whose bandwidths are not certain.

        Chances count the bytes alone, without what slow start adds to them. So that is left out of the latencies as
        well, or a plan's stages would add up to another time than its chance is of.

        Args:
            up: Distribution of the uplink's bandwidth; None: it is certain, as it is here.
            down: The same of the downlink.
        """
        # The bandwidth in the middle is that of both together: the median of each by itself would be a pair that may
        # never occur, where one direction is in an outage.
        both = Bandwidths.together(
            up or Predictive.certain(self.uplink.bandwidth), down or Predictive.certain(self.downlink.bandwidth)
        )
        middle_up, middle_down = map(BitsPerSecond, both.median())
        # Made anew and not by `replace`, which takes longer than all of this: it is done at every decision.
        return Conditions(
            uplink=self.uplink.expected(middle_up, both.ahead_up),
            downlink=self.downlink.expected(middle_down, both.ahead_down),
            queue=self.queue,
            device_factor=self.device_factor,
            edge_factor=self.edge_factor,
            device_spread=self.device_spread,
            edge_spread=self.edge_spread,
            backlog=self.backlog,
            handling=self.handling,
            share=self.share,
            distribution=both,
        )

    def varying(self, variation: float) -> Conditions:
        """The same of a link whose bandwidths are log-normal with these as their means.

        Args:
            variation: Coefficient of variation; 0: they are certain.
        """
        # What the regime oracle knows of a link that was generated so, and the demo of one that does not vary at all.
        links = (self.uplink, self.downlink)
        return self.expecting(*(Predictive.log_normal(link.bandwidth, variation) for link in links))

    @property
    def bandwidths(self) -> Bandwidths:
        """How both bandwidths are distributed: in one point where they are certain."""
        if self.distribution is not None:
            return self.distribution
        return Bandwidths.certain(self.uplink.bandwidth, self.downlink.bandwidth)

    @property
    def once(self) -> float:
        """Seconds that a call takes whatever its size and the bandwidth."""
        return self.uplink.round_trip + self.uplink.call_time + self.queue + self._asking

    @property
    def _asking(self) -> float:
        """Seconds of handling that asking the edge adds."""
        return self.handling.encode + self.handling.middle + self.handling.suffix

    def latency(self, candidates: Candidates) -> NDArray[np.float64]:
        """Seconds that each candidate takes, shape (m,). Monotone in each component of the demand."""
        # Linear in the demand, but for slow start; a candidate that sends nothing pays nothing of the link or the edge.
        device, edge, up, down, messages = candidates.demand
        uplink, downlink = there_and_back(self.uplink, self.downlink, up, down)
        remote = uplink + self.queue + self._asking + self.edge_factor * edge + downlink
        latency: NDArray[np.float64] = self.on_device(device) + np.where(messages > 0, remote, 0.0)
        return latency

    def on_device(self, work: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds until the device has done work of so many by its profile, handling and backlog before it."""
        # Whatever the request: the frontier was found by the work alone, and what all pay changes no order.
        takes = self.device_factor * work
        done = takes + (self.handling.prepare + self.handling.head)
        # The backlog is waited for by work that is longer than the kernel's time slice: shorter work slips in between.
        return done + self.backlog * (takes > SLICE) if self.backlog else done

    def strays(self, device: NDArray[np.float64], edge: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Deviation of what such work takes together, seconds; None: times are exact."""
        if not (self.device_spread or self.edge_spread):
            return None
        # The machines stray each for itself, so the squares add up.
        shares = self.device_spread * self.device_factor, self.edge_spread * self.edge_factor
        strays: NDArray[np.float64] = np.hypot(shares[0] * device, shares[1] * edge)
        return strays

    def chance(self, candidates: Candidates, left: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Probability of being in time for who leaves so many seconds, shape (m,) each; None: all is certain."""
        device, edge, *_ = candidates.demand
        strays = self.strays(device, edge)
        return None if strays is None else chance_in_time(left, strays)

    def occupancy(self, candidates: Candidates) -> NDArray[np.float64]:
        """Seconds that each is expected to keep edge and link from other devices, shape (m,)."""
        # Waiting keeps nobody from anything: neither the round trip is in it nor the queue.
        _, edge, up, down, _ = candidates.demand
        uplink, downlink = WIRE.uplink(up) / self.uplink.bandwidth, WIRE.downlink(down) / self.downlink.bandwidth
        occupancy: NDArray[np.float64] = candidates.deferred * (self.edge_factor * edge + uplink + downlink)
        return occupancy

    def stages(self, candidates: Candidates, row: int) -> Stages:
        """Where the time of one candidate goes."""
        crosses = bool(candidates.messages[row])
        waits = self.device_factor * float(candidates.demand[0, row]) > SLICE
        sizes = float(candidates.bytes_up[row]), float(candidates.bytes_down[row])
        uplink, downlink = there_and_back(self.uplink, self.downlink, *sizes) if crosses else (0.0, 0.0)
        handling, asking = self.handling, self.handling if crosses else NO_HANDLING
        return Stages(
            prepare=handling.prepare + self.device_factor * float(candidates.prepare[row]),
            head=handling.head + self.device_factor * float(candidates.head[row]),
            encode=asking.encode + self.device_factor * float(candidates.encode[row]),
            uplink=uplink,
            queue=(self.queue if crosses else 0.0) + (self.backlog if waits else 0.0),
            middle=asking.middle + self.edge_factor * float(candidates.middle[row]),
            downlink=downlink,
            suffix=asking.suffix + self.device_factor * float(candidates.suffix[row]),
        )


def chance_in_time(left: NDArray[np.float64], strays: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Probability of being in time for what is expected to leave so many seconds, and strays by so many.

    Args:
        left: Seconds until the deadline; below 0: it is expected to be late.
        strays: Their deviation; None: they are exact.
    """
    if strays is None:
        return (left >= 0).astype(np.float64)
    # The logistic distribution: never two and a half points from the normal one, in closed form, and with longer tails,
    # as times have of a machine that does other things too.
    chance: NDArray[np.float64] = 0.5 + 0.5 * np.tanh(_LOGISTIC * left / np.maximum(strays, _INSTANT))
    return chance


_NO_LINK = TransferModel(bandwidth=BitsPerSecond(1.0))
ALONE = Conditions(uplink=_NO_LINK, downlink=_NO_LINK)
"""For candidates that use no link."""
