"""The kernel's own shaped link, to check ours against: `tc tbf` on a veth pair between two network namespaces.

Needs root, `ip` and `tc`. What it adds to ours: real TCP from end to end. What it lacks: delay (no netem in many
kernels), and a bucket without a burst.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Self

from edgent.errors import EdgentError
from edgent.lab.links.namespaces import Namespaces, lacking, run
from edgent.units import BitsPerSecond

_QUEUE_BYTES = 4_000_000  # so long that nothing is dropped


def obstacle() -> str | None:
    """Why this cannot be done here; None where it can."""
    if reason := lacking("ip", "tc"):
        return reason
    try:
        with TbfLink(rate=BitsPerSecond(1e6)):
            return None
    except EdgentError as error:  # a container without the right, a kernel without tbf
        return str(error)


class TbfLink:
    """Two namespaces, the near one's way to the far one shaped.

    Args:
        rate: Bits per second.
        burst: Wire bytes that may pass at once after a rest; at least a packet.
    """

    def __init__(self, *, rate: BitsPerSecond, burst: int = 1600) -> None:
        self._rate = rate
        self._burst = burst
        self._namespaces = Namespaces()
        self.near, self.far = self._namespaces.near, self._namespaces.far

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            ends = undo.enter_context(self._namespaces)
            near, far = ("near", "netns", ends.near_name), ("far", "netns", ends.far_name)
            run("ip", "link", "add", *near, "type", "veth", "peer", *far)
            ends.connect("near", "far")
            self._shape("add")
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def set(self, rate: BitsPerSecond) -> None:
        """Another rate."""
        self._rate = rate
        self._shape("change")

    def _shape(self, verb: str) -> None:
        shape = ["rate", f"{self._rate:.0f}bit", "burst", str(self._burst), "limit", str(_QUEUE_BYTES)]
        run("tc", "-n", self._namespaces.near_name, "qdisc", verb, "dev", "near", "root", "tbf", *shape)
