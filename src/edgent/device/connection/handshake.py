"""Getting to know an edge: does it serve *this* model (name and digest), and what is its machine like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgent.errors import RefusedError
from edgent.model.values import segment_name
from edgent.wire.edge_client import EdgeClient, Served
from edgent.wire.errors import NotServedError

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile
    from edgent.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeFacts:
    """What is known of a connected edge.

    Attributes:
        profile: its machine's; None if it has none.
        calibration: the one it offers, if any.
        segments: towards a server without our extension, the segments that it has; None: any.
    """

    profile: Profile | None = None
    calibration: Calibration | None = None
    segments: frozenset[str] | None = None


class Handshake:
    """Asks an edge who it is, each time anew; documents it fetches once.

    Args:
        remote: the edge's methods.
        model: what the device runs, and the edge must serve.
        wants_calibration: whether to fetch the edge's.
    """

    def __init__(self, remote: EdgeClient, model: Model, *, wants_calibration: bool) -> None:
        self._remote, self._model, self._wants_calibration = remote, model, wants_calibration
        self._fetched: dict[str, str] = {}

    def ours(self, timeout: float) -> EdgeFacts:
        """An edge of ours.

        Raises:
            RefusedError: it serves another model, or this one in another version.
            EdgeError: it went away.
        """
        served = {entry.name: entry for entry in self._remote.describe(timeout)}
        entry = served.get(self._model.name)
        if entry is None:
            raise NotServedError(f"the edge has no model {self._model.name!r}; it serves {', '.join(served)}")
        if entry.digest != self._model.digest:
            raise RefusedError(
                f"the edge serves {entry.name} in version {entry.digest[:12]}, here it is {self._model.version}: "
                f"these are different models; give both sides the same file and the same dimensions{_dims(entry)}"
            )
        return self._facts(entry)

    def foreign(self, timeout: float) -> EdgeFacts:
        """A server of the same protocol without our extension: it may have been given segments of this model.

        Raises:
            RefusedError: it has none.
            EdgeError: it went away.
        """
        names = [segment_name(self._model.name, b.exit, 0, len(b.layers)) for b in self._model.branches]
        found = frozenset(name for name in names if self._remote.ready(name, timeout))
        if not found:
            raise RefusedError(
                f"{self._remote.channel!r} speaks the Open Inference Protocol but is no edge of Edgent, and has none "
                f"of {', '.join(names)}: start `edgent serve` there, or give it these segments"
            )
        return EdgeFacts(segments=found)

    def __repr__(self) -> str:
        return f"<Handshake over {self._remote.channel!r}>"

    def _facts(self, entry: Served) -> EdgeFacts:
        from edgent.codec import Calibration  # a device without an edge needs neither
        from edgent.latency import Profile

        source = f"the edge's {entry.name}"
        profile = self._document("profile", entry, entry.profile)
        calibration = self._document("calibration", entry, entry.calibration if self._wants_calibration else "")
        return EdgeFacts(
            profile=Profile.from_json(profile, source) if profile else None,
            calibration=Calibration.from_json(calibration, source) if calibration else None,
        )

    def _document(self, what: str, entry: Served, fingerprint: str) -> str | None:
        if not fingerprint:
            return None
        if fingerprint not in self._fetched:
            self._fetched[fingerprint] = self._remote.document(what, entry.name, entry.digest)
        return self._fetched[fingerprint]


def _dims(entry: Served) -> str:
    """The edge's, as a part of a message."""
    numbers = " ".join(f"--dim {name}={number}" for name, number in entry.dims.items())
    return f" (there: {numbers})" if numbers else ""
