"""The TUN link: two network namespaces, and between them a link of a chosen rate, delay, jitter and loss.

Needs root. What it shows beyond the proxy (`edgent.lab.links.link`): TCP from end to end, so that its initial window,
slow start after idling, retransmission and acknowledgements take their time. Device and edge are processes of their
own, each started in its namespace:

    with TunLink(uplink=BitsPerSecond(1e6), round_trip=Seconds(0.04)) as link:
        edge = subprocess.Popen([*link.far, "edgent", "serve", "b-alexnet", "--host", FAR])
        device = subprocess.Popen([*link.near, "edgent", "run", "b-alexnet", "--edge", f"{FAR}:8001", ...])
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import struct
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgent.errors import EdgentError
from edgent.lab.links.namespaces import FAR, SUBNET, Namespaces, lacking, run
from edgent.lab.links.packets import QUEUE_BYTES, PacketPath
from edgent.lab.links.shaping import AT_ONCE
from edgent.lab.links.tunnel import TunnelCounts
from edgent.lab.processes.child_process import ChildProcess
from edgent.units import BitsPerSecond, Seconds, format_bandwidth, format_duration

__all__ = ["FAR", "TunLink", "TunnelCounts", "obstacle"]

_TUN = "/dev/net/tun"
# From linux/if_tun.h: packets of IP (no Ethernet frames), without four bytes of packet information before each.
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
# One algorithm wherever this runs: a host's default may pace by an idea of its own of the bandwidth.
_CONGESTION_CONTROL = "cubic"


def obstacle() -> str | None:
    """Why this cannot be done here; None where it can."""
    if reason := lacking("ip"):
        return reason
    if not Path(_TUN).exists():
        return f"{_TUN}: not there; modprobe tun, or a kernel that has it"
    try:
        # The surest test is to make one: rights, kernel and tools all take part.
        with TunLink(uplink=BitsPerSecond(1e6)):
            return None
    except (OSError, EdgentError) as error:  # a container without the right
        return f"{_TUN}: {error}"


class TunLink:
    """A link of packets between a near and a far namespace.

    Args:
        uplink: Bits per second from near to far.
        downlink: Bits per second back; None: as the uplink.
        round_trip: Seconds that both ways together add; half of it each way.
        jitter: Each packet takes up to so much longer, each way, in seconds.
        loss: Share of packets lost, each way (0..1).
        queue: Bytes that may wait in each direction.
        seed: Of losses and jitter.

    Raises:
        InputError: a rate, delay or share that cannot be.
    """

    def __init__(
        self,
        *,
        uplink: BitsPerSecond,
        downlink: BitsPerSecond | None = None,
        round_trip: Seconds = AT_ONCE,
        jitter: Seconds = AT_ONCE,
        loss: float = 0.0,
        queue: int = QUEUE_BYTES,
        seed: int = 0,
    ) -> None:
        one_way = Seconds(round_trip / 2)
        self._up = PacketPath(rate=uplink, delay=one_way, jitter=jitter, loss=loss, queue=queue)
        self._down = replace(self._up, rate=uplink if downlink is None else downlink)
        self._seed = seed
        self._namespaces = Namespaces()
        self.near, self.far = self._namespaces.near, self._namespaces.far
        self.enter_near = self._namespaces.enter_near
        self._process: ChildProcess | None = None

    def __enter__(self) -> Self:
        """Makes the namespaces and starts the link.

        Raises:
            EdgentError: no root, no TUN device.
        """
        # Whatever fails on the way, all that was made before is undone; only on success is the undoing kept for later.
        with contextlib.ExitStack() as undo:
            ends = undo.enter_context(self._namespaces)
            devices = [_device(undo, namespace) for namespace in (ends.near_name, ends.far_name)]
            ends.connect(*(name for name, _ in devices))
            for namespace, (name, _) in zip((ends.near_name, ends.far_name), devices, strict=True):
                route = [SUBNET, "dev", name, "congctl", _CONGESTION_CONTROL]
                run("ip", "-n", namespace, "route", "replace", *route)
            settings = {"up": asdict(self._up), "down": asdict(self._down), "seed": self._seed}
            # The devices' files are handed to the process that forwards packets: it needs no rights of its own.
            files = [file for _, file in devices]
            inside = ("-m", "edgent.lab.links.tunnel", json.dumps(settings), *map(str, files))
            self._process = undo.enter_context(ChildProcess(*inside, pass_fds=files))
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def __repr__(self) -> str:
        return (
            f"<TunLink {format_bandwidth(self._up.rate)} up, {format_bandwidth(self._down.rate)} down, "
            f"round trip {format_duration(Seconds(self._up.delay + self._down.delay))}>"
        )

    def set(
        self,
        *,
        uplink: BitsPerSecond | None = None,
        downlink: BitsPerSecond | None = None,
        round_trip: Seconds | None = None,
        jitter: Seconds | None = None,
        loss: float | None = None,
    ) -> None:
        """Changes the link; in force on return."""
        both = {
            "delay": None if round_trip is None else Seconds(round_trip / 2),
            "jitter": jitter,
            "loss": loss,
        }
        up, down = _changed(self._up, rate=uplink, **both), _changed(self._down, rate=downlink, **both)
        # First the process, then our own record: if the order fails, `repr` still says what is in force.
        self._order("set", up=asdict(up), down=asdict(down))
        self._up, self._down = up, down

    def cut(self) -> None:
        """Loses every packet, those under way too, until `restore`: a dead radio."""
        self._order("cut")

    def restore(self) -> None:
        """Ends a cut; TCP finds out when it next tries."""
        self._order("restore")

    def counts(self) -> TunnelCounts:
        """Counts of what has passed so far."""
        return TunnelCounts(**self._order("counts"))

    def _order(self, what: str, **arguments: Any) -> dict[str, Any]:
        if self._process is None:
            raise EdgentError("the TUN link is not running: start it first")
        return self._process.ask(what, **arguments)


def _device(undo: contextlib.ExitStack, namespace: str) -> tuple[str, int]:
    """A new TUN device in a namespace: its name and its file, which `undo` closes."""
    # Random names: several links may live on one host, and names of interfaces are at most 15 characters.
    name = f"edgent{secrets.token_hex(4)}"
    file = os.open(_TUN, os.O_RDWR)
    undo.callback(os.close, file)
    # struct ifreq: 16 bytes of name, 2 of flags, the rest unused. The device lives as long as its file is open.
    fcntl.ioctl(file, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    run("ip", "link", "set", name, "netns", namespace)
    return name, file


def _changed(path: PacketPath, **changes: Any) -> PacketPath:
    return replace(path, **{name: value for name, value in changes.items() if value is not None})
