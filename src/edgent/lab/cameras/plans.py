"""The plans that methods may choose from: who is asked about a picture, in which order, and what that takes.

A method is a list of plans and no more: its plans become the product's candidates, and the product's planner chooses
among them, by what the camera believes of link and edge at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgent.lab.cameras.facts import Facts, Marks
from edgent.lab.cameras.machines import CameraTimes, DividedBig, Machines
from edgent.lab.cameras.parameters import LEVEL, MAX_DROP
from edgent.planning.candidates import Candidates
from edgent.planning.gates import LATER_ALONE, Gate, Gates
from edgent.planning.plan import RAW

Own = Literal["none", "first", "beside", "refused"]
"""When the device answers by itself: never, before it asks, beside the edge, or where the edge says no."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraPlan:
    """What becomes of a picture.

    Attributes:
        codec: by which the edge is asked; None: it is not.
        own: when the device answers by itself.
        own_right: whether that answer is right, shape (n,).
        stays: of which pictures the device's answer is enough, so that the edge is not asked; None: of none.
        edge_right: whether the answer is right that is there when the edge has answered, shape (n,).
        ahead: seconds on the device before its own answer begins, or before it asks.
        answer: seconds of its own answer.
        encode: seconds from there to what is sent.
        edge: seconds there.
        nbytes: of each picture, shape (n,).
    """

    codec: str | None
    own: Own
    own_right: Marks
    stays: Marks | None
    edge_right: Marks
    ahead: float
    answer: float
    encode: float
    edge: float
    nbytes: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def accuracy(self) -> float:
        """Along the path that each picture takes, where all is in time."""
        if self.codec is None:
            return float(self.own_right.mean())
        if self.stays is None:
            return float(self.edge_right.mean())
        return float(np.where(self.stays, self.own_right, self.edge_right).mean())

    @property
    def merit(self) -> float:
        """By which it is ranked: pictures that a gate loses do not count against it, for it was asked to lose them."""
        return self.accuracy if self.codec is None else float(self.edge_right.mean())

    @property
    def deferred(self) -> float:
        """Share of the pictures about which the edge is asked."""
        if self.codec is None:
            return 0.0
        return 1.0 if self.stays is None else float((~self.stays).mean())

    @property
    def device(self) -> float:
        """Seconds on the device until it has answered, or asked."""
        before = self.answer if self.own == "first" or self.codec is None else 0.0
        return self.ahead + before + self.encode


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraMethod:
    """Who chooses among which plans; `plans` has a list for each board."""

    name: str
    plans: Sequence[Sequence[CameraPlan]]

    def of(self, camera: int) -> Sequence[CameraPlan]:
        """The plans of a camera, by its board."""
        return self.plans[camera % len(self.plans)]


SMALL, BIG = "device alone, small", "device alone, big"
JPEG, RACED, CASCADE, OURS, ORACLE = "JPEG to the edge", "JPEG, raced", "plain cascade", "Edgent", "clairvoyant"
LIVE = (OURS, RACED)
"""Those that the demo runs live."""


def methods_of(facts: Facts, machines: Machines, deadline: float) -> dict[str, CameraMethod]:
    """Every method, by name; the clairvoyant one is not among them."""
    lists = [_plans_of(facts, times, machines, deadline) for times in machines.boards]
    return {name: CameraMethod(name=name, plans=[of_board[name] for of_board in lists]) for name in lists[0]}


def _plans_of(facts: Facts, times: CameraTimes, machines: Machines, deadline: float) -> dict[str, list[CameraPlan]]:
    make = _Plans(facts, times, machines.edge)
    coded = [codec for codec in facts.codecs if codec != "source"]
    small, big = make.alone(facts.small, times.small), make.alone(facts.big["source"], times.big)
    # A file that is not there is neither run nor divided.
    whole, divided = ([], []) if machines.edge_only else ([big], [*map(make.divided, times.cuts)])
    asked = [make.asked(codec) for codec in facts.codecs]
    prefer_cloud = [make.asked(coded[-1], own="refused")]
    in_time = times.decode + times.small <= deadline
    return {
        SMALL: [small],
        **({} if machines.edge_only else {BIG: [big]}),
        "edge alone": [make.asked("source")],
        JPEG: asked,
        RACED: [make.asked(codec, own="beside") for codec in facts.codecs],
        "prefer device": [small] if in_time else prefer_cloud,
        "prefer cloud": prefer_cloud,
        CASCADE: [small, *(make.gated(codec, facts.clear, facts.big[codec]) for codec in facts.codecs)],
        "partitioning": [*whole, *asked, *divided],
        "right-sizing": [small, *whole],
        OURS: [
            small,
            *whole,
            *(make.asked(codec, own="beside") for codec in facts.codecs),
            *(make.gated(codec, step, facts.both[codec]) for codec in facts.sure for step in facts.sure[codec]),
        ],
    }


@dataclass(frozen=True, slots=True)
class _Plans:
    """Makes the plans of one board."""

    facts: Facts
    times: CameraTimes
    edge: Mapping[str, float]

    def alone(self, right: Marks, seconds: float) -> CameraPlan:
        """The device by itself."""
        return CameraPlan(
            codec=None,
            own="first",
            own_right=right,
            stays=None,
            edge_right=right,
            ahead=self.times.decode,
            answer=seconds,
            encode=0.0,
            edge=0.0,
            nbytes=np.zeros(len(right)),
        )

    def asked(self, codec: str, own: Own = "none") -> CameraPlan:
        """The edge is asked about every picture."""
        return CameraPlan(
            codec=codec,
            own=own,
            own_right=self.facts.small,
            stays=None,
            edge_right=self.facts.big[codec],
            ahead=0.0 if codec == "source" else self.times.decode,
            answer=self.times.small + (self.times.decode if codec == "source" else 0.0),
            encode=self.times.encode[codec],
            edge=self.edge[codec],
            nbytes=self.facts.nbytes[codec],
        )

    def divided(self, cut: DividedBig) -> CameraPlan:
        """The big network begun on the device."""
        return CameraPlan(
            codec="float32",
            own="none",
            own_right=self.facts.small,
            stays=None,
            edge_right=self.facts.big["source"],
            ahead=cut.device,
            answer=self.times.small,
            encode=0.0,
            edge=cut.edge,
            nbytes=np.full(len(self.facts), cut.nbytes),
        )

    def gated(self, codec: str, stays: Marks | None, right: Marks) -> CameraPlan:
        """The device answers first, and the edge is asked where that is not enough."""
        return CameraPlan(
            codec=codec,
            own="first",
            own_right=self.facts.small,
            stays=stays,
            edge_right=right,
            ahead=self.times.decode,
            answer=self.times.small,
            encode=self.times.encode[codec],
            edge=self.edge[codec],
            nbytes=self.facts.nbytes[codec],
        )


def candidates_of(plans: Sequence[CameraPlan]) -> Candidates:
    """The plans as the product's planner sees them, in their order."""
    zeros, count = np.zeros(len(plans)), len(plans)
    remote = np.array([plan.codec is not None for plan in plans])
    accuracy, merit = (np.array([getattr(plan, name) for plan in plans]) for name in ("accuracy", "merit"))
    policies = np.flatnonzero([plan.stays is not None for plan in plans])
    gate = np.full(count, -1)
    gate[policies] = np.arange(len(policies))
    gates = _gates_of([plan for plan in plans if plan.stays is not None])
    merit[policies] -= gates.forgone
    return Candidates(
        codecs=(RAW,),
        exit=np.zeros(count, int),
        layers=np.ones(count, int),
        upload_cut=np.where(remote, 0, 1),
        download_cut=np.ones(count, int),
        codec=np.zeros(count, int),
        download_codec=np.zeros(count, int),
        accuracy=accuracy,
        counts_as=merit,
        prepare=zeros,
        head=np.array([plan.device for plan in plans]),
        encode=zeros,
        middle=np.array([plan.edge for plan in plans]),
        suffix=zeros,
        bytes_up=np.array([float(plan.nbytes.mean()) if plan.codec else 0.0 for plan in plans]),
        bytes_down=zeros,
        messages=np.where(remote, 2, 0),
        gate=gate,
        gates=gates if policies.size else None,
    )


def _gates_of(policies: Sequence[CameraPlan]) -> Gates:
    return Gates(
        model="street",
        digest="",
        data="street",
        measure="accuracy",
        max_drop=MAX_DROP,
        confidence_level=LEVEL,
        gates=tuple(map(_gate_of, policies)),
    )


def _gate_of(plan: CameraPlan) -> Gate:
    assert plan.stays is not None and plan.codec is not None, "a policy asks the edge about some pictures"
    asked = ~plan.stays
    return Gate(
        exit=0,
        later=1,
        codec=plan.codec,
        confidence=None,
        accepted=1 - plan.deferred,
        lost=float((plan.stays & plan.edge_right & ~plan.own_right).mean()),
        accuracy=plan.accuracy,
        ungated=plan.merit,
        alone=plan.merit,
        standing=float(plan.own_right[asked].mean()) if asked.any() else 0.0,
        asked=float(plan.edge_right[asked].mean()) if asked.any() else 0.0,
        weights=LATER_ALONE,
        gain=(0.0, 0.0),
        samples=len(plan.own_right),
    )


def clairvoyant_choice(plans: Sequence[CameraPlan], picture: int) -> CameraPlan:
    """Who knows all answers beforehand: the device's where it is right, else the smallest message that helps.

    Args:
        plans: those of one board; a plan of the device alone among them.
        picture: which one.
    """
    # Behind a gate that keeps this picture on the device nothing is asked: such a plan would help nobody.
    helping = [plan for plan in plans if asks(plan, picture) and plan.edge_right[picture]]
    alone = next(plan for plan in plans if plan.codec is None)
    if alone.own_right[picture] or not helping:
        return alone
    return min(helping, key=lambda plan: plan.nbytes[picture])


def asks(plan: CameraPlan, picture: int) -> bool:
    """Whether the edge is asked about a picture."""
    return plan.codec is not None and not (plan.stays is not None and plan.stays[picture])
