"""The page's port as an ASGI application: the page itself, its stream and pictures, `/metrics`, `POST /predict`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
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

from edgent.dashboard.guard import HEADERS, PageGuard
from edgent.dashboard.stream import Stream, View
from edgent.text import brief, one_line

_log = logging.getLogger("edgent.dashboard")

_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ASK = {"WWW-Authenticate": 'Basic realm="edgent", charset="UTF-8"'}

_SLOWEST = 20.0  # seconds for a browser to take a part of an answer

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
    view: View, guard: PageGuard, *, metrics: Callable[[], tuple[bytes, str]], predict: Handler | None = None
) -> ASGIApp:
    """What answers on the page's port.

    Args:
        view: what is shown.
        guard: judges requests.
        metrics: gives the text for Prometheus, and its type.
        predict: answers pictures; None: nothing does here.
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
    return _Guarded(Starlette(routes=routes, exception_handlers={405: _wrong_method, Exception: _broken}), guard)


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
    """An application whose guard is asked first, and whose headers stand beside every answer."""

    def __init__(self, inner: ASGIApp, guard: PageGuard) -> None:
        self._inner, self._guard = inner, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "nothing else is spoken here"
        headers = dict(Headers(scope=scope).items())
        refusal = self._guard.refusal(headers, scope.get("state", {}).get("certificate"))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            # Who takes nothing of what it is sent is hung up on, and its place is another's.
            async with asyncio.timeout(_SLOWEST):
                await send(message)

        answer: Any = self._inner
        if refusal is not None:
            asks = _ASK if refusal.status is HTTPStatus.UNAUTHORIZED else None
            answer = JSONResponse({"error": refusal.words}, refusal.status, headers=asks)
        try:
            await answer(scope, receive, send_with_headers)
        except TimeoutError:  # of `send`; the server hangs up where an answer has no end
            pass
        except Exception as error:  # whatever one request meets: its sender has been told, and the next one is answered
            _log.error("%s %s: %s", scope["method"], one_line(scope["path"]), brief(f"{type(error).__name__}: {error}"))
