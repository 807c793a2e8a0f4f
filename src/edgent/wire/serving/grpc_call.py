"""One call as the edge sees it, over gRPC's context: its budget and caller, and the headers that go with its answer."""

from __future__ import annotations

import functools

import grpc

from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire.checksum import check, checksum
from edgent.wire.headers import headers_of
from edgent.wire.messages import SUM
from edgent.wire.notes import NOTHING, Notes
from edgent.wire.serving.places import host_of
from edgent.wire.tcp_info import SendWindow
from edgent.wire.transport import PACKET

_CALLERS = 256  # connections whose sockets are remembered
_UNREAD = b""  # what no caller shows
_FOREVER = 1e9  # gRPC states a missing deadline as a huge one


class GrpcCall:
    """One call, or one stream of exchanges, whose requests share it.

    Args:
        context: gRPC's.
        method: its path.
    """

    def __init__(self, context: grpc.ServicerContext, method: str) -> None:
        self._context, self._method = context, method
        self._certificate: bytes | None = _UNREAD
        self._notes = NOTHING
        self._sums = False

    def time_remaining(self) -> Seconds | None:
        """See `Call.time_remaining`."""
        left = self._context.time_remaining()
        return None if left is None or left > _FOREVER else Seconds(left)

    def window(self) -> Window | None:
        """See `Call.window`."""
        to_caller = _send_window(self._context.peer())
        to_caller.look()
        return to_caller.read()

    def given_up(self) -> bool:
        """See `Call.given_up`."""
        return not self._context.is_active()

    def certificate(self) -> bytes | None:
        """See `Call.certificate`."""
        # The same for all requests of a stream, which ask again and again.
        if self._certificate is _UNREAD:
            shown = self._context.auth_context().get("x509_pem_cert", ())
            self._certificate = bytes(shown[0]) if shown else None
        return self._certificate

    def caller(self) -> str:
        """See `Call.caller`."""
        return host_of(self._context.peer())

    def note(self, notes: Notes) -> None:
        """See `Call.note`."""
        # Whether they go ahead or behind is decided by the length of the body, which is not known yet.
        self._notes = notes

    def checked(self, message: bytes) -> bytes:
        """The message that came, if it is as it was sent, by the word of who sent it.

        Raises:
            Damaged: it is not.
        """
        # Only who sends a sum is answered with one: to stock clients it would be bytes on the wire for nothing.
        headers = {key: value for key, value in self._context.invocation_metadata() if key == SUM}
        self._sums = check(self._method, message, headers)
        return message

    def send_headers(self, body: bytes) -> None:
        """Says what was noted, ahead of a long body or behind a short one."""
        headers = headers_of(self._notes) if self._notes is not NOTHING else {}
        if self._sums:
            headers[SUM] = checksum(self._method, body, headers)
        # Headers ahead cost a packet, and a wake on either side; only a long body has a downlink for them to mark off.
        if len(body) > PACKET:
            self._context.send_initial_metadata(tuple(headers.items()))
        else:
            self._context.set_trailing_metadata(tuple(headers.items()))


@functools.lru_cache(_CALLERS)
def _send_window(peer: str) -> SendWindow:
    """Towards a caller, by gRPC's name for it."""
    # Kept, for the search goes through all open files of the process, and a caller stays on its connection.
    port = peer.rpartition(":")[2]
    return SendWindow(host_of(peer), int(port) if port.isdigit() else 0)
