"""Measures a link for its user: the round trip, both rates, and what a pause costs in each direction."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from edgent.clock import Clock
from edgent.device.connection.link_follower import LinkFollower
from edgent.device.connection.probing import probe_link
from edgent.errors import EdgeError, RefusedError
from edgent.link.slow_start import INITIAL_WINDOW
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds
from edgent.wire.edge_client import EdgeClient, TimedReply
from edgent.wire.messages import EXTENSION

PAUSE = Seconds(1.0)
_PAIRS = 3
_TIMEOUT = 10.0
_LONGEST = 0.5  # seconds that one message of the comparison may occupy the wire
_WINDOWS = 5  # initial windows that it is long, if that is not too long
_NOTICEABLE = Seconds(0.005)
_NOTICEABLE_SHARE = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseCost:
    """Medians of messages in one direction, after a pause and straight after that.

    Attributes:
        bytes: Of each message.
        after_pause: Seconds, after `PAUSE` without anything.
        at_once: Seconds, straight after the one before.
    """

    bytes: int
    after_pause: Seconds
    at_once: Seconds

    @property
    def cost(self) -> Seconds:
        """Seconds that the pause costs; 0 if that is less than such times vary by anyway."""
        # Differences within 5 ms, or 15 %, come and go by themselves: a user must not be sent after a cost that is
        # none.
        more = self.after_pause - self.at_once
        return Seconds(more if more > max(_NOTICEABLE, _NOTICEABLE_SHARE * self.at_once) else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkCheck:
    """The measured properties of a link.

    Attributes:
        round_trip: Of the empty link, in seconds; what a call takes by itself included.
        uplink: Bits per second.
        downlink: The same, from the edge.
        up: What a pause costs upwards, where the device sends.
        down: The same downwards, where the edge sends.
    """

    round_trip: Seconds
    uplink: BitsPerSecond
    downlink: BitsPerSecond
    up: PauseCost
    down: PauseCost


def check_link(remote: EdgeClient, clock: Clock) -> LinkCheck:
    """Measures the link to an edge; takes some ten seconds.

    Raises:
        EdgeError: The edge cannot be reached.
        RefusedError: The server is not an Edgent edge, and cannot be probed.
    """
    try:
        extensions = remote.extensions(_TIMEOUT)
    except EdgeError:
        remote.channel.first_words(_TIMEOUT)  # which says so where TLS is the reason
        raise
    if EXTENSION not in extensions:
        raise RefusedError(f"{remote!r} is no edge of Edgent, so the link cannot be probed: start `edgent serve` there")
    link = LinkFollower()
    probed = probe_link(lambda up, down: remote.probe(up, down, _TIMEOUT))
    link.observe_probes(probed.small, probed.up, probed.down)
    known = link.conditions(clock.now())
    assert known is not None, "it was just probed"
    return LinkCheck(
        round_trip=known.uplink.round_trip,
        uplink=known.uplink.bandwidth,
        downlink=known.downlink.bandwidth,
        up=_pause_cost(lambda size: remote.probe(size, 0, _TIMEOUT), known.uplink.bandwidth, clock),
        down=_pause_cost(lambda size: remote.probe(0, size, _TIMEOUT), known.downlink.bandwidth, clock),
    )


def _pause_cost(probe: Callable[[int], TimedReply], bandwidth: BitsPerSecond, clock: Clock) -> PauseCost:
    # Several initial windows, so that a forgotten window shows; but half a second of the link at most, or a slow link
    # would be measured for minutes.
    size = int(min(_WINDOWS * INITIAL_WINDOW, _LONGEST * bandwidth / BITS_PER_BYTE))
    rested, at_once = [], []
    # In turn, so that both kinds meet the same phases of the link.
    for _ in range(_PAIRS):
        clock.sleep(PAUSE)
        rested.append(probe(size).on_link)
        probe(size)  # widens the window to what the next one needs
        at_once.append(probe(size).on_link)
    return PauseCost(
        bytes=size, after_pause=Seconds(statistics.median(rested)), at_once=Seconds(statistics.median(at_once))
    )
