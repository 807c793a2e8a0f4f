"""The rival, what a user would do without Edgent: a coded picture goes to the edge, which runs the whole branch.

A bare ONNX Runtime loop behind a plain TCP socket: no planner, no gRPC, no deadline, no answer when the link is gone.
Frames go up with the picture's file and come down with the scores as float32; an empty answer means that the bytes
could not be read as a picture.

As a process: `python -m edgent.lab.rivals.rival --model b-alexnet --port 0` prints {"address": ..., "port": ...} when
ready.
"""

from __future__ import annotations

import argparse
import json
import socket
import socketserver
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgent.address import Address
from edgent.clock import Clock, MonotonicClock
from edgent.codec import decode_pixels, encode_image, fit, normalise
from edgent.engine.loading import load
from edgent.engine.pace import OwnPace, Pace
from edgent.errors import EdgeError, EdgentError, InputError
from edgent.lab.rivals.frames import LENGTH_BYTES, receive_frame, send_frame
from edgent.latency import Profile
from edgent.model import Model, Preprocessing
from edgent.units import Seconds


def preprocessing_of(model: Model) -> Preprocessing:
    """How the model's pictures are prepared.

    Raises:
        InputError: the model does not say, so it takes no pictures.
    """
    if model.metadata.preprocessing is None:
        raise InputError(f"{model.name} states no pre-processing: the rival sends pictures, expected a model of those")
    return model.metadata.preprocessing


class Classifier:
    """Decodes, fits, normalises, runs one branch undivided.

    Args:
        model: One that takes pictures.
        exit: Whose branch; the last by default. Only this branch is in the session: ONNX Runtime would compute the
            other exits too.
        threads: Of ONNX Runtime.
    """

    def __init__(self, model: Model, *, exit: int | None = None, threads: int = 1) -> None:
        self._preprocessing = preprocessing_of(model)
        branch = model.branch(len(model.branches) - 1 if exit is None else exit)
        segment = model.segment([tensor.name for tensor in model.inputs], [branch.outputs[0].name])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(segment.weights))
        self._session = onnxruntime.InferenceSession(segment.proto, options, providers=["CPUExecutionProvider"])
        self._input = segment.given[0].name
        self._session.run(None, {self._input: np.zeros(segment.given[0].shape or (), np.float32)})  # allocates

    def __call__(self, picture: bytes) -> NDArray[np.float32]:
        """The scores of a picture's file, shape (classes,).

        Raises:
            InputError: no picture.
        """
        pixels = fit(decode_pixels(picture), self._preprocessing)
        (scores,) = self._session.run(None, {self._input: normalise(pixels, self._preprocessing)})
        return np.asarray(scores, dtype=np.float32).reshape(-1)


class RivalServer(socketserver.ThreadingTCPServer):
    """Answers pictures; a context manager that serves in a thread of its own, or call `serve_forever`.

    Args:
        classifier: What answers.
        host: Where to listen.
        port: 0 takes a free one; see `address`.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, classifier: Classifier, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.classifier = classifier
        super().__init__((host, port), _Handler)

    @property
    def address(self) -> str:
        """Where it listens: "host:port"."""
        host, port = self.socket.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(socketserver.BaseRequestHandler):
    server: RivalServer

    def handle(self) -> None:
        # As our own transport has it: the rival must not lose by a setting that any user would make.
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                send_frame(self.request, self._answer(receive_frame(self.request)))
        except (ConnectionError, InputError):
            return  # the client has gone, or speaks something else

    def _answer(self, picture: bytes) -> bytes:
        try:
            return self.server.classifier(picture).tobytes()
        except InputError:
            return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalAnswer:
    """An answer of the rival, with its times.

    Attributes:
        scores: float32, shape (classes,).
        encode: Seconds until the picture was ready to be sent.
        total: Seconds from the picture handed over to its scores.
        bytes_up: Of the coded picture.
    """

    scores: NDArray[np.float32]
    encode: Seconds
    total: Seconds
    bytes_up: int


def encoding_seconds(profile: Profile, codec: str) -> Seconds:
    """What `Rival` has to do for a picture on the profiled machine, before it is sent."""
    if codec == "source":
        return Seconds(0.0)
    return Seconds(profile.decode_source.median + profile.fit.median + profile.codec(codec).encode_base)


class Rival:
    """Sends pictures to a `RivalServer`, one at a time; connects at the first, and again after an error.

    Args:
        address: "host:port" of the server, or of a link to it.
        codec: Image codec; "source" sends the picture's own bytes.
        preprocessing: Of the model: what is encoded has the model's size.
        pace: The device's, so that encoding is as slow as everything on it.
        seconds: What encoding takes by the device's table: see `encoding_seconds`.
        timeout: Seconds to wait for an answer.
        clock: The device's own.
    """

    def __init__(
        self,
        address: str,
        *,
        codec: str,
        preprocessing: Preprocessing,
        pace: Pace | None = None,
        seconds: float = 0.0,
        timeout: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._address = Address.parse(address, "rival")
        self._codec = codec
        self._preprocessing = preprocessing
        self._pace = pace or OwnPace()
        self._seconds = seconds
        self._timeout = timeout
        self._clock = clock or MonotonicClock()
        self._socket: socket.socket | None = None

    def ask(self, picture: bytes) -> RivalAnswer:
        """The answer to a picture's file.

        Raises:
            InputError: no picture.
            EdgeError: the server is not there, broke off, or did not answer in time.
        """
        started_at = self._clock.now()
        coded = self._encoded(picture)
        # The device is emulated: encoding takes as long here as it would there.
        self._pace.hold(started_at, self._seconds)
        encoded_at = self._clock.now()
        scores = np.frombuffer(self._exchange(coded), dtype=np.float32)
        total = Seconds(self._clock.now() - started_at)
        if not scores.size:
            raise InputError("the rival's server could not read the picture")
        return RivalAnswer(
            scores=scores, encode=Seconds(encoded_at - started_at), total=total, bytes_up=len(coded) + LENGTH_BYTES
        )

    def close(self) -> None:
        """Ends the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error the stream may hold half a frame: only a new connection is in step again.
        self.close()

    def __repr__(self) -> str:
        return f"<Rival {self._codec} to {self._address}>"

    def _encoded(self, picture: bytes) -> bytes:
        if self._codec == "source":
            return picture
        return encode_image(self._codec, fit(decode_pixels(picture), self._preprocessing))

    def _exchange(self, message: bytes) -> bytes:
        try:
            if self._socket is None:
                self._socket = socket.create_connection((self._address.host, self._address.port), self._timeout)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send_frame(self._socket, message)
            return receive_frame(self._socket)
        except OSError as error:
            self.close()
            raise EdgeError(f"the rival's server does not answer: {error}") from error


def main(arguments: list[str]) -> int:
    """Serves until it is stopped; see the module."""
    parser = argparse.ArgumentParser(
        prog="python -m edgent.lab.rivals.rival", description="a bare ONNX Runtime loop over TCP"
    )
    parser.add_argument("--model", required=True, help="a name or a file")
    parser.add_argument("--exit", type=int, help="whose branch to run; the last by default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options = parser.parse_args(arguments)
    try:
        classifier = Classifier(load(options.model), exit=options.exit, threads=options.threads)
        server = RivalServer(classifier, host=options.host, port=options.port)
    except EdgentError as error:
        return _failed(error, error.exit_code)
    except OSError as error:
        return _failed(error, 1)
    host, port = server.socket.getsockname()
    sys.stdout.write(json.dumps({"address": f"{host}:{port}", "port": port}) + "\n")
    sys.stdout.flush()
    server.serve_forever()
    return 0


def _failed(error: Any, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
