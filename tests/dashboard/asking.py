"""Requests to an application without a socket: ASGI's messages, given and taken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

HOST = (b"host", b"localhost:8080")


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    application: ASGIApp, path: str, method: str = "GET", body: bytes = b"", *, headers=(HOST,), query: str = ""
) -> Got:
    """The answer to one request."""
    return asyncio.run(answered(application, path, method, [body], headers=headers, query=query))


async def answered(
    application: ASGIApp, path: str, method: str, chunks: list[bytes], *, headers=(HOST,), query: str = ""
) -> Got:
    """The same in a loop, with a body that comes in pieces."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }
    sent: list[dict[str, Any]] = []
    pieces = _pieces(chunks)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    await application(scope, lambda: anext(pieces), send)
    start = sent[0]
    names = {name.decode().lower(): value.decode("latin-1") for name, value in start["headers"]}
    return Got(start["status"], names, b"".join(message.get("body", b"") for message in sent[1:]))


async def _pieces(chunks: list[bytes]) -> AsyncIterator[dict[str, Any]]:
    for place, chunk in enumerate(chunks):
        yield {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
    await asyncio.sleep(0)
    yield {"type": "http.disconnect"}
