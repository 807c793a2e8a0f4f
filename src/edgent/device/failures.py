"""What an error of the edge means to a request: whose fault it was, and what its record will say."""

from __future__ import annotations

import enum

from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.wire.errors import BrokenError, BusyError, LateError, RejectedError


class Reason(enum.StrEnum):
    """Why an answer is not as it should be; the text is what people read, and stands in records."""

    NONE = ""
    NOT_CONNECTED = "edge not connected yet"
    NOT_THERE = "edge not there"
    LOST = "edge lost"
    REFUSED = "edge refused"
    NOT_PLANNED = "plans not ready yet"
    LATE = "edge late"
    BUSY = "edge busy"
    FAILED = "edge failed"
    PLAN_FAILED = "plan failed"


def in_words(reason: Reason, detail: str) -> str:
    """A reason as a record has it, with what was said about it if anything was."""
    return f"{reason}: {detail}" if detail else str(reason)


def failure_of_edge(error: Exception) -> EdgentError:
    """Whatever a reply makes a library throw is a failure of the edge: the device can still answer by itself."""
    if isinstance(error, EdgentError):
        return error
    broken = BrokenError(f"the edge's answer cannot be read: {type(error).__name__}: {error}")
    broken.__cause__ = error
    return broken


def is_of_plan(error: EdgentError) -> bool:
    """Whether an edge would fail again if it were asked the same, or gave what is no answer to it."""
    # An edge that is away or busy says nothing about the plan; one that broke on this request will break on it again.
    if isinstance(error, EdgeError):
        return isinstance(error, BrokenError)
    return isinstance(error, RejectedError) or not isinstance(error, RefusedError)


def reason_of(error: EdgentError) -> Reason:
    """What an error means to the request."""
    if isinstance(error, LateError):
        return Reason.LATE
    if isinstance(error, BusyError):
        return Reason.BUSY
    if isinstance(error, RefusedError):
        return Reason.REFUSED
    # Last, as its kind is the most general: late, busy and broken are kinds of EdgeError too.
    return Reason.LOST if isinstance(error, EdgeError) and not isinstance(error, BrokenError) else Reason.FAILED
