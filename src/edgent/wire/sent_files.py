"""Files as an edge sends them: each states its size before it begins, and has as many bytes, or is refused.

::

    Chunk(file, size = n)   Chunk(file, data) ...   until n bytes have come; then the next file, or the end

Whoever asks for a file decides by its stated size whether to take it at all, and reads no byte beyond. An edge that
sends without end, or pieces without bytes, is left at the first one that is too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from edgent.errors import InputError, RefusedError
from edgent.wire import messages as m
from edgent.wire.tensors import parse


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFile:
    """One file that begins to come.

    Attributes:
        name: that the edge gives it.
        size: in bytes, that it states.
        pieces: exactly so many bytes; to be read to their end before the next file.
    """

    name: str
    size: int
    pieces: Iterator[bytes]

    def __repr__(self) -> str:
        return f"<SentFile {self.name[:80]!r} of {self.size:,} bytes>"


def sent_files(bodies: Iterable[bytes]) -> Iterator[SentFile]:
    """The files that come in the chunks of a fetch, one after the other.

    Args:
        bodies: messages; each is read when it is asked for.

    Raises:
        RefusedError: it is no chunk, or the file has another size than it states; raised by `pieces` as well.
    """
    chunks = map(_chunk, bodies)
    while (first := next(chunks, None)) is not None:
        yield SentFile(name=first.file, size=first.size, pieces=_pieces(first, chunks))


def _pieces(first: Any, chunks: Iterator[Any]) -> Iterator[bytes]:
    left, chunk, name = first.size, first, first.file
    while True:
        left -= len(chunk.data)
        if left < 0:
            raise _refused(first, "sends more than that")
        if chunk.data:
            yield chunk.data
        if not left:
            return
        chunk = next(chunks, None)
        # Pieces without bytes would never come to an end.
        if chunk is None or chunk.file != name or not chunk.data:
            raise _refused(first, f"sends {first.size - left:,} of them")


def _chunk(body: bytes) -> Any:
    try:
        return parse(m.Chunk, body)
    except InputError as error:
        raise RefusedError(f"what the edge sends is no piece of a file: {error}") from error


def _refused(first: Any, what: str) -> RefusedError:
    return RefusedError(f"the edge states {first.size:,} bytes for {first.file[:80]!r} and {what}; update Edgent there")
