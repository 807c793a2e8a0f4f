"""The TUN link's inside: packets read at one end, written at the other when their lane says so.

One process, one thread, one selector, as the proxy; the two TUN devices are files that the owner opened.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from edgent.lab.links.packets import PacketLane, PacketPath
from edgent.lab.links.punctual import EVENT_READ, PunctualSelector, now
from edgent.lab.processes.orders import Does, Orders, answer

_PACKET_BYTES = 65536  # none is longer than the device's MTU
_AT_A_TIME = 64  # packets read before those that are due are looked after


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelCounts:
    """What has passed through the tunnel so far.

    Attributes:
        up_wire_bytes: Towards the far end, Ethernet headers included.
        down_wire_bytes: From it.
        up_dropped: Packets lost: by chance, for want of room, or because the link was cut.
        down_dropped: The same downwards.
        worst_lateness: The latest wake-up of the process since the last count, in seconds: what the host did to it.
    """

    up_wire_bytes: int
    down_wire_bytes: int
    up_dropped: int
    down_dropped: int
    worst_lateness: float


class Tunnel:
    """See the module; `run` returns when there are no more orders."""

    def __init__(self, near: int, far: int, settings: Mapping[str, Any]) -> None:
        # A generator of random numbers for each direction, seeded by its name: losses upwards do not depend on how many
        # packets go down, so a run can be repeated.
        self._up, self._down = (
            PacketLane(PacketPath(**settings[way]), Random(f"{settings['seed']} {way}"), now=now())
            for way in ("up", "down")
        )
        self._ways = ((self._up, far), (self._down, near))
        does: Does = {"set": self._set, "cut": self._cut, "restore": self._restore, "counts": self._counts}
        self._orders = Orders(does)
        self._selector = PunctualSelector()
        self._selector.register(self._orders.file, EVENT_READ, self._orders.obey)
        for source, lane in ((near, self._up), (far, self._down)):
            os.set_blocking(source, False)
            self._selector.register(source, EVENT_READ, functools.partial(self._read, source, lane))

    def run(self) -> None:
        """Serves until there are no more orders."""
        answer({})
        while not self._orders.ended:
            for ready, mask in self._selector.wait(min(lane.next_at() for lane, _ in self._ways)):
                ready(mask)
            for lane, sink in self._ways:
                for packet in lane.step(now()):
                    with contextlib.suppress(BlockingIOError):  # the reader's queue is full: lost, as on any link
                        os.write(sink, packet)
        self._selector.close()

    @staticmethod
    def _read(source: int, lane: PacketLane, _mask: int) -> None:
        with contextlib.suppress(BlockingIOError):
            # Bounded, or a fast sender would keep the loop reading while packets that are due wait.
            for _ in range(_AT_A_TIME):
                lane.offer(os.read(source, _PACKET_BYTES), now())

    def _set(self, up: dict[str, Any], down: dict[str, Any]) -> None:
        self._up.change(PacketPath(**up), now())
        self._down.change(PacketPath(**down), now())

    def _cut(self) -> None:
        for lane, _ in self._ways:
            lane.cut()

    def _restore(self) -> None:
        for lane, _ in self._ways:
            lane.restore()

    def _counts(self) -> dict[str, object]:
        return asdict(
            TunnelCounts(
                up_wire_bytes=self._up.wire_bytes,
                down_wire_bytes=self._down.wire_bytes,
                up_dropped=self._up.dropped,
                down_dropped=self._down.dropped,
                worst_lateness=self._selector.worst_lateness(),
            )
        )


def main(arguments: list[str]) -> int:
    """`python -m edgent.lab.links.tunnel SETTINGS NEAR FAR`: JSON, and the numbers of two open files."""
    settings, near, far = arguments
    Tunnel(int(near), int(far), json.loads(settings)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
