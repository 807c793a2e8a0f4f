"""The device's end of a link as a process, without a device: it times transfers to an edge as a device does.

`python -m edgent.lab.processes.near_end ADDRESS` takes these orders:

- "probe" measures the link from scratch;
- "transfer", with `idle` seconds and the bytes `up` and `down`, rests that long, predicts the transfer with all that
  was learned, and does it;
- "known" says what is known of the link.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any

from edgent.clock import MonotonicClock
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.probing import probe_link
from edgent.lab.processes.orders import Orders, answer
from edgent.link.slow_start import UNLIMITED
from edgent.wire.edge_client import EdgeClient
from edgent.wire.grpc_channel import GrpcChannel

_MAX_MESSAGE = 8 << 20
_TIMEOUT = 30.0


class NearEnd:
    """The device's side of a link, without a device: what it sends is bytes."""

    def __init__(self, address: str) -> None:
        self._clock = MonotonicClock()
        self._remote = EdgeClient(GrpcChannel(address, max_message=_MAX_MESSAGE, clock=self._clock))
        self._remote.extensions(_TIMEOUT)  # which a device asks for as well: what it finds decides how it then asks
        self._link = LinkFollower()

    def probe(self) -> dict[str, float]:
        """The link is a new one: measures it."""

        def timed_probe(up: int, down: int) -> Any:
            timed = self._remote.probe(up, down, _TIMEOUT)
            self._link.probed(timed)
            return timed

        probes = probe_link(timed_probe)
        self._link.observe_probes(probes.small, probes.up, probes.down)
        return self.known()

    def known(self) -> dict[str, float]:
        """What is known of the link."""
        known = self._link.conditions(self._clock.now())
        if known is None:
            return {}
        return {
            "bandwidth": known.uplink.bandwidth,
            "downlink": known.downlink.bandwidth,
            "round_trip": known.uplink.round_trip,
            "call_time": known.uplink.call_time,
        }

    def transfer(self, idle: float, up: int, down: int) -> dict[str, float]:
        """A transfer after resting, in the direction that has bytes: its seconds, predicted, and without slow start.

        Downwards that is the whole exchange, with the call that asks for the bytes; the edge's own time is in neither.
        """
        time.sleep(idle)
        known = self._link.conditions(self._clock.now(), self._remote.channel.window())
        assert known is not None, "probe first"
        timed = self._remote.probe(up, down, _TIMEOUT)
        self._link.observe(timed)
        seconds, way = (timed.on_link, known.downlink) if down else (timed.uplink, known.uplink)
        predicted, plain = (
            known.uplink.uplink(0.0) + model.downlink(float(down)) if down else model.uplink(float(up))
            for model in (way, replace(way, window=UNLIMITED))
        )
        return {"seconds": seconds, "predicted": predicted, "plain": plain, "window": way.window}


def main(arguments: list[str]) -> int:
    """Takes orders until there are no more; see the module."""
    end = NearEnd(*arguments)
    answer({})
    Orders({"probe": end.probe, "known": end.known, "transfer": end.transfer}).obey_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
