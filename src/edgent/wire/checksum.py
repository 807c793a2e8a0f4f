"""The checksum of a call and of its answer, where no TLS guards them.

TCP's own checksum has 16 bits and lets one damaged segment in some ten thousand pass; a tensor in which a bit of an
exponent flipped is an answer like any other. Exchanges have a checksum in each message. A call of gRPC has nowhere to
put one but its headers: CRC-32 (that of zlib) over the method's path, what other headers of ours say, and the message,
as eight hexadecimal digits in the header `edgent-sum`, which stock clients and servers pass over.

The path is in it because HTTP/2 names headers by their place in a table: one bit there, and a well-formed request
reaches another method. gRPC's own timeout is not: what is damaged there costs time, and never makes a wrong answer.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from edgent.wire.errors import Damaged
from edgent.wire.messages import NEWEST, SUM, TIMES_US, WINDOW

_SAID = (TIMES_US, WINDOW, NEWEST)  # the headers of ours, in the order in which they are summed


def checksum(method: str, message: bytes, headers: Mapping[str, str]) -> str:
    """What stands in the header `edgent-sum` of a call, or of its answer.

    Args:
        method: the path.
        message: the request's, or the answer's.
        headers: those that go with it; only ours count.
    """
    # Names as well as values: a header that was lost is not the same as one that says nothing.
    words = (method, *(f"{name} {headers[name]}" for name in _SAID if name in headers))
    return f"{zlib.crc32(message, zlib.crc32(chr(10).join(words).encode())):08x}"


def check(method: str, message: bytes, headers: Mapping[str, str], *, required: bool = False) -> bool:
    """Checks a message by the header that came with it.

    Args:
        method: the path.
        message: as it came.
        headers: likewise.
        required: whether who sent it always adds the header, which then was lost on the way.

    Returns:
        Whether there was one.

    Raises:
        Damaged: the message, or a header, is not as it was sent.
    """
    stated = headers.get(SUM)
    if stated is None and not required:
        return False
    if stated != checksum(method, message, headers):
        raise Damaged(f"a message of {len(message):,} bytes came damaged")
    return True
