"""What can go wrong between device and edge, in words both sides share.

`edgent.errors` draws the whole tree. `edgent.wire.grpc_transport` maps them to gRPC's status codes and back.
"""

from __future__ import annotations

from edgent.errors import EdgeError, RefusedError


class NotServedError(RefusedError):
    """The edge does not serve a model, exit or segment of this name."""


class RejectedError(RefusedError):
    """The edge cannot read this request, or cannot do what it asks for."""


class LateError(EdgeError):
    """The time given for the answer ran out."""


class BusyError(EdgeError):
    """The edge's queue is full."""


class BrokenError(EdgeError):
    """The edge failed on this request."""
