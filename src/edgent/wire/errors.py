"""What can go wrong between device and edge, in words both sides share.

`edgent.errors` draws the whole tree. On the wire each kind has the number of a status code of gRPC, in a call and in an
exchange alike (https://grpc.io/docs/guides/status-codes).
"""

from __future__ import annotations

from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.text import brief


class NotServedError(RefusedError):
    """The edge does not serve a model, exit or segment of this name."""


class RejectedError(RefusedError):
    """The edge cannot read this request, or cannot do what it asks for."""


class LateError(EdgeError):
    """The time given for the answer ran out."""


class BusyError(EdgeError):
    """The edge's queue is full.

    Attributes:
        load: seconds that a request would wait there; None: not said.
    """

    def __init__(self, words: str, *, load: float | None = None) -> None:
        super().__init__(words)
        self.load = load


class BrokenError(EdgeError):
    """The edge failed on this request."""


class Damaged(Exception):  # noqa: N818 - a signal inside the wire: a program meets an edge that was lost
    """A message is not what was sent."""


CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = 1, 2, 3, 4, 5
RESOURCE_EXHAUSTED, FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS = 8, 9, 12, 13, 14, 15

# What an edge says, and its number; the first that fits, from the top.
# Special kinds stand above general ones: a NotServedError or a RejectedError is a RefusedError as well.
_NUMBERS: tuple[tuple[type[Exception], int], ...] = (
    (NotServedError, NOT_FOUND),
    (RejectedError, INVALID_ARGUMENT),
    (RefusedError, FAILED_PRECONDITION),
    (InputError, INVALID_ARGUMENT),
    (LateError, DEADLINE_EXCEEDED),
    (BusyError, RESOURCE_EXHAUSTED),
)
# What is missing here (UNAVAILABLE, CANCELLED, DATA_LOSS) is the link's fault, not the request's: the edge counts as
# lost then, and the connection is made anew.
_KINDS: dict[int, type[EdgentError]] = {
    NOT_FOUND: NotServedError,
    FAILED_PRECONDITION: RefusedError,
    INVALID_ARGUMENT: RejectedError,
    UNIMPLEMENTED: RefusedError,
    DEADLINE_EXCEEDED: LateError,
    RESOURCE_EXHAUSTED: BusyError,
    INTERNAL: BrokenError,
    # What gRPC makes of an exception that a handler of somebody else's server let out.
    UNKNOWN: BrokenError,
}
# Overload is told to the caller, not to the log.
ORDINARY = (CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED)


def status_of(error: Exception) -> tuple[int, str]:
    """The number and the words by which an edge tells an error."""
    if isinstance(error, Damaged):
        return DATA_LOSS, brief(str(error))
    if isinstance(error, EdgentError):
        return next((number for kind, number in _NUMBERS if isinstance(error, kind)), INTERNAL), str(error)
    return INTERNAL, brief(f"{type(error).__name__}: {error}")  # ours, and no caller's: said in one line all the same


def kind_of(number: int) -> type[EdgentError]:
    """The error that a status means to a device."""
    return _KINDS.get(number, EdgeError)


def error_of(number: int, words: str, load: float) -> EdgentError:
    """The same, with what the edge said of its load beside it."""
    kind = kind_of(number)
    return BusyError(words, load=load or None) if kind is BusyError else kind(words)


def load_of(error: Exception) -> float:
    """What is said of the load beside an error."""
    return error.load or 0.0 if isinstance(error, BusyError) else 0.0
