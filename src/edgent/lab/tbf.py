"""The kernel's own shaped link, to check ours against: `tc tbf` on a veth pair between two network namespaces.

Needs root, `ip` and `tc`. What it adds to ours: real TCP from end to end. What it lacks: delay (no netem in many
kernels), and a bucket without a burst.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from types import TracebackType
from typing import Self

from edgent.errors import EdgentError
from edgent.units import BitsPerSecond

NEAR, FAR = "10.201.77.1", "10.201.77.2"
_QUEUE_BYTES = 4_000_000  # so long that nothing is dropped


def obstacle() -> str | None:
    """Why this cannot be done here; None where it can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    missing = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
    if missing:
        return f"needs {' and '.join(missing)}: apt-get install iproute2"
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
        name = f"edgent-{os.getpid()}-{secrets.token_hex(3)}"
        self._near, self._far = f"{name}-n", f"{name}-f"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            for namespace in (self._near, self._far):
                _run("ip", "netns", "add", namespace)
                undo.callback(_run, "ip", "netns", "del", namespace)
            _run("ip", "link", "add", "near", "netns", self._near, "type", "veth", "peer", "far", "netns", self._far)
            for namespace, device, address in ((self._near, "near", NEAR), (self._far, "far", FAR)):
                _run("ip", "-n", namespace, "address", "add", f"{address}/30", "dev", device)
                _run("ip", "-n", namespace, "link", "set", device, "up")
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

    @property
    def near(self) -> list[str]:
        """What a command line begins with, to run at the near end."""
        return ["ip", "netns", "exec", self._near]

    @property
    def far(self) -> list[str]:
        """The same for the far end, whose address is `FAR`."""
        return ["ip", "netns", "exec", self._far]

    def _shape(self, verb: str) -> None:
        shape = ["rate", f"{self._rate:.0f}bit", "burst", str(self._burst), "limit", str(_QUEUE_BYTES)]
        _run("tc", "-n", self._near, "qdisc", verb, "dev", "near", "root", "tbf", *shape)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgentError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
