"""The shaped link: real connections through a link of a chosen rate and delay, without root.

It stands between device and edge as a TCP proxy, in a thread of its owner or in a process of its own. What it shows:
rate in both directions (packet headers counted as tc counts them), delay, changes while running, outages. What it
cannot show: it ends TCP on both sides, so slow start after idling, retransmission and loss do not happen across it,
acknowledgements cost nothing, opening a connection takes no round trip, and after an outage bytes flow at once.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from dataclasses import asdict
from types import TracebackType
from typing import Any, TextIO

from edgent.errors import EdgentError, InputError
from edgent.lab.proxy import LinkCounts, LinkSettings, Proxy
from edgent.lab.shaping import check_delay, check_rate
from edgent.units import BitsPerSecond, Seconds, format_bandwidth, format_duration

__all__ = ["LinkCounts", "ShapedLink"]

_ANSWER_WITHIN = 30.0  # seconds, on a host that is busy


class ShapedLink:
    """A link to `target` that connections to `address` pass through.

    Args:
        target: Where the edge listens: "host:port".
        uplink: Bits per second towards the target.
        downlink: Bits per second from the target; as the uplink unless told.
        round_trip: Seconds that both ways together add; half of it each way.
        burst: Wire bytes that may pass at once after a rest. 0 is what a real link does; tc's `tbf` has at least one
            packet.
        host: Where to listen.
        port: 0 takes a free one.
        own_process: Run beside the owner, whose Python threads then cannot delay it.

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
        round_trip: Seconds = Seconds(0.0),
        burst: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        own_process: bool = False,
    ) -> None:
        self._settings = LinkSettings(
            target=_parsed(target),
            uplink=check_rate(uplink),
            downlink=check_rate(uplink if downlink is None else downlink),
            round_trip=check_delay(round_trip),
            burst=burst,
            host=host,
            port=port,
        )
        self._own_process = own_process
        self._control: socket.socket | None = None
        self._answers: TextIO | None = None
        self._runner: threading.Thread | subprocess.Popen[bytes] | None = None
        self._port = port
        self._lock = threading.Lock()

    def start(self) -> ShapedLink:
        """Begins to listen.

        Raises:
            OSError: the port is taken (in a thread).
            EdgentError: the process did not start.
        """
        ours, theirs = socket.socketpair()
        ours.settimeout(_ANSWER_WITHIN)
        self._control, self._answers = ours, ours.makefile("r")
        try:
            self._runner = self._process(theirs) if self._own_process else self._thread(theirs)
            self._port = self._answer()["port"]
        except BaseException:
            self.stop()
            raise
        return self

    def __enter__(self) -> ShapedLink:
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
    ) -> None:
        """Changes the link; in force on return, also for the segment being sent."""
        for rate in (uplink, downlink):
            if rate is not None:
                check_rate(rate)
        if round_trip is not None:
            check_delay(round_trip)
        self._order("set", uplink=uplink, downlink=downlink, round_trip=round_trip)

    def cut(self, *, refuse: bool = False) -> None:
        """Stops every byte, until `restore`.

        Connections stay open and hang, new ones too, as on a dead radio. With `refuse` they are reset, and new ones
        refused, as when the machine behind the link is gone.
        """
        self._order("cut", refuse=refuse)

    def restore(self) -> None:
        """Ends a cut; what was under way goes on."""
        self._order("restore")

    def counts(self) -> LinkCounts:
        """What has passed so far."""
        return LinkCounts(**self._order("counts"))

    def stop(self) -> None:
        """Closes every connection and stops listening; may be called twice."""
        if self._control is None or self._answers is None:
            return
        with contextlib.suppress(OSError, EdgentError):
            self._order("stop")
        self._answers.close()
        self._control.close()  # which alone would stop it, too
        self._control = None
        if isinstance(self._runner, threading.Thread):
            self._runner.join(_ANSWER_WITHIN)
        elif self._runner is not None:
            self._runner.wait(_ANSWER_WITHIN)

    def _thread(self, control: socket.socket) -> threading.Thread:
        try:
            proxy = Proxy(self._settings, control)
        except OSError:
            control.close()
            raise
        thread = threading.Thread(target=proxy.run, name="edgent-shaped-link", daemon=True)
        thread.start()
        return thread

    def _process(self, control: socket.socket) -> subprocess.Popen[bytes]:
        with control:
            command = [sys.executable, "-m", "edgent.lab.proxy", str(control.fileno())]
            process = subprocess.Popen(command, pass_fds=[control.fileno()])
        self._send(asdict(self._settings))
        return process

    def _order(self, what: str, **arguments: object) -> dict[str, Any]:
        with self._lock:
            self._send({"do": what, **arguments})
            return self._answer()

    def _send(self, document: dict[str, object]) -> None:
        if self._control is None:
            raise EdgentError("the shaped link is not running: start it first")
        self._control.sendall(json.dumps(document).encode() + b"\n")

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline() if self._answers else ""
        if not line:
            raise EdgentError("the shaped link ended unexpectedly")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _parsed(target: str) -> tuple[str, int]:
    host, _, port = target.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"target {target!r} is not host:port, like 127.0.0.1:8001")
    return host, int(port)
