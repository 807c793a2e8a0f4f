"""The knobs: the settings that a plan can choose, and what it costs to leave one out.

A knob is *needed* in a cell (a link, a deadline, two machines, a model) when the best accuracy in time without it is at
least a point lower. Both bests are those of the regime oracle (`edgent.planning.oracles`): it knows the distribution of
the link, and takes the highest expected accuracy in time. Without a knob the local branch has none of it either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgent.planning.candidates import Candidates
from edgent.planning.expectation import Expectations
from edgent.planning.oracles import best_in_time
from edgent.planning.plan import RAW, Configuration
from edgent.planning.planner import DUST
from edgent.units import Seconds

if TYPE_CHECKING:
    from pathlib import Path

    from edgent.model import Branch, Model
    from edgent.planning.conditions import Conditions

RACE = "race"

# In the order in which tables and pictures show them. Each is worded by what is left without it, for that is what the
# best is computed of.
KNOBS: Mapping[str, str] = {
    "cut": "everything on the device, or everything at the edge",
    "exit": "the last exit of each network only",
    "codec": "raw tensors, or the picture's file as it came",
    "source": "no picture's file as it came: all that crosses is encoded here, or raw",
    "int8": "no quantised network",
    "networks": "no smaller or bigger network beside the first",
    RACE: "the edge's answer is waited for",
}
"""Each knob of a plan, and what is left without it."""

# Differences of fractions are off by rounding: exactly one point must count, whichever way it was rounded.
NEEDED = 0.01 - DUST
"""A knob is needed where leaving it out costs this much accuracy in time: a point, rounding apart."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """The kinds of exits in a bundle.

    Attributes:
        last: The last exit of each network.
        quantised: Exits of networks that compute in int8.
        others: Exits of networks beside the first, the quantised ones apart.
    """

    last: frozenset[int]
    quantised: frozenset[int] = frozenset()
    others: frozenset[int] = frozenset()

    @classmethod
    def of(cls, model: Model) -> Kinds:
        """The kinds of the exits of a model, or of a bundle."""
        # A bundle numbers the exits of all its files together: which file an exit belongs to tells the networks apart.
        own: dict[Path, set[int]] = {}
        for branch in model.branches:
            own.setdefault(model.member_of(branch), set()).add(branch.exit)
        quantised = frozenset(branch.exit for branch in model.branches if _is_quantised(branch))
        beside = frozenset(exit for file, exits in own.items() if file != model.path for exit in exits)
        last = frozenset(max(exits) for exits in own.values())
        return cls(last=last, quantised=quantised, others=beside - quantised)


def left_without(candidates: Candidates, kinds: Kinds) -> dict[str, Mask]:
    """Which candidates remain without each knob, the race apart."""
    # Device-only is n, n and edge-only 0, n: what is left without the knob "cut" are the two ends of the line of cuts.
    alone = candidates.upload_cut == candidates.download_cut
    whole = (candidates.upload_cut == 0) & (candidates.download_cut == candidates.layers)
    up, down = (np.array(candidates.codecs)[column] for column in (candidates.codec, candidates.download_codec))
    # The file as it came is no work of ours, so it is a knob of its own and not one of the codecs.
    as_it_came = up == "source"
    # A mask each: what remains is priced and chosen from as if the setting did not exist.
    return {
        "cut": alone | whole,
        "exit": np.isin(candidates.exit, list(kinds.last)),
        "codec": ((up == RAW) | as_it_came) & (down == RAW),
        "source": ~as_it_came,
        "int8": ~np.isin(candidates.exit, list(kinds.quantised)),
        "networks": ~np.isin(candidates.exit, list(kinds.others)),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """The regime oracle's choice.

    Attributes:
        configuration: What it runs.
        accuracy: Of that configuration.
        chance: That its own answer is in time.
        expected: Accuracy in time.
        latency: Seconds in the mean; infinite where the link carries nothing.
        rescue: Accuracy of the local branch that answers where the edge is late; 0: none.
    """

    configuration: Configuration
    accuracy: float
    chance: float
    expected: float
    latency: float
    rescue: float


class Necessity:
    """The best of some candidates, with every knob and without each.

    Args:
        candidates: What may be run; all rivals are in it.
        kinds: What its exits are.

    Raises:
        InputError: no candidate stays on the device.
    """

    def __init__(self, candidates: Candidates, kinds: Kinds) -> None:
        self._all = Expectations(candidates)
        # A knob that no candidate turns costs nothing when it is left out, and is not listed.
        # Each knob is left out by itself, all others free to make up for it: so its cost is what it alone brings. Costs
        # of several knobs do not add up, for one may make up for another. A cost is at least 0: without a knob there
        # are fewer candidates, and the best of fewer is never better.
        remain = {knob: rows for knob, rows in left_without(candidates, kinds).items() if not rows.all()}
        self._without = {knob: Expectations(candidates.keep(rows)) for knob, rows in remain.items()}
        # The race is no property of a candidate but of how requests run, so all candidates stay and expectations
        # change.
        self._without[RACE] = Expectations(candidates, race=False)

    @property
    def knobs(self) -> tuple[str, ...]:
        """The knobs that have more than one position here."""
        return tuple(knob for knob in KNOBS if knob in self._without)

    def best(self, conditions: Conditions | None, deadline: Seconds) -> Best:
        """The best choice when every knob may be turned."""
        return _best(self._all, conditions, deadline)

    def without(self, conditions: Conditions | None, deadline: Seconds) -> dict[str, Best]:
        """The best choice without one of the knobs, by the knob that is left out."""
        return {knob: _best(self._without[knob], conditions, deadline) for knob in self.knobs}


def costs(best: Best, without: Mapping[str, Best]) -> dict[str, float]:
    """What leaving out each knob costs, as a fraction of accuracy in time."""
    # Fewer candidates can never be better; what is below 0 is rounding.
    return {knob: max(0.0, best.expected - other.expected) for knob, other in without.items()}


def _best(expectations: Expectations, conditions: Conditions | None, deadline: Seconds) -> Best:
    expectation = expectations.expect(conditions, deadline)
    # An oracle's choice and not the controller's: no tolerance, no hysteresis, nothing but what is best.
    place = int(best_in_time(expectation.expected, expectation.latency))
    # Expectations are of the candidates that can win at all; `rows` leads back to the table that they were taken from.
    row = int(expectation.rows[place])
    return Best(
        configuration=expectations.candidates.configurations[row],
        accuracy=float(expectations.candidates.merit[row]),
        chance=float(expectation.chance[place]),
        expected=float(expectation.expected[place]),
        latency=float(expectation.latency[place]),
        rescue=float(expectation.rescue[place]),
    )


def _is_quantised(branch: Branch) -> bool:
    # The three ways in which ONNX writes int8: QDQ pairs, QLinear operators, and ConvInteger or MatMulInteger.
    return any("Quantize" in layer.op or "QLinear" in layer.op or "Integer" in layer.op for layer in branch.layers)
