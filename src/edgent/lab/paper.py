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
        self._table, self._device = scope.candidates, device
        self._rows = {self._table.configuration(row): row for row in range(len(self._table))}
        self._own = np.flatnonzero(self._table.messages == 0)
        self._detector = ChangePointDetector()
        self._lock = threading.Lock()
        self._deadline, self._algorithm = scope.deadline, self._built_for(scope.deadline)

    def observe(self, event: Transfer) -> None:
        """See `Chooser.observe`; a state is of the uplink.

        The round trip is taken off a transfer's time, and that is only an estimate: what then seems to have taken no
        time tells no bandwidth.
        """
        if event.direction == "up" and event.seconds > 0:
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
        with self._lock:
            if deadline != self._deadline:
                self._deadline, self._algorithm = deadline, self._built_for(deadline)
            wanted = self._algorithm.configuration
        if ready is None or wanted in ready:
            rows = np.array([self._rows[wanted]])
        else:
            others = [self._rows[configuration] for configuration in ready if configuration in self._rows]
            rows = np.union1d(self._own, np.array(others, dtype=np.intp))
        return best(self._table.keep(rows), conditions, deadline)

    def wants_look(self, now: Seconds, conditions: Conditions, deadline: Seconds) -> bool:  # noqa: ARG002 - see below
        """Always: a map is looked up for whatever was seen last."""
        return True

    def _built_for(self, deadline: Seconds) -> Algorithm3:
        """The algorithm with a map for a deadline; it looks its first state up at the next sample."""
        recipe = Recipe(bandwidths=STATES, deadlines=[deadline])
        device = self._device
        states = build_map(self._table, device.model, device, device, recipe)  # what it says of its edge nobody reads
        return Algorithm3(states, self._detector, deadline)

    def __repr__(self) -> str:
        return f"<PaperDynamic: {self._algorithm!r}>"


def paper_dynamic(device: Profile) -> MakeChooser:
    """What makes such a chooser for a device of this profile."""
    return lambda scope: PaperDynamic(scope, device)
