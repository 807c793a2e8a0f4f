"""What is judged of a request: in time where it could be, once, right, typed; and what the machine excuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgent.lab.chaos.invariants import SLACK, ChaosDevice, ChaosOutcome, judged
from edgent.units import Seconds

GOOD = ChaosOutcome(name="a", at=1.0, total=0.1, deadline=0.1, fits=True, by="edge", right=True)
DEVICE = ChaosDevice(fastest=Seconds(0.010), slowest=Seconds(0.020), margin=Seconds(0.005))


def broken(outcome: ChaosOutcome, lateness=lambda since, until: 0.0) -> dict[str, float]:
    figures = judged([GOOD, outcome], lateness).figures()
    return {name: figures[name] for name in ("late", "excused", "wrong", "twice", "untyped") if figures[name]}


def test_what_is_right_and_in_time_breaks_nothing():
    verdict = judged([GOOD])
    assert verdict.holds
    assert (verdict.requests, verdict.by_edge, verdict.fitting, verdict.examples) == (1, 1, 1, ())


@pytest.mark.parametrize(
    ("changes", "breaks"),
    [
        ({"total": 0.1 + SLACK + 0.001}, {"late": 1}),
        ({"total": 0.1 + SLACK - 0.001}, {}),
        ({"total": 9.0, "fits": False}, {}),
        ({"right": False}, {"wrong": 1}),
        ({"records": 2}, {"twice": 1}),
        ({"records": 0}, {"twice": 1}),
        ({"error": "EdgeError: gone", "right": None, "records": 0}, {"late": 1}),
        ({"error": "EdgeError: gone", "right": None, "records": 0, "fits": False}, {}),
        ({"error": "EdgeError: gone", "right": None, "records": 1, "fits": False}, {"twice": 1}),
        ({"error": "KeyError: 3", "records": 0, "fits": False, "typed": False}, {"untyped": 1}),
    ],
)
def test_each_invariant_is_broken_by_what_it_forbids_and_by_nothing_else(changes, breaks):
    outcome = replace(GOOD, name="b", **changes)
    assert broken(outcome) == breaks
    assert judged([outcome]).holds is not bool(breaks)


def test_a_machine_that_was_late_itself_excuses_as_much_as_it_was_and_no_more():
    late = replace(GOOD, name="b", total=0.1 + SLACK + 0.030)
    asked = []
    assert broken(late, lambda since, until: asked.append((since, until)) or 0.031) == {"excused": 1}
    assert asked == [(late.at - late.deadline, late.at + late.total)]
    assert broken(late, lambda since, until: 0.029) == {"late": 1}
    failed = replace(late, error="EdgeError: gone", records=0)
    assert broken(failed, lambda since, until: 9.0) == {"late": 1}


def test_what_did_not_hold_is_told_with_all_that_is_known_of_it():
    verdict = judged([replace(GOOD, name=str(number), right=False, during="kill") for number in range(30)])
    assert verdict.wrong == 30
    assert 0 < len(verdict.examples) < 30
    assert "wrong" in verdict.examples[0] and "kill" in verdict.examples[0]


@pytest.mark.parametrize("outstanding", [1, 3, 50])
def test_requests_fit_where_the_device_could_do_them_one_after_the_other(outstanding):
    least = DEVICE.least_deadline(outstanding)
    assert DEVICE.fits(least, outstanding)
    assert not DEVICE.fits(least - 1e-6, outstanding)
    alone = DEVICE.slowest + outstanding * DEVICE.fastest + DEVICE.margin
    assert least > alone
