from __future__ import annotations

import numpy as np
import pytest

from edgent.lab.necessity.costmap import CostMap
from edgent.lab.necessity.grid import load_grid
from edgent.lab.necessity.report import by, every, meanings, pictures, share_of, summary
from edgent.planning.knobs import KNOBS
from lab.necessity.made import cost_map, mapped

HALF = [[0.5, 0.0], [0.01, 0.0099]]
NEVER = [[0.0, 0.0], [0.0, 0.0]]
ALWAYS = [[0.2, 0.2], [0.2, 0.2]]


def test_a_share_is_of_the_cells_in_which_a_point_is_lost():
    share = share_of([mapped(cost_map(cut=HALF))], "cut")
    assert (share.usual, share.low, share.high) == (0.5, 0.5, 0.5)
    assert str(share) == "50.0"


def test_a_range_is_what_the_ends_of_the_device_s_range_make_of_it():
    share = share_of([mapped(cost_map(cut=HALF), ends=(cost_map(cut=NEVER), cost_map(cut=ALWAYS)))], "cut")
    assert (share.usual, share.low, share.high) == (0.5, 0.0, 1.0)
    assert str(share) == "50.0 (0.0 .. 100.0)"


def test_maps_without_a_knob_say_nothing_of_it():
    maps = [mapped(cost_map(cut=HALF, int8=ALWAYS)), mapped(cost_map(cut=NEVER), given="kept")]
    assert share_of(maps, "cut").usual == 0.25
    assert share_of(maps, "int8").usual == 1.0
    assert share_of(maps, "networks") is None
    table = summary(maps, ["file", "kept"])
    assert {row[0] for row in table.rows} == set(KNOBS)
    assert next(row for row in table.rows if row[0] == "int8")[1:] == ("100.0", None)


def test_tables_group_by_what_they_are_asked_and_fit_their_columns():
    maps = [mapped(cost_map(cut=HALF), device=device, given=given) for device in "ab" for given in ("file", "kept")]
    table = by(maps, "device", "given")
    assert [row[:2] for row in table.rows] == [("a", "file"), ("a", "kept"), ("b", "file"), ("b", "kept")]
    assert by(maps, "variation").rows[0][:2] == (0.2, 0.5)
    assert all(len(line) == len(table.columns) for line in table.texts())


def test_json_has_every_map_with_its_range_or_null():
    known = mapped(cost_map(cut=HALF), ends=(cost_map(cut=NEVER), cost_map(cut=HALF)))
    rows = every([known, mapped(cost_map(cut=HALF), device="paper-pi3")]).document()["rows"]
    assert [(row["low"], row["high"]) for row in rows] == [(0.0, 0.5), (None, None)]


def test_pictures_are_one_for_each_knob_and_device_with_units():
    axes = load_grid().public
    plane = np.zeros((len(axes.bandwidths), len(axes.deadlines)))
    plane[0, 1] = 0.3
    maps = [mapped(CostMap(costs={"cut": plane, "race": plane}, best=plane), device=name) for name in axes.devices]
    panels = pictures(maps, axes)
    assert [panel.title for panel in panels] == [f"{knob}, {name}" for knob in ("cut", "race") for name in axes.devices]
    assert (panels[0].x.label, panels[0].y.label) == ("bandwidth, Mbit/s", "deadline, ms")
    (tiles,) = panels[0].marks
    assert tiles.values[1][0] == 100  # rows are deadlines, from below
    assert np.sum(tiles.values) == 100
    assert (tiles.rows[1], panels[0].categories[0]) == ("31.5", "0.05")


def test_every_knob_and_input_is_explained():
    words = meanings()
    assert all(f"{knob}: " in words for knob in KNOBS) and "kept: " in words


def test_a_map_comes_back_from_json_as_it_was():
    once = CostMap.from_document(cost_map(cut=HALF).document())
    assert once.costs["cut"] == pytest.approx(np.array(HALF))
