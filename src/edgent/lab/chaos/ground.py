"""Where the faults of a real run happen: an edge process that is stopped and killed, a disk that is full, a link.

Each fault is something that can be undone, so a run is a list of them. What an operator's supervisor does (`Restart=
always` in docs/deployment.md) is done here: an edge that is gone is started again, on the same port.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgent.errors import EdgentError
from edgent.lab.chaos.faults import Fault
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.server_process import ServerProcess
from edgent.units import BitsPerSecond, Seconds

GOOD, ROUND_TRIP = BitsPerSecond(50e6), Seconds(0.004)
TRICKLE, DELAYED = BitsPerSecond(2e3), Seconds(0.8)
SPOILT = 0.03  # share of segments that are corrupted or dropped
_DISK_BYTES = 64 << 20
_ROOM_BYTES = 4 << 20  # of memory, beyond what an edge has when it is limited
_ENDING = 30.0  # seconds in which an edge has ended that was told to
_STARTS = 5  # times that an edge is started before it is an error: a port may still be held


def is_root() -> bool:
    """Whether a disk of a chosen size can be made."""
    return os.geteuid() == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """The folder is a disk of its own, of 64 MB, in memory.

    Raises:
        EdgentError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _command("mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder))
    try:
        yield
    finally:
        _command("umount", "-l", str(folder))


class SupervisedEdge:
    """`edgent serve` on one port, started again whenever it is gone; a context manager.

    Args:
        model: what it serves.
        profile: of this machine.

    Attributes:
        starts: how often it was started.
    """

    def __init__(self, model: str, profile: Path) -> None:
        self._arguments = ("-m", "edgent", "serve", model, "--json", "--profile", str(profile))
        self.port = _free_port()
        self.starts = 0
        self._ends = False  # it was told to
        self._guard = threading.RLock()
        self._process: ServerProcess | None = None

    def __enter__(self) -> SupervisedEdge:
        """Starts it."""
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._guard:
            if self._process is not None:
                self._process.stop()

    @property
    def address(self) -> str:
        """Where it listens, whichever process it is."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Of the process that it is now; None while there is none."""
        process = self._process
        with contextlib.suppress(EdgentError):
            return None if process is None or process.ended else process.pid
        return None

    def start(self) -> None:
        """Starts it where it is gone, or goes.

        Raises:
            EdgentError: it does not start.
        """
        with self._guard:
            give_up_at = time.monotonic() + _ENDING
            while self._ends and self.pid is not None and time.monotonic() < give_up_at:
                time.sleep(0.01)
            self._ends = False
            for left in reversed(range(_STARTS)):
                if self.pid is not None:
                    return
                if self._process is not None:
                    self._process.stop()
                self._process = ServerProcess(*self._arguments, "--port", str(self.port))
                self.starts += 1
                try:
                    self._process.__enter__()
                except EdgentError:
                    if not left:
                        raise

    def signal(self, number: int) -> None:
        """Sends it a signal, if it is there."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def drain(self) -> None:
        """Tells it to answer what it has in hand, and to end."""
        self._ends = True
        self.signal(signal.SIGTERM)

    def limit_memory(self, room: int | None) -> None:
        """Allows it so many bytes of address space beyond what it has now; None: as many as it likes."""
        if (pid := self.pid) is None:
            return
        with contextlib.suppress(OSError):
            has = _address_space(pid)
            most = resource.RLIM_INFINITY if room is None else has + room
            resource.prlimit(pid, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


class Ground:
    """Carries out faults.

    Args:
        link: between device and edge.
        edge: the edge.
        disk: where caches and records lie; None: no fault of the disk can be made.
        good: what the link carries while all is well.
    """

    def __init__(
        self, link: ShapedLink, edge: SupervisedEdge, disk: Path | None, *, good: BitsPerSecond = GOOD
    ) -> None:
        self._link, self._edge, self._disk, self._good = link, edge, disk, good
        self._does: dict[str, Callable[[], object]] = {
            "delay": lambda: link.set(round_trip=DELAYED),
            "drop": lambda: link.set(dropped=SPOILT),
            "trickle": lambda: link.set(uplink=TRICKLE, downlink=TRICKLE),
            "corrupt": lambda: link.set(corrupted=SPOILT),
            "reset": lambda: link.cut(refuse=True),
            "black hole": link.cut,
            "stop": lambda: edge.signal(signal.SIGSTOP),
            "kill": lambda: edge.signal(signal.SIGKILL),
            "drain": edge.drain,
            "memory": lambda: edge.limit_memory(_ROOM_BYTES),
            "disk": self._fill,
        }

    def make(self, fault: Fault) -> None:
        """Makes a fault, for as long as it lasts, and undoes it."""
        self._does[fault.kind]()
        time.sleep(fault.seconds)
        self.mend()

    def mend(self) -> None:
        """Undoes every fault: all is well again, an edge that is gone is started."""
        self._link.restore()
        self._link.set(uplink=self._good, downlink=self._good, round_trip=ROUND_TRIP, corrupted=0.0, dropped=0.0)
        self._edge.limit_memory(None)
        self._edge.signal(signal.SIGCONT)
        if self._disk is not None:
            (self._disk / "filled").unlink(missing_ok=True)
        self._edge.start()

    def _fill(self) -> None:
        assert self._disk is not None, "a fault of the disk is asked for where there is one"
        with contextlib.suppress(OSError), (self._disk / "filled").open("wb", buffering=0) as file:
            while file.write(bytes(1 << 16)):
                pass


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _address_space(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _command(*words: str) -> None:
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    if ended.returncode:
        said = (ended.stderr.strip() or os.strerror(errno.EPERM)).splitlines()[-1]
        raise EdgentError(f"{words[0]} failed ({said}), expected to make a small disk; run this as root, or without it")
