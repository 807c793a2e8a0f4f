"""The edge's methods, as bytes in and bytes out; `edgent.wire.grpc_transport` puts them on a port.

Each inference goes: checked (nothing is computed for a bad one) -> queue -> decode, run, encode -> headers with the
times -> body. What else a device needs is beside it: which models in which version; model, profile and calibration
files; sessions made ahead of their first request; messages of any size to measure the link with; and what it has
served so far.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

from edgent.clock import Clock
from edgent.codec import Calibration
from edgent.edge.counters import Counters
from edgent.edge.job import Target, compute, read_job, resolve
from edgent.edge.queue_threads import QueueThreads
from edgent.engine.onnxruntime import Engine
from edgent.engine.pace import OwnPace, Pace
from edgent.errors import EdgentError, InputError
from edgent.latency import Profile
from edgent.model import Model
from edgent.model.configuration.copy import beside_a_copy
from edgent.version import __version__
from edgent.wire import messages as m
from edgent.wire.errors import BusyError, LateError, NotServedError
from edgent.wire.message_limit import too_large
from edgent.wire.tensors import datatype, parse
from edgent.wire.transport import PACKET, Call, Methods, Streaming, Unary

_CHUNK = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Service:
    """What an edge does when called.

    Attributes:
        models: by name.
        engine: runs the segments.
        queue_threads: where inferences queue.
        clock: times queue and middle.
        max_message: bytes of the largest message; of a probe's load, half of that.
        profiles: of this machine, by digest.
        calibrations: by digest.
        pace: holds the work to that of a slower machine.
        counters: what was served so far.
    """

    models: Mapping[str, Model]
    engine: Engine
    queue_threads: QueueThreads
    clock: Clock
    max_message: int
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    pace: Pace = field(default_factory=OwnPace)
    counters: Counters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counters", Counters(self.models))

    def methods(self) -> Methods:
        """The table of methods, by path."""
        return {
            m.SERVER_LIVE: Unary(answer=_constant(m.ServerLiveResponse(live=True))),
            m.SERVER_READY: Unary(answer=_constant(m.ServerReadyResponse(ready=True))),
            m.SERVER_METADATA: Unary(answer=_constant(_server_metadata())),
            m.MODEL_READY: Unary(answer=self._model_ready),
            m.MODEL_METADATA: Unary(answer=self._model_metadata),
            m.MODEL_INFER: Unary(answer=self._infer),
            m.HEALTH: Unary(answer=self._health),
            m.DESCRIBE: Unary(answer=self._describe),
            m.PREPARE: Unary(answer=self._prepare),
            m.PROBE: Unary(answer=self._probe),
            m.REPORT: Unary(answer=self._report),
            m.FETCH: Streaming(answer=self._fetch),
        }

    def __repr__(self) -> str:
        return f"<Service of {', '.join(self.models)}>"

    def _infer(self, message: bytes, call: Call) -> bytes:
        job = read_job(self.models, message)
        budget = call.time_remaining()
        expected, name = self._expected(job.target), job.target.model.name
        try:
            with self.queue_threads.turn(budget=budget, seconds=expected) as waited:
                started_at = self.clock.now()
                answer = compute(job, self.engine)
                self.pace.hold(started_at, expected)
                middle = self.clock.now() - started_at
        except (BusyError, LateError):
            self.counters.turned_away(name)
            raise
        if len(answer) > self.max_message:
            raise too_large(answer, self.max_message, "the answer")
        self.counters.answered(name, waited, middle)
        call.set_headers(_headers(waited, middle, answer, call))
        return answer

    def _expected(self, target: Target) -> float:
        profile = self.profiles.get(target.model.digest)
        if profile is None:
            return 0.0
        if target.part is None:
            return max(branch.whole.median for branch in profile.branches)
        return profile.layers_between(target.part.exit, target.part.upload_cut, target.part.download_cut)

    def _model_ready(self, message: bytes, _: Call) -> bytes:
        request = parse(m.ModelReadyRequest, message)
        try:
            resolve(self.models, request.name, request.version)
        except NotServedError:
            return bytes(m.ModelReadyResponse(ready=False).SerializeToString())
        return bytes(m.ModelReadyResponse(ready=True).SerializeToString())

    def _model_metadata(self, message: bytes, _: Call) -> bytes:
        request = parse(m.ModelMetadataRequest, message)
        target = resolve(self.models, request.name, request.version)
        response = m.ModelMetadataResponse(
            name=request.name, versions=[target.model.version], platform="onnxruntime_onnx"
        )
        for entries, tensors in ((response.inputs, target.given), (response.outputs, target.offered)):
            for tensor in tensors:
                shape = [-1] if tensor.shape is None else tensor.shape
                entries.add(name=tensor.name, datatype=datatype(tensor), shape=shape)
        return bytes(response.SerializeToString())

    def _health(self, message: bytes, _: Call) -> bytes:
        service = parse(m.HealthCheckRequest, message).service
        if service not in _SERVICES:
            raise NotServedError(f"no service {service!r} here; expected one of {', '.join(filter(None, _SERVICES))}")
        return bytes(m.HealthCheckResponse(status=m.SERVING).SerializeToString())

    def _describe(self, message: bytes, _: Call) -> bytes:
        parse(m.DescribeRequest, message)
        response = m.DescribeResponse(version=__version__)
        for model in self.models.values():
            profile, calibration = self._document(model, "profile"), self._document(model, "calibration")
            response.models.add(
                name=model.name,
                digest=model.digest,
                profile=_fingerprint(profile),
                calibration=_fingerprint(calibration),
                dims=model.dims,
            )
        return bytes(response.SerializeToString())

    def _prepare(self, message: bytes, _: Call) -> bytes:
        request = parse(m.PrepareRequest, message)
        target = resolve(self.models, request.name, request.version)
        started_at = self.clock.now()
        given, asked = ([tensor.name for tensor in side] for side in (target.given, target.offered))
        self.engine.session(target.model, given, asked)
        return bytes(m.PrepareResponse(seconds=self.clock.now() - started_at).SerializeToString())

    def _probe(self, message: bytes, call: Call) -> bytes:
        arrived_at = self.clock.now()
        wanted = parse(m.ProbeRequest, message).load_down
        if not 0 <= wanted <= self.max_message // 2:
            raise InputError(f"a probe of {wanted} bytes; expected 0..{self.max_message // 2}")
        answer = bytes(m.ProbeResponse(load=bytes(wanted)).SerializeToString())
        call.set_headers(_headers(0.0, self.clock.now() - arrived_at, answer, call))
        return answer

    def _report(self, message: bytes, _: Call) -> bytes:
        parse(m.ReportRequest, message)
        response = m.ReportResponse()
        for account in self.counters.accounts:
            response.accounts.add(**asdict(account))
        return bytes(response.SerializeToString())

    def _fetch(self, message: bytes, _: Call) -> Iterator[bytes]:
        request = parse(m.FetchRequest, message)
        model = resolve(self.models, request.name, request.digest).model
        for file, stream in self._files(model, request.what):
            with stream:
                yield bytes(m.Chunk(file=file).SerializeToString())  # an empty file is one too
                while data := stream.read(_CHUNK):
                    yield bytes(m.Chunk(file=file, data=data).SerializeToString())

    def _files(self, model: Model, what: str) -> Iterator[tuple[str, BinaryIO]]:
        if what == "model":
            yield from _model_files(model)
            return
        text = self._document(model, what)
        if text is None:
            raise NotServedError(f"no {what} of {model.name} here; start the edge with one")
        yield f"{what}.json", BytesIO(text.encode())

    def _document(self, model: Model, what: str) -> str | None:
        if what == "profile":
            profile = self.profiles.get(model.digest)
            return profile.to_json() if profile else None
        if what == "calibration":
            calibration = self.calibrations.get(model.digest)
            return calibration.to_json() if calibration else None
        raise InputError(f"nothing called {what!r} can be fetched; expected model, profile or calibration")


_SERVICES = ("", "inference.GRPCInferenceService", "edgent.v1.Edge")


def _server_metadata() -> Any:
    return m.ServerMetadataResponse(name="edgent", version=__version__, extensions=[m.EXTENSION])


def _constant(response: Any) -> Any:
    body = bytes(response.SerializeToString())
    return lambda _message, _call: body


def _headers(queue: float, middle: float, answer: bytes, call: Call) -> dict[str, str]:
    times = {m.TIMES_US: f"{queue * 1e6:.0f} {middle * 1e6:.0f}"}
    if len(answer) <= PACKET or (window := call.window()) is None:
        return times  # no window is less than a packet
    threshold, patience = (value if math.isfinite(value) else 0 for value in (window.threshold, window.patience * 1e6))
    return {**times, m.WINDOW: f"{window.size:.0f} {threshold:.0f} {patience:.0f} {window.least:.0f}"}


def _fingerprint(text: str | None) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def _model_files(model: Model) -> Iterator[tuple[str, BinaryIO]]:
    """The file of a model, those that hold weights of it, and its configuration, where that is not in the file.

    The device checks that they are what was loaded here.
    """
    if len(model.members) > 1:
        raise NotServedError(f"{model.name} is a bundle, which cannot be fetched; copy its files, or serve each alone")
    for name in (model.path.name, *model.files):
        try:
            stream = (model.path.parent / name).open("rb")
        except OSError as error:
            raise EdgentError(
                f"{name} of {model.name} is no longer there ({error.strerror}); restart the edge"
            ) from error
        yield name, stream
    for name, content in beside_a_copy(model.path).items():
        yield name, BytesIO(content)
