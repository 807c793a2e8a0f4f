"""Getting to know an edge: does it serve *this* model (name and digest), and what is its machine like.

An edge may serve several versions of a name side by side. A device goes on with its own one as long as that is among
them; which one the name stands for there is told to whoever may want to move over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgent.errors import InputError, RefusedError
from edgent.model.values import segment_name
from edgent.wire.edge_client import EdgeClient, Served
from edgent.wire.errors import BrokenError, NotServedError

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile
    from edgent.model import Model


OnVersion = Callable[[str], object]
"""Is told the version that a model's name stands for at the edge."""


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
        on_version: is told the version that the model's name stands for at the edge, at each meeting.
    """

    def __init__(
        self, remote: EdgeClient, model: Model, *, wants_calibration: bool, on_version: OnVersion | None = None
    ) -> None:
        self._remote, self._model, self._wants_calibration = remote, model, wants_calibration
        self._on_version = on_version
        self._fetched: dict[str, str] = {}

    def ours(self, timeout: float) -> EdgeFacts:
        """An edge of ours.

        Raises:
            RefusedError: it serves another model, or this one in another version.
            EdgeError: it went away.
        """
        served = self._remote.describe(timeout)
        versions = [entry for entry in served if entry.name == self._model.name]
        if not versions:
            known = ", ".join(dict.fromkeys(entry.name for entry in served))
            raise NotServedError(f"the edge has no model {self._model.name!r}; it serves {known}")
        if self._on_version is not None:
            self._on_version(versions[0].version)
        entry = next((entry for entry in versions if entry.digest == self._model.digest), None)
        if entry is None:
            raise RefusedError(
                f"the edge serves {self._model.name} in version {' and '.join(each.version for each in versions)}, "
                f"here it is {self._model.version}: these are different models{_difference(versions[0], self._model)}; "
                "give both sides the same file and the same dimensions"
            )
        return self._facts(entry)

    def foreign(self, timeout: float) -> EdgeFacts:
        """A server of the same protocol without our extension: it may have been given segments of this model.

        Raises:
            RefusedError: it has none.
            EdgeError: it went away.
        """
        # Only from the input to an exit: a foreign server has no reason to offer the middles that we would cut.
        names = [segment_name(self._model.name, b.exit, 0, len(b.layers)) for b in self._model.branches]
        ready = frozenset(name for name in names if self._remote.ready(name, timeout))
        # A server of the protocol that has none of them would fail at each request: better said once, at the start.
        if not ready:
            raise RefusedError(
                f"{self._remote.channel!r} speaks the Open Inference Protocol but is no edge of Edgent, and has none "
                f"of {', '.join(names)}: start `edgent serve` there, or give it these segments"
            )
        return EdgeFacts(segments=ready)

    def __repr__(self) -> str:
        return f"<Handshake over {self._remote.channel!r}>"

    def _facts(self, entry: Served) -> EdgeFacts:
        from edgent.codec import Calibration  # a device without an edge needs neither
        from edgent.latency import Profile

        source = f"the edge's {entry.name}"
        profile = self._document("profile", entry, entry.profile)
        calibration = self._document("calibration", entry, entry.calibration if self._wants_calibration else "")
        try:
            return EdgeFacts(
                profile=Profile.from_json(profile, source) if profile else None,
                calibration=Calibration.from_json(calibration, source) if calibration else None,
            )
        except InputError as error:
            # Its model is the right one, so it is no refusal; but nobody can plan by what makes no sense.
            raise BrokenError(str(error)) from error

    def _document(self, what: str, entry: Served, fingerprint: str) -> str | None:
        if not fingerprint:
            return None
        if fingerprint not in self._fetched:
            try:
                text = self._remote.document(what, entry.name, entry.digest)
            except RefusedError as error:
                raise BrokenError(str(error)) from error
            if hashlib.sha256(text.encode()).hexdigest() != fingerprint:
                raise BrokenError(f"the edge's {what} of {entry.name} is another one than it named; restart the edge")
            self._fetched[fingerprint] = text
        return self._fetched[fingerprint]


def _difference(served: Served, model: Model) -> str:
    """Which file of a bundle differs; empty for a single one."""
    if not served.members:
        return ""
    for name, digest in model.digests.items():
        if (theirs := served.members.get(name, digest)) != digest:
            return f" ({name} is {theirs[:12]} there and {digest[:12]} here)"
    return " (of the same files, but with other accuracies, by which their exits are numbered)"


def _dims(entry: Served) -> str:
    """The edge's, as a part of a message."""
    numbers = " ".join(f"--dim {name}={number}" for name, number in entry.dims.items())
    return f" (there: {numbers})" if numbers else ""
