"""What is read of Frigate: a request's header and what is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from edgent.frigate.messages import read_request
from edgent.lab.fuzz.fuzzing import FuzzTarget
from edgent.lab.fuzz.mutations import of_bytes, of_json


def target() -> FuzzTarget:
    """A request of Frigate's plugin: a header as long as its first two bytes say, and what is behind it."""
    tensor = b'{"shape": [1, 2, 2, 3], "dtype": "%s", "model_type": "yologeneric"}'
    requests = (
        (tensor % b"uint8", bytes(12)),
        (tensor % b"float32", bytes(48)),
        (b'{"model_request": true, "model_name": "yolo.onnx"}',),
        (b'{"model_data": true, "model_name": "yolo.onnx"}', b"file"),
    )
    return FuzzTarget(
        name="frigate's request",
        modules=("frigate.messages",),
        seeds=tuple(len(frames[0]).to_bytes(2, "big") + b"".join(frames) for frames in requests),
        mutate=_of_frigate,
        read=lambda data: read_request(_frames(data)),
    )


def _frames(data: bytes) -> list[bytes]:
    end = 2 + int.from_bytes(data[:2], "big")
    return [data[2:end], *([data[end:]] if data[end:] else [])]


def _of_frigate(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    header, *rest = _frames(data)
    header = of_json(chance, header, [_frames(other)[0] for other in others])[:65_535]
    body = b"".join(rest)
    return len(header).to_bytes(2, "big") + header + (of_bytes(chance, body, [body]) if chance.random() < 0.5 else body)
