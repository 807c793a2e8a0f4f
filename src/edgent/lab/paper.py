"""The paper's dynamic configurator on a live device: Algorithm 3 with its map, as what chooses the plans.

The product follows the link with `edgent.planning.controller` instead; this stands beside it in the paper's figures.
"""

from __future__ import annotations

import threading
from collections.abc import Collection

import numpy as np

from edgent.latency import Profile
from edgent.link.change_points import ChangePointDetector
from edgent.planning.algorithm2 import Recipe, build_map, grid
from edgent.planning.algorithm3 import Algorithm3
from edgent.planning.conditions import Conditions
from edgent.planning.outlook import Transfer
from edgent.planning.plan import Configuration, Plan
from edgent.replay.predictors import sample
from edgent.runtime.chooser import MakeChooser, Scope, best
from edgent.units import BitsPerSecond, Seconds

STATES = grid(BitsPerSecond(10e3), BitsPerSecond(20e6), 428)
"""Bandwidth states of the map: as many as the paper took from recorded links, evenly spread instead."""


class PaperDynamic:
    """Algorithm 3 as a chooser; thread-safe.

    Args:
        scope: What may be run.
        device: The profile that it was priced with.
    """

    def __init__(self, scope: Scope, device: Profile) -> None:
        table = scope.candidates
        recipe = Recipe(bandwidths=STATES, deadlines=[scope.deadline])
        states = build_map(table, device.model, device, device, recipe)  # what a map says of its edge is read by nobody
        self._algorithm = Algorithm3(states, ChangePointDetector(), scope.deadline)
        self._table = table
        self._rows = {table.configuration(row): row for row in range(len(table))}
        self._own = np.flatnonzero(table.messages == 0)
        self._lock = threading.Lock()

    def observe(self, event: Transfer) -> None:
        """See `Chooser.observe`; a state is of the uplink."""
        if event.direction == "up":
            with self._lock:
                self._algorithm.observe(sample(event))

    def choose(
        self,
        now: Seconds,  # noqa: ARG002 - a map needs no clock
        conditions: Conditions,
        deadline: Seconds,
        ready: Collection[Configuration] | None = None,
    ) -> Plan:
        """See `Chooser.choose`: what the map says, or where that is not ready the best of what is."""
        wanted = self._algorithm.configuration
        if ready is None or wanted in ready:
            rows = np.array([self._rows[wanted]])
        else:
            others = [self._rows[configuration] for configuration in ready if configuration in self._rows]
            rows = np.union1d(self._own, np.array(others, dtype=np.intp))
        return best(self._table.keep(rows), conditions, deadline)

    def __repr__(self) -> str:
        return f"<PaperDynamic: {self._algorithm!r}>"


def paper_dynamic(device: Profile) -> MakeChooser:
    """What makes such a chooser for a device of this profile."""
    return lambda scope: PaperDynamic(scope, device)
