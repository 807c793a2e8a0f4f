"""What demand costs at this moment."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.link import TransferModel
from edgent.planning.candidates import Candidates
from edgent.planning.plan import Stages
from edgent.units import BitsPerSecond, Seconds

SLICE = Seconds(3e-3)
"""A kernel's time slice: shorter work does not wait until longer work is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The link, the edge's queue and the machines' present speed.

    Attributes:
        uplink: Transfer model from device to edge.
        downlink: Transfer model from edge to device.
        queue: Seconds that a request waits at the edge.
        device_factor: How many times slower the device is now than when it was profiled.
        edge_factor: The same for the edge.
        backlog: Seconds that work on the device waits for that of other requests, unless it is shorter than a `SLICE`.
    """

    uplink: TransferModel
    downlink: TransferModel
    queue: Seconds = Seconds(0.0)
    device_factor: float = 1.0
    edge_factor: float = 1.0
    backlog: Seconds = Seconds(0.0)

    def __post_init__(self) -> None:
        for name, wait in (("queue", self.queue), ("backlog", self.backlog)):
            if not 0 <= wait < math.inf:
                raise InputError(f"{name} {wait!r} is not a finite number of seconds, 0 or more")
        if not (0 < self.device_factor < math.inf and 0 < self.edge_factor < math.inf):
            raise InputError(f"factors {self.device_factor!r}, {self.edge_factor!r}: expected positive, finite numbers")

    def latency(self, candidates: Candidates) -> NDArray[np.float64]:
        """Seconds that each candidate takes, shape (m,). Monotone in each component of the demand."""
        device, edge, up, down, messages = candidates.demand
        remote = self.uplink.uplink(up) + self.queue + self.edge_factor * edge + self.downlink.downlink(down)
        latency: NDArray[np.float64] = self.device_factor * device + np.where(messages > 0, remote, 0.0)
        return latency + self.backlog * (self.device_factor * device > SLICE) if self.backlog else latency

    def stages(self, candidates: Candidates, row: int) -> Stages:
        """Where the time of one candidate goes."""
        crosses = bool(candidates.messages[row])
        waits = self.device_factor * float(candidates.demand[0, row]) > SLICE
        return Stages(
            prepare=self.device_factor * float(candidates.prepare[row]),
            head=self.device_factor * float(candidates.head[row]),
            encode=self.device_factor * float(candidates.encode[row]),
            uplink=self.uplink.uplink(float(candidates.bytes_up[row])) if crosses else 0.0,
            queue=(self.queue if crosses else 0.0) + (self.backlog if waits else 0.0),
            middle=self.edge_factor * float(candidates.middle[row]),
            downlink=self.downlink.downlink(float(candidates.bytes_down[row])) if crosses else 0.0,
            suffix=self.device_factor * float(candidates.suffix[row]),
        )


_NO_LINK = TransferModel(bandwidth=BitsPerSecond(1.0))
ALONE = Conditions(uplink=_NO_LINK, downlink=_NO_LINK)
"""For candidates that use no link."""
