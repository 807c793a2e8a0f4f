"""What is shown of an edge: its counters and its queue, asked for as a document. Holds no thread, and opens nothing.

While somebody looks, a sample is taken every half second; rates are over the last five.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgent.edge.callers import CallerCounter, CallerCounts

if TYPE_CHECKING:
    from edgent.edge.edge import Edge
    from edgent.wire.edge_client import ModelCounts

_HISTORY = 600  # samples
_EVERY = 0.5  # seconds between two samples
_OVER = 10  # samples over which rates are: in half a second a few requests more or less are a large share
_ACTIVE = 10.0  # seconds since its last request for which a device counts as one that asks


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSample:
    """An edge's counts at one moment.

    Attributes:
        at: on the edge's clock.
        answered: requests since it began.
        refused: likewise.
        computed: seconds of computing since it began, all slots together.
        waited: seconds in the queue since it began, of all that were answered.
    """

    at: float
    answered: int
    refused: int
    computed: float
    waited: float

    @classmethod
    def of(cls, at: float, accounts: tuple[ModelCounts, ...]) -> EdgeSample:
        """The sum of the accounts of all models."""
        return cls(
            at=at,
            answered=sum(account.answered for account in accounts),
            refused=sum(account.turned_away for account in accounts),
            computed=sum(account.middle for account in accounts),
            waited=sum(account.queue for account in accounts),
        )

    def rates(self, before: EdgeSample) -> tuple[float, float, float]:
        """Answers and refusals a second, and cores that computed, since another moment."""
        seconds = max(self.at - before.at, 1e-6)
        return (
            (self.answered - before.answered) / seconds,
            (self.refused - before.refused) / seconds,
            (self.computed - before.computed) / seconds,
        )


class EdgeView:
    """What is shown of one edge; thread-safe.

    Args:
        edge: is asked.
        callers: who counts its callers.
        now: tells the time, in seconds since 1970.
    """

    def __init__(self, edge: Edge, callers: CallerCounter, now: Callable[[], float]) -> None:
        self.edge, self.callers, self._now = edge, callers, now
        self._guard = threading.Lock()
        self._number = 0
        self._samples: deque[EdgeSample] = deque(maxlen=_OVER + 1)
        self._rows: deque[list[Any]] = deque(maxlen=_HISTORY)

    @property
    def number(self) -> int:
        """Of the last sample; one is taken where that was not done a moment ago."""
        now = self.callers.now()
        with self._guard:
            if not self._samples or now >= self._samples[-1].at + _EVERY:
                self._take(EdgeSample.of(now, self.edge.service.counters.accounts))
            return self._number

    def document(self, since: int) -> dict[str, Any]:
        """All that is shown, with the samples that are newer than number `since`; 0: all that are kept."""
        load, number = self.edge.service.queue_threads.load, self.number
        callers, now = self.callers.counts, self.callers.now()
        active = [name for name, counts in callers.items() if now - counts.asked_at < _ACTIVE]
        with self._guard:
            busy = self._rows[-1][4] if self._rows else 0.0
            return {
                "kind": "edge",
                "number": number,
                "now": self._now(),
                "address": self.edge.address,
                "models": [_model(account) for account in self.edge.service.counters.accounts],
                "queue": {
                    "running": load.running,
                    "slots": load.slots,
                    "waiting": load.waiting,
                    "bound": load.bound,
                    "wait_ms": round(load.wait * 1e3, 2),
                },
                "devices": [_device(name, counts, now) for name, counts in reversed(callers.items())],
                "active": len(active),
                "busy_cores": round(busy, 4),
                "cameras_per_core": cameras_per_core(len(active), busy),
                "rows": [row for row in self._rows if row[0] > since],
            }

    def picture(self, source: str) -> None:
        """An edge keeps none: pictures are their device's."""

    def __repr__(self) -> str:
        return f"<EdgeView of {self.edge!r}>"

    def _take(self, sample: EdgeSample) -> None:
        self._number += 1
        self._samples.append(sample)
        rates = sample.rates(self._samples[0])
        load = self.edge.service.queue_threads.load
        self._rows.append([self._number, self._now(), *(round(rate, 4) for rate in rates), load.waiting])


def cameras_per_core(active: int, busy: float) -> float | None:
    """How many cameras like those that ask now a core would hold; None: nobody asks, or nothing is computed."""
    return None if active == 0 or busy <= 0 or not math.isfinite(busy) else round(active / busy, 1)


def _model(account: ModelCounts) -> dict[str, Any]:
    answered = account.answered
    return {
        "name": account.name,
        "version": account.version,
        "answered": answered,
        "refused": account.turned_away,
        "queue_ms": round(account.queue / answered * 1e3, 2) if answered else None,
        "compute_ms": round(account.middle / answered * 1e3, 2) if answered else None,
    }


def _device(name: str, counts: CallerCounts, now: float) -> dict[str, Any]:
    return {
        "name": name,
        "answered": counts.answered,
        "refused": counts.refused,
        "failed": counts.failed,
        "mean_ms": round(counts.seconds / counts.answered * 1e3, 2) if counts.answered else None,
        "seconds_ago": round(now - counts.asked_at, 1),
    }
