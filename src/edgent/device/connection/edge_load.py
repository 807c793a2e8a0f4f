"""x"""

from __future__ import annotations

import math

from edgent.units import Seconds


class EdgeLoad:
    def __init__(self, draws=None) -> None:
        self._queue, self._at = 0.0, -math.inf

    def answered(self, load, at):
        self._queue, self._at = load, at

    def refused(self, at):
        pass

    def wait(self, at):
        return Seconds(self._queue if at - self._at < 2.0 else 0.0)
