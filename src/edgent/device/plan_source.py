"""Which configuration a request runs: the planner's choice, as far as its sessions are ready.

Each request asks it, and the thread that looks after the connection. Without an edge the device plans alone. When the
planner wants a configuration that is not ready, that is asked for in the background, and the best ready one answers
meanwhile: a switch is never paid by a request.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgent.codec.names import check_codec
from edgent.device.choosers.candidate_sets import CandidateSet, alone, together
from edgent.device.choosers.chooser import Chooser, Scope
from edgent.device.connection.sight import EdgeState, Sight, Trial
from edgent.device.division import Divisions
from edgent.device.drift import AS_PROFILED, Factors
from edgent.device.failures import Reason
from edgent.device.settings import DeviceSettings
from edgent.device.source_sizes import ENOUGH, SourceSizes
from edgent.device.warm_sessions import Warmer
from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.link.transfer import Transfer
from edgent.planning.plan import Configuration, Plan, SourceKind
from edgent.planning.planner import best
from edgent.planning.pricing import check_versions
from edgent.units import BitsPerSecond, Seconds

if TYPE_CHECKING:
    from edgent.device.connection.handshake import EdgeFacts
    from edgent.model import Model

_RECENT = 64  # transfers that a chooser made later is told
_QUICKER = 10.0  # times as quick as its profile no edge is
_ALIKE = 1.5  # times what is believed of it, an edge that is tried may take

_log = logging.getLogger("edgent.device")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPlan:
    """What a request runs.

    Attributes:
        configuration: what.
        plan: the same with its price; None where it has none.
        why: the reason where that is not what it should be.
        detail: what is known about the reason, in words.
    """

    configuration: Configuration
    plan: Plan | None
    why: Reason = Reason.NONE
    detail: str = ""


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
        settings: profiles, calibration, deadline, and what plans may be chosen from.
        divisions: of this device.
        warmer: readies configurations.
        machines: how fast the machines are now.
        edge_took: is told what the edge took for something and what it takes by its profile; says how many times slower
            than that the edge is believed to be now.
        margin: seconds kept free before a deadline.

    Raises:
        InputError: a profile or calibration of another model, an unknown exit or codec.
    """

    def __init__(
        self,
        model: Model,
        settings: DeviceSettings,
        *,
        divisions: Divisions,
        warmer: Warmer,
        machines: Callable[[], Factors],
        edge_took: Callable[[float, float], float],
        margin: Callable[[Seconds], Seconds],
    ) -> None:
        self._model, self._device, self._calibration = model, settings.device_profile, settings.calibration
        self._expected = settings.expected_sizes
        self._edge = settings.edge_profile or settings.host  # of an edge that has none
        self._divisions, self._warmer = divisions, warmer
        self.factors, self._edge_took = machines, edge_took
        self._make_chooser, self._race, self._margin = settings.make_chooser, settings.race, margin
        self._deadline = self._latest_deadline = Seconds(settings.deadline)  # the latest: of a request
        self._restriction = settings.restriction
        self._check()
        self._recent: deque[Transfer] = deque(maxlen=_RECENT)
        self._sources, self._sizes = SourceSizes(), list[int]()
        self._said_unpriced: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        self._facts: EdgeFacts | None = None
        self._together: dict[SourceKind, _Together] = {}
        kinds: tuple[SourceKind, ...] = ("array",) if divisions.usual == "array" else ("image", "array")
        self._alone = {kind: self._make_alone(kind) for kind in kinds} if self._device else {}

    def edge_up(self, facts: EdgeFacts, sight: Sight) -> None:
        """See `Plans.edge_up`: its candidates are priced, unless they are known, and the first plan is readied."""
        last = self._warmer.forget()
        self._observe(sight.transfers)
        if self._device is None:
            return
        try:
            is_known = self._edge_is(facts)
        except RefusedError:
            raise
        except EdgentError as error:
            _log.warning("cannot plan with this edge: %s", error)
            return
        # After an outage nobody knows yet that the link is well, so nothing that needs it is chosen; but soon it will
        # be, and by then it is to be ready.
        if is_known and last is not None:
            self._warmer.want(last)
        if sight.conditions is not None:
            self._choose(self._divisions.usual, sight, self._deadline, self.factors())

    def choose(
        self,
        kind: SourceKind,
        sight: Sight,
        deadline: Seconds,
        factors: Factors = AS_PROFILED,
        configuration: Configuration | None = None,
        source_bytes: int | None = None,
    ) -> ChosenPlan:
        """What a request is to run.

        Args:
            kind: what it brings.
            sight: the edge as it finds it.
            deadline: that it has.
            factors: the device's speed, for when it is alone.
            configuration: that was given, to be priced; the device alone where it needs an edge and there is none.
            source_bytes: of the picture's file that it brings; where files have changed, candidates are priced anew
                beside it.

        Raises:
            InputError: there is no profile to plan with, or no edge for what was given.
        """
        self._observe(sight.transfers)
        with self._lock:
            self._latest_deadline = deadline
            changed = source_bytes is not None and self._have_changed(source_bytes)
        if changed:
            self._price_again("image")
        if configuration is None:
            return self._choose(kind, sight, deadline, factors)
        return self._given(configuration, kind, sight, deadline, factors)

    def alone(self, kind: SourceKind) -> Configuration:
        """What the device would do by itself.

        Raises:
            InputError: there is no profile to plan with.
        """
        return self._stay(kind, self._deadline, AS_PROFILED).configuration

    def with_edge(self, kind: SourceKind) -> CandidateSet | None:
        """What may be run with the edge; None where there is none yet."""
        return None if (known := self._known(kind)) is None else known.offer

    def failed(self, configuration: Configuration, error: EdgentError) -> None:
        """A configuration could not be carried out: it is not chosen again for this edge."""
        if configuration not in self._warmer.warmed.failed:
            _log.warning("%s is not chosen again: %s", configuration, error)
        self._warmer.give_up(configuration)

    def decisive(self, sight: Sight, *, unlikely: bool = False) -> BitsPerSecond | None:
        """See `Plans.decisive`; infinite: on who knows which."""
        self._observe(sight.transfers)
        with self._lock:
            choosers, deadline = [known.chooser for known in self._together.values()], self._latest_deadline
        if sight.conditions is None or not choosers:
            return BitsPerSecond(math.inf)
        wanted = [chooser.decisive(sight.at, sight.conditions, deadline, unlikely=unlikely) for chooser in choosers]
        return max((bandwidth for bandwidth in wanted if bandwidth is not None), default=None)

    def trial(self) -> Trial | None:
        """See `Plans.trial`: of what is ready there, the part that takes longest."""
        with self._lock:
            edge = self._edge if self._facts is None else self._facts.profile or self._edge
        ready = [one for one in self._warmer.warmed.ready if not one.device_only]
        if edge is None or not ready:
            return None
        trials = [
            Trial(
                segment=self._divisions.of(one, self._divisions.usual).segment,
                seconds=edge.layers_between(one.exit, one.upload_cut, one.download_cut),
            )
            for one in ready
        ]
        return max(trials, key=lambda trial: trial.seconds)

    def tried(self, trial: Trial, seconds: float) -> bool:
        """See `Plans.tried`."""
        # An edge that knows no trials answers at once, and says nothing of its speed.
        if seconds < trial.seconds / _QUICKER:
            return True
        believed = self._edge_took(seconds, trial.seconds) * trial.seconds
        return 1 / _ALIKE < seconds / believed < _ALIKE

    def __repr__(self) -> str:
        return f"<PlanSource of {self._model.name}: {self._together or 'the device alone'}>"

    def _have_changed(self, source_bytes: int) -> bool:
        """Takes in the size of a file; whether candidates are to be priced with another one from now on."""
        # A mean of some is wanted, so it need not be asked for at each request; but the first file is better than none.
        self._sizes.append(source_bytes)
        if len(self._sizes) < ENOUGH and self._sources.typical is not None:
            return False
        sizes, self._sizes = self._sizes, []
        return self._sources.add(sizes)

    def _edge_is(self, facts: EdgeFacts) -> bool:
        """Whether it is the same one again."""
        with self._lock:
            if facts == self._facts:
                return True  # what was priced for it holds
            self._facts, self._together = facts, {}
        self._add(self._divisions.usual)
        return False

    def _observe(self, transfers: Sequence[Transfer]) -> None:
        if not transfers:
            return
        with self._lock:
            self._recent.extend(transfers)
            # Each kind of input has its chooser, and all of them hear of one link.
            for known in self._together.values():
                known.chooser.observe(transfers)

    def _choose(self, kind: SourceKind, sight: Sight, deadline: Seconds, factors: Factors) -> ChosenPlan:
        now, conditions = sight.at, sight.conditions
        if conditions is None:
            return self._stay(kind, deadline, factors, sight.state.reason, sight.detail)
        known = self._known(kind)
        if known is None:
            self._warmer.do(lambda: self._add(kind))
            return self._stay(kind, deadline, factors, Reason.NOT_PLANNED)
        warmed = self._warmer.warmed
        if known.failed != warmed.failed:
            self._leave_out(kind, known, warmed.failed)
        plan = known.chooser.choose(now, conditions, deadline)
        if plan.configuration not in warmed.ready and not plan.configuration.device_only:
            self._warmer.want(plan.configuration)
            plan = known.chooser.choose(now, conditions, deadline, warmed.ready)
        return ChosenPlan(configuration=plan.configuration, plan=plan)

    def _given(
        self, wanted: Configuration, kind: SourceKind, sight: Sight, deadline: Seconds, factors: Factors
    ) -> ChosenPlan:
        if wanted.device_only:
            local = self._alone.get(kind)
            plan = local.price(wanted, factors.alone, deadline) if local else None
            return ChosenPlan(configuration=wanted, plan=plan)
        if sight.conditions is not None:
            known = self._known(kind)
            plan = known.offer.price(wanted, sight.conditions, deadline) if known else None
            return ChosenPlan(configuration=wanted, plan=plan)
        if sight.state is EdgeState.NO_EDGE:
            raise InputError(f"{wanted} needs an edge; this device has none")
        if self._alone:
            return self._stay(kind, deadline, factors, sight.state.reason, sight.detail)
        if wanted.exit not in {branch.exit for branch in self._model.branches}:
            raise EdgeError(f"{sight.problem}, and only the edge has exit {wanted.exit}")
        n = len(self._model.branch(wanted.exit).layers)
        own = Configuration(exit=wanted.exit, upload_cut=n, download_cut=n)
        return ChosenPlan(configuration=own, plan=None, why=sight.state.reason, detail=sight.detail)

    def _stay(
        self, kind: SourceKind, deadline: Seconds, factors: Factors, why: Reason = Reason.NONE, detail: str = ""
    ) -> ChosenPlan:
        if kind not in self._alone:
            raise InputError(
                "a device without a profile cannot plan: measure one (edgent profile), or give a configuration"
            )
        plan = best(self._alone[kind].allowed, factors.alone, deadline, margin=self._margin(deadline))
        return ChosenPlan(configuration=plan.configuration, plan=plan, why=why, detail=detail)

    def _add(self, kind: SourceKind) -> None:
        if self._known(kind) is None:
            self._put(kind, self._warmer.warmed.failed)

    def _leave_out(self, kind: SourceKind, known: _Together, failed: frozenset[Configuration]) -> None:
        """Has a chooser made for what is left; until then the present one chooses, among what is ready."""
        with self._lock:
            self._together = {**self._together, kind: replace(known, failed=failed)}
        self._warmer.do(lambda: self._put(kind, failed))

    def _known(self, kind: SourceKind) -> _Together | None:
        with self._lock:
            return self._together.get(kind)

    def _price_again(self, kind: SourceKind) -> None:
        """Has candidates priced once more where there is an edge; until then the present chooser goes on."""
        with self._lock:
            there = self._facts is not None
        if there:
            self._warmer.do(lambda: self._put(kind, self._warmer.warmed.failed))

    def _size_of_source(self, facts: EdgeFacts) -> float | None:
        """A picture's file as it comes, where somebody has measured some."""
        measured = self._calibration or facts.calibration or self._expected
        if measured is None:
            return None
        return measured.size((self._model.inputs[0].name,), "source", math.nan)

    def _put(self, kind: SourceKind, failed: frozenset[Configuration]) -> None:
        with self._lock:
            facts = self._facts
            if facts is None:
                return
            self._sources.assume(self._size_of_source(facts))
            typical = self._sources.typical
        priced = self._make_together(kind, facts, failed)
        with self._lock:
            if self._facts is not facts or self._sources.typical != typical:
                return  # another edge meanwhile, or other pictures, for which this is asked again
            priced.chooser.observe(self._recent)
            self._together = {**self._together, kind: priced}

    def _make_alone(self, kind: SourceKind) -> CandidateSet:
        assert self._device is not None
        return alone(self._model, self._device, preparing=self._divisions.preparing(kind), exits=self._exits_here)

    def _make_together(self, kind: SourceKind, facts: EdgeFacts, failed: frozenset[Configuration]) -> _Together:
        edge = facts.profile or self._edge
        assert self._device is not None and edge is not None, "a device without a profile does not plan"
        if facts.profile is None:
            _log.warning("the edge has no profile; it is taken to be as fast as %s", edge.machine)
        measured = self._calibration or facts.calibration or self._expected
        offer = together(
            self._model,
            self._device,
            edge,
            measured,
            source=kind,
            source_bytes=self._sources.typical,
            restriction=self._restriction,
            segments=facts.segments,
        ).without(failed)
        self._say_unpriced(offer)
        scope = Scope(
            candidates=offer.allowed,
            device=self._device,
            edge=edge,
            deadline=self._deadline,
            race=self._race,
            margin=self._margin,
        )
        return _Together(offer=offer, chooser=self._make_chooser(scope), failed=failed)

    def _say_unpriced(self, offer: CandidateSet) -> None:
        """Says once which codecs are allowed but in no plan: else nobody would know why they are never taken."""
        unpriced = offer.everything.unpriced(self._restriction.codecs or ())
        if unpriced and unpriced not in self._said_unpriced:
            self._said_unpriced.add(unpriced)
            _log.warning(
                "nobody knows what %s would bring, so no plan uses it: measure it (edgent evaluate)",
                ", ".join(unpriced),
            )

    def _check(self) -> None:
        check_versions(self._model, self._device, self._edge, self._calibration, self._expected)
        for codec in self._restriction.codecs or ():
            check_codec(codec)
        for number in self._restriction.exits or ():
            self._model.branch(number)
        if self._exits_here is not None and not self._exits_here:
            here = ", ".join(str(branch.exit) for branch in self._model.branches)
            raise InputError(f"only the edge has the exits allowed; allow one of {here} as well, for when it is lost")

    @property
    def _exits_here(self) -> frozenset[int] | None:
        """Those that the device may answer with by itself; None: all that it has."""
        exits = self._restriction.exits
        return exits if exits is None else exits & {branch.exit for branch in self._model.branches}
