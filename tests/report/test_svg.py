"""What is drawn lies where arithmetic puts it: read back from the picture."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.report import svg
from edgent.report.panels import Axis, Line, Panel, Span

# The room of the axes in a plot of the usual size, in its pixels.
LEFT, RIGHT, TOP, BOTTOM = 62, svg.WIDTH - 16, 14, svg.HEIGHT - 46


def drawn(panel: Panel) -> ET.Element:
    return ET.fromstring(svg.plot(panel))


def panel(*marks: Line, x: Axis | None = None, y: Axis | None = None, **more: object) -> Panel:
    return Panel(x=x or Axis(label="x"), y=y or Axis(label="y"), marks=marks, **more)


def dots(picture: ET.Element) -> list[tuple[float, float]]:
    return [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in picture.iter("circle")]


def between(value: float, low: float, high: float, start: float, end: float) -> float:
    return start + (value - low) / (high - low) * (end - start)


points = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=2, max_size=8)


@given(points)
def test_points_are_in_proportion_and_y_grows_upwards(values: list[tuple[float, float]]) -> None:
    xs, ys = zip(*values, strict=True)
    if max(xs) - min(xs) < 1e-3 or max(ys) - min(ys) < 1e-3:
        return  # without a width there is no proportion
    for (x, y), dot in zip(values, dots(drawn(panel(Line(name="", x=xs, y=ys)))), strict=True):
        expected = between(x, min(xs), max(xs), LEFT, RIGHT), between(y, min(ys), max(ys), BOTTOM, TOP)
        assert dot == pytest.approx(expected, abs=0.06)  # written with one decimal


def test_on_a_logarithmic_axis_equal_factors_are_equal_distances() -> None:
    line = Line(name="", x=[1.0, 10.0, 100.0], y=[1.0, 2.0, 4.0])
    (a, _), (b, _), (c, _) = dots(drawn(panel(line, x=Axis(label="x", log=True))))
    assert b - a == pytest.approx(c - b, abs=0.11) and (a, c) == (LEFT, RIGHT)


def test_beyond_the_ends_of_an_axis_a_point_is_drawn_at_the_end() -> None:
    line = Line(name="", x=[0.0, 5.0, 20.0], y=[0.0, 1.0, 2.0])
    assert [x for x, _ in dots(drawn(panel(line, x=Axis(label="x", low=0.0, high=10.0))))] == [
        LEFT,
        (LEFT + RIGHT) / 2,
        RIGHT,
    ]


def test_what_never_ended_is_left_out_and_without_any_end_there_is_nothing_to_draw() -> None:
    line = Line(name="", x=[1.0, 2.0, 3.0], y=[1.0, math.inf, 3.0])
    assert len(dots(drawn(panel(line)))) == 2
    with pytest.raises(ValueError, match="finite"):
        svg.plot(panel(Line(name="", x=[1.0], y=[math.inf])))


@given(st.floats(-1e5, 1e5), st.floats(1e-3, 1e5), st.booleans())
def test_ticks_are_round_numbers_within_the_axis(low: float, width: float, log: bool) -> None:
    low = abs(low) + 1e-3 if log else low
    picture = drawn(panel(Line(name="", x=[low, low + width], y=[0.0, 1.0]), x=Axis(label="x", log=log)))
    texts = [text for text in picture.iter("text") if text.attrib.get("y") == str(BOTTOM + 15)]
    ticks = [float(str(text.text)) for text in texts]
    if log and width < 1.5 * low:
        return  # an axis of less than a factor of 2.5 may lie between 2 and 5
    assert ticks
    for tick, text in zip(ticks, texts, strict=True):
        assert low - 1e-5 * (abs(low) + width) <= tick <= low + width + 1e-5 * (abs(low) + width)
        assert LEFT - 0.1 <= float(text.attrib["x"]) <= RIGHT + 0.1
    if not log and len(ticks) > 2:
        step = ticks[1] - ticks[0]
        if abs(low) < 100 * width:  # ticks are printed with six digits
            mantissa = step / 10 ** math.floor(math.log10(step) + 1e-6)
            assert min(abs(mantissa - round_one) for round_one in (1, 2, 2.5, 5, 10)) < 0.02


def test_a_dashed_line_has_no_dots_and_a_cloud_of_points_no_line() -> None:
    dashed = drawn(panel(Line(name="", x=[1.0, 2.0], y=[1.0, 2.0], dashed=True)))
    assert not dots(dashed) and len(list(dashed.iter("polyline"))) == 1
    cloud = drawn(panel(Line(name="", x=[1.0, 2.0], y=[1.0, 2.0], form="points")))
    assert len(dots(cloud)) == 2 and not list(cloud.iter("polyline"))


def test_an_interval_is_a_bar_from_its_low_to_its_high() -> None:
    line = Line(name="", x=[0.0, 1.0], y=[2.0, 6.0], low=[0.0, 4.0], high=[4.0, 8.0])
    picture = drawn(panel(line, y=Axis(label="y", low=0.0, high=8.0)))
    bars = [bar for bar in picture.iter("line") if "stroke-opacity" in bar.attrib]
    ends = [(float(bar.attrib["y1"]), float(bar.attrib["y2"])) for bar in bars]
    assert ends == [(BOTTOM, pytest.approx((BOTTOM + TOP) / 2, abs=0.1)), (pytest.approx((BOTTOM + TOP) / 2), TOP)]


def test_a_span_covers_its_range_and_no_more() -> None:
    line = Line(name="", x=[0.0, 10.0], y=[0.0, 1.0])
    picture = drawn(panel(line, spans=[Span(first=2.0, last=4.0, label="cut")]))
    (rectangle,) = picture.iter("rect")
    start, width = float(rectangle.attrib["x"]), float(rectangle.attrib["width"])
    assert start == pytest.approx(between(2, 0, 10, LEFT, RIGHT), abs=0.1)
    assert width == pytest.approx((RIGHT - LEFT) / 5, abs=0.1)


def test_bars_are_as_long_as_their_values_and_say_them() -> None:
    picture = ET.fromstring(svg.bars([("a", 10.0, "red"), ("b", 5.0, "blue"), ("c", 0.0, "grey")], Axis(label="ms")))
    long, short, none = (float(bar.attrib["width"]) for bar in picture.iter("rect"))
    assert long == pytest.approx(2 * short, abs=0.11) and none == 0
    assert {"10.0", "5.0", "0.0"} <= {str(text.text) for text in picture.iter("text")}


def test_a_picture_of_several_plots_stands_alone_and_none_covers_another() -> None:
    line = Line(name="a & b", x=[1.0, 2.0], y=[1.0, 2.0])
    whole = ET.fromstring(svg.picture([svg.plot(panel(line))] * 3, [line], columns=2))
    name = "{http://www.w3.org/2000/svg}"
    places = [group.attrib["transform"] for group in whole.iter(f"{name}g")]
    assert len(set(places)) == 3
    assert (int(whole.attrib["width"]), int(whole.attrib["height"])) == (2 * svg.WIDTH, 2 * svg.HEIGHT + 34)
    assert "a & b" in [text.text for text in whole.iter(f"{name}text")]


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (1.0, 1.0), (41.0, 48.0), (1.0, 3.0)])
def test_an_axis_has_two_numbers_at_least_and_none_twice(low: float, high: float, log: bool) -> None:
    marks = [Line(name="", x=[low, high], y=[1.0, 2.0])]
    drawn = ET.fromstring(svg.plot(Panel(x=Axis(label="", log=log), y=Axis(label=""), marks=marks)))
    texts = [text.text for text in drawn.iter("text") if text.get("text-anchor") == "middle" and text.text]
    assert len(set(texts)) == len(texts) >= 2


def test_an_axis_of_whole_numbers_has_no_others() -> None:
    marks = [Line(name="", x=[1.0], y=[5.0])]
    drawn = ET.fromstring(svg.plot(Panel(x=Axis(label="", whole=True), y=Axis(label=""), marks=marks)))
    texts = [text.text for text in drawn.iter("text") if text.get("text-anchor") == "middle" and text.text]
    assert texts == ["1", "2"]
