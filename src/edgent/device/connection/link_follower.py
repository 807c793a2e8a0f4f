"""What the device knows of link and queue: stated by the user, or measured from its own transfers and probes.

A pure state machine: reply exchanges go in, `Conditions` come out, and each exchange as the transfers that tell the
bandwidth, for whoever else wants to learn from them.

What a request takes beyond the round trip and its time on the wire is the *call time*: threads and gRPC on both sides.
It is a few milliseconds, and on a fast link most of a small message. It is the median of the last requests, or that of
the empty probe before there was one; only of exchanges that were short on the wire, where an error of the bandwidth is
small, and never more than a timing error: what is later than that, the link or the queue has to explain. It belongs to
the machines, so it outlives a measurement of the link.

Requests may share the uplink: what tells of it then is what all of them had together (`BusyInterval`).

The device's *share*: of the pictures about which it would ask the edge, those about which it may (`Gates.spans`). It
is halved when the edge turns a request away, and rises by a step with each answer. A probe's answer counts as well:
whoever may ask nothing within its share would else never have it back. This is additive increase and multiplicative
decrease, by which those who share something find what there is for each without knowing of each other (D.-M. Chiu and
R. Jain, Computer Networks and ISDN Systems 17, 1989).

Each direction is a `LinkDirection`. Its congestion window is known by the word of the sender's kernel where there is
one: upwards from request to request, downwards from what the edge says with an answer. Times of the downward window are
those of arrivals here, so an answer to what is sent now would begin a round trip from now.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgent.device.connection.busy_interval import BusyInterval, UnderWay
from edgent.device.connection.link_direction import EMPTY, SMALL, LinkDirection, rate, wire_bits
from edgent.device.drift import AS_PROFILED, Factors
from edgent.link import TransferModel
from edgent.link.probing import probe_for
from edgent.link.slow_start import SEGMENT_BYTES, BothWindows, Window
from edgent.link.transfer import CALL_BYTES, CALL_TIME, TIMING_ERROR, Transfer
from edgent.planning.conditions import Conditions
from edgent.units import BITS_PER_BYTE, BitsPerSecond, Seconds
from edgent.wire.edge_client import TimedReply

# Eight times as long each: one of them takes `TELLING` on every link up to 400 Mbit/s, and at 80 kbit/s the smallest
# takes 0.2 s.
PROBE_SIZES = (2_000, 16_000, 128_000, 1_000_000)
TELLING = 0.020  # a transfer this much longer than the round trip tells the bandwidth within a tenth
# Seconds for which the load that the edge told last is believed; less sends a crowd back sooner than it is worth, more
# is no better (`edgent.lab.simulation.herd`). Who keeps to a share is no crowd, and a queue is another one in a moment.
_QUEUE_MEMORY, _MOMENT = 2.0, 0.15
_STEP_UP, _LEAST_SHARE = 0.05, 0.25  # no gate has a step for less; from there to all of it in 15 answers
_ROUND_TRIPS = 16  # whose least one counts: every delay on the way only adds to it
_AGREE, _LONGER = 2, 2 * TIMING_ERROR  # in a row that are so many seconds longer: the way is another one
PROBE_TIME = 0.05  # seconds: enough to tell the bandwidth
_SHORT = 0.020  # seconds on the wire: where the bandwidth is 5 % off, the call time is 1 ms off
_CALLS = 9  # whose median counts: few enough to follow a machine that is loaded now, odd so that it is one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trip:
    """A short message: what it took there, and how many of its seconds are taken to be its bytes'."""

    seconds: float
    size: float = 0.0
    byte_time: float = 0.0

    @property
    def way(self) -> float:
        """Seconds of the round trip."""
        return self.seconds - self.size * self.byte_time


class LinkFollower:
    """Estimates of both directions, the round trip and the edge's queue.

    Args:
        bandwidth: of the uplink, as stated by the user; None: measured.
        downlink: likewise; None: as `bandwidth` if that is stated, else measured.
        round_trip: likewise; None: measured.
        gain: of a new sample of the bandwidth; 1: the last one is believed, as far as it is not a timing error.
        gives_way: whether plans keep to the device's share.

    Attributes:
        round_trip: what an empty link needs: as stated, else the least seen lately.
    """

    def __init__(
        self,
        *,
        bandwidth: BitsPerSecond | None = None,
        downlink: BitsPerSecond | None = None,
        round_trip: Seconds | None = None,
        gain: float = 0.5,
        gives_way: bool = False,
    ) -> None:
        stated_down = downlink if downlink is not None else bandwidth
        self._windows = BothWindows(ahead=SEGMENT_BYTES)
        self._up = LinkDirection("up", self._windows.up, bandwidth=bandwidth, gain=gain)
        self._down = LinkDirection("down", self._windows.down, bandwidth=stated_down, gain=gain)
        self._stated_round_trip, self.round_trip = round_trip, round_trip or Seconds(0.0)
        self._busy = BusyInterval()
        self._queue, self._queue_at = 0.0, -math.inf
        self._share, self._queue_memory = 1.0, _MOMENT if gives_way else _QUEUE_MEMORY
        # Not forgotten with the link: the call time is of the machines and not of the link.
        self._probed: Seconds | None = None
        self._calls: deque[float] = deque(maxlen=_CALLS)
        self.forget()

    def forget(self) -> None:
        """The link is a new one: what was measured before says nothing."""
        self._up.forget()
        self._down.forget()
        self._round_trips: deque[_Trip] = deque(maxlen=_ROUND_TRIPS)
        self._take_round_trip()

    @property
    def stated(self) -> bool:
        """Whether nothing about the bandwidth needs measuring."""
        return self._up.stated

    @property
    def call_time(self) -> Seconds:
        """What a call takes whatever its size; what is usual before one was seen."""
        if self._calls:
            return Seconds(statistics.median(self._calls))
        return CALL_TIME if self._probed is None else self._probed

    def observe_probes(self, small: TimedReply, up: TimedReply, down: TimedReply) -> tuple[Transfer, ...]:
        """Measured afresh: an empty message, and one in each direction that took its time.

        A line through both gives the bandwidth and the round trip at once: the empty message alone has some hundred
        bytes around it, which on a slow link take longer than the way.
        """
        # The line through both points: its slope is the time of a byte, where it begins the time of a call without any.
        self.forget()
        seen = rate(up.bytes_up - small.bytes_up, up.uplink - small.uplink)
        wire = wire_bits(small.bytes_up + CALL_BYTES) / (self._up.bandwidth or seen)  # what is stated is not forgotten
        empty = max(0.0, small.uplink - wire)
        self._take_round_trip(_Trip(seconds=empty))
        # Where the round trip was stated, what an empty call takes beyond it is the call's own time.
        beyond = max(0.0, empty - self.round_trip)
        # On a link so slow that the empty call itself takes long, an error of the bandwidth would be taken for the
        # call's time.
        if 2 * wire <= _SHORT:
            self._probed = Seconds(min(beyond, TIMING_ERROR))
        return _known(
            self._up.heard(up.bytes_up, up.uplink - self.round_trip - beyond, up.body_at),
            # The first packet of a body may travel with the headers before it, so only the total is exact.
            self._down.heard(max(len(down.body), 1), down.on_link - small.on_link, down.body_at),
        )

    def reconnected(self) -> None:
        """The connection is a new one: its windows are the initial ones, and its way may be another."""
        self._windows.renew()
        self._round_trips.clear()

    def probed(self, reply: TimedReply, under_way: Sequence[UnderWay] = ()) -> None:
        """A probe has passed, that only `observe_probes` will look at."""
        self._hear_windows(reply)
        trip = self.round_trip
        self._busy.interrupted(Seconds(reply.began_at + self._on_uplink(reply)), under_way)
        self._up.passed(reply.bytes_up, reply.began_at, reply.body_at, trip)
        self._down.passed(len(reply.body), Seconds(reply.began_at + trip), reply.body_at, trip)

    def observe(self, reply: TimedReply) -> tuple[Transfer, ...]:
        """An exchange has ended, of a probe or of a request; what it tells of either direction."""
        # In this order: the round trip takes this reply in before its time is split up, and the windows hear of what
        # either end says before a message is judged by them.
        self.observe_way(reply)
        return self.observe_bytes(reply)

    def observe_way(self, reply: TimedReply) -> None:
        """What it tells of all but the bandwidth: the round trip, the windows, the edge's queue."""
        self._hear_windows(reply)
        self._queue, self._queue_at = reply.load, reply.body_at
        self._share = min(1.0, self._share + _STEP_UP)
        self._note_round_trip(reply)

    def refused(self, load: float, at: Seconds) -> None:
        """The edge has turned a request away, and said what the next one would wait."""
        # Believed like an answer's: in a crowd most who come are refused, and those who heard nothing of it would go on
        # coming until somebody is answered, all of them at once.
        self._queue, self._queue_at = load, at
        self._share = max(_LEAST_SHARE, self._share / 2)

    def observe_bytes(self, reply: TimedReply, under_way: Sequence[UnderWay] = ()) -> tuple[Transfer, ...]:
        """What it tells of the bandwidth, given the way as it is known by now; `under_way`: other requests."""
        began, at = reply.began_at, reply.body_at
        # A probe's call is shorter than a request's, which passes the queue and more threads: only those of requests
        # are alike. And what waited behind another one took longer for that.
        if reply.bytes_up > EMPTY and not self._shared(reply) and (beyond := self._beyond(reply)) is not None:
            self._calls.append(beyond)
        # Downwards: from the headers to the body's end, which is of the bytes behind the headers only.
        trip, down = self.round_trip, reply.behind_headers
        answered, whole = Seconds(began + trip), len(reply.body)
        transfers = _known(
            self._observe_uplink(reply, under_way),
            self._down.observe(down, reply.downlink, whole=whole, began_at=answered, at=at, round_trip=trip),
        )
        self._price_trips_again()
        return transfers

    def alone_for(self, seconds: float, at: Seconds) -> float:
        """Of so many seconds until then those in which the uplink carried nothing that was answered since."""
        return min(seconds, at - self._busy.until)

    def observe_late(self, bytes_up: int, seconds: float, at: Seconds) -> tuple[Transfer, ...]:
        """A request had not been answered after this long: the link is no faster than that, if it was the link."""
        # A bound from a short wait would be far above what any link carries, and say nothing.
        if seconds <= TELLING or bytes_up <= 0:
            return ()
        self._up.late(bytes_up, seconds)
        # `cut`: it was given up, so its time is only a bound, and must not be learned as a transfer's.
        on_wire = Seconds(max(seconds - self.round_trip - self.call_time, TIMING_ERROR))
        return () if self._up.stated else (Transfer(direction="up", size=bytes_up, seconds=on_wire, at=at, cut=True),)

    @property
    def measured(self) -> BitsPerSecond | None:
        """The uplink's bandwidth, as it was measured; None before anything was."""
        return self._up.measured

    @property
    def carries(self) -> float:
        """Bits per second both ways, as they were measured; 0 before anything was."""
        return min(self._up.measured or 0.0, self._down.measured or 0.0)

    @property
    def known(self) -> bool:
        """Whether both bandwidths were stated, or measured once."""
        return self._up.bandwidth is not None and self._down.bandwidth is not None

    def beyond(self, reply: TimedReply) -> float:
        """Seconds that an exchange took beyond the round trip, and so occupied the link at the most."""
        return max(0.0, reply.on_link - self.round_trip - self.call_time)

    def conditions(
        self, now: Seconds, window: Window | None = None, factors: Factors = AS_PROFILED
    ) -> Conditions | None:
        """Link, queue and the machines' speed as they seem now; None before anything is known of the bandwidth.

        Args:
            now: on the clock of the observations.
            window: of a message that would begin now, by the word of TCP here; None: unknown.
            factors: how fast the machines are.
        """
        trip, call_time = self.round_trip, self.call_time
        up_window, down_window = self._windows.beginning(now, trip, window)
        up, down = self._up.bandwidth, self._down.bandwidth
        if up is None or down is None:
            return None
        return Conditions(
            uplink=TransferModel(bandwidth=up, round_trip=trip, call_time=call_time, window=up_window),
            downlink=TransferModel(bandwidth=down, round_trip=trip, call_time=call_time, window=down_window),
            queue=Seconds(self._queue if now - self._queue_at < self._queue_memory else 0.0),
            device_factor=factors.device,
            edge_factor=factors.edge,
            device_spread=factors.device_spread,
            edge_spread=factors.edge_spread,
            backlog=factors.backlog,
            handling=factors.handling,
            share=self._share,
        )

    def probe_size(self) -> int:
        """Bytes of a probe that takes its time by what is known; the smallest at first."""
        wished = (self._up.measured or 0.0) / BITS_PER_BYTE * PROBE_TIME
        return int(min(max(wished, PROBE_SIZES[0]), PROBE_SIZES[-1]))

    def look_size(self, decisive: BitsPerSecond) -> int:
        """Bytes of a message up that tells whether the link has the bandwidth that decides: a replay's probe."""
        probe = probe_for(decisive if math.isfinite(decisive) else self._up.measured or 0.0)
        # On a device a message that is smaller still tells that it got through, and no bandwidth.
        size = SMALL if probe is None else probe.bits / wire_bits(1) - CALL_BYTES
        return int(min(max(size, SMALL), self.probe_size()))

    def __repr__(self) -> str:
        return f"<LinkFollower {self._up}, {self._down}, round trip {self.round_trip:.4f} s>"

    def _observe_uplink(self, reply: TimedReply, under_way: Sequence[UnderWay]) -> Transfer | None:
        size, seconds, began_at = reply.bytes_up, self._on_uplink(reply), reply.began_at
        if under_way or self._shared(reply):
            carried = self._busy.carried(max(size, 1) + CALL_BYTES, seconds, began_at, under_way)
            if carried is None:
                return None
            # To the sender's TCP as well it was one message: what waits for nothing has no gaps.
            size, seconds, began_at = max(size, round(carried.size) - CALL_BYTES), carried.seconds, carried.began_at
        else:  # it had the link for itself
            self._busy.until = Seconds(began_at + seconds)
        return self._up.observe(
            size, seconds, whole=size, began_at=began_at, at=reply.body_at, round_trip=self.round_trip
        )

    def _on_uplink(self, reply: TimedReply) -> float:
        """What is left of the time until its headers came."""
        return reply.uplink - self.round_trip - self.call_time - self._in_one_packet(reply)

    def _shared(self, reply: TimedReply) -> bool:
        """Whether others had the uplink when it was sent."""
        return reply.began_at < self._busy.until

    def _hear_windows(self, reply: TimedReply) -> None:
        """Takes in what either end's TCP said when an exchange began."""
        self._windows.begun(reply.began_at, self.round_trip, reply.window, reply.edge_window)

    def _in_one_packet(self, reply: TimedReply) -> float:
        """What the uplink seems to take longer because a short answer shares the packet of its headers."""
        return (len(reply.body) - reply.behind_headers) * self._down.byte_time

    def _beyond(self, reply: TimedReply) -> float | None:
        """What an exchange took that neither the round trip nor its bytes explain; None where that is uncertain."""
        if self._up.bandwidth is None or self._down.bandwidth is None:
            return None
        up, down = reply.bytes_up + CALL_BYTES, len(reply.body) + CALL_BYTES
        byte_times = self._up.byte_time, self._down.byte_time
        wire = up * byte_times[0] + down * byte_times[1]
        if wire > _SHORT:
            return None
        waits = self._windows.waits((up, down), byte_times, reply.began_at, self.round_trip)
        if waits is None:
            return None
        # More than a timing error is not the machines': the link was slower than believed, or somebody was ahead.
        beyond = reply.on_link - self.round_trip - wire - waits
        return max(0.0, beyond) if beyond <= TIMING_ERROR else None

    def _note_round_trip(self, reply: TimedReply) -> None:
        # Only of short messages: of a long one a small error of the bandwidth would be a large one of the round trip.
        # But whoever is quicker than the way proves that it has become shorter, or the rest of its time would be none,
        # and the link seem quicker than any.
        waited = reply.bytes_up > PROBE_SIZES[0] // 4 or self._shared(reply)
        if waited and reply.uplink >= self.round_trip:
            return
        size = reply.bytes_up + CALL_BYTES
        # Nothing arrives early: where it took less than its bytes, the link is no longer as slow as is believed.
        late = size * self._up.byte_time >= reply.uplink
        self._take_round_trip(_Trip(seconds=reply.uplink, size=size, byte_time=0.0 if late else self._up.byte_time))

    def _take_round_trip(self, *trips: _Trip) -> None:
        self._round_trips.extend(trips)
        seconds = [trip.way for trip in self._round_trips]
        # Chance makes one of them late, and hardly ever the next one too: then the way itself has become longer. That
        # it has become shorter again the first one says that is quick.
        if len(seconds) >= _AGREE and min(seconds[-_AGREE:]) > min(seconds) + _LONGER:
            self._round_trips = deque(list(self._round_trips)[-_AGREE:], maxlen=_ROUND_TRIPS)
            seconds = seconds[-_AGREE:]
        if self._stated_round_trip is None:
            self.round_trip = Seconds(min(seconds, default=0.0))

    def _price_trips_again(self) -> None:
        """The link is quicker than was believed: less of what short messages took was their bytes', and more the way's.

        Else the way would stay too short for ever that was told while a link was well again and not yet known to be.
        """
        byte_time = self._up.byte_time
        if any(trip.byte_time > byte_time for trip in self._round_trips):
            trips = [replace(trip, byte_time=min(trip.byte_time, byte_time)) for trip in self._round_trips]
            self._round_trips.clear()
            self._take_round_trip(*trips)


def _known(*transfers: Transfer | None) -> tuple[Transfer, ...]:
    return tuple(transfer for transfer in transfers if transfer is not None)
