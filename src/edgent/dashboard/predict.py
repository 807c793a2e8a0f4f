"""`POST /predict`: a picture's bytes in, the answer as JSON out, for programs in any language.

    curl --data-binary @cat.jpg http://127.0.0.1:8080/predict?deadline_ms=80

The document is that of `edgent run --json`. An error is `{"error": "one line"}` with a status that says whose fault it
is: 400 what was sent, 408 too slowly, 413 too much of it, 503 nobody is free or there, 500 the device itself.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.text import one_line
from edgent.units import parse_count

if TYPE_CHECKING:
    from edgent.device.answer import Answer
    from edgent.device.device import Device
    from edgent.device.versions.follower import Follower

SOURCE = "predict"
"""The name of what comes this way, among a device's sources."""

MOST_BYTES = 32 << 20
"""Of a picture that is posted."""

_MOST_IN_HAND = 64 << 20  # bytes of all pictures together: a small board has 512 MB for all that it does
_AT_ONCE = 4  # that are answered; each holds a thread and a picture
_WAITING = 16
_SLOWEST = 30.0  # seconds for a picture to come: until then it holds a place
_LONGEST_NAME = 200
_MOST_MILLISECONDS = 600_000
_SOON = {"Retry-After": "1"}


class Predict:
    """Answers pictures that are posted.

    Args:
        device: answers.
        told: is told each answer and the picture that it is of.
        is_behind: whether what was answered waits to be kept; then nothing more is taken in.
    """

    def __init__(
        self,
        device: Device | Follower,
        told: Callable[[Answer, bytes], None],
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._device, self._told, self._is_behind = device, told, is_behind
        self._in_hand, self._bytes = 0, 0
        self._threads: anyio.CapacityLimiter | None = None

    async def answer(self, request: Request) -> Response:
        """Answers one."""
        if self._in_hand >= _AT_ONCE + _WAITING:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, f"{self._in_hand} pictures wait already")
        if self._is_behind():
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, "what was answered waits to be kept: the disk is slow")
        body = io.BytesIO()
        self._in_hand += 1
        try:
            return await self._answered(request, body)
        except ClientDisconnect:
            return _error(HTTPStatus.BAD_REQUEST, "the caller has gone")
        finally:
            self._in_hand -= 1
            self._bytes -= body.tell()

    async def _answered(self, request: Request, body: io.BytesIO) -> Response:
        try:
            deadline, name = _deadline(request), request.query_params.get("name", "")[:_LONGEST_NAME]
            async with asyncio.timeout(_SLOWEST):
                await self._take(request, body)
            self._threads = self._threads or anyio.CapacityLimiter(_AT_ONCE)
            # `getvalue` shares the bytes; `bytes(...)` would hold each picture twice.
            document = await run_sync(self._infer, body.getvalue(), name, deadline, limiter=self._threads)
        except _TooManyBytesError as error:
            return _error(error.status, str(error))
        except TimeoutError:
            return _error(HTTPStatus.REQUEST_TIMEOUT, f"the picture was not here after {_SLOWEST:g} s")
        except (EdgeError, RefusedError) as error:
            return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except InputError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        except EdgentError as error:
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        return JSONResponse(document)

    async def _take(self, request: Request, body: io.BytesIO) -> None:
        """Takes in a picture: no more of it than one may have, and no more than all together may."""
        async for chunk in request.stream():
            if body.tell() + len(chunk) > MOST_BYTES:
                words = f"more than {MOST_BYTES} bytes; send a smaller picture"
                raise _TooManyBytesError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
            if self._bytes + len(chunk) > _MOST_IN_HAND:
                words = f"{self._bytes} bytes of pictures are in hand already"
                raise _TooManyBytesError(HTTPStatus.SERVICE_UNAVAILABLE, words)
            body.write(chunk)
            self._bytes += len(chunk)
        if not body.tell():
            raise InputError("found no bytes; post those of a picture file, as curl --data-binary @FILE does")

    def _infer(self, picture: bytes, name: str, deadline: float | None) -> dict[str, Any]:
        answer = self._device.infer(picture, name=name or SOURCE, deadline=deadline)
        document: dict[str, Any] = json.loads(answer.kept().to_json())
        self._told(answer, picture)
        return document


class _TooManyBytesError(Exception):
    """There is no room for a picture, or for one more."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


def _deadline(request: Request) -> float | None:
    """The request's own deadline in seconds; None: the device's."""
    text = request.query_params.get("deadline_ms")
    if text is None:
        return None
    if (count := parse_count(text, _MOST_MILLISECONDS)) is None:
        raise InputError(f"deadline_ms {text[:40]!r}: expected whole milliseconds, 1 to {_MOST_MILLISECONDS}")
    return count / 1e3


def _error(status: HTTPStatus, words: str) -> Response:
    headers = _SOON if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse({"error": one_line(words)}, status, headers=headers)
