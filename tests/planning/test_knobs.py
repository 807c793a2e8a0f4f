from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.link import TransferModel
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.knobs import KNOBS, NEEDED, RACE, Kinds, Necessity, costs, left_without
from planning.strategies import branches, on_a_slow_device

KINDS = Kinds(last=frozenset({1, 3}), quantised=frozenset({1}), others=frozenset({2}))


def conditions(bandwidth=1e6):
    link = TransferModel(bandwidth=bandwidth, round_trip=0.01)
    return Conditions(uplink=link, downlink=link)


def table(seed, make=on_a_slow_device):
    return Candidates.of(make(np.random.default_rng(seed)))


def rescue(candidates, rows, row, deadline):
    """What the local branch gives, one of those left: tried one by one."""
    left = deadline - candidates.head[row] - candidates.encode[row]
    fit = [
        candidates.accuracy[k]
        for k in rows
        if not candidates.messages[k] and candidates.prepare[k] + candidates.head[k] <= left
    ]
    return min(max(fit, default=0.0), candidates.accuracy[row])


def worth(candidates, rows, row, deadline, variation, race):
    """Accuracy in time by the textbook: the chance that a log-normal bandwidth is enough."""
    bandwidth = 1e6
    latency = conditions(bandwidth).stages(candidates, row).total
    accuracy = candidates.accuracy[row]
    if not candidates.messages[row]:
        return accuracy * (latency <= deadline)
    fixed = conditions(1e15).stages(candidates, row).total
    bits = (latency - fixed) * bandwidth
    need = bits / (deadline - fixed) if deadline > fixed else math.inf
    if variation:
        square = math.log1p(variation**2)
        law = NormalDist(math.log(bandwidth) - square / 2, math.sqrt(square))
        chance = 1 - law.cdf(math.log(need)) if need < math.inf else 0.0
    else:
        chance = float(need <= bandwidth)
    late = rescue(candidates, rows, row, deadline) if race else 0.0
    return late + chance * (accuracy - late)


def uses(candidates, row, knob):
    """Whether a candidate turns a knob, read off its configuration."""
    plan, n = candidates.configurations[row], candidates.layers[row]
    crosses = plan.upload_cut < plan.download_cut
    return {
        "cut": crosses and (plan.upload_cut, plan.download_cut) != (0, n),
        "exit": plan.exit not in KINDS.last,
        "codec": plan.codec not in ("float32", "source") or plan.download_codec != "float32",
        "source": plan.codec == "source",
        "int8": plan.exit in KINDS.quantised,
        "networks": plan.exit in KINDS.others,
        RACE: False,
    }[knob]


@pytest.mark.parametrize("variation", [0.0, 0.2])
def test_a_knob_costs_what_brute_force_over_all_candidates_says(variation):
    for seed in range(8):
        candidates = table(seed)
        necessity = Necessity(candidates, KINDS)
        for deadline in (0.05, 0.15, 0.4):
            link = conditions().varying(variation)
            losses = costs(necessity.best(link, deadline), necessity.without(link, deadline))

            def best(knob, deadline=deadline, candidates=candidates):
                rows = [row for row in range(len(candidates)) if knob is None or not uses(candidates, row, knob)]
                return max(worth(candidates, rows, row, deadline, variation, knob != RACE) for row in rows)

            for knob, cost in losses.items():
                expected = best(None) - best(knob)
                assert cost == pytest.approx(expected, abs=1e-9 if variation == 0 else 0.02), (seed, deadline, knob)


def test_what_remains_without_a_knob_is_what_does_not_use_it():
    for seed in range(20):
        candidates = table(seed, branches)
        for knob, rows in left_without(candidates, KINDS).items():
            assert rows.tolist() == [not uses(candidates, row, knob) for row in range(len(candidates))]


def test_a_knob_that_nothing_uses_is_not_spoken_of():
    necessity = Necessity(table(0), Kinds(last=frozenset(range(9))))
    assert RACE in necessity.knobs
    assert not {"int8", "networks", "exit", "source"} & set(necessity.knobs)
    assert set(necessity.knobs) <= set(KNOBS)


def test_without_a_link_only_exits_can_be_needed():
    necessity = Necessity(table(3), KINDS)
    losses = costs(necessity.best(None, 0.2), necessity.without(None, 0.2))
    assert losses["cut"] == losses["codec"] == losses[RACE] == 0


def test_a_point_is_enough_and_a_hair_less_is_not():
    assert NEEDED <= 0.9 - 0.89  # rounding makes it a hair less than a point
    assert not NEEDED <= 0.0099


def test_exits_of_a_bundle_are_told_apart_by_their_files():
    kinds = Kinds.of(load("b-alexnet+b-alexnet-int8"))
    assert len(kinds.last) == 2
    assert len(kinds.quantised) == 5
    assert kinds.others == frozenset()
    alone = Kinds.of(load("b-alexnet"))
    assert alone == Kinds(last=frozenset({4}))
