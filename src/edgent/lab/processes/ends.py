"""The two ends of a link as processes: our edge, and one that times transfers to it as a device does.

    python -m edgent.lab.processes.ends edge HOST [MODEL [PROFILE]]
        prints {"address": ...}, then serves until stdin ends
    python -m edgent.lab.processes.ends near ADDRESS
        an order a line on stdin, an answer a line on stdout

With a profile the edge computes at its pace: that of an emulated, slower machine.

Orders: {"do": "sound"} measures the link from scratch; {"do": "transfer", "idle": seconds, "up": bytes, "down": bytes}
rests that long, predicts the transfer with all that was learned, and does it. {"do": "tell"} says what is known.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import Any

from edgent.clock import MonotonicClock
from edgent.device.connection.link_state import LinkState, total
from edgent.device.connection.probing import probe_link
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.lab.boards.emulation import Emulated
from edgent.latency import Profile
from edgent.link.slow_start import UNLIMITED
from edgent.wire.edge_client import EdgeClient
from edgent.wire.grpc_transport import GrpcChannel

_MAX_MESSAGE = 8 << 20
_TIMEOUT = 30.0


class NearEnd:
    """The device's side of a link, without a device: what it sends is bytes."""

    def __init__(self, address: str) -> None:
        self._clock = MonotonicClock()
        self._remote = EdgeClient(GrpcChannel(address, max_message=_MAX_MESSAGE, clock=self._clock))
        self._link = LinkState()

    def sound(self) -> dict[str, float]:
        """The link is a new one: measures it."""

        def probe(up: int, down: int) -> Any:
            timed = self._remote.probe(up, down, _TIMEOUT)
            self._link.probed(timed)
            return timed

        probed = probe_link(probe)
        self._link.observe_probes(probed.small, probed.up, probed.down)
        return self.tell()

    def tell(self) -> dict[str, float]:
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
        assert known is not None, "sound first"
        timed = self._remote.probe(up, down, _TIMEOUT)
        self._link.observe(timed)
        seconds, way = (total(timed), known.downlink) if down else (timed.uplink, known.uplink)
        predicted, plain = (
            known.uplink.uplink(0.0) + model.downlink(float(down)) if down else model.uplink(float(up))
            for model in (way, replace(way, window=UNLIMITED))
        )
        return {"seconds": seconds, "predicted": predicted, "plain": plain, "window": way.window}


def _serve(host: str, model: str = "b-alexnet", profile: str = "") -> None:
    profiles = [Profile.load(profile)] if profile else []
    pace = Emulated(profiles[0].emulated or profiles[0].machine) if profiles else None
    with Edge(load(model), host=host, port=0, profiles=profiles, pace=pace) as edge:
        _say({"address": edge.address})
        sys.stdin.read()  # until the owner closes it


def _obey(address: str) -> None:
    end = NearEnd(address)
    for line in sys.stdin:
        order = json.loads(line)
        _say(getattr(end, order.pop("do"))(**order))


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """See the module."""
    what, *rest = arguments
    if what == "edge":
        _serve(*rest)
    else:
        _obey(*rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
