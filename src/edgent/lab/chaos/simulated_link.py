"""A link in virtual time that does what a bad one does; what crosses it has the wire's own form and checksums."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from edgent.clock import Clock
from edgent.errors import EdgeError, InputError
from edgent.testing import FakeLink
from edgent.units import BitsPerSecond, Seconds
from edgent.wire import messages as m
from edgent.wire.errors import Damaged
from edgent.wire.exchange.messages import (
    read_body,
    read_exchange_reply,
    read_exchange_request,
    write_exchange_reply,
    write_exchange_request,
)
from edgent.wire.transport import Methods, Reply

GOOD: Final = BitsPerSecond(50e6)
ROUND_TRIP: Final = Seconds(0.004)
KINDS = ("delay", "drop", "trickle", "corrupt", "reset", "black hole")
"""What happens to a link by itself; what happens to the edge, `edgent.lab.chaos.simulation` does."""

_SHARE = 0.3  # of messages that are corrupted or dropped
_ALL = (m.MODEL_INFER, m.PROBE, m.SERVER_METADATA, m.DESCRIBE, m.PREPARE, m.HEALTH, m.FETCH)


class SimulatedLink(FakeLink):
    """See the module.

    Args:
        methods: the edge's.
        clock: of all.
        seed: of what is corrupted and dropped.
    """

    def __init__(self, methods: Methods, clock: Clock, seed: int) -> None:
        super().__init__(methods, clock=clock, bandwidth=GOOD, round_trip=ROUND_TRIP)
        self._random = random.Random(seed)
        self._corrupted = self._dropped = 0.0

    def fault(self, kind: str) -> None:
        """From now on it has this fault."""
        if kind == "delay":
            self.round_trip = Seconds(0.8)
        elif kind == "trickle":
            self.bandwidth = BitsPerSecond(2e3)
        elif kind == "corrupt":
            self._corrupted = _SHARE
        elif kind == "drop":
            self._dropped = _SHARE
        elif kind == "reset":
            self.cut()
        else:
            self.hold(*_ALL)

    def well(self, methods: Methods | None = None) -> None:
        """All is well again; the edge may be another one."""
        self.bandwidth, self.round_trip = GOOD, ROUND_TRIP
        self._corrupted = self._dropped = 0.0
        self.release()
        self.mend(methods)

    def exchange(self, method: str, message: bytes, timeout: float) -> Reply:
        """See `Channel.exchange`: by the wire's own messages and checksums, some of them damaged on their way."""
        if self._random.random() < self._dropped:
            raise EdgeError("the stream was broken off")
        reply = self.call(method, self._up(method, message, timeout), timeout)
        return replace(reply, body=self._down(reply))

    def _up(self, method: str, message: bytes, timeout: float) -> bytes:
        """What comes of a request at the edge."""
        pieces = [b"".join(parts) for parts in write_exchange_request(method, message, timeout)]
        try:
            first, *rest = self._travelled(pieces)
            head = read_exchange_request(first)
            return read_body(rest[0], head.follows) if head.follows else head.body
        except (Damaged, InputError) as error:
            raise EdgeError(f"the stream was ended: {error}") from error

    def _down(self, reply: Reply) -> bytes:
        """What comes of an answer at the device."""
        try:
            first, *rest = self._travelled(write_exchange_reply(reply.body, reply.notes))
            head = read_exchange_reply(first)
            return read_body(rest[0], head.follows) if head.follows else head.body
        except (Damaged, InputError) as error:
            raise EdgeError(f"the edge is not understood: {error}") from error

    def _travelled(self, pieces: Iterable[bytes]) -> list[bytes]:
        return [self._spoilt(piece) if self._random.random() < self._corrupted else piece for piece in pieces]

    def _spoilt(self, piece: bytes) -> bytes:
        place = self._random.randrange(len(piece))
        return piece[:place] + bytes([piece[place] ^ (1 << self._random.randrange(8))]) + piece[place + 1 :]
