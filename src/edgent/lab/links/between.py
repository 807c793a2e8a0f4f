"""A link between our two ends: the TUN link where there can be one, else the proxy, which is said once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.tun import TunLink, obstacle
from edgent.lab.processes.child_process import ChildProcess
from edgent.lab.processes.server_process import ServerProcess
from edgent.units import BitsPerSecond

_NEAR = ("-m", "edgent.lab.processes.near_end")


@contextmanager
def linked_ends(uplink: BitsPerSecond) -> Iterator[tuple[TunLink | ShapedLink, ChildProcess]]:
    """A link, as fast both ways, and its near end, which takes the orders of `edgent.lab.processes.near_end`."""
    with ExitStack() as stack:
        if reason := obstacle():
            sys.stderr.write(f"no TUN link: {reason}; the proxy serves, and shows no slow start: it ends TCP near by\n")
            edge = stack.enter_context(ServerProcess.unprofiled_edge())
            proxy = stack.enter_context(ShapedLink(edge.address, uplink=uplink))
            yield proxy, stack.enter_context(ChildProcess(*_NEAR, proxy.address))
            return
        tun = stack.enter_context(TunLink(uplink=uplink))
        edge = stack.enter_context(ServerProcess.unprofiled_edge(host=FAR, prefix=tun.far))
        yield tun, stack.enter_context(ChildProcess(*_NEAR, edge.address, prefix=tun.near))
