"""What device and edge need from whatever carries their messages: bytes there, bytes back, and when.

A *method* is named by its path, "/inference.GRPCInferenceService/ModelInfer". The edge offers a table of methods;
a `Channel` calls them, or *exchanges* with some of them: the same, over a stream that both keep open, for a fraction of
a call's cost. `edgent.wire.grpc_channel` and `grpc_server` carry both over gRPC, `edgent.testing.FakeLink` inside one
process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire.notes import Notes

# An Ethernet frame carries 1,500 bytes; TCP/IP's headers, HTTP/2's frames and ours need the rest.
PACKET = 1_350
"""Bytes of an answer that fit into one packet with its headers."""


class Call(Protocol):
    """One call, as the edge sees it."""

    # A span and no moment: the clocks of device and edge need not agree.
    def time_remaining(self) -> Seconds | None:
        """What is left of the caller's budget; None if the caller named none."""
        ...

    def window(self) -> Window | None:
        """What an answer that begins now may have under way, by the word of this side's TCP; None: unknown."""
        ...

    # A caller whose time ran out says so; the budget alone tells it too late where the upload took long.
    def given_up(self) -> bool:
        """Whether nobody waits for the answer any more."""
        ...

    def certificate(self) -> bytes | None:
        """What the caller showed, as PEM, and TLS found to be of the right authority and in time; None: nothing."""
        ...

    def caller(self) -> str:
        """The host that calls: what limits go by where nobody shows a certificate."""
        ...

    def note(self, notes: Notes) -> None:
        """Says this beside the answer: ahead of a long body, within the one packet of a short one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary:
    """A method that answers with one message."""

    answer: Callable[[bytes, Call], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """A method that answers with a stream of messages."""

    answer: Callable[[bytes, Call], Iterator[bytes]]


Methods = Mapping[str, Unary | Streaming]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer, and when its parts came, on the caller's clock; `window` is `Channel.window` of before."""

    body: bytes
    notes: Notes
    # Moments, and not spans: who needs a span subtracts, and those of several calls can be put in order.
    sent_at: Seconds
    notes_at: Seconds
    body_at: Seconds
    window: Window | None = None

    def __repr__(self) -> str:
        there, back = self.notes_at - self.sent_at, self.body_at - self.notes_at
        return f"<Reply {len(self.body)} B: notes after {there * 1e3:.1f} ms, body {back * 1e3:.1f} ms later>"


class Channel(Protocol):
    """A connection to an edge that mends itself; every method is thread-safe.

    All of them raise EdgeError (and its kinds) if the edge is not there or breaks off, RefusedError if it says no.
    """

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        """Calls a method; waits `timeout` seconds at the most, and tells the edge so."""
        ...

    def exchange(self, method: str, message: bytes, timeout: float) -> Reply:
        """As `call`, of an inference or a probe, towards an edge that says that it exchanges."""
        ...

    def stream(self, method: str, message: bytes, timeout: float) -> Iterator[bytes]:
        """Calls a method that answers with a stream."""
        ...

    def window(self) -> Window | None:
        """What a message sent now may have under way, by the word of this side's TCP; None: unknown."""
        ...

    # For a useful error where the port belongs to another program: a transport alone says only that it is not there.
    def first_words(self, timeout: float) -> str | None:
        """What answers there instead of an edge, in its own first words; None if nobody does or it seems right.

        Raises:
            BrokenError: it and this side do not take each other's certificates, or it hangs up on plain text.
        """
        ...

    # A connection that died in silence would first send again what it still has, by TCP's growing timeouts.
    def renew(self) -> None:
        """Gives the present connection up and makes another one: what was under way on it fails."""
        ...

    def close(self) -> None:
        """Ends the connection."""
        ...
