"""Two network namespaces, near and far, for links through the kernel's own TCP. Needs root and `ip`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from edgent.errors import EdgentError

NEAR, FAR, SUBNET = "10.201.77.1", "10.201.77.2", "10.201.77.0/30"

_NAMES = "/run/netns"  # where `ip netns` keeps them
_NETWORK = 0x40000000  # CLONE_NEWNET


class Namespaces:
    """A namespace for each end of a link; a context manager that removes them, and what is in them, at its end."""

    def __init__(self) -> None:
        name = f"edgent-{os.getpid()}-{secrets.token_hex(3)}"
        self.near_name, self.far_name = f"{name}-n", f"{name}-f"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as undo:
            for namespace in (self.near_name, self.far_name):
                run("ip", "netns", "add", namespace)
                undo.callback(run, "ip", "netns", "del", namespace)
                run("ip", "-n", namespace, "link", "set", "lo", "up")
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    @property
    def near(self) -> list[str]:
        """What a command line begins with, to run at the near end."""
        return ["ip", "netns", "exec", self.near_name]

    @property
    def far(self) -> list[str]:
        """The same for the far end, whose address is `FAR`."""
        return ["ip", "netns", "exec", self.far_name]

    def enter_near(self) -> None:
        """From now on the calling thread is at the near end, and so is every thread that it starts.

        Raises:
            OSError: the kernel refuses.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(_NAMES, self.near_name).open() as namespace:
            if libc.setns(namespace.fileno(), _NETWORK):  # `os.setns` came with Python 3.12
                raise OSError(ctypes.get_errno(), "setns")

    def connect(self, near_device: str, far_device: str) -> None:
        """Gives both ends' devices, which are in their namespaces already, their addresses."""
        for namespace, device, address in (
            (self.near_name, near_device, NEAR),
            (self.far_name, far_device, FAR),
        ):
            run("ip", "-n", namespace, "address", "add", f"{address}/30", "dev", device)
            run("ip", "-n", namespace, "link", "set", device, "up")


def lacking(*tools: str) -> str | None:
    """Why namespaces cannot be made here: no root, or a tool is missing; None where they can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return f"needs {' and '.join(missing)}: apt-get install iproute2" if missing else None


def run(*command: str) -> None:
    """Runs a command to its end.

    Raises:
        EdgentError: it failed; the message is its own.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EdgentError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
