"""The edge's methods, as bytes in and bytes out; `edgent.wire.serving.grpc_server` puts them on a port.

Each inference goes: checked (nothing is computed for a bad one) -> queue -> decode, run, encode -> headers with the
times -> body. What else a device needs is beside it: which models in which version; model, profile and calibration
files; sessions made ahead of their first request; messages of any size to measure the link with; and what it has
served so far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from io import SEEK_END, BytesIO
from typing import Any, BinaryIO

from edgent.clock import Clock
from edgent.codec import Calibration
from edgent.edge.counters import Counters
from edgent.edge.executor import Executor
from edgent.edge.job import Resolve, Target, read_job, rehearsal, resolve
from edgent.edge.model_files import member_files, model_files
from edgent.edge.queue import EdgeWork
from edgent.edge.queue_threads import QueueThreads
from edgent.edge.registry import Registry
from edgent.engine.pace import OwnPace, Pace
from edgent.errors import InputError, RefusedError
from edgent.latency import Profile
from edgent.link.slow_start import Window
from edgent.model import Model
from edgent.version import __version__
from edgent.wire import messages as m
from edgent.wire.errors import BusyError, LateError, NotServedError
from edgent.wire.message_limit import too_large
from edgent.wire.notes import Notes
from edgent.wire.tensors import datatype, parse
from edgent.wire.transport import PACKET, Call, Methods, Streaming, Unary

# Small beside what a message may be, large beside its headers; a device that gives up has little left under way.
_CHUNK = 256 << 10
_MOST_PROBED = 1 << 20  # bytes that a few are answered with: devices never ask for more
_TARGETS = 256  # names that are remembered with what they stand for; callers may make up as many as they like


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Service:
    """What an edge does when called.

    Attributes:
        models: what is served.
        executor: computes.
        queue_threads: where inferences queue.
        clock: times queue and middle.
        max_message: bytes of the largest message.
        profiles: of this machine, by digest.
        calibrations: by digest.
        pace: holds the work to that of a slower machine.
        making: is entered around the making of what takes memory; may refuse.
        counters: what was served so far.
        resolve: what a name and a version stand for; see `edgent.edge.job.resolve`.
    """

    models: Registry
    executor: Executor
    queue_threads: QueueThreads
    clock: Clock
    max_message: int
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    pace: Pace = field(default_factory=OwnPace)
    making: Callable[[], AbstractContextManager[None]] = nullcontext
    counters: Counters = field(init=False)
    resolve: Resolve = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counters", Counters(self.models))
        # Which tensors cross is found by walking over the whole branch: as long as a small network takes to run.
        object.__setattr__(self, "resolve", lru_cache(_TARGETS)(partial(resolve, self.models)))

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
        return f"<Service of {self.models!r}>"

    def _infer(self, message: bytes, call: Call) -> bytes:
        job = read_job(self.resolve, message)
        # After reading, which takes time that is the caller's as well.
        budget, model = call.time_remaining(), job.target.model
        choices = [self._work(choice.target, job.codecs) for choice in job.choices]
        try:
            with self.queue_threads.turn(
                budget=budget, choices=choices, given_up=call.given_up, wanted=job.wanted
            ) as start:
                if call.given_up():
                    raise LateError("the caller gave it up; not computed")
                started_at = self.clock.now()
                # Decoding and encoding are done within the turn: they too compute, and would slow down whoever holds a
                # slot.
                answer = self.executor.compute(job, start.choice, call.time_remaining())
                # Before the slot is given back, as a slower machine would hold it.
                self.pace.hold(started_at, choices[start.choice].profiled)
                middle = self.clock.now() - started_at
        except (BusyError, LateError):
            self.counters.turned_away(model)
            raise
        if len(answer) > self.max_message:
            raise too_large(answer, self.max_message, "the answer")
        self.counters.answered(model, start.waited, middle)
        newest = self._newest(model.name, model.version)
        # What the next one would wait, and not what this one did: the queue that it found is gone by now.
        load = self.queue_threads.predicted_wait()
        call.note(Notes(queue=start.waited, middle=middle, load=load, window=_window(answer, call), newest=newest))
        return answer

    def _newest(self, name: str, version: str) -> str:
        """Who has another version than a name stands for is told of it: it may have been connected all the while."""
        newest = self.models.find(name, "").version if name in self.models else version
        return "" if newest == version else newest

    def _work(self, target: Target, codecs: tuple[str | None, ...]) -> EdgeWork:
        """What a target is to the queue: what takes alike has one key."""
        return EdgeWork(key=(target.model.digest, target.name, codecs), profiled=self._expected(target))

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
            self.resolve(request.name, request.version)
        # Not there is an answer here and no error: readiness is asked in order to learn it.
        except NotServedError:
            return bytes(m.ModelReadyResponse(ready=False).SerializeToString())
        return bytes(m.ModelReadyResponse(ready=True).SerializeToString())

    def _model_metadata(self, message: bytes, _: Call) -> bytes:
        request = parse(m.ModelMetadataRequest, message)
        target = self.resolve(request.name, request.version)
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
        for entries, models in ((response.models, self.models.newest), (response.older, self.models.older)):
            for model in models:
                self._add(entries, model)
        return bytes(response.SerializeToString())

    def _add(self, entries: Any, model: Model) -> None:
        profile, calibration = self._document(model, "profile"), self._document(model, "calibration")
        entries.add(
            name=model.name,
            digest=model.digest,
            profile=_fingerprint(profile),
            calibration=_fingerprint(calibration),
            dims=model.dims,
            members=_members(model),
        )

    def _prepare(self, message: bytes, _: Call) -> bytes:
        request = parse(m.PrepareRequest, message)
        target = self.resolve(request.name, request.version)
        started_at = self.clock.now()
        with self.making():
            self.executor.prepare(target)
        return bytes(m.PrepareResponse(seconds=self.clock.now() - started_at).SerializeToString())

    def _probe(self, message: bytes, call: Call) -> bytes:
        arrived_at = self.clock.now()
        request = parse(m.ProbeRequest, message)
        wanted = request.load_down
        if not 0 <= wanted <= _MOST_PROBED:
            raise InputError(f"a probe of {wanted} bytes; expected 0..{_MOST_PROBED}")
        answer = bytes(m.ProbeResponse(load=bytes(wanted)).SerializeToString())
        newest = self._newest(request.name, request.version)
        queue, middle = 0.0, self.clock.now() - arrived_at
        if request.segment:
            queue, middle = self._tried(request.segment, request.version, call)
        load = self.queue_threads.predicted_wait()
        call.note(Notes(queue=queue, middle=middle, load=load, window=_window(answer, call), newest=newest))
        return answer

    def _tried(self, segment: str, version: str, call: Call) -> tuple[float, float]:
        """What a request for this would wait and take now: it is run on zeros, in the queue as any other."""
        target = self.resolve(segment, version)
        job = rehearsal(self.resolve, target)
        if job is None:
            return 0.0, 0.0
        work = self._work(target, job.codecs)
        with self.queue_threads.turn(budget=call.time_remaining(), choices=(work,), given_up=call.given_up) as start:
            started_at = self.clock.now()
            self.executor.compute(job, start.choice, call.time_remaining())
            self.pace.hold(started_at, work.profiled)
            return start.waited, self.clock.now() - started_at

    def _report(self, message: bytes, _: Call) -> bytes:
        parse(m.ReportRequest, message)
        response = m.ReportResponse()
        for account in self.counters.accounts:
            response.accounts.add(**asdict(account))
        return bytes(response.SerializeToString())

    def _fetch(self, message: bytes, _: Call) -> Iterator[bytes]:
        request = parse(m.FetchRequest, message)
        model = self.resolve(request.name, request.digest).model
        for file, stream in self._files(model, request.what, request.member):
            with stream:
                size = stream.seek(0, SEEK_END)
                stream.seek(0)
                yield bytes(m.Chunk(file=file, size=size).SerializeToString())  # an empty file is one too
                while data := stream.read(_CHUNK):
                    yield bytes(m.Chunk(file=file, data=data).SerializeToString())

    def _files(self, model: Model, what: str, member: str) -> Iterator[tuple[str, BinaryIO]]:
        if what == "model":
            yield from self._member_files(model, member) if _members(model) else model_files(model)
            return
        text = self._document(model, what)
        if text is None:
            raise NotServedError(f"no {what} of {model.name} here; start the edge with one")
        yield f"{what}.json", BytesIO(text.encode())

    def _member_files(self, bundle: Model, digest: str) -> Iterator[tuple[str, BinaryIO]]:
        manifest = self.models.manifest(bundle)
        assert manifest is not None, "every bundle has one"
        if not digest:
            raise NotServedError(
                f"{bundle.name} is a bundle, fetched a file at a time; this device's Edgent is too old"
            )
        for file, path in zip(manifest.files, bundle.members, strict=True):
            if file.digest == digest and not file.edge_only:
                yield from member_files(bundle, path)
                return
        known = ", ".join(f"{file.name} {file.digest[:12]}" for file in manifest.here)
        raise RefusedError(f"{bundle.name} has no file of version {digest[:12]} for devices; it has {known}")

    def _document(self, model: Model, what: str) -> str | None:
        if what == "profile":
            profile = self.profiles.get(model.digest)
            return profile.to_json() if profile else None
        if what == "calibration":
            calibration = self.calibrations.get(model.digest)
            return calibration.to_json() if calibration else None
        if what == "manifest":
            manifest = self.models.manifest(model)
            return manifest.to_json() if manifest else None
        raise InputError(f"nothing called {what!r} can be fetched; expected model, profile, calibration or manifest")


_SERVICES = ("", "inference.GRPCInferenceService", "edgent.v1.Edge")


def _server_metadata() -> Any:
    return m.ServerMetadataResponse(name="edgent", version=__version__, extensions=[m.EXTENSION, m.EXCHANGES])


def _constant(response: Any) -> Any:
    body = bytes(response.SerializeToString())
    return lambda _message, _call: body


def _window(answer: bytes, call: Call) -> Window | None:
    """What a long answer may have under way; no window is less than a packet."""
    return call.window() if len(answer) > PACKET else None


def _fingerprint(text: str | None) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def _members(model: Model) -> Mapping[str, str]:
    """The digests of a bundle's files by name; none for a single file, whose digest is the model's."""
    return model.digests if len(model.digests) > 1 else {}
