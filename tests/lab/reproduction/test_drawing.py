from __future__ import annotations

from edgent.lab.reproduction.drawing import _colours
from edgent.report import Axis, Line, Panel


def panel(*names: str) -> Panel:
    axis = Axis(label="seconds")
    return Panel(title="", x=axis, y=axis, marks=[Line(name=name, x=[0.0], y=[0.0]) for name in names])


def test_who_is_in_two_panels_has_one_colour_and_nobody_shares_it_there() -> None:
    panels = [panel(*"abc"), panel(*"ac"), panel("d", "c", "e"), panel(*"fghijkl", "a")]
    colours = _colours(panels)
    for one in panels:
        shown = [colours[mark.name] for mark in one.marks]
        assert len(set(shown)) == len(shown)
    assert set(colours) == set("abcdefghijkl")
