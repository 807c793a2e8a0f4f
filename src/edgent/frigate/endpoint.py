"""The socket that Frigate's detectors ask, and the threads that answer; the only file that knows ZeroMQ."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from edgent.clock import Clock
from edgent.errors import EdgentError, InputError, MissingExtraError
from edgent.frigate.messages import (
    MOST_FRAME,
    DetectRequest,
    ModelData,
    ModelRequest,
    read_request,
    write_model_refused,
    write_model_there,
    write_nothing,
)
from edgent.frigate.open_questions import MOST_OPEN, OpenQuestions
from edgent.text import brief
from edgent.units import Seconds, format_bytes
from edgent.wire.serving.sparing_log import SparingLog

if TYPE_CHECKING:
    import zmq

_log = logging.getLogger("edgent.frigate")

_ALIVE_AFTER = 30  # seconds without a word after which the system finds out whether a peer is still there
_EXPECTED = "expected tcp://HOST:PORT of this machine, tcp://*:PORT or ipc://FILE"
_FULL = "too many questions are worked on"
_LATE = "no answer in time"
_NO_FILES = "this endpoint runs the model that it was started with, and takes no files"

Answer = Callable[[DetectRequest, Seconds], list[bytes]]
"""Answers a picture that has waited so long: the reply's frames.

What it raises is logged, and Frigate is told that nothing was seen.
"""


@dataclass(slots=True, kw_only=True)
class FrigateCounts:
    """What became of questions.

    Attributes:
        answered: by the device, with boxes or without.
        late: answered with zeros, for the device had no answer in time.
        failed: answered with zeros, for the device failed.
        refused: answered with zeros, for they were none that it knows.
        models: of which a name was asked, or a file was sent.
    """

    answered: int = 0
    late: int = 0
    failed: int = 0
    refused: int = 0
    models: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A thread is done with a question: the reply, and whether it is the device's."""

    number: int
    reply: list[bytes]
    is_answer: bool


class FrigateEndpoint:
    """Answers Frigate's detectors, several at once. A context manager that listens.

    It has a thread for the socket and `MOST_OPEN` that answer, all from the start: whether there are enough is known
    before anybody asks, and no question can make more.

    Args:
        answer: answers pictures, in threads of its own.
        bind: where it listens, as ZeroMQ writes it: tcp://127.0.0.1:5555, tcp://*:5555, ipc:///run/edgent.
        patience: seconds from a question to the moment at which it is answered with zeros.
        clock: times the questions, and makes the threads.
        on_end: is called when the socket's thread ends, whatever ended it.

    Attributes:
        address: where it listens, with the port that was taken.
        counts: what became of questions.

    Raises:
        InputError: it cannot listen there.
        MissingExtraError: pyzmq is not installed.
    """

    def __init__(
        self,
        answer: Answer,
        bind: str,
        *,
        patience: float,
        clock: Clock,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._answer, self._clock, self._on_end = answer, clock, on_end
        self._open = OpenQuestions(patience=Seconds(patience))
        self._sparing = SparingLog(_log, now=clock.now)
        self._done: deque[_Done] = deque()
        self._asked: SimpleQueue[tuple[int, DetectRequest, Seconds] | None] = SimpleQueue()
        self._stopped, self._is_broken = False, False
        self.counts = FrigateCounts()
        self._context, self._socket, self.address = _listening(bind)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._workers = [clock.thread(self._work_on, "edgent-frigate") for _ in range(MOST_OPEN)]
        self._thread = clock.thread(self._run_to_end, "edgent-frigate-socket")
        self._started: list[threading.Thread] = []

    def __enter__(self) -> Self:
        try:
            for thread in (*self._workers, self._thread):
                thread.start()
                self._started.append(thread)
        except RuntimeError as error:
            self._close()
            raise EdgentError(f"frigate: found no room for {MOST_OPEN + 1} threads ({error}); allow more") from None
        return self

    def __exit__(self, *error: object) -> None:
        self._close()
        if self._is_broken and error == (None, None, None):
            raise EdgentError("frigate: what moves messages broke, the line above says why; start it again")

    def _close(self) -> None:
        self._stopped = True
        os.eventfd_write(self._wake, 1)
        for _ in self._workers:
            self._asked.put(None)
        for thread in self._started:
            thread.join()
        self._socket.close(linger=0)
        self._context.term()
        os.close(self._wake)

    def __repr__(self) -> str:
        return f"<FrigateEndpoint {self.address}: {len(self._open)} open, {self.counts}>"

    def _run_to_end(self) -> None:
        """Where it ends and nobody wanted that, whoever has the endpoint is told: a deaf one helps nobody."""
        try:
            self._run()
        except Exception as error:
            self._is_broken = True
            _log.error("frigate: %s", brief(f"{type(error).__name__}: {error}"))
        finally:
            self._on_end()

    def _run(self) -> None:
        """Moves messages between the socket and the threads: a ZeroMQ socket is one thread's."""
        import zmq

        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._wake, zmq.POLLIN)
        while not self._stopped:
            left = self._open.left(self._clock.now())
            ready = dict(poller.poll(None if math.isinf(left) else math.ceil(left * 1e3)))
            if self._wake in ready:
                os.eventfd_read(self._wake)
            self._send_answers()
            self._give_up()
            if self._socket in ready:
                self._take_in(self._socket.recv_multipart())

    def _take_in(self, frames: Sequence[bytes]) -> None:
        """Whatever one message does, the next one is read; where not even that can be said, the endpoint ends."""
        try:
            self._take(frames)
        except Exception as error:
            self._refuse(frames[0], f"{type(error).__name__}: {error}")

    def _take(self, frames: Sequence[bytes]) -> None:
        """One message: who asks, an empty frame, and the request."""
        asker, *rest = frames
        if not rest or rest[0]:
            # Whoever asks without the empty frame waits for no reply either.
            self._say("found a message that no REQ socket sends")
            return
        try:
            request = read_request(rest[1:])
        except InputError as error:
            self._refuse(asker, str(error))
            return
        if isinstance(request, DetectRequest):
            self._ask(asker, request)
        else:
            self.counts.models += 1
            self._send(asker, self._about_model(request))

    def _about_model(self, request: ModelRequest | ModelData) -> list[bytes]:
        # Frigate has a file's name, and the device a model that its owner chose: whatever it is called over there, it
        # is this one. So no file is asked for. One that comes all the same is a stranger's: it has no profile, the edge
        # does not have it, and a network that anybody may send is code that anybody may run.
        if isinstance(request, ModelRequest):
            return write_model_there()
        self._say(f"found a file {request.name!r} of {format_bytes(request.size)}: {_NO_FILES}")
        return write_model_refused(_NO_FILES)

    def _ask(self, asker: bytes, request: DetectRequest) -> None:
        now = self._clock.now()
        number = self._open.begin(asker, now)
        if number is None:
            self._refuse(asker, _FULL)
        else:
            self._asked.put((number, request, now))

    def _work_on(self) -> None:
        """One of the threads that answer."""
        while (asked := self._asked.get()) is not None:
            self._work(*asked)
            del asked  # a thread that waits holds no picture

    def _work(self, number: int, request: DetectRequest, asked_at: Seconds) -> None:
        try:
            # On a full machine a thread wakes late, and Frigate has waited all the while.
            waited = Seconds(self._clock.now() - asked_at)
            done = _Done(number=number, reply=self._answer(request, waited), is_answer=True)
        except Exception as error:  # whatever a picture makes a network do: the next one is answered
            said = str(error) if isinstance(error, EdgentError) else f"{type(error).__name__}: {error}"
            self._say(f"{said}; Frigate is told that nothing was seen")
            done = _Done(number=number, reply=write_nothing(brief(said, 200)), is_answer=False)
        self._done.append(done)
        with contextlib.suppress(OSError):  # the endpoint has ended meanwhile
            os.eventfd_write(self._wake, 1)

    def _send_answers(self) -> None:
        while self._done:
            done = self._done.popleft()
            if (asker := self._open.end(done.number)) is not None:
                self.counts.answered += done.is_answer
                self.counts.failed += not done.is_answer
                self._send(asker, done.reply)

    def _give_up(self) -> None:
        for asker in self._open.give_up(self._clock.now()):
            self.counts.late += 1
            self._say(f"{_LATE}; Frigate is told that nothing was seen")
            self._send(asker, write_nothing(_LATE))

    def _refuse(self, asker: bytes, why: str) -> None:
        self.counts.refused += 1
        self._say(f"{why}; Frigate is told that nothing was seen")
        self._send(asker, write_nothing(brief(why, 200)))

    def _send(self, asker: bytes, reply: Sequence[bytes]) -> None:
        # To one that is gone it is dropped: a ROUTER never waits.
        self._socket.send_multipart([asker, b"", *reply])

    def _say(self, line: str) -> None:
        self._sparing.log(logging.WARNING, f"frigate: {brief(line)}")


def check_bind(bind: str) -> None:
    """Makes sure that something is an address that can be listened on.

    Raises:
        InputError: it is none.
        MissingExtraError: pyzmq is not installed.
    """
    if find_spec("zmq") is None:
        raise MissingExtraError("Frigate's endpoint", "frigate")
    parse_bind(bind)


def parse_bind(bind: str) -> None:
    """Makes sure that a text is an address, whatever is installed.

    Raises:
        InputError: it is none.
    """
    # ZeroMQ would listen on port 34463 where 99999 is asked for, and knows addresses that Frigate cannot reach.
    tcp = re.fullmatch(r"tcp://[^\s]+:(\*|[0-9]{1,5})", bind)
    if not (tcp and (tcp[1] == "*" or int(tcp[1]) < 1 << 16)) and not re.fullmatch(r"ipc://.+", bind):
        raise InputError(f"--bind {brief(bind, 60)!r}: is no address; {_EXPECTED}")


def _listening(bind: str) -> tuple[zmq.Context[Any], zmq.Socket[Any], str]:
    check_bind(bind)
    import zmq

    context = zmq.Context(1)
    socket = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.MAXMSGSIZE, MOST_FRAME)  # whoever sends more is disconnected
    socket.setsockopt(zmq.RCVHWM, 2)  # a REQ socket has one message on its way
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, _ALIVE_AFTER)
    try:
        socket.bind(bind)
    except zmq.ZMQError as error:
        context.destroy(linger=0)
        raise InputError(f"--bind {brief(bind, 60)!r}: cannot be listened on ({error.strerror}); {_EXPECTED}") from None
    return context, socket, socket.getsockopt_string(zmq.LAST_ENDPOINT)
