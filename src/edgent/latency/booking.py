"""From the times of an engine's kernels to the times of a branch's layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from edgent.model.costs import LayerCost

_FLOPS, _BYTES = 4e10, 1e10  # rough speed of a core, per second; only their ratio matters here
_DROPPED = {"Dropout", "Identity"}  # nothing is left of them once other layers are fused around them
_LEAST_KEPT = 0.15  # the share of its time that a node keeps, however much the profiler added


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """How profiled time is divided among the layers of a branch.

    Attributes:
        layers: seconds of each layer of the branch, shape (n,).
        unassigned: seconds of nodes that stand for no layer.
    """

    layers: NDArray[np.float64]
    unassigned: float

    @property
    def total(self) -> float:
        """All of it, in seconds."""
        return float(self.layers.sum()) + self.unassigned


def book(times: Mapping[str, float], layers: Mapping[str, tuple[int, ...]], costs: Sequence[LayerCost]) -> Booking:
    """Books the time of each node exactly once: to its layers in proportion to their work, or as unassigned.

    Args:
        times: seconds by name of the node.
        layers: positions of the layers that each node stands for, from `node_layers`.
        costs: of the branch's layers.
    """
    # Times are booked in one matrix product, so that a model's prediction (a covariance) can be booked by the same
    # shares.
    shares = booking_shares(tuple(times), layers, costs)
    seconds = np.array(list(times.values()), dtype=np.float64)
    nobody = 1 - shares.sum(axis=1)
    # Rows add up to 1 or to 0 but for rounding; `round` keeps that rounding out of the unassigned time.
    return Booking(layers=seconds @ shares, unassigned=float(seconds @ np.round(nobody)))


def booking_shares(
    nodes: Sequence[str], layers: Mapping[str, tuple[int, ...]], costs: Sequence[LayerCost]
) -> NDArray[np.float64]:
    """The share of each node's time that each layer gets: shape (nodes, layers); rows add up to 1, or to 0."""
    work = np.array([_work(cost) for cost in costs])
    shares = np.zeros((len(nodes), len(costs)))
    for row, name in zip(shares, nodes, strict=True):
        if positions := list(layers.get(name, ())):
            # Several layers that all do nothing, as two views fused into one node: they share evenly.
            share = work[positions] if work[positions].any() else np.ones(len(positions))
            row[positions] = share / share.sum()
    return shares


def deflated(
    times: Mapping[str, float], added: float, events: Mapping[str, float] = MappingProxyType({})
) -> dict[str, float]:
    """Node times without what the profiler added.

    A profiler takes about as long for a small node as for a large one (about 5 microseconds in ONNX Runtime), so
    each node gives up the same, but no more than nearly all it has.

    Args:
        times: seconds by name of the node, as profiled.
        added: seconds that the profiler adds to each event.
        events: in the time of each node, where that is not one: a node with bodies has those of its bodies.
    """
    # Subtracting the same from each could leave small nodes at 0 or below; they then would seem free.
    return {name: max(seconds - added * events.get(name, 1), _LEAST_KEPT * seconds) for name, seconds in times.items()}


def _work(cost: LayerCost) -> float:
    """Roughly the seconds that a layer takes; 0 for one that does nothing."""
    if cost.kind in _DROPPED:
        return 0.0
    # A small roofline: operations plus bytes. Unknown shapes count as 0, for here only proportions matter.
    moved = (cost.bytes_in or 0) + (cost.bytes_out or 0) + cost.bytes_weights
    return (cost.flops or 0) / _FLOPS + moved / _BYTES
