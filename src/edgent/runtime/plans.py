"""Which configuration a request runs: the planner's choice, as far as its sessions are ready.

Without an edge the device plans alone. When the planner wants a configuration that is not ready, that is asked for in
the background, and the best ready one answers meanwhile: a switch is never paid by a request.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edgent.codec.names import check_codec
from edgent.errors import InputError
from edgent.planning.conditions import ALONE
from edgent.planning.plan import Configuration, Plan
from edgent.runtime.chooser import Chooser, alone, together
from edgent.runtime.request import LocalBranch
from edgent.runtime.warming import Warmer
from edgent.units import Seconds

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning.candidates import Direction
    from edgent.planning.conditions import Conditions
    from edgent.runtime.connection import EdgeFacts

_log = logging.getLogger("edgent.device")

Kind = Literal["image", "array"]
"""What a request brings: a coded image, or tensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a request runs, its plan if it has a price, and why it is not what it should be (empty if it is)."""

    configuration: Configuration
    plan: Plan | None
    why: str


class Plans:
    """Chooses configurations for one device; thread-safe.

    Args:
        model: what is run.
        device: the device's profile; None: only given configurations.
        edge: the profile taken for an edge that has none.
        calibration: the device's own; None: the edge's.
        warmer: readies configurations.
        direction, exits, codecs: see `Device`.

    Raises:
        InputError: a profile or calibration of another model, an unknown exit or codec.
    """

    def __init__(
        self,
        model: Model,
        *,
        device: Profile | None,
        edge: Profile | None,
        calibration: Calibration | None,
        warmer: Warmer,
        direction: Direction = "any",
        exits: Collection[int] | None = None,
        codecs: Collection[str] | None = None,
    ) -> None:
        self._model, self._device, self._edge, self._calibration = model, device, edge, calibration
        self._warmer = warmer
        self._direction: Direction = direction
        self._exits = None if exits is None else frozenset(exits)
        self._codecs = codecs
        self._check()
        self._facts: EdgeFacts | None = None
        self._together: dict[Kind, Chooser] = {}
        self._alone = {kind: self._make_alone(kind) for kind in self._kinds} if device else {}

    @property
    def usual(self) -> Kind:
        """What requests bring, if the model can take it."""
        return "array" if self._model.metadata.preprocessing is None else "image"

    def preparing(self, kind: Kind) -> float:
        """Seconds on the device from the input as it comes to the tensor."""
        if kind == "array" or self._device is None:
            return 0.0
        return self._device.decode_source.median + self._device.fit.median + self._device.normalise.median

    def allowed(self, branches: Sequence[LocalBranch]) -> tuple[LocalBranch, ...]:
        """The branches that the device may answer with."""
        return tuple(branch for branch in branches if self._exits is None or branch.exit in self._exits)

    def edge_is(self, facts: EdgeFacts) -> None:
        """An edge was found: its candidates are priced, unless they are known."""
        if facts != self._facts:
            self._facts = facts
            self._together = {self.usual: self._make_together(self.usual, facts)}

    def choose(
        self,
        kind: Kind,
        deadline: Seconds,
        conditions: Conditions | None,
        problem: str,
        *,
        alone: Conditions = ALONE,
    ) -> Choice:
        """What to run now.

        Args:
            kind: what the request brings.
            deadline: of the request.
            conditions: link and edge; None: the device is alone.
            problem: why it is.
            alone: the device's speed, for when it is.

        Raises:
            InputError: there is no profile to plan with.
        """
        if conditions is None:
            return self._stay(kind, deadline, problem, alone)
        chooser = self._together.get(kind)
        if chooser is None:
            self._warmer.do(lambda: self._add(kind))
            return self._stay(kind, deadline, "plans not ready yet", alone)
        plan = chooser.plan(conditions, deadline)
        ready = self._warmer.ready
        if plan.configuration not in ready and not plan.configuration.device_only:
            self._warmer.want(plan.configuration)
            plan = chooser.among(ready, conditions, deadline)
        return Choice(configuration=plan.configuration, plan=plan, why="")

    def given(
        self,
        wanted: Configuration,
        kind: Kind,
        deadline: Seconds,
        conditions: Conditions | None,
        problem: str,
        *,
        alone: Conditions = ALONE,
    ) -> Choice:
        """A configuration that was given, priced; the device alone where it needs an edge and there is none."""
        if wanted.device_only:
            local = self._alone.get(kind)
            return Choice(configuration=wanted, plan=local.price(wanted, alone, deadline) if local else None, why="")
        if conditions is not None:
            chooser = self._together.get(kind)
            plan = chooser.price(wanted, conditions, deadline) if chooser else None
            return Choice(configuration=wanted, plan=plan, why="")
        if self._alone:
            return self._stay(kind, deadline, problem, alone)
        n = len(self._model.branch(wanted.exit).layers)
        own = Configuration(exit=wanted.exit, upload_cut=n, download_cut=n)
        return Choice(configuration=own, plan=None, why=problem)

    def __repr__(self) -> str:
        return f"<Plans of {self._model.name}: {self._together or 'the device alone'}>"

    @property
    def _kinds(self) -> tuple[Kind, ...]:
        return ("array",) if self.usual == "array" else ("image", "array")

    def _stay(self, kind: Kind, deadline: Seconds, why: str, conditions: Conditions) -> Choice:
        if kind not in self._alone:
            raise InputError(
                "a device without a profile cannot plan: measure one (edgent profile), or give a configuration"
            )
        plan = self._alone[kind].plan(conditions, deadline)
        return Choice(configuration=plan.configuration, plan=plan, why=why)

    def _add(self, kind: Kind) -> None:
        if self._facts is not None and kind not in self._together:
            self._together = {**self._together, kind: self._make_together(kind, self._facts)}

    def _make_alone(self, kind: Kind) -> Chooser:
        assert self._device is not None
        return alone(self._model, self._device, preparing=self.preparing(kind), exits=self._exits)

    def _make_together(self, kind: Kind, facts: EdgeFacts) -> Chooser:
        edge = facts.profile or self._edge
        assert self._device is not None and edge is not None, "a device without a profile does not plan"
        if facts.profile is None:
            _log.warning("the edge has no profile; it is taken to be as fast as %s", edge.machine)
        return together(
            self._model,
            self._device,
            edge,
            self._calibration or facts.calibration,
            source=kind,
            direction=self._direction,
            exits=self._exits,
            codecs=self._codecs,
            segments=facts.segments,
        )

    def _check(self) -> None:
        for found in (self._device, self._edge, self._calibration):
            if found is not None and found.digest != self._model.digest:
                raise InputError(
                    f"{found!r} is of version {found.digest[:12]}, the model is {self._model.version}: measure it again"
                )
        for codec in self._codecs or ():
            check_codec(codec)
        for number in self._exits or ():
            self._model.branch(number)
