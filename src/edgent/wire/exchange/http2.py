"""The device's side of HTTP/2 (RFC 9113), as far as streams of gRPC's messages need it; pure: bytes in, bytes out.

::

    open ---> HEADERS -.                                       .- DATA -------> Message(stream, its bytes)
    send ---> DATA -----+--> pending --> next_bytes -> socket -+- HEADERS, RST -> Ended(stream)
    reset --> RST ----- '    (a turn each)                     '- SETTINGS, PING, WINDOW_UPDATE: answered, taken in

A stream is opened once and then carries one message after another, each with gRPC's prefix of five bytes. What the
other side's windows do not admit waits here. Streams take turns, a frame each: a long message does not hold up a short
one for longer than a frame and what the socket has taken already.

What is left out is what such a stream never shows: the headers of an answer are not decoded, for a lasting stream has
its errors in its messages, and that its end has come is a flag of the frame. No priorities, no pushes, no padding of
our own.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgent.errors import EdgeError

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# A frame's header: three bytes of length, type, flags, four of the stream's number.
_FRAME_HEAD = struct.Struct(">HBBBI")
_HEAD = _FRAME_HEAD.size
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PUSH_PROMISE, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 5, 6, 7, 8
_END_STREAM = _ACK = 1
_END_HEADERS, _PADDED = 4, 8
_CANCEL = 8
_ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 2, 4, 5
# What either side may assume before it is told otherwise (RFC 9113, 6.5.2). Larger frames are never sent, though a
# server may allow them: streams take turns by frames.
_FRAME, _WINDOW = 16_384, 65_535
_LARGEST_WINDOW = 2**31 - 1
_PREFIX = struct.Struct(">BI")  # of a message of gRPC: whether it is compressed, and its length
_SETTING = struct.Struct(">HI")
# Bytes that may lie between here and the socket: what is taken once can no longer be overtaken.
_AHEAD = 32_768
_MOST_UNSENT = 1 << 20  # bytes of answers to frames that are no messages: nobody honest makes us write so many


@dataclass(frozen=True, slots=True)
class Message:
    """A message has come, whole."""

    stream: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The other side has ended this stream: it takes no more, and sends none."""

    stream: int


Event = Message | Ended


@dataclass(slots=True)
class _Stream:
    """What is on its way on a stream that is open."""

    window: int  # bytes that the other side still takes
    unsent: deque[memoryview] = field(default_factory=deque)
    unsent_size: int = 0
    arrived: bytearray = field(default_factory=bytearray)
    consumed: int = 0  # bytes taken in since the other side was last told of it


class Http2Client:
    """One connection.

    Args:
        authority: whom it leads to, "HOST:PORT".
        path: of the method that every stream calls.
        max_message: bytes of the largest message that may come.
    """

    def __init__(self, *, authority: str, path: str, max_message: int) -> None:
        self._request = _request_headers(authority, path)
        self._max_message = max_message
        self._streams: dict[int, _Stream] = {}
        self._next_stream = 1
        self._window, self._stream_window = _WINDOW, _WINDOW
        # A whole message fits, so none ever waits for our word; more than that no server may have under way towards us.
        self._room = min(max(2 * max_message, _WINDOW), _LARGEST_WINDOW)
        self._unread = bytearray()
        self._consumed = 0
        self.goes_away = False  # the other side takes no further streams
        self.has_more = True  # to write; after a look that found all windows closed only when one opens
        settings = _SETTING.pack(_ENABLE_PUSH, 0) + _SETTING.pack(_INITIAL_WINDOW_SIZE, self._room)
        self._out: list[bytes | memoryview] = []
        self._out_size = 0
        # The preface must come first on the wire, and everything of ours after it (RFC 9113, 3.4).
        self._put(_PREFACE + _frame(_SETTINGS, 0, 0, settings))
        if self._room > _WINDOW:
            self._put(_window_update(0, self._room - _WINDOW))

    def open(self) -> int:
        """Opens a stream."""
        if self.goes_away or self._next_stream > _LARGEST_WINDOW:
            raise EdgeError("this connection takes no more streams")
        # A client's streams have odd numbers, each higher than all before it (RFC 9113, 5.1.1).
        stream, self._next_stream = self._next_stream, self._next_stream + 2
        self._streams[stream] = _Stream(window=self._stream_window)
        self._put(_frame(_HEADERS, _END_HEADERS, stream, self._request))
        return stream

    def send(self, stream: int, message: Sequence[bytes]) -> None:
        """Sends a message, given in pieces, on an open stream."""
        # Pieces are kept and not copied: a boundary may have megabytes.
        size = sum(map(len, message))
        state = self._streams[stream]
        state.unsent += map(memoryview, (_PREFIX.pack(0, size), *message))
        state.unsent_size += _PREFIX.size + size
        self.has_more = True

    def reset(self, stream: int) -> None:
        """Gives a stream up: what was not sent yet never is, and what still comes on it is passed over."""
        # A stream that the other side has ended is closed for both, and a reset of it would be an error.
        if self._streams.pop(stream, None) is not None:
            self._put(_frame(_RST_STREAM, 0, stream, _CANCEL.to_bytes(4, "big")))

    def is_open(self, stream: int) -> bool:
        """Whether a stream is open, and nothing of a message is under way on it."""
        state = self._streams.get(stream)
        return state is not None and not state.unsent_size and not state.arrived

    def next_bytes(self) -> bytes:
        """The bytes that are to go into the socket next; none: there are none, or the other side does not take more."""
        # Each look begins with the streams that have waited longest, for who had a turn goes to the end.
        while self._out_size < _AHEAD and any(self._take_turn(stream) for stream in list(self._streams)):
            pass
        data = b"".join(self._out)
        self.has_more = self._out_size >= _AHEAD
        self._out.clear()
        self._out_size = 0
        return data

    def receive(self, data: bytes) -> list[Event]:
        """What the bytes that came mean.

        Raises:
            EdgeError: they are no HTTP/2, or the other side ends the connection.
        """
        return list(self._events(data))

    def _events(self, data: bytes) -> Iterator[Event]:
        # Frames come in pieces and several at once, as TCP likes; what is not whole waits for the rest.
        self._unread += data
        while len(self._unread) >= _HEAD:
            high, low, kind, flags, stream = _FRAME_HEAD.unpack_from(self._unread)
            length = high << 8 | low
            # Before it is waited for: what is stated must not be gathered.
            if length > _FRAME:
                raise EdgeError(f"a frame of {length:,} bytes came, expected at most {_FRAME:,}: this is no edge")
            if len(self._unread) < _HEAD + length:
                return
            payload = bytes(self._unread[_HEAD : _HEAD + length])
            del self._unread[: _HEAD + length]
            yield from self._frame_came(kind, flags, stream & _LARGEST_WINDOW, payload)

    def __repr__(self) -> str:
        return f"<Http2Client, {len(self._streams)} streams>"

    def _put(self, data: bytes | memoryview) -> None:
        self._out.append(data)
        self._out_size += len(data)
        self.has_more = True

    def _take_turn(self, number: int) -> bool:
        """Moves one frame of a stream to what goes out; whether there was one that may."""
        stream = self._streams[number]
        # Four bounds: what there is, a frame, and both windows, of which the connection's is shared by all streams.
        size = min(stream.unsent_size, _FRAME, stream.window, self._window)
        if size <= 0:
            return False
        self._put(_frame_head(size, _DATA, 0, number))
        stream.unsent_size -= size
        left = size
        while left:
            piece = stream.unsent.popleft()
            self._put(piece[:left])
            if len(piece) > left:
                stream.unsent.appendleft(piece[left:])
            left -= min(left, len(piece))
        stream.window -= size
        self._window -= size
        # To the end, so that a long message does not keep short ones of other streams waiting.
        self._streams[number] = self._streams.pop(number)
        return True

    def _frame_came(self, kind: int, flags: int, stream: int, payload: bytes) -> Iterator[Event]:
        # Pings and settings are answered, so whoever sends them without end must not fill this process's memory.
        if self._out_size > _MOST_UNSENT:
            raise EdgeError("the other side asks for answers and takes none: this is no edge")
        if stream >= self._next_stream or kind == _PUSH_PROMISE:
            raise EdgeError(f"a frame of stream {stream} came, which nobody opened: this is no edge")
        if kind == _DATA:
            yield from self._data_came(stream, _without_padding(payload) if flags & _PADDED else payload, len(payload))
        elif kind == _SETTINGS and not flags & _ACK:
            self._settings_came(payload)
        elif kind == _PING and not flags & _ACK:
            self._put(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW_UPDATE:
            self._window_came(stream, payload)
        elif kind == _GOAWAY:
            self.goes_away = True
        # An answer that ends a stream has the flag on its headers, for data of gRPC never do.
        if (kind in (_DATA, _HEADERS) and flags & _END_STREAM) or kind == _RST_STREAM:
            self._streams.pop(stream, None)
            yield Ended(stream)

    def _data_came(self, number: int, data: bytes, on_wire: int) -> Iterator[Event]:
        # The window of the connection counts data of all streams, also of those that were given up.
        self._consumed = self._give_back(0, self._consumed + on_wire)
        stream = self._streams.get(number)
        if stream is None:
            return  # given up here, which the other side could not know yet
        stream.consumed = self._give_back(number, stream.consumed + on_wire)
        stream.arrived += data
        while len(stream.arrived) >= _PREFIX.size:
            compressed, length = _PREFIX.unpack_from(stream.arrived)
            # We never ask for compression; and a length that is too large must be refused before it is gathered.
            if compressed or length > self._max_message:
                raise EdgeError(f"a message of {length:,} bytes came, expected at most {self._max_message:,}")
            end = _PREFIX.size + length
            if len(stream.arrived) < end:
                return
            body = bytes(stream.arrived[_PREFIX.size : end])
            del stream.arrived[:end]
            yield Message(number, body)

    def _give_back(self, stream: int, consumed: int) -> int:
        """Lets as many bytes come as were taken in, or leaves that for later: what is not told yet."""
        # In large steps, for the windows are wide: a frame for each answer would cost a packet each.
        if consumed <= self._room // 4:
            return consumed
        self._put(_window_update(stream, consumed))
        return 0

    def _settings_came(self, payload: bytes) -> None:
        if len(payload) % _SETTING.size:
            raise EdgeError("settings of no whole number came: this is no edge")
        for name, value in _SETTING.iter_unpack(payload):
            if name == _INITIAL_WINDOW_SIZE:
                # It changes the windows of open streams as well, perhaps to below nothing (RFC 9113, 6.9.2).
                for stream in self._streams.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
        self._put(_frame(_SETTINGS, _ACK, 0, b""))

    def _window_came(self, stream: int, payload: bytes) -> None:
        more = int.from_bytes(payload, "big") & _LARGEST_WINDOW
        if stream == 0:
            self._window += more
        elif stream in self._streams:
            self._streams[stream].window += more
        # Most windows are opened wider than anybody needs: only what waited for that is a reason to look again.
        self.has_more = self.has_more or any(state.unsent_size for state in self._streams.values())


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return _frame_head(len(payload), kind, flags, stream) + payload


def _frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    return _FRAME_HEAD.pack(length >> 8, length & 255, kind, flags, stream)


def _window_update(stream: int, size: int) -> bytes:
    return _frame(_WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


def _without_padding(payload: bytes) -> bytes:
    if not payload or payload[0] >= len(payload):
        raise EdgeError("a frame with more padding than bytes came: this is no edge")
    return payload[1 : len(payload) - payload[0]]


def _request_headers(authority: str, path: str) -> bytes:
    """Those of a call of gRPC, as literals that nobody has to remember (RFC 7541, 6.2.2)."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
    }
    return b"".join(b"\x00" + _literal(name) + _literal(value) for name, value in headers.items())


def _literal(text: str) -> bytes:
    """A string as it is behind its length, of seven bits, or of several times seven (RFC 7541, 5.1)."""
    data = text.encode()
    if (rest := len(data) - 127) < 0:
        return bytes((len(data),)) + data
    length = bytearray((127,))
    while rest >= 128:
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes(length) + bytes((rest,)) + data
