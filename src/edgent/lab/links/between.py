"""A link between our two ends: the TUN link where there can be one, else the proxy, which is said once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from edgent.lab.links.link import ShapedLink
from edgent.lab.links.namespaces import FAR
from edgent.lab.links.tun import TunLink, obstacle
from edgent.lab.processes.speaker import Speaker
from edgent.units import BitsPerSecond

_ENDS = "edgent.lab.processes.ends"


@contextmanager
def linked_ends(uplink: BitsPerSecond) -> Iterator[tuple[TunLink | ShapedLink, Speaker]]:
    """A link, as fast both ways, and its near end, which takes the orders of `edgent.lab.processes.ends`."""
    with ExitStack() as stack:
        if reason := obstacle():
            sys.stderr.write(f"no TUN link: {reason}; the proxy serves, and shows no slow start: it ends TCP near by\n")
            edge = stack.enter_context(Speaker(_ENDS, "edge", "127.0.0.1"))
            proxy = stack.enter_context(ShapedLink(edge.first["address"], uplink=uplink))
            yield proxy, stack.enter_context(Speaker(_ENDS, "near", proxy.address, greets=False))
            return
        tun = stack.enter_context(TunLink(uplink=uplink))
        edge = stack.enter_context(Speaker(_ENDS, "edge", FAR, prefix=tun.far))
        yield tun, stack.enter_context(Speaker(_ENDS, "near", edge.first["address"], prefix=tun.near, greets=False))
