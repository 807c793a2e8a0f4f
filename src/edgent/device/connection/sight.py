"""What a request sees of the edge at the moment it comes: one value, taken under one lock."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgent.device.failures import Reason, in_words
from edgent.errors import RefusedError
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.link.transfer import Transfer
    from edgent.planning.conditions import Conditions


class EdgeState(enum.Enum):
    """How the connection to an edge stands."""

    NO_EDGE = enum.auto()
    UP = enum.auto()
    CONNECTING = enum.auto()
    NOT_THERE = enum.auto()
    LOST = enum.auto()
    REFUSED = enum.auto()
    FAILED = enum.auto()

    @property
    def reason(self) -> Reason:
        """Why a request does without the edge; none where it need not, or has none."""
        return _REASONS.get(self, Reason.NONE)


_REASONS = {
    EdgeState.CONNECTING: Reason.NOT_CONNECTED,
    EdgeState.NOT_THERE: Reason.NOT_THERE,
    EdgeState.LOST: Reason.LOST,
    EdgeState.REFUSED: Reason.REFUSED,
    EdgeState.FAILED: Reason.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A part of a model that the edge is asked to run by itself, so that its speed is known while nobody uses it.

    Attributes:
        segment: its name on the wire.
        seconds: that it takes by the edge's profile.
    """

    segment: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An edge as it seems at one moment.

    Attributes:
        at: the moment, on the device's clock.
        state: of the connection.
        detail: what there is to say about that.
        refusal: of an edge that was never the right one.
        foreign: whether it is a server without our extension.
        conditions: link, queue and the machines' speed; None where there is no edge, or nothing is known of the link.
        transfers: what went over the link since it was last looked at, as far as it tells the bandwidth.
    """

    at: Seconds
    state: EdgeState = EdgeState.NO_EDGE
    detail: str = ""
    refusal: RefusedError | None = None
    foreign: bool = False
    conditions: Conditions | None = None
    transfers: tuple[Transfer, ...] = ()

    @property
    def problem(self) -> str:
        """Why a request does without the edge, in words; empty where it need not, or has none."""
        return in_words(self.state.reason, self.detail)
