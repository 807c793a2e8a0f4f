"""What an edge tells of the requests that it is asked: around the method that answers, so that without it nothing is.

The context comes in the request's own message, and so by a call as by an exchange.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from secrets import randbits
from typing import Any, cast

from edgent.errors import EdgentError, InputError
from edgent.text import brief
from edgent.tracing.context import Bits
from edgent.tracing.span_queue import SpanQueue
from edgent.tracing.spans import EdgeRequest, spans_of_edge
from edgent.wire.messages import MODEL_INFER, TRACE, ModelInferRequest
from edgent.wire.notes import NOTHING, Notes
from edgent.wire.tensors import parse
from edgent.wire.transport import Call, Methods, Unary

_LONGEST = 200  # characters of a text that is kept; callers may send any


class EdgeTraces:
    """Traces the requests of an edge; thread-safe.

    Args:
        queue: takes what is known of each.
        now: tells the time, in nanoseconds since 1970.
        bits: random ones.
    """

    def __init__(self, queue: SpanQueue, now: Callable[[], int] = time.time_ns, bits: Bits = randbits) -> None:
        self._queue, self._now, self._bits = queue, now, bits

    def traced(self, methods: Methods) -> Methods:
        """The same methods; inferences are traced."""
        infer = methods[MODEL_INFER]
        assert isinstance(infer, Unary), "inferences are answered with one message"
        return {**methods, MODEL_INFER: Unary(answer=partial(self._answer, infer.answer))}

    def _answer(self, answer: Callable[[bytes, Call], bytes], message: bytes, call: Call) -> bytes:
        overheard, began, error = _OverheardCall(call), self._now(), ""
        name, parent = _asked(message)
        try:
            return answer(message, cast(Call, overheard))
        except Exception as failure:
            error = str(failure) if isinstance(failure, EdgentError) else brief(f"{type(failure).__name__}: {failure}")
            raise
        finally:
            request = EdgeRequest(
                parent=parent, name=name, began=began, ended=self._now(), notes=overheard.notes, error=error
            )
            self._queue.put(partial(spans_of_edge, request, self._bits))

    def __repr__(self) -> str:
        return f"<EdgeTraces into {self._queue!r}>"


class _OverheardCall:
    """A call of which the notes are heard as well."""

    def __init__(self, call: Call) -> None:
        self._call, self.notes = call, NOTHING

    def note(self, notes: Notes) -> None:
        """See `Call.note`."""
        self.notes = notes
        self._call.note(notes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


def _asked(message: bytes) -> tuple[str, str]:
    """What a request asks for, and its context; a message that is none says neither, and is refused by who answers."""
    try:
        request = parse(ModelInferRequest, message)
    except InputError:
        return "", ""
    context = request.parameters[TRACE].string_param if TRACE in request.parameters else ""
    return request.model_name[:_LONGEST], context[:_LONGEST]
