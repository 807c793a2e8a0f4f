"""The spells of trouble of `benchmarks/recovery.py`, and what they are done to: a link with its edge and its device."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.tun import TunLink
from edgent.lab.processes.child_process import ChildProcess
from edgent.units import BitsPerSecond, Seconds
from recovery_ends import Setup

RATE, ROUND_TRIP = BitsPerSecond(10e6), Seconds(0.010)
_ENDS = str(Path(__file__).with_name("recovery_ends.py"))


class Ends:
    """A link with its edge and its device, and what can be done to them."""

    def __init__(self, kind: str, setup: Setup, stack: ExitStack) -> None:
        self._kind, self._stack = kind, stack
        self._profile, self._port = setup.profile, _free_port()
        near: Sequence[str] = ()
        if kind == "tun":
            tun = stack.enter_context(TunLink(uplink=RATE, round_trip=ROUND_TRIP))
            self.link: TunLink | ShapedLink = tun
            self._host, self._far, near, address = FAR, tun.far, tun.near, f"{FAR}:{self._port}"
        else:
            self._host, self._far = "127.0.0.1", ()
            proxy = ShapedLink(f"127.0.0.1:{self._port}", uplink=RATE, round_trip=ROUND_TRIP)
            self.link = stack.enter_context(proxy)
            address = proxy.address
        self.edge = self._started()
        told = json.dumps(asdict(setup))
        self.device = stack.enter_context(ChildProcess(_ENDS, "device", address, told, prefix=near))
        stack.callback(self._stop_edge)
        self.device.ask("start")

    def pause_edge(self) -> None:
        """The edge's process stands still."""
        os.kill(self._edge_process(), signal.SIGSTOP)

    def resume_edge(self) -> None:
        """It goes on."""
        os.kill(self._edge_process(), signal.SIGCONT)

    def kill_edge(self) -> None:
        """The edge's process is killed."""
        os.kill(self._edge_process(), signal.SIGKILL)
        self.edge.stop()

    def start_edge(self) -> None:
        """It is started again, with the same port."""
        self.edge = self._started()

    def _stop_edge(self) -> None:
        """Whichever is the last one."""
        self.edge.stop()

    def _started(self) -> ChildProcess:
        edge = ChildProcess(_ENDS, "edge", self._host, str(self._port), self._profile, prefix=self._far)
        return edge.__enter__()

    def _edge_process(self) -> int:
        """`ip netns exec` becomes the program that it starts, so the child is the edge itself."""
        process = self.edge._process
        assert process is not None
        return process.pid


Doing = Callable[[Ends], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Some trouble: what begins and what ends it, how long it lasts, and what share of its rate the link carries."""

    name: str
    begin: Doing
    end: Doing
    seconds: float = 6.0
    carries: float = 1.0


def _set(**changes: Any) -> Doing:
    return lambda ends: ends.link.set(**changes)


def _rate(share: float) -> Doing:
    rate = BitsPerSecond(RATE * share)
    return _set(uplink=rate, downlink=rate)


def _delay(seconds: float) -> Spell:
    begin = _set(round_trip=Seconds(ROUND_TRIP + seconds))
    return Spell(name=f"{seconds * 1e3:.0f} ms of delay", begin=begin, end=_set(round_trip=ROUND_TRIP))


def _slower(name: str, share: float) -> Spell:
    return Spell(name=name, begin=_rate(share), end=_rate(1.0), carries=share)


def _outage(seconds: float) -> Spell:
    return Spell(
        name=f"{seconds:g} s of nothing",
        begin=lambda ends: ends.link.cut(),
        end=lambda ends: ends.link.restore(),
        seconds=seconds,
        carries=0.0,
    )


ANYWHERE = (
    _delay(0.15),
    _delay(0.3),
    _slower("a hundredth of the rate", 0.01),
    _slower("a trickle of 1 kbit/s", 1e-4),
    Spell(
        name="an edge 30 times slower",
        begin=lambda ends: ends.edge.ask("slow", factor=30.0),
        end=lambda ends: ends.edge.ask("slow", factor=1.0),
    ),
    Spell(
        name="an edge that stands still",
        begin=lambda ends: ends.pause_edge(),
        end=lambda ends: ends.resume_edge(),
    ),
)
SPELLS = {
    "tun": (
        *ANYWHERE,
        *(
            Spell(name=f"{loss:.0%} of packets lost", begin=_set(loss=loss), end=_set(loss=0.0))
            for loss in (0.05, 0.1, 0.2, 0.3)
        ),
        *(_outage(seconds) for seconds in (1.0, 3.0, 10.0, 30.0, 60.0)),
    ),
    "proxy": (
        *ANYWHERE,
        Spell(name="bytes corrupted", begin=_set(corrupted=0.3), end=_set(corrupted=0.0)),
        Spell(
            name="connections refused",
            begin=lambda ends: ends.link.cut(refuse=True),  # type: ignore[call-arg]
            end=lambda ends: ends.link.restore(),
            carries=0.0,
        ),
        Spell(
            name="an edge killed",
            begin=lambda ends: ends.kill_edge(),
            end=lambda ends: ends.start_edge(),
            carries=0.0,
        ),
        _outage(6.0),
    ),
}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
