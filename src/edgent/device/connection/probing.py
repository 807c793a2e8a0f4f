"""Measuring a link from scratch: empty probes for the round trip, then each direction by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from edgent.device.connection.link_follower import PROBE_SIZES, TELLING
from edgent.wire.edge_client import TimedReply

_SMALL_PROBES = 3
_ON_LINK = attrgetter("on_link")

Probe = Callable[[int, int], TimedReply]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedLink:
    """An empty exchange, and one in each direction that took its time; the empty one where that was not asked for."""

    small: TimedReply
    up: TimedReply
    down: TimedReply


def probe_link(probe: Probe, sizes: Sequence[int] = PROBE_SIZES) -> ProbedLink:
    """Probes with bytes up and down.

    Args:
        probe: sends and gets that many bytes.
        sizes: tried in turn until one takes long enough; none: only the empty probes.
    """
    # Whatever disturbs a message makes it later and never earlier, so the quickest of some is the nearest to the truth.
    small = min((probe(0, 0) for _ in range(_SMALL_PROBES)), key=_ON_LINK)
    # One direction at a time: both together would say only how long both took.
    up = _telling(lambda size: probe(size, 0), sizes, small)
    down = _telling(lambda size: probe(0, size), sizes, small)
    return ProbedLink(small=small, up=up, down=down)


def _telling(probe: Callable[[int], TimedReply], sizes: Sequence[int], small: TimedReply) -> TimedReply:
    """Each size twice: delays are only ever added to the truth, and the first one widens TCP's window."""
    quickest = small
    for size in sizes:
        quickest = min(probe(size), probe(size), key=_ON_LINK)
        # Enough once it lasts so much longer than an empty one that the timing error is a small part of the difference.
        # A larger one would tell no more, and on a slow link take seconds.
        if quickest.on_link - small.on_link >= TELLING:
            break
    return quickest
