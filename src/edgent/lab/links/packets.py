"""One direction of a link that carries packets, as a pure state machine: rate, delay, jitter, loss, a finite queue.

Unlike a `Lane` of bytes it may lose what it is given, which TCP at both ends notices: slow start, retransmission and
the sharing of the link are the kernel's own.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from random import Random

from edgent.errors import InputError
from edgent.lab.links.shaping import AT_ONCE, TokenBucket, check_delay, check_rate
from edgent.units import BitsPerSecond, Seconds

ETHERNET_BYTES = 14  # of each packet, counted as tc counts them
QUEUE_BYTES = 1_000_000  # deep, as a mobile link's: nothing is dropped before some seconds of it wait


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketPath:
    """The properties of one direction: what it does to packets.

    Attributes:
        rate: Bits per second, Ethernet headers included.
        delay: One way, in seconds.
        jitter: Each packet takes up to so much longer, uniformly drawn, in seconds; packets never overtake.
        loss: Share of packets lost, each by itself (0..1).
        queue: Bytes that may wait; a packet that finds no room is dropped.
    """

    rate: BitsPerSecond
    delay: Seconds = AT_ONCE
    jitter: Seconds = AT_ONCE
    loss: float = 0.0
    queue: int = QUEUE_BYTES

    def __post_init__(self) -> None:
        check_rate(self.rate)
        check_delay(self.delay)
        check_delay(self.jitter)
        if not 0 <= self.loss < 1:
            raise InputError(f"loss {self.loss!r} is not a share of packets, 0 or more and below 1")
        if self.queue < 1:
            raise InputError(f"queue {self.queue!r} is not a positive number of bytes")


class PacketLane:
    """One direction; `offer` packets, `step` for those that have arrived.

    Args:
        path: What it does.
        random: Draws losses and jitter.
        now: The time at which it starts.
    """

    def __init__(self, path: PacketPath, random: Random, *, now: Seconds = AT_ONCE) -> None:
        self._path = path
        self._random = random
        self._bucket = TokenBucket(rate=path.rate, now=now)
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._flying: deque[tuple[float, bytes]] = deque()
        self._arrives_at = -math.inf
        self._down = False
        self.wire_bytes = self.dropped = 0

    @property
    def path(self) -> PacketPath:
        """What it does to packets now."""
        return self._path

    def offer(self, packet: bytes, now: Seconds) -> None:
        """A packet has come to the near end."""
        size = len(packet) + ETHERNET_BYTES
        # A full queue drops the newest packet ("tail drop"), as most routers do; TCP takes that for congestion.
        if self._down or self._waiting_bytes + size > self._path.queue:
            self.dropped += 1
            return
        if not self._waiting:
            self._bucket.rest(now)
        self._waiting.append(packet)
        self._waiting_bytes += size

    def step(self, now: Seconds) -> list[bytes]:
        """What has arrived at the far end by `now`, in order."""
        if self._waiting:
            self._bucket.look(now, len(self._waiting[0]) + ETHERNET_BYTES)
        while self._waiting and self._sent_at() <= now:
            self._send()
        arrived = []
        while self._flying and self._flying[0][0] <= now:
            arrived.append(self._flying.popleft()[1])
        return arrived

    def next_at(self) -> Seconds:
        """When to look next: a packet arrives, or leaves; infinity where nothing is under way."""
        arrives_at = self._flying[0][0] if self._flying else math.inf
        return Seconds(min(arrives_at, self._sent_at() if self._waiting else math.inf))

    def change(self, path: PacketPath, now: Seconds) -> None:
        """Takes another path from now on; packets under way keep their time of arrival."""
        if path.rate != self._path.rate:
            self._bucket.change(path.rate, now)
        self._path = path

    def cut(self) -> None:
        """Loses everything under way, and all that is offered until `restore`."""
        self._down = True
        self.dropped += len(self._waiting) + len(self._flying)
        self._waiting.clear()
        self._flying.clear()
        self._waiting_bytes = 0

    def restore(self) -> None:
        """Carries packets again."""
        self._down = False

    def _sent_at(self) -> float:
        return self._bucket.ready_at(len(self._waiting[0]) + ETHERNET_BYTES)

    def _send(self) -> None:
        sent_at = self._sent_at()
        packet = self._waiting.popleft()
        size = len(packet) + ETHERNET_BYTES
        self._bucket.spend(size)
        self._waiting_bytes -= size
        self.wire_bytes += size
        path = self._path
        # A lost packet has used the link's time: it is lost after it was sent.
        if path.loss and self._random.random() < path.loss:
            self.dropped += 1
            return
        late = path.jitter * self._random.random() if path.jitter else 0.0
        # Never before the packet in front: reordering would make TCP retransmit what is not lost.
        self._arrives_at = max(self._arrives_at, sent_at + path.delay + late)
        self._flying.append((self._arrives_at, packet))
