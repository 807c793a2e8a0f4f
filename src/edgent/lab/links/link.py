"""The shaped link: real connections through a link of a chosen rate and delay, without root.

It stands between device and edge as a TCP proxy in a process of its own: in a thread of its owner, any other thread
there that computes in Python would hold up every message by some 16 ms (measured).

What it shows: the rate in both directions (packet headers counted as tc counts them), delay, changes while running,
outages. What it cannot show: it ends TCP on both sides, so slow start after idling, retransmission and loss do not
happen across it, acknowledgements cost nothing, opening a connection takes no round trip, and after an outage bytes
flow at once.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from types import TracebackType
from typing import Self

from edgent.address import Address
from edgent.errors import InputError
from edgent.lab.links.proxy import LinkCounts, LinkSettings
from edgent.lab.links.shaping import AT_ONCE, check_delay, check_rate
from edgent.lab.processes.child_process import ChildProcess
from edgent.units import BitsPerSecond, Seconds, format_bandwidth, format_duration

__all__ = ["LinkCounts", "ShapedLink"]


class ShapedLink:
    """A link to `target` that connections to `address` pass through.

    Args:
        target: Where the edge listens: "host:port".
        uplink: Bits per second towards the target.
        downlink: Bits per second from the target; None: as the uplink.
        round_trip: Seconds that both ways together add; half of it each way.
        burst: Wire bytes that may pass at once after a rest. 0 is what a real link does; tc's `tbf` has at least one
            packet.
        host: Where to listen.
        port: 0 takes a free one.

    Raises:
        InputError: a target, rate or delay that cannot be.

    >>> with ShapedLink("127.0.0.1:8001", uplink=BitsPerSecond(1e6)) as link:  # doctest: +SKIP
    ...     device = Device("b-alexnet", edge=link.address)
    ...     link.set(uplink=BitsPerSecond(50e3))
    """

    def __init__(
        self,
        target: str,
        *,
        uplink: BitsPerSecond,
        downlink: BitsPerSecond | None = None,
        round_trip: Seconds = AT_ONCE,
        burst: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        towards = Address.parse(target, "target host:port")
        self._settings = LinkSettings(
            target=(towards.host, towards.port),
            uplink=check_rate(uplink),
            downlink=check_rate(uplink if downlink is None else downlink),
            round_trip=check_delay(round_trip),
            burst=burst,
            host=host,
            port=port,
        )
        self._process = ChildProcess("-m", "edgent.lab.links.proxy", json.dumps(asdict(self._settings)))
        self._port = port

    def start(self) -> Self:
        """Begins to listen.

        Raises:
            EdgentError: the port is taken, or the process did not start.
        """
        self._port = self._process.__enter__().ready["port"]
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        s = self._settings
        return (
            f"<ShapedLink {self.address} -> {s.target[0]}:{s.target[1]}, {format_bandwidth(s.uplink)} up, "
            f"{format_bandwidth(s.downlink)} down, round trip {format_duration(s.round_trip)} at the start>"
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def address(self) -> str:
        """What to connect to instead of the target: "host:port"."""
        return f"{self._settings.host}:{self._port}"

    def set(
        self,
        *,
        uplink: BitsPerSecond | None = None,
        downlink: BitsPerSecond | None = None,
        round_trip: Seconds | None = None,
        corrupted: float | None = None,
        dropped: float | None = None,
    ) -> None:
        """Changes the link; in force on return, also for the segment being sent.

        Args:
            uplink: As when it was made; None: as it is, and so with all of them.
            downlink: Likewise.
            round_trip: Likewise.
            corrupted: Share of segments (0..1) that arrive with a byte changed; at first none does.
            dropped: Share of segments that never arrive, while what follows them does; at first none.
        """
        for rate in (uplink, downlink):
            if rate is not None:
                check_rate(rate)
        if round_trip is not None:
            check_delay(round_trip)
        for name, share in (("corrupted", corrupted), ("dropped", dropped)):
            if share is not None and not 0 <= share <= 1:
                raise InputError(f"{name} {share!r} is not a share of segments, 0 to 1")
        self._process.ask(
            "set", uplink=uplink, downlink=downlink, round_trip=round_trip, corrupted=corrupted, dropped=dropped
        )

    def cut(self, *, refuse: bool = False) -> None:
        """Stops every byte, until `restore`.

        Connections stay open and hang, new ones too, as on a dead radio. With `refuse` they are reset, and new ones
        refused, as when the machine behind the link is gone.
        """
        self._process.ask("cut", refuse=refuse)

    def restore(self) -> None:
        """Ends a cut; what was under way goes on."""
        self._process.ask("restore")

    def counts(self) -> LinkCounts:
        """Counts of what has passed so far."""
        return LinkCounts(**self._process.ask("counts"))

    def stop(self) -> None:
        """Closes every connection and stops listening; may be called twice."""
        self._process.stop()
