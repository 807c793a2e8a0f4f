"""The chooser of a configuration map: the paper's Algorithm 3, the same that a replay drives, on a live device."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from edgent.device.choosers.chooser import Scope, Static
from edgent.errors import InputError, RefusedError
from edgent.link.change_points import ChangePointDetector
from edgent.link.transfer import CALL_BYTES, WIRE, Transfer
from edgent.planning.conditions import Conditions
from edgent.planning.configuration_map import ConfigurationMap
from edgent.planning.paper.algorithm3 import Algorithm3
from edgent.planning.plan import Configuration, Plan
from edgent.planning.planner import best
from edgent.units import BitsPerSecond, Seconds

_WIRE = replace(WIRE, message_bytes=CALL_BYTES)

_log = logging.getLogger("edgent.device")


class Mapped:
    """Looks the plan up in a map whenever the link's state changes; a state is of the uplink.

    What the map asks for and cannot be run, or not yet, the planner's choice replaces, as in the static environment.

    Args:
        states: The map.
        scope: What may be run.

    Raises:
        RefusedError: the map was built for another edge, device, model or range of deadlines.
    """

    def __init__(self, states: ConfigurationMap, scope: Scope) -> None:
        try:
            states.check(scope.deadline, scope.device, scope.edge)
        except InputError as error:
            raise RefusedError(str(error)) from None
        self._table = scope.candidates
        self._rows = self._table.rows
        # A configuration of the map whose sessions are not made yet would be late by the time they take.
        self._otherwise = Static(scope)
        # A map is looked up by the uplink alone, as in the paper, which has one bandwidth.
        self._algorithm = Algorithm3(states, ChangePointDetector(), scope.deadline)
        self._lock = threading.Lock()
        if missing := states.configurations - self._rows.keys():
            _log.warning(
                "%r: %d of its %d configurations cannot be run here, and the planner chooses in their place; "
                "a map and a run need the same calibration, direction, exits, codecs and kind of input",
                states,
                len(missing),
                len(states.configurations),
            )

    def observe(self, events: Iterable[Transfer]) -> None:
        """See `Chooser.observe`.

        The round trip is taken off a transfer's time, and that is only an estimate: what then seems to have taken no
        time tells no bandwidth. One that was given up is an outage.
        """
        with self._lock:
            for event in (one for one in events if one.direction == "up" and one.seconds > 0):
                self._algorithm.observe(0.0 if event.cut else event.bandwidth(_WIRE.uplink(event.size)))

    def choose(
        self,
        now: Seconds,
        conditions: Conditions,
        deadline: Seconds,
        ready: Collection[Configuration] | None = None,
    ) -> Plan:
        """See `Chooser.choose`.

        Raises:
            InputError: the map lacks this deadline.
        """
        with self._lock:
            wanted = self._algorithm.at(deadline)
        if wanted not in self._rows or not (ready is None or wanted.device_only or wanted in ready):
            return self._otherwise.choose(now, conditions, deadline, ready)
        return best(self._table.keep(np.array(self._rows[wanted])), conditions, deadline)

    def decisive(
        self, now: Seconds, conditions: Conditions, deadline: Seconds, *, unlikely: bool = False
    ) -> BitsPerSecond:
        """See `Chooser.decisive`: a map, too, is looked up for what was seen last."""
        return self._otherwise.decisive(now, conditions, deadline, unlikely=unlikely)

    def __repr__(self) -> str:
        return f"<Mapped: {self._algorithm!r}>"
