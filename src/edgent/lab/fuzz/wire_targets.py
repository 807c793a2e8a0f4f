"""What comes over the network, at either end: messages, their inside, pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np

from edgent.codec import decode_pixels, decode_tensor, encode_image, encode_tensor, load_formats, picture_size
from edgent.edge.edge import Edge
from edgent.engine.jpeg_stream import pictures
from edgent.errors import EdgeError, EdgentError
from edgent.lab.fuzz.fuzzing import FuzzTarget
from edgent.lab.fuzz.mutations import Mutation, of_bytes, of_json, of_lines, of_picture, of_protobuf, with_checksum
from edgent.link.slow_start import Window
from edgent.model import Model
from edgent.testing import FakeEngine, FakeLink
from edgent.units import Seconds
from edgent.wire import messages as m
from edgent.wire.edge_client import EdgeClient
from edgent.wire.errors import Damaged
from edgent.wire.exchange.http2 import Http2Client
from edgent.wire.exchange.messages import (
    read_body,
    read_exchange_reply,
    read_exchange_request,
    write_exchange_reply,
    write_exchange_request,
)
from edgent.wire.fetched_versions import FetchedVersion, FetchedVersions
from edgent.wire.headers import headers_of, notes_of
from edgent.wire.notes import Notes
from edgent.wire.tensors import Parcel, read_arrays, read_elements, write_elements, write_request, write_response
from edgent.wire.transport import Reply, Streaming, Unary

_CODECS = ("float32", "float16", "uint8", "float32+zstd", "float16+zstd", "uint8+zstd")
_TAG = bytes([15 << 3 | 5])  # of an exchange's checksum
_CALLS = (
    m.MODEL_READY,
    m.MODEL_METADATA,
    m.HEALTH,
    m.DESCRIBE,
    m.PREPARE,
    m.PROBE,
    m.REPORT,
    m.FETCH,
    m.SERVER_METADATA,
)
_PIXELS = 1 << 20


class _Anybody:
    """A caller who has a second, and shows nothing."""

    def time_remaining(self) -> Seconds | None:
        return Seconds(1.0)

    def window(self) -> Window | None:
        return None

    def given_up(self) -> bool:
        return False

    def certificate(self) -> bytes | None:
        return None

    def caller(self) -> str:
        return "192.0.2.7"

    def note(self, notes: Notes) -> None:
        del notes


class _Saying(FakeLink):
    """A channel to an edge that answers all with the same bytes."""

    def __init__(self) -> None:
        super().__init__({})
        self.body = b""

    def call(self, method: str, message: bytes, timeout: float) -> Reply:
        del method, message, timeout
        at = Seconds(0.0)
        return Reply(body=self.body, notes=Notes(), sent_at=at, notes_at=at, body_at=at)

    def exchange(self, method: str, message: bytes, timeout: float) -> Reply:
        return self.call(method, message, timeout)

    def stream(self, method: str, message: bytes, timeout: float) -> Iterator[bytes]:
        del method, message, timeout
        yield self.body


def targets(model: Model) -> tuple[FuzzTarget, ...]:
    """Those of a model's edge and device."""
    return (*_of_edge(model), *_of_device(model), *_of_exchanges(), *_of_codecs())


def _of_edge(model: Model) -> Iterator[FuzzTarget]:
    answered = _edge_of(model)
    load_formats()
    yield FuzzTarget(
        name="infer request",
        modules=("edge.job", "edge.service", "wire.tensors", "codec.image", "codec.tensor"),
        seeds=tuple(_requests(model)),
        mutate=of_protobuf,
        read=answered(m.MODEL_INFER),
    )
    for path in _CALLS:
        yield FuzzTarget(
            name=f"call {path.rsplit('/', 1)[1]}",
            modules=("edge.service",),
            seeds=(_call(model, path),),
            mutate=of_protobuf,
            read=answered(path),
        )


def _edge_of(model: Model) -> Callable[[str], Callable[[bytes], bytes]]:
    """The methods of an edge, called by anybody: by path, each with its answer."""
    methods = Edge(model, engine=FakeEngine()).service.methods()

    def answered(path: str) -> Callable[[bytes], bytes]:
        method = methods[path]

        def answer(message: bytes) -> bytes:
            if isinstance(method, Unary):
                return method.answer(message, _Anybody())
            assert isinstance(method, Streaming)
            return b"".join(method.answer(message, _Anybody()))

        return answer

    return answered


def _requests(model: Model) -> Iterator[bytes]:
    """Honest inferences: raw and coded tensors, a divided branch, a picture, numbers in the protocol's own fields."""
    (given,) = model.inputs
    assert given.shape is not None
    image = np.ones(given.shape, np.float32)
    whole = f"{model.name}.x0.u0.d{len(model.branches[0].layers)}"
    answer = [(model.branches[0].outputs[0].name, None)]
    for codec in (None, *_CODECS):
        data = image.tobytes() if codec is None else encode_tensor(codec, image)
        parcel = Parcel(tensor=given, codec=codec, shape=given.shape, data=data)
        yield write_request(whole, model.version, [parcel], answer)
    pixels = np.full((32, 32, 3), 128, np.uint8)
    for codec in ("png", "jpeg-90", "webp-90"):
        parcel = Parcel(tensor=given, codec=codec, shape=given.shape, data=encode_image(codec, pixels))
        yield write_request(whole, model.version, [parcel], answer, [whole], 0.5)
    part = model.branches[4].sent(3, 12)
    parcels = [
        Parcel(tensor=tensor, codec=None, shape=tensor.shape or (), data=bytes(4 * int(np.prod(tensor.shape or ()))))
        for tensor in part.up
    ]
    yield write_request(f"{model.name}.x4.u3.d12", "", parcels, [(tensor.name, "uint8") for tensor in part.down])
    request = m.ModelInferRequest(model_name=model.name)
    entry = request.inputs.add(name=given.name, datatype="FP32", shape=given.shape)
    entry.contents.fp32_contents.extend([0.5] * image.size)
    yield bytes(request.SerializeToString())


def _call(model: Model, path: str) -> bytes:
    segment = f"{model.name}.x0.u0.d12"
    message: Any = {
        m.MODEL_READY: m.ModelReadyRequest(name=model.name, version=model.version),
        m.MODEL_METADATA: m.ModelMetadataRequest(name=segment),
        m.HEALTH: m.HealthCheckRequest(service="edgent.v1.Edge"),
        m.DESCRIBE: m.DescribeRequest(),
        m.PREPARE: m.PrepareRequest(name=segment, version=model.version),
        m.PROBE: m.ProbeRequest(load=bytes(64), load_down=64, name=model.name, version=model.version, segment=segment),
        m.REPORT: m.ReportRequest(),
        m.FETCH: m.FetchRequest(what="model", name=model.name, digest=model.version),
        m.SERVER_METADATA: m.ServerMetadataRequest(),
    }[path]
    return bytes(message.SerializeToString())


def _of_device(model: Model) -> Iterator[FuzzTarget]:
    asked = model.branches[0].outputs
    array = np.zeros(asked[0].shape or (), np.float32)
    parcel = Parcel(tensor=asked[0], codec=None, shape=array.shape, data=array.tobytes())
    coded = Parcel(tensor=asked[0], codec="uint8+zstd", shape=array.shape, data=encode_tensor("uint8+zstd", array))
    yield FuzzTarget(
        name="edge's answer",
        modules=("device.compute", "wire.tensors", "codec.tensor"),
        seeds=tuple(write_response(model.name, model.version, "1", [each]) for each in (parcel, coded)),
        mutate=of_protobuf,
        read=lambda body: read_arrays(body, asked),
    )
    channel = _Saying()
    client = EdgeClient(channel)

    def told(ask: Callable[[], object]) -> Callable[[bytes], object]:
        def hear(body: bytes) -> object:
            channel.body = body
            return ask()

        return hear

    described, reported, extended = (_edge_of(model)(path)(b"") for path in (m.DESCRIBE, m.REPORT, m.SERVER_METADATA))
    text = b'{"schema": 1}'
    chunk = m.Chunk(file="profile.json", data=text, size=len(text)).SerializeToString()
    for name, seed, ask in (
        ("edge's description", described, lambda: client.describe(1.0)),
        ("edge's report", reported, lambda: client.report(1.0)),
        ("edge's extensions", extended, lambda: client.extensions(1.0)),
        ("edge's document", chunk, lambda: client.document("profile", "net", "00")),
    ):
        yield FuzzTarget(
            name=name,
            modules=("wire.edge_client", "wire.sent_files"),
            seeds=(bytes(seed),),
            mutate=of_protobuf,
            read=told(ask),
        )
    fetched = FetchedVersion(digest=model.digest, dims={"batch": 1}, manifest="{}")
    yield FuzzTarget(
        name=FetchedVersions.KIND,
        modules=("wire.fetched_versions",),
        seeds=(FetchedVersions(versions=(fetched,)).to_json().encode(),),
        mutate=of_json,
        read=lambda data: FetchedVersions.from_json(data.decode("utf-8", "replace")),
    )
    window = Window(size=14_000.0, threshold=28_000.0, patience=0.2, least=2_800.0)
    headers = headers_of(Notes(queue=0.1, middle=0.2, window=window, newest="0123456789ab"))
    yield FuzzTarget(
        name="headers",
        modules=("wire.headers",),
        seeds=("\n".join(f"{key} {value}" for key, value in headers.items()).encode(),),
        mutate=of_lines,
        read=lambda text: notes_of(
            dict(line.partition(" ")[::2] for line in text.decode("utf-8", "replace").splitlines())
        ),
    )


def _of_exchanges() -> Iterator[FuzzTarget]:
    def target(name: str, seeds: tuple[bytes, ...], read: Callable[[bytes], object], inside: Mutation) -> FuzzTarget:
        return FuzzTarget(
            name=name,
            modules=("wire.exchange.messages",),
            seeds=seeds,
            mutate=inside,
            read=read,
            rejects=(EdgentError, Damaged),
        )

    short = b"".join(write_exchange_request(m.MODEL_INFER, b"x" * 40, 0.1)[0])
    long = [b"".join(parts) for parts in write_exchange_request(m.PROBE, b"x" * 20_000, 0.1)]
    window = Window(size=14_000.0, threshold=28_000.0, patience=0.2, least=2_800.0)
    replies = tuple(write_exchange_reply(b"y" * 40, Notes(queue=0.1, middle=0.2, window=window)))
    of_fields = with_checksum(of_protobuf, _TAG)
    yield target("exchange's request", (short, long[0]), read_exchange_request, of_fields)
    yield target("exchange's reply", replies, read_exchange_reply, of_fields)
    yield target("exchange's body", (long[1],), lambda body: read_body(body, 20_000), with_checksum(of_bytes, b""))
    yield FuzzTarget(
        name="http2 frames",
        modules=("wire.exchange.http2",),
        seeds=tuple(_frames()),
        mutate=of_bytes,
        read=_received,
        rejects=(EdgeError,),
    )


def _frames() -> Iterator[bytes]:
    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    settings = frame(4, 0, 0, struct.pack(">HI", 4, 65_535)) + frame(4, 1, 0, b"")
    message = frame(0, 0, 1, struct.pack(">BI", 0, 5) + b"hello")
    yield settings + message + frame(6, 0, 0, bytes(8)) + frame(8, 0, 0, (1000).to_bytes(4, "big"))
    yield settings + frame(1, 4, 1, b"\x88") + message + frame(3, 0, 1, bytes(4)) + frame(0, 8, 1, b"\x02ab\0\0")


def _received(data: bytes) -> object:
    client = Http2Client(authority="edge:1", path="/x", max_message=65_536)
    client.open()
    client.next_bytes()
    events = client.receive(data[: len(data) // 2]) + client.receive(data[len(data) // 2 :])
    client.next_bytes()
    return events


def _of_codecs() -> Iterator[FuzzTarget]:
    shape = (1, 3, 8, 8)
    array = np.linspace(-1.0, 1.0, 192, dtype=np.float32).reshape(shape)
    for codec in _CODECS:
        yield FuzzTarget(
            name=f"tensor as {codec}",
            modules=("codec.tensor",),
            seeds=(encode_tensor(codec, array), encode_tensor(codec, np.zeros(shape, np.float32))),
            mutate=of_bytes,
            read=lambda data, codec=codec: decode_tensor(codec, data, shape, "float32"),  # type: ignore[misc]
        )
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
    seeds = tuple(encode_image(codec, pixels) for codec in ("png", "jpeg-75", "webp-75", "webp-lossless"))

    def picture(data: bytes) -> object:
        return picture_size(data, max_pixels=_PIXELS), decode_pixels(data, max_pixels=_PIXELS)

    yield FuzzTarget(name="picture", modules=("codec.image",), seeds=seeds, mutate=of_picture, read=picture)
    yield FuzzTarget(
        name="stream of pictures",
        modules=("engine.jpeg_stream",),
        seeds=(seeds[1] * 2,),
        mutate=of_bytes,
        read=lambda data: list(pictures(BytesIO(data))),
    )
    yield FuzzTarget(
        name="elements of text",
        modules=("wire.tensors", "engine.text"),
        seeds=(write_elements([b"one", b"two", b""]),),
        mutate=of_bytes,
        read=lambda data: read_elements("text", data),
    )
