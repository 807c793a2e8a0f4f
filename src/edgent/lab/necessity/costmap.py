"""The map of one model on one device: for every cell, what it costs to leave out each knob (setting of a plan)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgent.lab.necessity.grid import Axes
from edgent.link import TransferModel
from edgent.planning.conditions import Conditions
from edgent.planning.knobs import Necessity, costs
from edgent.units import BitsPerSecond, Seconds

Plane = NDArray[np.float64]
"""A number for each bandwidth and deadline: shape (bandwidths, deadlines)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostMap:
    """A computed map.

    Attributes:
        costs: By knob, of those that can be turned: what leaving it out costs, as a fraction of accuracy in time.
        best: Accuracy in time with every knob.
    """

    costs: Mapping[str, Plane]
    best: Plane

    def document(self) -> dict[str, Any]:
        """The map as JSON has it, rounded to a thousandth of a point."""
        costs = {knob: plane.round(5).tolist() for knob, plane in self.costs.items()}
        return {"costs": costs, "best": self.best.round(5).tolist()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CostMap:
        """Reads what `document` gave."""
        return cls(
            costs={knob: np.array(plane) for knob, plane in document["costs"].items()}, best=np.array(document["best"])
        )


def cost_map(
    necessity: Necessity,
    bandwidths: Sequence[BitsPerSecond],
    deadlines: Sequence[Seconds],
    link: TransferModel,
    *,
    variation: float,
    device_factor: float = 1.0,
) -> CostMap:
    """Computes a map.

    Args:
        necessity: The best with and without each knob.
        bandwidths: Means, both directions.
        deadlines: Seconds.
        link: All of the link but its bandwidth.
        variation: Coefficient of variation of the bandwidth.
        device_factor: How many times slower the device is than the candidates say.
    """
    shape = (len(bandwidths), len(deadlines))
    losses = {knob: np.zeros(shape) for knob in necessity.knobs}
    best = np.zeros(shape)
    for d, deadline in enumerate(deadlines):
        for b, bandwidth in enumerate(bandwidths):
            conditions = seen(link, bandwidth, variation, device_factor)
            with_all = necessity.best(conditions, deadline)
            best[b, d] = with_all.expected
            for knob, cost in costs(with_all, necessity.without(conditions, deadline)).items():
                losses[knob][b, d] = cost
    return CostMap(costs=losses, best=best)


def seen(link: TransferModel, bandwidth: BitsPerSecond, variation: float, device_factor: float = 1.0) -> Conditions:
    """The distribution of the link in a cell, which the regime oracle knows."""
    there = replace(link, bandwidth=bandwidth)
    return Conditions(uplink=there, downlink=there, device_factor=device_factor).varying(variation)


def cost_maps(
    necessity: Necessity, axes: Axes, link: TransferModel, variation: float, factors: Sequence[float]
) -> list[CostMap]:
    """The maps of a device at its usual speed, and at the ends of its range.

    Args:
        necessity: The best with and without each knob.
        axes: Bandwidths and deadlines.
        link: All of the link but its bandwidth.
        variation: Coefficient of variation of the bandwidth.
        factors: How many times slower the device is than the candidates say.
    """
    return [
        cost_map(necessity, axes.bandwidths, axes.deadlines, link, variation=variation, device_factor=factor)
        for factor in factors
    ]
