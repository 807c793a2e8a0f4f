"""Replies of an edge that is broken or means harm, made of those of an honest one; the same at every run.

Each lie takes what the honest edge answers and gives what is said instead. What is said of times goes beside it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from edgent.wire import messages as m
from edgent.wire.headers import notes_of
from edgent.wire.transport import Call, Methods, Streaming, Unary

Lie = Callable[[bytes], bytes]
GARBAGE = b"\xff\x00<html>\x1b[2J" * 50


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileReply:
    """What is said instead of one method's reply.

    Attributes:
        name: of the lie, unique.
        method: whose replies it is told in.
        lie: what is said instead of one message.
        headers: what is said of times beside it; None: the truth.
        pieces: what comes instead of a stream, from the honest pieces.
        refuses: whether it says that this is another edge than the one that is meant, which a program is told.
    """

    name: str
    method: str
    lie: Lie | None = None
    headers: dict[str, str] | None = None
    pieces: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None
    refuses: bool = False

    def told_by(self, methods: Methods) -> Methods:
        """The methods of an edge that says it."""
        honest = methods[self.method]
        if isinstance(honest, Unary):
            return {**methods, self.method: Unary(answer=lambda body, call: self._said(honest, body, call))}
        lied = Streaming(answer=lambda body, call: self.pieces(honest.answer(body, call)))
        return {**methods, self.method: lied, m.DESCRIBE: Unary(answer=partial(_named, methods[m.DESCRIBE], lied))}

    def _said(self, honest: Unary, body: bytes, call: Call) -> bytes:
        answer = honest.answer(body, call)
        if self.headers is not None:
            call.note(notes_of(self.headers))
        return answer if self.lie is None else self.lie(answer)


def _named(describe: Unary, fetch: Streaming, body: bytes, call: Call) -> bytes:
    """Describes a profile that is a lie by the fingerprint of that lie."""
    answer = m.DescribeResponse.FromString(describe.answer(body, call))
    for model in answer.models:
        asked = m.FetchRequest(what="profile", name=model.name, digest=model.digest).SerializeToString()
        pieces = itertools.islice(fetch.answer(asked, call), 20)
        try:
            text = b"".join(m.Chunk.FromString(piece).data for piece in pieces)
        except Exception:  # pieces that are none
            text = b""
        model.profile = hashlib.sha256(text).hexdigest()
    return bytes(answer.SerializeToString())


def replies() -> tuple[HostileReply, ...]:
    """All lies that are told in a message or beside it."""
    return (*_answers(), *_times(), *_who(), *_documents())


def _answers() -> Iterator[HostileReply]:
    def changed(change: Callable[[Any], object]) -> Lie:
        def lie(body: bytes) -> bytes:
            answer = m.ModelInferResponse.FromString(body)
            change(answer)
            return bytes(answer.SerializeToString())

        return lie

    def odd(**fields: object) -> Callable[[Any], object]:
        def change(answer: Any) -> None:
            for name, value in fields.items():
                setattr(answer.outputs[0], name, value)

        return change

    def shaped(*sizes: int) -> Callable[[Any], object]:
        def change(answer: Any) -> None:
            answer.outputs[0].shape[:] = sizes

        return change

    def coded(codec: str, payload: bytes) -> Callable[[Any], object]:
        def change(answer: Any) -> None:
            answer.outputs[0].datatype, answer.outputs[0].shape[:] = "BYTES", [1]
            answer.outputs[0].parameters[m.CODEC].string_param = codec
            answer.raw_output_contents[0] = len(payload).to_bytes(4, "little") + payload

        return change

    def cut(answer: Any) -> None:
        answer.raw_output_contents[0] = answer.raw_output_contents[0][:-3]

    lies: dict[str, Lie] = {
        "nothing": lambda _: b"",
        "garbage": lambda _: GARBAGE,
        "half of it": lambda body: body[: len(body) // 2],
        "twice": lambda body: body + body,
        "of another method": lambda _: bytes(m.DescribeResponse(version="x" * 1000).SerializeToString()),
        "of another segment": changed(lambda answer: setattr(answer, "model_name", "b-alexnet.x0.u0.d12")),
        "another name": changed(odd(name="\x1b[31mother")),
        "another type": changed(odd(datatype="INT64")),
        "no type": changed(odd(datatype="\x1b]0;x\x07")),
        "another shape": changed(shaped(2, 5)),
        "negative sizes": changed(shaped(-1, -10)),
        "sizes beyond all": changed(shaped(2**62, 2**62)),
        "a thousand axes": changed(shaped(*[1] * 1000)),
        "bytes missing": changed(cut),
        "bytes beyond": changed(lambda answer: answer.raw_output_contents.__setitem__(0, bytes(1 << 20))),
        "no contents": changed(lambda answer: answer.ClearField("raw_output_contents")),
        "contents of nothing": changed(lambda answer: answer.raw_output_contents.extend([b"x"] * 1000)),
        "an unknown codec": changed(coded("../../x", b"abc")),
        "a codec's garbage": changed(coded("zstd", GARBAGE)),
        "a codec of pictures": changed(coded("png", GARBAGE)),
        "an empty payload": changed(coded("uint8", b"")),
        "ten thousand outputs": changed(
            lambda answer: [answer.outputs.add(name=f"o{k}", shape=[1]) for k in range(10_000)]
        ),
    }
    for name, lie in lies.items():
        yield HostileReply(name=f"answer: {name}", method=m.MODEL_INFER, lie=lie)


def _times() -> Iterator[HostileReply]:
    said = {
        "an hour in the queue": {m.TIMES_US: "3600000000 0"},
        "an hour of work": {m.TIMES_US: "0 3600000000"},
        "a century": {m.TIMES_US: "0 3155760000000000"},
        "more than it took": {m.TIMES_US: "5000000 5000000"},
        "no numbers": {m.TIMES_US: "nan inf"},
        "negative ones": {m.TIMES_US: "-5 -5"},
        "a thousand digits": {m.TIMES_US: "9" * 1000 + " 1"},
        "one of two": {m.TIMES_US: "5"},
        "nothing at all": {},
        "a version that nobody has": {m.NEWEST: "0" * 12},
        "a version that is none": {m.NEWEST: "\x1b[2J" * 100},
        "a window of a byte": {m.WINDOW: "1 1 1 1"},
        "a window of nothing": {m.WINDOW: "0 0 0 0"},
        "a vast window": {m.WINDOW: " ".join([str(1 << 50)] * 4)},
        "a window of no numbers": {m.WINDOW: "nan nan nan nan"},
    }
    for name, headers in said.items():
        for method in (m.MODEL_INFER, m.PROBE):
            yield HostileReply(name=f"times of {method.rpartition('/')[2]}: {name}", method=method, headers=headers)


def _who() -> Iterator[HostileReply]:
    def described(change: Callable[[Any], object]) -> Lie:
        def lie(body: bytes) -> bytes:
            answer = m.DescribeResponse.FromString(body)
            change(answer)
            return bytes(answer.SerializeToString())

        return lie

    def first(**fields: object) -> Callable[[Any], object]:
        return lambda answer: [setattr(answer.models[0], name, value) for name, value in fields.items()]

    who: dict[str, Lie] = {
        "nothing": lambda _: b"",
        "garbage": lambda _: GARBAGE,
        "ten thousand models": described(
            lambda answer: [answer.models.add(name=f"\x1b[2J{k}" * 5, digest="0" * 64) for k in range(10_000)]
        ),
        "another digest": described(first(digest="f" * 64)),
        "a digest that is none": described(first(digest="\x1b" * 1000)),
        "a profile that is not there": described(first(profile="0" * 64)),
        "dims beyond all": described(lambda answer: answer.models[0].dims.update({"n": -(2**63)})),
    }
    for name, lie in who.items():
        refuses = name in ("nothing", "another digest", "a digest that is none")
        yield HostileReply(name=f"describe: {name}", method=m.DESCRIBE, lie=lie, refuses=refuses)
    for method in (m.SERVER_METADATA, m.PROBE, m.PREPARE):
        words = method.rpartition("/")[2]
        yield HostileReply(name=f"{words}: garbage", method=method, lie=lambda _: GARBAGE)
        refuses = method == m.SERVER_METADATA
        yield HostileReply(name=f"{words}: nothing", method=method, lie=lambda _: b"", refuses=refuses)
    many = m.ServerMetadataResponse(extensions=[f"\x1b{k}" for k in range(10_000)]).SerializeToString()
    yield HostileReply(
        name="ServerMetadata: ten thousand words", method=m.SERVER_METADATA, lie=lambda _: bytes(many), refuses=True
    )


def _documents() -> Iterator[HostileReply]:
    def written(change: Callable[[Any], object]) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
        def pieces(honest: Iterator[bytes]) -> Iterator[bytes]:
            chunks = [m.Chunk.FromString(piece) for piece in honest]
            profile = json.loads(b"".join(chunk.data for chunk in chunks))
            change(profile)
            text = json.dumps(profile).encode()
            yield bytes(m.Chunk(file=chunks[0].file, size=len(text)).SerializeToString())
            yield bytes(m.Chunk(file=chunks[0].file, data=text).SerializeToString())

        return pieces

    def timed(seconds: float) -> Callable[[Any], object]:
        def change(profile: Any) -> None:
            for branch in profile["branches"]:
                branch["layers"] = [seconds] * len(branch["layers"])
                branch["whole"]["median"] = seconds * len(branch["layers"])

        return change

    def again(piece: Callable[[int], bytes], size: int = 100) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
        def pieces(_: Iterator[bytes]) -> Iterator[bytes]:
            yield bytes(m.Chunk(file="profile.json", size=size).SerializeToString())
            for number in itertools.count():
                yield bytes(m.Chunk(file="profile.json", data=piece(number)).SerializeToString())

        return pieces

    documents = {
        "negative times": written(timed(-1.0)),
        "times of no number": written(timed(math.nan)),
        "times without end": written(timed(math.inf)),
        "times that overflow": written(timed(1e307)),
        "times of a century": written(timed(3e9)),
        "a spread without end": written(lambda profile: profile["fit"].update(spread=1e300)),
        "a codec of a century": written(lambda profile: profile["codecs"][0].update(encode_base=3e9)),
        "a byte of an hour": written(lambda profile: profile["codecs"][0].update(encode_per_byte=3600.0)),
        "another model": written(lambda profile: profile.update(digest="f" * 64)),
        "other layers": written(
            lambda profile: profile["branches"][0].update(layers=[profile["branches"][0]["whole"]["median"]])
        ),
        "no branches": written(lambda profile: profile.update(branches=[])),
        "no end": again(lambda _: b"x" * (1 << 16)),
        "no end of nothing": again(lambda _: b""),
        "no size": again(lambda _: b"{}", size=0),
        "a size beyond all": again(lambda _: b"{}", size=2**63),
        "less than its size": lambda _: iter([bytes(m.Chunk(file="p", size=9, data=b"{").SerializeToString())]),
        "nothing": lambda _: iter(()),
        "garbage": lambda _: iter([GARBAGE]),
        "another after it": lambda honest: itertools.chain(honest, [bytes(m.Chunk(file="x").SerializeToString())]),
    }
    for name, pieces in documents.items():
        yield HostileReply(name=f"profile: {name}", method=m.FETCH, pieces=pieces)


def everywhere(methods: Methods, error: Exception) -> Methods:
    """An edge whose every reply makes what reads it throw this."""

    def fails(*_: object) -> bytes:
        raise error

    return {path: replace(method, answer=fails) for path, method in methods.items()}
