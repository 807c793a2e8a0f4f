from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgent.link.probing
from edgent.link.probing import SHARE, WINDOW, ProbeBudget, probe_for
from edgent.units import Seconds


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.link.probing).failed == 0


@given(useful=st.floats(1e3, 1e9), period=st.floats(0.01, 100.0))
def test_a_probe_ends_in_its_patience_just_where_the_link_is_of_use(useful: float, period: float) -> None:
    probe = probe_for(useful, period=period)
    assert probe is not None
    assert probe.bits / useful < probe.patience < 1.3 * probe.bits / useful
    assert 0.008 * useful <= probe.bits * (1 + 1e-9) and probe.patience <= 0.05


@pytest.mark.parametrize("useful", [0.0, math.inf, math.nan])
def test_where_nothing_that_crosses_is_of_use_there_is_no_probe(useful: float) -> None:
    assert probe_for(useful) is None


def test_a_probe_is_no_smaller_than_a_message_and_is_waited_for_no_longer_than_is_ever_affordable() -> None:
    slow, slowest = (probe_for(useful, least=1_500.0) for useful in (20e3, 1e3))
    assert slow is not None and slowest is not None
    assert slow.bits == slowest.bits == 1_500.0
    assert slow.patience == pytest.approx(1.2 * 1_500 / 20e3)
    assert slowest.patience == SHARE * WINDOW


@pytest.mark.parametrize("period", [0.7, 1.0, 2.0, 5.0])
def test_at_the_rhythm_of_requests_each_has_its_probe_though_the_rhythm_wavers(period: float) -> None:
    probe, budget, random = probe_for(1e6, period=period), ProbeBudget(), np.random.default_rng(0)
    assert probe is not None
    for turn in range(200):
        at = Seconds(period * turn + random.uniform(-0.1, 0.1) * period)
        assert budget.affordable(probe.patience) <= at
        budget.spent(at, probe.patience)


@given(
    seconds=st.lists(st.floats(0.001, 0.2), min_size=1, max_size=60),
    hurries=st.lists(st.floats(0.0, 5.0), min_size=60, max_size=60),
)
def test_over_any_ten_seconds_probes_take_a_fiftieth_at_most(seconds: list[float], hurries: list[float]) -> None:
    budget, at, spans = ProbeBudget(), 0.0, []
    for took, hurry in zip(seconds, hurries, strict=False):
        at = max(at + hurry, budget.affordable(took))
        budget.spent(Seconds(at), took)
        spans.append((at, at + took))
        at += took
    begins = np.array([begin for begin, _ in spans])
    ends = np.array([end for _, end in spans])
    for start in (*begins, *(ends - WINDOW)):
        inside = np.clip(np.minimum(ends, start + WINDOW) - np.maximum(begins, start), 0.0, None)
        assert inside.sum() <= SHARE * WINDOW + 0.2 * 1e-6


def test_what_was_spent_is_told() -> None:
    budget = ProbeBudget()
    assert budget.affordable(0.2) == -math.inf
    budget.spent(Seconds(3.0), 0.05)
    assert repr(budget) == "<ProbeBudget 0.05 s spent>"
    assert budget.affordable(0.15) == -math.inf and budget.affordable(0.16) == 13.0
