"""The servers of the laboratory, each a process: our edge, and the rival."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from edgent.lab.processes.child_process import ChildProcess

_PACED_EDGE = ("-m", "edgent.lab.processes.paced_edge")


class ServerProcess(ChildProcess):
    """A server: ready when it listens, at its `address`; it takes no orders, and is terminated in the end."""

    @classmethod
    def edge(
        cls,
        model: str,
        profile: Path,
        *,
        host: str = "127.0.0.1",
        options: Sequence[str] = (),
        prefix: Sequence[str] = (),
    ) -> Self:
        """`edgent serve` in plain text; with this machine's profile, so that it is not measured twice."""
        # Both ends are ours: where it listens beyond loopback, it is between network namespaces of this machine.
        listening = ("--host", host, "--port", "0", "--insecure", "--json")
        return cls("-m", "edgent", "serve", model, *listening, "--profile", str(profile), *options, prefix=prefix)

    @classmethod
    def paced_edge(cls, model: str, profile: Path) -> Self:
        """An edge that computes at the pace of a profile."""
        return cls(*_PACED_EDGE, "127.0.0.1", model, str(profile))

    @classmethod
    def unprofiled_edge(cls, *, host: str = "127.0.0.1", prefix: Sequence[str] = ()) -> Self:
        """An edge for those who only send bytes to it: it has no profile, and begins at once."""
        return cls(*_PACED_EDGE, host, prefix=prefix)

    @classmethod
    def rival(cls, model: str) -> Self:
        """The rival's bare loop."""
        return cls("-m", "edgent.lab.rivals.rival", "--model", model)

    @property
    def address(self) -> str:
        """Where it listens: "host:port"."""
        address: str = self.ready["address"]
        return address

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
