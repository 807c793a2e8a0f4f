"""A client written from the protocol of Frigate's ZMQ plugin: the older one, and the one that asks for its model."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq

NOTHING = np.zeros((20, 6), np.float32)


@dataclass(frozen=True, kw_only=True)
class Detection:
    """What a detector reports of one picture, and how that came."""

    rows: np.ndarray
    seconds: float
    timed_out: bool
    error: str = ""


class FrigateClient:
    """One of Frigate's detectors: one question at a time, given up after a time; then a new socket.

    Args:
        endpoint: where it asks.
        asks_for_model: as newer ones do, at start and after each time-out.
        timeout_ms: Frigate's `request_timeout_ms`.
        model: the name of the file that Frigate has.

    Attributes:
        is_ready: whether it asks about pictures; one that is not reports that nothing is seen.
        sent_model: whether a file that it sent was taken; None: it sent none.
    """

    def __init__(
        self, endpoint: str, *, asks_for_model: bool = True, timeout_ms: int = 200, model: str = "m.onnx"
    ) -> None:
        self.endpoint, self.asks_for_model, self.model = endpoint, asks_for_model, model
        self.timeout_ms = timeout_ms
        self.is_ready = not asks_for_model
        self.sent_model: bool | None = None
        self._context = zmq.Context.instance()
        self._socket: zmq.Socket[bytes] | None = None
        self._begin()

    def detect(self, tensor: np.ndarray, **header: Any) -> Detection:
        """Asks about a tensor, with a header that says what it is unless told otherwise."""
        if not self.is_ready:
            return Detection(rows=NOTHING, seconds=0.0, timed_out=False, error="the model is not ready")
        says = {"shape": list(tensor.shape), "dtype": tensor.dtype.name, "model_type": "yologeneric"} | header
        return self.ask([json.dumps(says).encode(), tensor.tobytes()])

    def ask(self, frames: list[bytes]) -> Detection:
        """Sends frames, and reads what comes as the plugin does."""
        assert self._socket is not None
        began = time.monotonic()
        self._socket.send_multipart(frames)
        try:
            reply = self._socket.recv_multipart()
        except zmq.Again:
            self._begin()
            return Detection(rows=NOTHING, seconds=time.monotonic() - began, timed_out=True)
        seconds = time.monotonic() - began
        if len(reply) == 1:
            return Detection(rows=np.frombuffer(reply[0], np.float32).reshape(20, 6), seconds=seconds, timed_out=False)
        says = json.loads(reply[0])
        rows = np.frombuffer(reply[1], says["dtype"]).reshape(says["shape"])
        return Detection(rows=rows, seconds=seconds, timed_out=False, error=says.get("error", ""))

    def manage(self, frames: list[bytes], timeout_ms: int = 30_000) -> dict[str, Any]:
        """A question about the model, for which the plugin waits longer."""
        assert self._socket is not None
        self._socket.setsockopt(zmq.RCVTIMEO, timeout_ms)
        self._socket.send_multipart(frames)
        (reply,) = self._socket.recv_multipart()
        self._socket.setsockopt(zmq.RCVTIMEO, self.timeout_ms)
        return json.loads(reply)

    def close(self) -> None:
        """Gives up what is open."""
        if self._socket is not None:
            self._socket.close(linger=0)

    def _begin(self) -> None:
        self.close()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.setsockopt(zmq.RCVTIMEO, self.timeout_ms)
        self._socket.setsockopt(zmq.SNDTIMEO, self.timeout_ms)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(self.endpoint)
        if self.asks_for_model:
            self.is_ready = self._has_model()

    def _has_model(self) -> bool:
        there = self.manage([json.dumps({"model_request": True, "model_name": self.model}).encode()])
        if there.get("model_available"):
            return bool(there.get("model_loaded"))
        sent = self.manage([json.dumps({"model_data": True, "model_name": self.model}).encode(), b"a file"])
        self.sent_model = bool(sent.get("model_saved"))
        return self.sent_model and bool(sent.get("model_loaded"))
