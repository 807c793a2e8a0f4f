"""The page's port as an ASGI application: the page itself, its stream and pictures, `/metrics`, `POST /predict`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from pathlib import PurePath
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgent.dashboard.guard import HEADERS, PageGuard, PageRefusal
from edgent.dashboard.stream import Stream, View
from edgent.text import brief, one_line

_log = logging.getLogger("edgent.dashboard")

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASK = {"WWW-Authenticate": 'Basic realm="edgent", charset="UTF-8"'}

_SLOWEST = 20.0  # seconds for a browser to take a part of an answer
_AGAIN = 60.0  # seconds after which the guard is asked again about an answer that goes on
_PASSING = 2.0  # seconds for what comes with a request that is refused

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """A file of the page, as it is sent."""

    content: bytes
    media_type: str


def page_files() -> Mapping[str, PageFile]:
    """The files of the page by name: nothing else is ever served."""
    folder = resources.files("edgent.dashboard").joinpath("page")
    return {
        file.name: PageFile(content=file.read_bytes(), media_type=_TYPES[PurePath(file.name).suffix])
        for file in folder.iterdir()
        if PurePath(file.name).suffix in _TYPES
    }


def application(
    view: View,
    guard: PageGuard,
    *,
    metrics: Callable[[], tuple[bytes, str]],
    predict: Handler | None = None,
    now: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """What answers on the page's port.

    Args:
        view: what is shown.
        guard: judges requests.
        metrics: gives the text for Prometheus, and its type.
        predict: answers pictures; None: nothing does here.
        now: tells the time, in seconds, by which the guard is asked again.
    """
    files = page_files()

    async def page(request: Request) -> Response:
        file = files[request.url.path[1:] or "index.html"]
        return Response(file.content, media_type=file.media_type)

    async def picture(request: Request) -> Response:
        jpeg = view.picture(request.query_params.get("source", ""))
        if jpeg is None:
            return PlainTextResponse("no picture of this source\n", HTTPStatus.NOT_FOUND)
        return Response(jpeg, media_type="image/jpeg")

    async def scrape(_: Request) -> Response:
        content, media_type = metrics()
        return Response(content, headers={"Content-Type": media_type})

    routes = [
        *(Route(f"/{name}", page) for name in ("", *files)),
        Route("/events", _Viewers(Stream(view)), methods=["GET"]),
        Route("/picture", picture),
        Route("/metrics", scrape),
    ]
    if predict is not None:
        routes.append(Route("/predict", predict, methods=["POST"]))
    answers = Starlette(routes=routes, exception_handlers={405: _wrong_method, Exception: _broken})
    return _Guarded(answers, guard, now)


async def _wrong_method(request: Request, _: Exception) -> Response:
    return JSONResponse({"error": f"{request.method} is not answered here"}, HTTPStatus.METHOD_NOT_ALLOWED)


async def _broken(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": brief(f"{type(error).__name__}: {error}")}, HTTPStatus.INTERNAL_SERVER_ERROR)


class _Viewers:
    """Answers each viewer with the stream, as far as there is room."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._stream.is_full:
            words = f"{self._stream.viewers} look already\n"
            await PlainTextResponse(words, HTTPStatus.SERVICE_UNAVAILABLE)(scope, receive, send)
            return
        # Counted before anything is waited for: of many who come at once none may slip in.
        with self._stream.viewer():
            await StreamingResponse(self._stream.messages(), media_type="text/event-stream")(scope, receive, send)


class _Guarded:
    """An application whose guard is asked first, and while an answer goes on; its headers stand beside every answer."""

    def __init__(self, inner: ASGIApp, guard: PageGuard, now: Callable[[], float]) -> None:
        self._inner, self._guard, self._now = inner, guard, now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "nothing else is spoken here"
        answer: Any = self._inner
        incoming = _Incoming(receive)
        if (refusal := self._refusal(scope)) is not None:
            asks = _ASK if refusal.status is HTTPStatus.UNAUTHORIZED else {}
            # Who is refused has no use for a connection that others may need.
            answer = JSONResponse({"error": refusal.words}, refusal.status, headers={**asks, "Connection": "close"})
        try:
            await answer(scope, incoming, self._watched(scope, incoming, send))
        except (TimeoutError, _NotWelcomeError):  # of `send`; the server hangs up where an answer has no end
            pass
        except Exception as error:  # whatever one request meets: its sender has been told, and the next one is answered
            _log.error("%s %s: %s", scope["method"], one_line(scope["path"]), brief(f"{type(error).__name__}: {error}"))

    def _refusal(self, scope: Scope) -> PageRefusal | None:
        certificate = scope.get("state", {}).get("certificate")
        return self._guard.refusal(scope["method"], dict(Headers(scope=scope).items()), certificate)

    def _watched(self, scope: Scope, incoming: _Incoming, send: Send) -> Send:
        """The same way out, which ends where nothing is taken of what is sent, and for who may look no longer."""
        asked_at = self._now()

        async def watched(message: Message) -> None:
            nonlocal asked_at
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                if message["status"] >= HTTPStatus.BAD_REQUEST:
                    await _passed_over(scope, incoming)
            elif self._now() - asked_at >= _AGAIN:
                asked_at = self._now()
                if self._refusal(scope) is not None:
                    raise _NotWelcomeError
            # Who takes nothing of what it is sent is hung up on, and its place is another's.
            async with asyncio.timeout(_SLOWEST):
                await send(message)

        return watched


class _NotWelcomeError(Exception):
    """Who looks may look no longer: a device that has been removed."""


class _Incoming:
    """The body of a request, as far as it has been taken in."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.has_begun, self.is_whole = False, False

    async def __call__(self) -> Message:
        self.has_begun = True
        message = await self._receive()
        self.is_whole = not message.get("more_body", False)
        return message


async def _passed_over(scope: Scope, incoming: _Incoming) -> None:
    """Takes in what is left of the body of a request that is refused, for a moment.

    To hang up on somebody who sends resets the connection, and the answer is lost with it. Who asks first whether to
    send ("Expect: 100-continue"), and was not invited to, is told by the refusal.
    """
    if "expect" in Headers(scope=scope) and not incoming.has_begun:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(_PASSING):
            while not incoming.is_whole:
                await incoming()
