"""The requests that were made before, during and after an outage of the link."""

from __future__ import annotations

from dataclasses import dataclass

from edgent.lab.processes.live_runs import StreamRequest
from edgent.units import BitsPerSecond, Seconds

PHASES = ("before", "during", "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplugged:
    """The run in which the link was cut; moments are seconds after its start."""

    bandwidth: BitsPerSecond
    deadline: Seconds
    cut_at: float
    restored_at: float
    requests: tuple[StreamRequest, ...]

    @property
    def back_after(self) -> float | None:
        """Seconds from the link's return to the edge's first answer; None if there was none."""
        for request in self.requests:
            # An answer that came after the link's return, even if its request began before.
            if request.by == "edge" and request.at + request.total > self.restored_at:
                return max(0.0, request.at + request.total - self.restored_at)
        return None

    def phase(self, name: str) -> tuple[StreamRequest, ...]:
        """The requests before, during or after the outage (see `PHASES`), by their start."""
        bounds = (0.0, self.cut_at, self.restored_at, float("inf"))
        first, last = bounds[PHASES.index(name)], bounds[PHASES.index(name) + 1]
        return tuple(request for request in self.requests if first <= request.at < last)

    def document(self) -> dict[str, object]:
        """The run as JSON has it."""
        gone, back = self.phase("during"), self.back_after
        return {
            "outage_ms": round((self.restored_at - self.cut_at) * 1e3, 3),
            "requests_during": len(gone),
            "answered_by_device": sum(request.by == "device" for request in gone),
            "deadlines_met": sum(request.deadline_met for request in gone),
            "back_after_ms": None if back is None else round(back * 1e3, 3),
        }
