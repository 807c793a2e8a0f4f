"""Which configuration a request runs: the planner's choice, as far as its sessions are ready.

Without an edge the device plans alone. When the planner wants a configuration that is not ready, that is asked for in
the background, and the best ready one answers meanwhile: a switch is never paid by a request.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgent.codec.names import check_codec
from edgent.device.choosers.candidate_sets import EVERYTHING, CandidateSet, Restriction, alone, together
from edgent.device.choosers.chooser import Chooser, best
from edgent.device.division import Division, Divisions, Kind
from edgent.device.drift import AS_PROFILED, Factors
from edgent.device.request import LocalBranch
from edgent.device.warm_sessions import Warmer
from edgent.errors import EdgentError, InputError
from edgent.link.transfer import Transfer
from edgent.planning.plan import Configuration, Plan
from edgent.planning.pricing import check_versions
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.device.connection.handshake import EdgeFacts
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning.candidates import Candidates
    from edgent.planning.conditions import Conditions

_RECENT = 64  # transfers that a chooser made later is told

_log = logging.getLogger("edgent.device")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPlan:
    """What a request runs, its plan if it has a price, and why it is not what it should be (empty if it is)."""

    configuration: Configuration
    plan: Plan | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Together:
    """What may be run with the edge, what chooses among it, and what has failed and is (soon) not among it."""

    offer: CandidateSet
    chooser: Chooser
    failed: frozenset[Configuration]


class PlanSource:
    """Chooses configurations for one device; thread-safe.

    Args:
        model: what is run.
        device: the device's profile; None: only given configurations.
        edge: the profile taken for an edge that has none.
        calibration: the device's own; None: the edge's.
        divisions: of this device.
        warmer: readies configurations.
        chooser: makes what chooses the plans while there is an edge, of what may be run and the edge's profile.
        restriction: of what may be run.

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
        divisions: Divisions,
        warmer: Warmer,
        chooser: Callable[[Candidates, Profile], Chooser],
        restriction: Restriction = EVERYTHING,
    ) -> None:
        self._model, self._device, self._edge, self._calibration = model, device, edge, calibration
        self._divisions, self._warmer = divisions, warmer
        self._make_chooser = chooser
        self._restriction = restriction
        self._check()
        self._recent: deque[Transfer] = deque(maxlen=_RECENT)
        self._lock = threading.Lock()
        self._facts: EdgeFacts | None = None
        self._together: dict[Kind, _Together] = {}
        self._alone = {kind: self._make_alone(kind) for kind in self._kinds} if device else {}

    def allowed(self, division: Division, *, exactly: bool) -> tuple[LocalBranch, ...]:
        """The branches that the device may answer with.

        Alone that is the one of the configuration, or where others keep it waiting a faster one, unless `exactly`.
        """
        exits = self._restriction.exits
        may = [branch for branch in division.branches if exits is None or branch.exit in exits]
        if division.uses_edge:
            return tuple(may)
        (own,) = (branch for branch in division.branches if branch.exit == division.configuration.exit)
        return (own, *(branch for branch in may if branch.seconds < own.seconds and not exactly))

    def edge_is(self, facts: EdgeFacts) -> None:
        """An edge was found: its candidates are priced, unless they are known."""
        if facts != self._facts:
            self._facts = facts
            self._together = {}
            self._add(self._divisions.usual)

    def observe(self, events: Iterable[Transfer]) -> None:
        """Messages went over the link, or were given up."""
        with self._lock:
            for event in events:
                self._recent.append(event)
                for known in self._together.values():
                    known.chooser.observe(event)

    def choose(
        self,
        kind: Kind,
        now: Seconds,
        deadline: Seconds,
        conditions: Conditions | None,
        problem: str,
        *,
        factors: Factors = AS_PROFILED,
    ) -> ChosenPlan:
        """What to run now.

        Args:
            kind: what the request brings.
            now: on the device's clock.
            deadline: of the request.
            conditions: link and edge; None: the device is alone.
            problem: why it is.
            factors: the device's speed, for when it is.

        Raises:
            InputError: there is no profile to plan with.
        """
        if conditions is None:
            return self._stay(kind, deadline, problem, factors)
        known = self._together.get(kind)
        if known is None:
            self._warmer.do(lambda: self._add(kind))
            return self._stay(kind, deadline, "plans not ready yet", factors)
        warmed = self._warmer.warmed
        if known.failed != warmed.failed:
            self._leave_out(kind, known, warmed.failed)
        plan = known.chooser.choose(now, conditions, deadline)
        if plan.configuration not in warmed.ready and not plan.configuration.device_only:
            self._warmer.want(plan.configuration)
            plan = known.chooser.choose(now, conditions, deadline, warmed.ready)
        return ChosenPlan(configuration=plan.configuration, plan=plan, why="")

    def failed(self, configuration: Configuration, error: EdgentError) -> None:
        """A configuration could not be carried out: it is not chosen again for this edge."""
        if configuration not in self._warmer.warmed.failed:
            _log.warning("%s is not chosen again: %s", configuration, error)
        self._warmer.give_up(configuration)

    def decisive(self, now: Seconds, deadline: Seconds, conditions: Conditions | None) -> BitsPerSecond | None:
        """The bandwidth that a plan depends on; None: on none, infinite: on who knows which."""
        known = [each.chooser for each in self._together.values()]
        if conditions is None or not known:
            return BitsPerSecond(math.inf)
        wanted = [each.decisive(now, conditions, deadline) for each in known]
        return max((one for one in wanted if one is not None), default=None)

    def given(
        self,
        wanted: Configuration,
        kind: Kind,
        deadline: Seconds,
        conditions: Conditions | None,
        problem: str,
        *,
        factors: Factors = AS_PROFILED,
    ) -> ChosenPlan:
        """A configuration that was given, priced; the device alone where it needs an edge and there is none."""
        if wanted.device_only:
            local = self._alone.get(kind)
            return ChosenPlan(
                configuration=wanted, plan=local.price(wanted, factors.alone, deadline) if local else None, why=""
            )
        if conditions is not None:
            known = self._together.get(kind)
            plan = known.offer.price(wanted, conditions, deadline) if known else None
            return ChosenPlan(configuration=wanted, plan=plan, why="")
        if self._alone:
            return self._stay(kind, deadline, problem, factors)
        n = len(self._model.branch(wanted.exit).layers)
        own = Configuration(exit=wanted.exit, upload_cut=n, download_cut=n)
        return ChosenPlan(configuration=own, plan=None, why=problem)

    def __repr__(self) -> str:
        return f"<PlanSource of {self._model.name}: {self._together or 'the device alone'}>"

    @property
    def _kinds(self) -> tuple[Kind, ...]:
        return ("array",) if self._divisions.usual == "array" else ("image", "array")

    def _stay(self, kind: Kind, deadline: Seconds, why: str, factors: Factors) -> ChosenPlan:
        if kind not in self._alone:
            raise InputError(
                "a device without a profile cannot plan: measure one (edgent profile), or give a configuration"
            )
        plan = best(self._alone[kind].allowed, factors.alone, deadline)
        return ChosenPlan(configuration=plan.configuration, plan=plan, why=why)

    def _add(self, kind: Kind) -> None:
        if kind not in self._together:
            self._put(kind, self._warmer.warmed.failed)

    def _leave_out(self, kind: Kind, known: _Together, failed: frozenset[Configuration]) -> None:
        """Has a chooser made for what is left; until then the present one chooses, among what is ready."""
        with self._lock:
            self._together = {**self._together, kind: replace(known, failed=failed)}
        self._warmer.do(lambda: self._put(kind, failed))

    def _put(self, kind: Kind, failed: frozenset[Configuration]) -> None:
        if self._facts is None:
            return
        made = self._make_together(kind, self._facts, failed)
        with self._lock:
            for event in self._recent:
                made.chooser.observe(event)
            self._together = {**self._together, kind: made}

    def _make_alone(self, kind: Kind) -> CandidateSet:
        assert self._device is not None
        return alone(
            self._model, self._device, preparing=self._divisions.preparing(kind), exits=self._restriction.exits
        )

    def _make_together(self, kind: Kind, facts: EdgeFacts, failed: frozenset[Configuration]) -> _Together:
        edge = facts.profile or self._edge
        assert self._device is not None and edge is not None, "a device without a profile does not plan"
        if facts.profile is None:
            _log.warning("the edge has no profile; it is taken to be as fast as %s", edge.machine)
        offer = together(
            self._model,
            self._device,
            edge,
            self._calibration or facts.calibration,
            source=kind,
            restriction=self._restriction,
            segments=facts.segments,
        ).without(failed)
        return _Together(offer=offer, chooser=self._make_chooser(offer.allowed, edge), failed=failed)

    def _check(self) -> None:
        check_versions(self._model, self._device, self._edge, self._calibration)
        for codec in self._restriction.codecs or ():
            check_codec(codec)
        for number in self._restriction.exits or ():
            self._model.branch(number)
