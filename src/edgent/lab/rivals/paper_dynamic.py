"""The paper's dynamic configurator for its figures: Algorithm 3 with a map that is built when an edge is met."""

from __future__ import annotations

from edgent.device.choosers.chooser import Scope
from edgent.device.choosers.mapped import Mapped
from edgent.planning.paper.algorithm2 import MapSettings, build_map, grid
from edgent.units import BitsPerSecond, Seconds

STATES = grid(BitsPerSecond(10e3), BitsPerSecond(20e6), 428)
"""Bandwidth states of the map: as many as the paper took from recorded links, evenly spread instead."""

_DEADLINES = (Seconds(0.01), Seconds(10.0))  # those of the figures lie between


def paper_dynamic(scope: Scope) -> Mapped:
    """Makes the paper's dynamic configurator for a device."""
    settings = MapSettings(bandwidths=STATES, deadlines=_DEADLINES)
    return Mapped(build_map(scope.candidates, scope.device.model, scope.device, scope.edge, settings), scope)
