"""The edge as the device sees it: its methods with their messages, over any channel."""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from edgent.errors import InputError, RefusedError
from edgent.link.slow_start import Window
from edgent.units import Seconds
from edgent.wire import messages as m
from edgent.wire.errors import BrokenError
from edgent.wire.sent_files import SentFile, sent_files
from edgent.wire.tensors import Parcel, parse, write_request
from edgent.wire.transport import PACKET, Channel, Reply

_FETCH_TIMEOUT = 600.0  # a large model over a slow link
_DOCUMENT_TIMEOUT = 60.0  # a device that connects waits for it
_MOST_DOCUMENT = 64 << 20  # bytes; the largest of ours have a few hundred thousand


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A model that an edge serves.

    Attributes:
        name: that it is asked for by.
        digest: of all that changes an answer.
        profile: fingerprint of a file; empty where the edge has none.
        calibration: likewise.
        dims: the numbers of its free dimensions.
        members: of a bundle the digest of each file by name; none for a single file.
        is_newest: whether this is what the name stands for at the edge, where it serves several versions.
    """

    name: str
    digest: str
    profile: str
    calibration: str
    dims: Mapping[str, int] = field(default_factory=dict, hash=False)
    members: Mapping[str, str] = field(default_factory=dict, hash=False)
    is_newest: bool = True

    @property
    def version(self) -> str:
        """The first 12 hex digits of the digest."""
        return self.digest[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedReply:
    """One exchange with the edge, and all its times: on the device's clock where not said otherwise.

    Attributes:
        body: of the answer.
        bytes_up: of the request's message.
        began_at: when it was sent.
        uplink: seconds from then until the first packet of the answer came, the edge's own time taken off.
        queue: seconds in the edge's queue, by the edge's clock.
        middle: seconds of decoding, computing and encoding there, by the edge's clock.
        load: seconds that the edge's next request would wait, by its word.
        downlink: seconds from that packet to the whole body; 0 for an answer of one packet.
        on_link: seconds on the link, both ways.
        body_at: when that was.
        behind_headers: bytes of the answer that came after its notes: a long one has packets of its own.
        window: what could be under way of the request when it began; None: unknown.
        edge_window: the same of the answer; None: the edge did not say.
        newest: the version that the model's name stands for, where the caller has another one; else empty.
    """

    body: bytes
    bytes_up: int
    began_at: Seconds
    uplink: float
    queue: float
    middle: float
    downlink: float
    on_link: float
    body_at: Seconds
    behind_headers: int
    window: Window | None = None
    edge_window: Window | None = None
    newest: str = ""
    load: float = 0.0


class EdgeClient:
    """Calls an edge.

    All methods raise EdgeError (and its kinds) if it is not there or fails, RefusedError if it says no.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        # Until the edge has said that it exchanges, it is called: an older one, or another maker's, knows calls alone.
        self._ask = channel.call
        self._guard = threading.Lock()
        self._bytes_up = self._bytes_down = 0

    @property
    def traffic(self) -> tuple[int, int]:
        """Bytes of requests' messages that were sent so far, and of their answers."""
        with self._guard:
            return self._bytes_up, self._bytes_down

    def extensions(self, timeout: float) -> frozenset[str]:
        """What the server can do beyond the Open Inference Protocol; from now on it is used."""
        reply = self.channel.call(m.SERVER_METADATA, m.ServerMetadataRequest().SerializeToString(), timeout)
        extensions = frozenset(_read(m.ServerMetadataResponse, reply).extensions)
        self._ask = self.channel.exchange if m.EXCHANGES in extensions else self.channel.call
        return extensions

    def describe(self, timeout: float) -> tuple[Served, ...]:
        """The models it serves, each version by itself; the newest ones first."""
        response = _read(m.DescribeResponse, self.channel.call(m.DESCRIBE, b"", timeout))
        newest = (_served(entry, is_newest=True) for entry in response.models)
        return (*newest, *(_served(entry, is_newest=False) for entry in response.older))

    def report(self, timeout: float) -> tuple[ModelCounts, ...]:
        """What it has served since it began."""
        response = _read(m.ReportResponse, self.channel.call(m.REPORT, b"", timeout))
        return tuple(
            ModelCounts(
                name=account.name,
                answered=account.answered,
                turned_away=account.turned_away,
                queue=account.queue,
                middle=account.middle,
                version=account.version,
            )
            for account in response.accounts
        )

    def ready(self, name: str, timeout: float) -> bool:
        """Whether it could run a model or segment of this name."""
        message = m.ModelReadyRequest(name=name).SerializeToString()
        return bool(_read(m.ModelReadyResponse, self.channel.call(m.MODEL_READY, message, timeout)).ready)

    def prepare(self, name: str, version: str, timeout: float) -> None:
        """Has it make the sessions of a segment, so that no request pays for that."""
        message = m.PrepareRequest(name=name, version=version).SerializeToString()
        self.channel.call(m.PREPARE, message, timeout)

    def probe(
        self,
        bytes_up: int,
        bytes_down: int,
        timeout: float,
        *,
        name: str = "",
        version: str = "",
        segment: str = "",
    ) -> TimedReply:
        """Sends and gets that many bytes.

        Args:
            bytes_up: To send.
            bytes_down: To get.
            timeout: Seconds.
            name: Of a model: it is asked as well what that stands for.
            version: Of the same, as it is known here.
            segment: What the edge is to run on zeros; the reply says how long it waited and computed.
        """
        message = m.ProbeRequest(
            load=bytes(bytes_up), load_down=bytes_down, name=name, version=version, segment=segment
        ).SerializeToString()
        return _timed(self._ask(m.PROBE, message, timeout), len(message))

    def infer(
        self,
        name: str,
        version: str,
        inputs: Sequence[Parcel],
        outputs: Sequence[tuple[str, str | None]],
        *,
        budget: float,
    ) -> TimedReply:
        """Runs a segment; the answer's message is for `tensors.read_outputs`."""
        message = write_request(name, version, inputs, outputs)
        return self.send(message, budget)

    def send(self, message: bytes, budget: float) -> TimedReply:
        """Sends a ModelInferRequest made before."""
        with self._guard:
            self._bytes_up += len(message)
        reply = self._ask(m.MODEL_INFER, message, budget)
        with self._guard:
            self._bytes_down += len(reply.body)
        return _timed(reply, len(message))

    def fetch(
        self, what: str, name: str, digest: str, member: str = "", *, within: float = _FETCH_TIMEOUT
    ) -> Generator[SentFile]:
        """The files of a model (what: "model"), or its "profile" or "calibration".

        The main file comes first, and each file whole before the next. Of a bundle the file of the digest `member`
        comes, and it has a "manifest" as well.
        """
        message = m.FetchRequest(what=what, name=name, digest=digest, member=member).SerializeToString()
        yield from sent_files(self.channel.stream(m.FETCH, message, within))

    def document(self, what: str, name: str, digest: str) -> str:
        """The text of a "profile", "calibration" or "manifest".

        Raises:
            RefusedError: it is no text, or too long to be one of them.
        """
        # Closed where it is left: the edge would go on sending into a stream that nobody reads.
        with closing(self.fetch(what, name, digest, within=_DOCUMENT_TIMEOUT)) as files:
            file = next(files, None)
            if file is None or file.size > _MOST_DOCUMENT:
                stated = "is not sent" if file is None else f"has {file.size:,} bytes, more than {_MOST_DOCUMENT:,}"
                raise RefusedError(f"the edge's {what} of {name} {stated}: it is none")
            data = b"".join(file.pieces)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise RefusedError(f"the edge's {what} of {name} is no text: expected JSON") from error

    def __repr__(self) -> str:
        return f"<EdgeClient over {self.channel!r}>"


def _served(entry: Any, *, is_newest: bool) -> Served:
    return Served(
        name=entry.name,
        digest=entry.digest,
        profile=entry.profile,
        calibration=entry.calibration,
        dims=dict(entry.dims),
        members=dict(entry.members),
        is_newest=is_newest,
    )


def _timed(reply: Reply, bytes_up: int) -> TimedReply:
    # The edge says how long it took, by its own clock, and never when: so the two clocks need not agree on the time.
    notes = reply.notes
    # Two clocks are subtracted from each other: where both say about the same, the difference may fall below 0.
    uplink = max(0.0, reply.notes_at - reply.sent_at - notes.queue - notes.middle)
    downlink = max(0.0, reply.body_at - reply.notes_at)
    return TimedReply(
        body=reply.body,
        bytes_up=bytes_up,
        began_at=reply.sent_at,
        uplink=uplink,
        queue=notes.queue,
        middle=notes.middle,
        downlink=downlink,
        on_link=uplink + downlink,
        body_at=reply.body_at,
        # A short answer shares the packet of its notes, so no time between the two tells anything.
        behind_headers=len(reply.body) if len(reply.body) > PACKET else 0,
        window=reply.window,
        edge_window=notes.window,
        newest=notes.newest,
        load=notes.load,
    )


def _read(kind: Any, reply: Reply) -> Any:
    try:
        return parse(kind, reply.body)
    except InputError as error:
        raise BrokenError(f"the edge's answer cannot be read: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCounts:
    """Of one model; times are sums in seconds, those of answered requests.

    Attributes:
        name: the model's.
        answered: requests.
        turned_away: requests that found the queue full, or whose time ran out in it.
        queue: spent waiting.
        middle: spent decoding, computing and encoding.
        version: of the model; empty where an old edge does not say.
    """

    name: str
    answered: int = 0
    turned_away: int = 0
    queue: float = 0.0
    middle: float = 0.0
    version: str = ""
