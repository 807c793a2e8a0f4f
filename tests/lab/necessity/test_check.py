from __future__ import annotations

import pytest

from edgent.lab.necessity.check import Checked, agreement, differences, listed
from edgent.lab.necessity.grid import GridCell
from edgent.lab.necessity.live import Asked, Seen
from edgent.planning.knobs import Best
from edgent.planning.plan import Configuration

CELL = GridCell(device="pi-4", given="file", variation=0.2, bandwidth=1e6, deadline=0.1)


def best(expected):
    plan = Configuration(exit=0, upload_cut=1, download_cut=1)
    return Best(configuration=plan, accuracy=0.9, chance=1.0, expected=expected, latency=0.05, rescue=0.0)


def checked(seen, *, borderline=False, computed=(0.9, 0.9, 0.5)):
    with_all, cut, exit = computed
    asked = Asked(cell=CELL, best=best(with_all), without={"cut": best(cut), "exit": best(exit)})
    live = Seen(best=seen[0], without={"cut": seen[1], "exit": seen[2]}, borderline=borderline)
    return Checked(asked=asked, seen=live)


def test_map_and_live_run_agree_where_both_find_a_knob_needed_or_both_do_not():
    one = checked((0.88, 0.88, 0.6))
    assert one.agrees("cut") and one.agrees("exit")
    assert one.live["exit"] == pytest.approx(0.28)
    assert not checked((0.88, 0.8, 0.6)).agrees("cut")
    assert not checked((0.5, 0.5, 0.5)).agrees("exit")


def test_a_plan_that_was_no_loss_live_is_not_needed_either():
    assert checked((0.6, 0.9, 0.5)).live["cut"] < 0
    assert checked((0.6, 0.9, 0.5)).agrees("cut")


def test_borderline_cells_are_counted_apart():
    table = agreement([checked((0.9, 0.9, 0.5)), checked((0.9, 0.8, 0.9), borderline=True)])
    assert "2 cells; 1 borderline" in table.title
    assert table.rows == (("cut", 1, 0, 0, 1.0), ("exit", 1, 1, 1, 1.0))


def test_what_differs_is_listed_by_cell_and_knob_and_json_has_everything():
    cells = [checked((0.9, 0.9, 0.5)), checked((0.9, 0.8, 0.5))]
    off, apart = differences(cells)
    assert off.rows[0][0] == 2
    assert [row[6] for row in apart.rows] == ["cut"]
    assert len(listed(cells).rows) == 4
    assert all(len(line) == len(apart.columns) for line in apart.texts())


def test_without_a_countable_cell_there_is_nothing_to_compare():
    assert differences([checked((0.9, 0.8, 0.9), borderline=True)]) == ()


def test_what_was_seen_comes_back_from_json_as_it_was():
    seen = checked((0.9, 0.8, 0.5)).seen
    assert Seen(**seen.document()) == seen
