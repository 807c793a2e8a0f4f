"""What says who somebody is: certificates, requests for them, tokens, and what is said at the port for joining."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edgent.address import Address
from edgent.dashboard.guard import PageGuard
from edgent.document import parse
from edgent.errors import InputError
from edgent.identity.certificates import Authority, bearer_of, new_key, request_for
from edgent.identity.edge_identity import EdgeIdentity
from edgent.identity.folder import write_private
from edgent.identity.join import read_answer
from edgent.identity.join_server import JoinServer
from edgent.identity.joined import JOINED, Joined
from edgent.identity.token import Token
from edgent.lab.fuzz.fuzzing import FuzzTarget
from edgent.lab.fuzz.mutations import Mutation, of_json, of_lines, of_pem

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def targets(folder: Path) -> Iterator[FuzzTarget]:
    """Those of an edge whose identity lies in a folder, and of a device that joins it."""
    authority, key = Authority.create(_NOW), new_key()
    request = request_for("porch", key)
    certificate = authority.device_certificate("porch", request, _NOW)
    joined = Joined(name="porch", edge="10.0.0.2:8001", joins_at="10.0.0.2:8002", renew_at=1.0, ends_at=2.0)
    kept = json.dumps({name: getattr(joined, name) for name in joined.__dataclass_fields__}).encode()
    there = folder / "joined"
    there.mkdir(mode=0o700)

    def read_joined(data: bytes) -> object:
        write_private(there / JOINED, data)
        return Joined.read(there)

    def sign(data: bytes) -> object:
        return authority.device_certificate("a", data, _NOW)

    def reader(name: str, module: str, seed: bytes, read: Callable[[bytes], object], mutate: Mutation) -> FuzzTarget:
        return FuzzTarget(name=name, modules=(f"identity.{module}",), seeds=(seed,), mutate=mutate, read=read)

    yield reader("certificate", "certificates", certificate, bearer_of, of_pem)
    yield reader("certificate request", "certificates", request, sign, of_pem)
    yield replace(
        reader("where a device joined", "joined", kept, read_joined, of_json),
        modules=("identity.joined", "identity.folder"),
    )
    yield reader(
        "token",
        "token",
        str(Token.create(authority.fingerprint)).encode(),
        lambda data: Token.parse(data.decode("utf-8", "replace")),
        of_lines,
    )
    yield _of_joining(folder, request)
    yield _of_page()
    answer, port = json.dumps({"certificate": certificate.decode(), "port": 8001}).encode(), Address.parse("edge:8002")
    yield reader("answer to joining", "join", answer, lambda data: read_answer(port, 200, data), of_json)


def _of_joining(folder: Path, request: bytes) -> FuzzTarget:
    """What strangers say at the port where devices join."""
    identity = EdgeIdentity.open(folder / "edge", _NOW)
    token = identity.create_token(uses=10**9, lifetime=timedelta(days=1), now=_NOW)
    server = JoinServer(identity, serves_at=8001, host="127.0.0.1", port=0, now=lambda: _NOW)
    with server:  # its port is not needed: what comes in there is given to `answer`
        pass

    def join(data: bytes) -> object:
        asked = parse(data.decode("utf-8", "replace"))
        if not isinstance(asked, dict):
            raise InputError("no object")
        return server.answer("POST", "/v1/join", asked, None)

    honest = {"secret": token.secret, "name": "porch", "request": request.decode()}
    return FuzzTarget(
        name="request to join",
        modules=("identity.join_server",),
        seeds=(json.dumps(honest).encode(),),
        mutate=of_json,
        read=join,
    )


def _of_page() -> FuzzTarget:
    """The headers of a request at the live page's port, a line each."""
    guard = PageGuard(hosts={"localhost", "::1"}, password="a password")

    def judge(data: bytes) -> object:
        lines = data.decode("latin-1").splitlines()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return [guard.refusal(method, headers) for method in ("GET", "POST")]

    seed = (
        b"host: [::1]:8080\norigin: http://[::1]:8080\nsec-fetch-site: same-origin\nauthorization: Basic ZWRnZW50Og=="
    )
    return FuzzTarget(
        name="request to the page", modules=("dashboard.guard",), seeds=(seed,), mutate=of_lines, read=judge
    )
