"""Every way to answer, as one table: branch, upload cut and codec, download cut and codec, and what each demands.

A candidate is what it *demands* of device, edge and link; nothing in the table depends on the bandwidth, the queue or
the load of the moment. So the table is made once for a model and two machines, and each decision only prices it anew
(`edgent.planning.conditions`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgent.codec import MeasureName, check_codec
from edgent.errors import InputError
from edgent.planning.costs import BranchCosts, Crossing, Plane
from edgent.planning.frontier import frontier
from edgent.planning.plan import RAW, Configuration, Configurations, SourceKind
from edgent.planning.pricing import price

if TYPE_CHECKING:
    from edgent.codec import Calibration
    from edgent.latency import Profile
    from edgent.model import Model
    from edgent.planning.gates import Gate, Gates

Direction = Literal["any", "device-first", "edge-first"]

_NO_GATE = -1
Floats = NDArray[np.float64]
Whole = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Candidates:
    """A table of m candidates: one array of length m for each column.

    Attributes:
        codecs: Names of the codecs; `codec` and `download_codec` are positions in it.
        exit: The exit that answers.
        layers: Layers of that exit's branch (n).
        upload_cut: Layers before it run on the device.
        download_cut: Layers after it run on the device again.
        codec: Codec upwards.
        download_codec: Codec downwards.
        accuracy: 0..1, nan where unknown.
        counts_as: The accuracy by which it is ranked: that of another where measurements cannot tell the two apart.
        prepare, head, encode, middle, suffix: Seconds of the stages, the link and the queue apart: on the edge, the
            middle includes decoding and encoding; the suffix includes the device's decoding.
        bytes_up: Encoded bytes.
        bytes_down: Encoded bytes.
        messages: 2 where something crosses (a request and its answer), else 0.
        gate: Position in `gates` of what the device answers first; -1: it does not, and the edge is asked about every
            picture. Demand and seconds are those of a picture of which the device is not sure.
        gates: What was measured of gates; None: no candidate has one.
        merit: What makes a candidate the better answer, 0..1: what its accuracy counts as; where one is not known, the
            exit's rank as a fraction of the last one's.
        measure: What the accuracies are; numbers of different measures are never in one table.
        demand: What each candidate takes of each resource, shape (5, m). The rows: device seconds, edge seconds, bytes
            up, bytes down, messages.
        deferred: Share of the pictures about which each asks the edge.
        spans: For which shares of the edge each is in play: from the one, and below the other; shape (2, m). Of several
            steps of a gate one is. What asks about every picture is not, where a step would ask about fewer.
        configurations: What each candidate runs, by its position in the columns.
    """

    codecs: tuple[str, ...]
    exit: Whole
    layers: Whole
    upload_cut: Whole
    download_cut: Whole
    codec: Whole
    download_codec: Whole
    accuracy: Floats
    counts_as: Floats
    prepare: Floats
    head: Floats
    encode: Floats
    middle: Floats
    suffix: Floats
    bytes_up: Floats
    bytes_down: Floats
    messages: Whole
    gate: Whole
    gates: Gates | None = None
    measure: MeasureName = "accuracy"
    merit: Floats = field(init=False)
    demand: Floats = field(init=False)
    deferred: Floats = field(init=False)
    spans: Floats = field(init=False)
    configurations: Configurations = field(init=False)

    def __post_init__(self) -> None:
        # What is asked for at each decision is made once.
        # As soon as one accuracy is unknown, none can be compared with it: then a later exit counts as the better one.
        unknown = bool(np.isnan(self.accuracy).any())
        object.__setattr__(self, "merit", _ranks(self.exit) if unknown else self.counts_as)
        # One sum for the device, although its parts run before and after the edge: a machine's drift slows all of them
        # by one factor, and latency adds them up. Only a race asks when a part ends, and has a row of its own for that.
        device = self.prepare + self.head + self.encode + self.suffix
        demand = np.stack([device, self.middle, self.bytes_up, self.bytes_down, self.messages])
        object.__setattr__(self, "demand", demand)
        for name, value in zip(("deferred", "spans"), self._asks(), strict=True):
            object.__setattr__(self, name, value)
        columns = (self.exit, self.upload_cut, self.download_cut, self.codec, self.download_codec)
        object.__setattr__(self, "configurations", Configurations(columns, self.codecs))

    @classmethod
    def build(
        cls,
        model: Model,
        device: Profile,
        edge: Profile,
        calibration: Calibration | None = None,
        *,
        source: SourceKind | None = None,
        source_bytes: float | None = None,
    ) -> Candidates:
        """Prices the configurations of a model on two machines.

        All of them where a branch has at most 700 layers, else those at the 701 cuts that are worth it
        (`edgent.model.coarse`).

        Args:
            model: The model.
            device: Its profile on the device.
            edge: Its profile on the edge.
            calibration: Measured sizes and accuracies; without accuracies only codecs that lose nothing are offered,
                and without sizes only those whose size is known.
            source: What requests bring: a coded "image" or an "array". None: an image where the model says how to
                prepare one.
            source_bytes: Mean size of the images as they come; None: that of the calibration, if it has one.

        Raises:
            InputError: a profile or calibration of another model.
        """
        priced = price(model, device, edge, calibration, source=source, source_bytes=source_bytes)
        return cls.of(priced, "accuracy" if calibration is None else calibration.measure)

    @classmethod
    def of(cls, branches: Iterable[BranchCosts], measure: MeasureName = "accuracy") -> Candidates:
        """Puts every candidate of some branches together.

        Two lossy crossings are combined only where they were measured as a pair.
        """
        # Positions instead of names in the columns: comparing and copying numbers is what makes a decision quick.
        branches = tuple(branches)
        names = (crossing.codec for branch in branches for crossing in (*branch.up, *branch.down))
        codecs = tuple(dict.fromkeys((RAW, *names)))
        blocks = [block for branch in branches for block in _blocks(branch, codecs)]
        columns = {name: [block[name] for block in blocks] for name in COLUMNS}
        kinds = {name: np.int32 if name in _WHOLE else np.float64 for name in COLUMNS}
        # Columns and not a list of candidates: a model of 100 layers has 100,000 of them, and each decision prices all.
        # The empty list lets a model without any candidate give an empty table, where numpy would refuse to join none.
        table: dict[str, Any] = {n: np.concatenate([*parts, []]).astype(kinds[n]) for n, parts in columns.items()}
        return cls(codecs=codecs, measure=measure, **table)

    def __len__(self) -> int:
        return len(self.exit)

    def __repr__(self) -> str:
        exits = ", ".join(str(number) for number in np.unique(self.exit))
        return f"<Candidates {len(self)}: exits {exits or 'none'}; codecs {', '.join(sorted(self._used)) or 'none'}>"

    def _asks(self) -> tuple[Floats, Floats]:
        share, always = (self.messages > 0).astype(np.float64), np.full(len(self), np.inf)
        if self.gates is None:
            return share, np.stack([np.zeros(len(self)), always])
        (low, high), policy = self.gates.spans, self.gate >= 0
        # By a step that no plan here has nobody gives way.
        begins = np.where(policy, low[self.gate], share * low[self.gate[policy]].max(initial=0.0))
        ends = np.where(policy, high[self.gate], always)
        return np.where(policy, self.gates.deferred[self.gate], share), np.stack([begins, ends])

    @property
    def _used(self) -> set[str]:
        return {self.codecs[k] for k in np.union1d(self.codec, self.download_codec)}

    @property
    def standing(self) -> Floats:
        """What the first answers of each count for, should the edge's never be in time, shape (m,); 0 without any."""
        if self.gates is None:
            return np.zeros(len(self))
        return np.where(self.gate < 0, 0.0, np.maximum(0.0, self.merit - self.gates.overtaken[self.gate]))

    def in_play(self, share: float) -> NDArray[np.bool_]:
        """Those among which a device may choose that has such a share of the edge, shape (m,)."""
        low, high = self.spans
        in_play: NDArray[np.bool_] = (low <= share) & (share < high)
        return in_play

    @property
    def expected(self) -> Floats:
        """Edge seconds, bytes up and bytes down that each takes in the mean over pictures, shape (3, m)."""
        return self.deferred * self.demand[1:4]

    @property
    def tells_apart(self) -> Floats:
        """What may make a candidate the better one beside its demand, the less the better, shape (k, m)."""
        # Only policies ask less than they may take: without one the table has as few components as it can.
        if self.gates is None:
            return np.empty((0, len(self)))
        # Nor is one the better one where it is not in play.
        low, high = self.spans
        return np.stack([*self.expected, -self.standing, low, -high])

    @property
    def rows(self) -> dict[Configuration, list[int]]:
        """Where each configuration stands: once, and once more for each gate that can be put before it."""
        rows: dict[Configuration, list[int]] = {}
        for row in range(len(self)):
            rows.setdefault(self.configurations[row], []).append(row)
        return rows

    def gate_of(self, row: int) -> Gate | None:
        """What the device answers first; None: the candidate does not look at the picture."""
        return None if self.gates is None or self.gate[row] < 0 else self.gates.gates[self.gate[row]]

    def unpriced(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of some codecs that are in no candidate, as nobody knows their size, their time or their accuracy."""
        # Said to a user who asks for a codec: that it is missing from every plan would otherwise look like a decision.
        used = self._used
        return tuple(name for name in names if name not in used)

    def keep(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Candidates:
        """A table of some of the candidates: those of a mask, or those at some positions."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def restricted(
        self,
        *,
        direction: Direction = "any",
        exits: Collection[int] | None = None,
        codecs: Collection[str] | None = None,
    ) -> Candidates:
        """The candidates that are allowed.

        Args:
            direction: "device-first": the edge finishes; "edge-first": it begins. Device-only is allowed in both.
            exits: The exits that may answer; None: all.
            codecs: What crossing tensors may be encoded with; None: all. Codecs restrict neither answers, which return
                as they are, nor candidates where nothing crosses. A codec without a price is in no candidate anyway.

        Raises:
            InputError: an exit or a direction that no candidate has, or a codec that does not exist.
        """
        # Masks over the whole table, so that restrictions cost the same in any combination.
        rows = self._in_direction(direction)
        if exits is not None:
            rows &= np.isin(self.exit, _known(exits, self.exit.tolist()))
        if codecs is not None:
            for name in codecs:
                check_codec(name)
            allowed = [self.codecs.index(name) for name in codecs if name in self.codecs]
            # Device-only rows carry the raw codec as a filler; it must not exclude them.
            nothing_up = self.upload_cut == self.download_cut
            answer_down = self.download_cut == self.layers
            rows &= np.isin(self.codec, allowed) | nothing_up
            rows &= np.isin(self.download_codec, allowed) | answer_down
        return self.keep(rows)

    def frontier(self) -> Candidates:
        """The candidates that can be the plan under some conditions and some deadline."""
        # By merit and not by accuracy, for that is what the planner ranks by. Close accuracies stay apart here; see
        # `edgent.planning.frontier` for why the tolerance must not enter before a deadline is known.
        return self.keep(frontier(self.merit, np.stack([*self.demand, *self.tells_apart])))

    def frontier_within(self, drift: float) -> Candidates:
        """Those that can be the plan, raced or not, as long as the machines' speeds do not drift far apart.

        With D and E a candidate's seconds on device and edge, and f and g the factors of the machines, the conditions
        see f D + g E. That is linear in the ratio f / g: a candidate that undercuts another one at both ends of a range
        of ratios does so at all ratios between. So few are left of those that trade a little of D for a little of E.

        Args:
            drift: f / g lies in 1 / drift .. drift.
        """
        # Two sums take the place of two components, so a candidate must be undercut at both ends, and not in D and in
        # E: that is easier, and leaves a few dozen candidates where the plain frontier has hundreds.
        device, edge, *rest = self.demand
        # The time until everything is encoded is a row of its own: in a race the local branch can start only then, so
        # a long head must not be made up for by a short suffix.
        ends = (device + drift * edge, drift * device + edge)
        ahead = self.head + self.encode
        return self.keep(frontier(self.merit, np.stack([*ends, *rest, ahead, *self.tells_apart])))

    def order_of_ties(self) -> NDArray[np.intp]:
        """Positions in an order in which the first of equally fast candidates is the best.

        By bytes, then merit, then each component of the demand. That makes the choice on the frontier the choice among
        all: a candidate that undercuts another one also wins every tie between the two.
        """
        # Bytes first: of two plans that are equally fast, the one that loads the link less leaves more to others, and
        # suffers less when the link is worse than believed.
        keys = (*self.demand[::-1], -self.merit, self.bytes_up + self.bytes_down)
        return np.lexsort(keys)  # the last key counts first

    def in_order_of_ties(self) -> Candidates:
        """The candidates, the best of equally fast ones first; see `order_of_ties`."""
        # A first minimum, as numpy's argmin takes it, is then the best of the ties: no decision has to look for them.
        return self.keep(self.order_of_ties())

    def _in_direction(self, direction: Direction) -> NDArray[np.bool_]:
        # Device-only is the row n, n. It meets the first condition as it stands; the second has to allow it by name,
        # because its upload cut is not 0.
        if direction == "device-first":
            return np.equal(self.download_cut, self.layers)
        if direction == "edge-first":
            return np.equal(self.upload_cut, 0) | np.equal(self.upload_cut, self.download_cut)
        if direction == "any":
            return np.ones(len(self), dtype=np.bool_)
        raise InputError(f"direction {direction!r}: expected any, device-first or edge-first")


COLUMNS = tuple(f.name for f in fields(Candidates) if f.init and f.name not in ("codecs", "measure", "gates"))
_WHOLE = ("exit", "layers", "upload_cut", "download_cut", "codec", "download_codec", "messages", "gate")


def _blocks(branch: BranchCosts, codecs: tuple[str, ...]) -> Iterator[dict[str, Floats]]:
    """The candidates of one branch: the one that stays on the device, then those of each two codecs."""
    # Device-only once for a branch: with any codecs it would be the same candidate, for nothing crosses.
    if branch.alone:
        yield _on_device(branch, codecs)
    # A block for each two codecs, with all pairs of cuts in it at once: a handful of blocks of thousands of rows.
    for up in branch.up:
        for down in branch.down:
            accuracy = branch.accuracy_behind(up, down)
            if accuracy is not None:
                yield _crossing(branch, up, down, accuracy, codecs)


def _on_device(branch: BranchCosts, codecs: tuple[str, ...]) -> dict[str, Floats]:
    # Written as both cuts at n, an ordinary row: what crosses is nothing and what the edge does is nothing. So neither
    # conditions nor planner need a case of their own for the device alone.
    n = float(branch.own_cuts[-1])
    row = dict.fromkeys(COLUMNS, 0.0) | {"exit": branch.exit, "layers": n, "upload_cut": n, "download_cut": n}
    row |= dict.fromkeys(("codec", "download_codec"), codecs.index(RAW))
    row["accuracy"], row["counts_as"] = branch.own
    row |= {"prepare": branch.prepare, "head": float(branch.device.sum()), "gate": _NO_GATE}
    return {name: np.array([value], dtype=np.float64) for name, value in row.items()}


def _ranks(exits: Whole) -> Floats:
    """The later the exit the better; above 0, so that an answer counts for more than none."""
    # Without accuracies nothing but the order of exits is known; its numbers mean nothing beyond that.
    ranks: Floats = (exits + 1) / (exits.max(initial=0) + 1)
    return ranks


def _crossing(
    branch: BranchCosts, up: Crossing, down: Crossing, accuracy: Plane, codecs: tuple[str, ...]
) -> dict[str, Floats]:
    # Above the diagonal: the download cut lies behind the upload cut. The diagonal itself is device-only, which
    # `_on_device` has generated.
    offered = np.triu(up.offered & down.offered, k=1)
    if branch.divisible is not None:
        offered &= branch.divisible
    if up.accuracy is not None or down.accuracy is not None:
        offered &= ~np.isnan(accuracy)
    u, d = np.nonzero(offered)
    # Prefix sums: the time between any two cuts is then one subtraction, for all pairs at once.
    device = np.concatenate([[0.0], np.cumsum(branch.device)])
    edge = np.concatenate([[0.0], np.cumsum(branch.edge)])
    # One row for each pair that is offered. Both cuts are numbered as in the network's own branch, also where this one
    # is coarse: a plan is carried out on the network, which knows nothing of coarse layers.
    counts_as = branch.counts_as_behind(up, down, accuracy)
    column = {
        "exit": branch.exit,
        "layers": branch.own_cuts[-1],
        "upload_cut": branch.own_cuts[u],
        "download_cut": branch.own_cuts[d],
        "codec": codecs.index(up.codec),
        "download_codec": codecs.index(down.codec),
        "accuracy": accuracy[u, d],
        "counts_as": counts_as[u, d],
        "prepare": 0.0 if up.prepare is None else up.prepare[u, d],
        "head": device[u],
        "encode": up.encode[u, d],
        "middle": up.decode[u, d] + (edge[d] - edge[u]) + down.encode[u, d],
        "suffix": down.decode[u, d] + (device[-1] - device[d]),
        "bytes_up": up.size[u, d],
        "bytes_down": down.size[u, d],
        "messages": 2,
        "gate": _NO_GATE,
    }
    return {name: np.full(u.shape, value, dtype=np.float64) for name, value in column.items()}


def _known(wanted: Collection[int], known: Collection[int]) -> list[int]:
    for exit in wanted:
        if exit not in known:
            offered = ", ".join(map(str, sorted(set(known)))) or "none"
            raise InputError(f"exit {exit} is not offered for this model and calibration: choose among {offered}")
    return list(wanted)
