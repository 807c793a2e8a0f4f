from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edgent.demo.paper.values import Chosen
from edgent.lab.processes.live_runs import LiveRuns, Setup
from edgent.planning.plan import Configuration

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
CODED = Configuration(exit=9, upload_cut=0, download_cut=22, codec="webp-90")
INT8 = Configuration(exit=8, upload_cut=13, download_cut=13)
OTHER = Configuration(exit=0, upload_cut=9, download_cut=9)


@pytest.fixture(scope="module")
def rivals():
    spec = importlib.util.spec_from_file_location("rivals", FOLDER / "rivals.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["rivals"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["rivals"]


def cell(rivals, ours, *, edgent, codec=0.0, int8=0.0, cloud=0.0, margin=0.01, borderline=False):
    runs = {"edgent": ours, "codec": CODED, "int8": INT8, "cloud": CODED}
    accuracy = {"edgent": edgent, "codec": codec, "int8": int8, "cloud": cloud}
    return rivals.Cell(
        bandwidth=1e6,
        deadline=0.05,
        chosen={name: Chosen(setup=Setup(configuration=each), accuracy=0.9) for name, each in runs.items()},
        accuracy=accuracy,
        medians=dict.fromkeys(accuracy, 0.02),
        margin=margin,
        borderline=borderline,
    )


def test_what_is_behind_a_standing_rival_by_more_than_the_margin_fails(rivals):
    assert rivals.problems([cell(rivals, CODED, edgent=0.80, codec=0.82)]) == ["1 Mbit/s, 50 ms: behind codec"]
    assert not rivals.problems([cell(rivals, CODED, edgent=0.80, codec=0.805)])


def test_a_method_that_is_no_standing_rival_is_only_shown(rivals):
    assert not rivals.problems([cell(rivals, CODED, edgent=0.80, codec=0.80, cloud=0.9)])


def test_where_a_rival_is_best_the_plan_is_that_rival(rivals):
    within = {"edgent": 0.795, "int8": 0.80}
    assert not rivals.problems([cell(rivals, INT8, **within)])
    assert rivals.problems([cell(rivals, OTHER, **within)]) == [
        "1 Mbit/s, 50 ms: a rival is best, and the plan is another"
    ]
    assert not rivals.problems([cell(rivals, OTHER, edgent=0.85, int8=0.80)])


def test_any_image_codec_to_the_edge_is_the_coded_rival(rivals):
    other = Configuration(exit=8, upload_cut=0, download_cut=13, codec="source")
    assert not rivals.problems([cell(rivals, other, edgent=0.8, codec=0.8)])


def test_borderline_cells_do_not_count_but_are_counted(rivals):
    lost = cell(rivals, CODED, edgent=0.0, codec=0.9, borderline=True)
    fine = cell(rivals, CODED, edgent=0.9, codec=0.9)
    assert not rivals.problems([lost, fine, fine, fine])
    assert rivals.problems([lost, fine, fine]) == ["33% of the cells are borderline: no evidence"]


def test_the_document_of_a_cell_has_just_the_agreed_keys(rivals):
    found = cell(rivals, CODED, edgent=0.9, codec=0.9).document()
    assert list(found) == ["bandwidth_bps", "deadline_ms", "borderline", "margin", "methods", "median_ms"]
    assert set(found["methods"]) >= {"edgent", "codec", "int8"}


def test_cells_where_the_bare_loop_is_ahead_are_counted_borderline_ones_too(rivals):
    behind = cell(rivals, CODED, edgent=0.5, codec=0.9)
    chance = cell(rivals, CODED, edgent=0.5, codec=0.9, borderline=True)
    within = cell(rivals, CODED, edgent=0.895, codec=0.9)
    counted = rivals.lost([behind, chance, within])
    assert (counted["cells"], counted["bare_loop_ahead"], counted["of_them_borderline"]) == (3, 2, 1)
    assert counted["rows"][0] == {
        "bandwidth_bps": 1e6,
        "deadline_ms": 50.0,
        "edgent_ms": 20.0,
        "bare_loop_ms": 20.0,
        "edgent": 0.5,
        "bare_loop": 0.9,
    }


DEADLINE = 0.05
LATE, IN_TIME = 0.2, 0.02


class Codec:
    """A bare loop that has one codec."""

    def best(self, measured, bandwidth, deadline):
        return Chosen(setup=Setup(configuration=CODED, bandwidth=bandwidth, bare=True), accuracy=0.9)


def ran(late, rounds):
    """So many requests through our own coded plan, some of them late; all others are in time."""
    totals = dict.fromkeys(setups(), (IN_TIME,) * rounds)
    totals[Setup(configuration=CODED)] = (LATE,) * late + (IN_TIME,) * (rounds - late)
    return {setup: LiveRuns(totals=each) for setup, each in totals.items()}


def setups():
    bare = Setup(configuration=CODED, bandwidth=1e6, bare=True)
    return frozenset({bare, *(Setup(configuration=each) for each in (CODED, INT8))})


class Lab:
    """Measures what it is told to have happened, in turn."""

    def __init__(self, rivals, *late):
        self.rivals, self.late, self.asked = rivals, list(late), []

    def measured(self, state, rounds):
        self.asked.append(rounds)
        requests = ran(self.late.pop(0), rounds)
        return state.with_requests(requests, requests)

    def cells(self, rounds):
        def chosen(configuration):
            return Chosen(setup=Setup(configuration=configuration), accuracy=0.9)

        state = self.rivals.State(
            bandwidth=1e6,
            plans={DEADLINE: {"edgent": chosen(CODED), "int8": replace(chosen(INT8), accuracy=0.8)}},
            far={DEADLINE: chosen(INT8)},
            setups=setups(),
        )
        return self.rivals.decided(self.measured, state, Codec(), rounds)


@pytest.fixture
def lab(rivals):
    return lambda *late: Lab(rivals, *late)


def test_what_passes_is_measured_once(lab, rivals):
    found = lab(0)
    assert not rivals.failures(found.cells(30))
    assert found.asked == [30]


def test_a_cell_that_a_few_late_requests_tip_is_decided_by_four_times_as_many(lab, rivals, capsys):
    (cell,) = (found := lab(4, 0)).cells(30)
    assert found.asked == [30, 90]
    assert not rivals.failures([cell])
    assert cell.accuracy["edgent"] == pytest.approx(0.9 * 116 / 120)  # the late ones count on
    assert "measured again, 3 times as often: 1 Mbit/s, 50 ms: behind codec" in capsys.readouterr().err


def test_a_cell_that_fails_again_fails(lab, rivals):
    assert rivals.failures(lab(4, 12).cells(30)) == ["1 Mbit/s, 50 ms: behind codec"]


def test_it_is_not_measured_a_third_time(lab):
    (found := lab(4, 12)).cells(30)
    assert found.asked == [30, 90]
