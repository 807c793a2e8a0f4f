"""The two ends of `benchmarks/recovery.py` as processes that take orders: an edge that can be slowed, and a device.

    python benchmarks/recovery_ends.py edge HOST PORT PROFILE
    python benchmarks/recovery_ends.py device EDGE SETUP

SETUP is JSON: see `Setup`. The device answers requests on its own, one after the other, at the moments of its arrivals.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from edgent.device.device import Device
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.lab.boards.emulation import Emulated, find_device
from edgent.lab.boards.hidden import hidden_device
from edgent.lab.processes.orders import Orders, answer
from edgent.latency import Profile
from edgent.units import Seconds
from edgent.wire import messages as m
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.transport import Reply

MODEL, DEVICE = "b-alexnet", "paper-pi3-resident"
DEADLINE = 0.092
_MAX_MESSAGE = 8 << 20
_INPUT = (1, 3, 32, 32)
_CONNECTING = 20.0  # seconds
# What is sent for the link's or the edge's sake; fetching an edge's documents once is no probing.
_PROBES = (m.PROBE, m.SERVER_METADATA, m.DESCRIBE, m.PREPARE)
_Send = Callable[[str, bytes, float], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a device follows the link, and when its requests come.

    Attributes:
        environment: "static" or "dynamic".
        race: Whether the device starts a local branch where the edge is late.
        period: Mean seconds between requests.
        irregular: Whether they come at random (a Poisson process), and not like clockwork.
        profile: A file with this machine's profile.
        seed: Of the arrivals.
    """

    environment: str
    race: bool
    period: float
    irregular: bool
    profile: str = ""
    seed: int = 0

    def __str__(self) -> str:
        arrivals = f"{'about ' if self.irregular else ''}every {self.period:g} s"
        return f"{self.environment}, {'race' if self.race else 'no race'}, {arrivals}"

    def gaps(self) -> Iterator[float]:
        """Seconds between requests, without end."""
        random = Random(self.seed)
        while True:
            yield random.expovariate(1 / self.period) if self.irregular else self.period


class SlowedPace:
    """The pace of an edge that can be slowed."""

    def __init__(self, pace: Emulated) -> None:
        self._pace, self.factor = pace, 1.0

    def hold(self, started_at: Seconds, seconds: float) -> None:
        """See `edgent.engine.pace.Pace`."""
        self._pace.hold(started_at, seconds * self.factor)

    def slow(self, factor: float) -> None:
        """From now on work takes so many times longer."""
        self.factor = factor


class WatchedChannel:
    """A channel that notes what is sent for the link's own sake: when, bytes up and down, and whether it came.

    Everything else is the channel's.
    """

    def __init__(self, channel: GrpcChannel) -> None:
        self._channel = channel
        self.probes: list[tuple[float, int, int, bool]] = []

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `edgent.wire.transport.Channel.call`."""
        return self._watched(self._channel.call, method, message, timeout)

    def exchange(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `edgent.wire.transport.Channel.exchange`: probes go by it, where the edge can."""
        return self._watched(self._channel.exchange, method, message, timeout)

    def _watched(
        self, send: Callable[[str, bytes, float], Reply], method: str, message: bytes, timeout: float
    ) -> Reply:
        if method not in _PROBES:
            return send(method, message, timeout)
        began_at, down, came = time.monotonic(), 0, False
        try:
            reply = send(method, message, timeout)
            down, came = len(reply.body), True
            return reply
        finally:
            self.probes.append((began_at, len(message), down, came))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._channel, name)


class DeviceEnd:
    """A device whose requests come by themselves."""

    def __init__(self, edge: str, setup: Setup) -> None:
        host, model = Profile.load(setup.profile), load(MODEL)
        board = hidden_device(host, model, replace(find_device(DEVICE), spread=0.0), seed=0, jitter=0.0)
        self._channel = WatchedChannel(GrpcChannel(edge, max_message=_MAX_MESSAGE))
        self._device = Device(
            model,
            edge=edge,
            deadline=DEADLINE,
            device_profile=board.profile,
            host_profile=board.table,
            pace=board.pace(),
            race=setup.race,
            environment=setup.environment,  # type: ignore[arg-type]
            codecs=("float32",),
            channel=self._channel,
        )
        self._setup = setup
        self._seen: list[dict[str, Any]] = []
        self._picture = np.random.default_rng(0).normal(size=_INPUT).astype(np.float32)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Connects, and begins to answer."""
        self._device.wait_ready(_CONNECTING)
        self._thread.start()

    def seen(self, requests: int, probes: int) -> dict[str, Any]:
        """The requests and probes after the first so many."""
        return {"requests": self._seen[requests:], "probes": self._channel.probes[probes:]}

    def belief(self) -> dict[str, Any]:
        """What the device takes the link to be, in words."""
        return {"belief": f"{self._device!r} {self._device.conditions!r}"}

    def close(self) -> None:
        """Ends it."""
        self._ended.set()
        self._thread.join(_CONNECTING)
        self._device.close()

    def _run(self) -> None:
        due = time.monotonic()
        for gap in self._setup.gaps():
            due += gap
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            # Where an answer takes longer than a gap the next request comes at once: they are answered one at a time.
            due = max(due, time.monotonic() - gap)
            at = time.monotonic()
            record = self._device.infer(self._picture).record
            used = record.by == "edge" and record.deadline_met
            self._seen.append({"at": at, "used": used, "record": record.to_json()})


def main(arguments: list[str]) -> int:
    """See the module."""
    what, *rest = arguments
    if what == "edge":
        host, port, path = rest
        profile = find_device(DEVICE).edge_profile(Profile.load(Path(path)))
        pace = SlowedPace(Emulated("the edge"))
        with Edge(load(MODEL), host=host, port=int(port), profiles=[profile], pace=pace) as edge:
            answer({"address": edge.address})
            Orders({"slow": pace.slow}).obey_all()
        return 0
    end = DeviceEnd(rest[0], Setup(**json.loads(rest[1])))
    answer({})
    Orders({"start": end.start, "seen": end.seen, "belief": end.belief}).obey_all()
    end.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
