from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from edgent import report
from edgent.errors import InputError

PLOT = report.lines(
    report.Panel(
        x=report.Axis(label="deadline, ms", log=True),
        y=report.Axis(label="share, %", low=0.0),
        marks=[report.Line(name="a < b", x=[1.0, 10.0], y=[2.0, 4.0], low=[1.0, 3.0], high=[3.0, 5.0])],
        spans=[report.Span(first=2.0, last=4.0, label="cut")],
    )
)


def panel(x, y, log=False):
    axis = report.Axis(label="x", log=log)
    return report.Panel(x=axis, y=axis, marks=[report.Line(name="", x=x, y=y)])


TABLE = report.table(("name", "value"), [("<script>", "1")], best=[1])
PAGE = report.Page(
    title="A report", lead="of <something>", sections=(report.Section(title="One & two", parts=(PLOT, TABLE)),)
)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def tags(path):
    parser = Tags()
    parser.feed(path.read_text())
    return parser.found


def test_a_report_is_one_file_without_scripts_that_fetches_nothing(tmp_path):
    report.write(PAGE, tmp_path / "report.html")
    found = tags(tmp_path / "report.html")
    assert "svg" in [tag for tag, _ in found]
    assert "script" not in [tag for tag, _ in found]
    links = [value for _, attributes in found for key, value in attributes.items() if key in ("src", "href")]
    assert all(value is not None and value.startswith("data:") for value in links)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_text_is_escaped(tmp_path):
    report.write(PAGE, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "of &lt;something&gt;" in text and "&lt;script&gt;" in text and "a &lt; b" in text


def test_a_report_in_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        report.write(PAGE, tmp_path / "nowhere" / "report.html")


def test_a_plot_is_well_formed_and_names_its_axes_with_units():
    svg = ET.fromstring(PLOT[: PLOT.index("</svg>") + 6])
    texts = ["".join(element.itertext()) for element in svg.iter() if element.tag.endswith("text")]
    assert {"deadline, ms", "share, %", "cut"} <= set(texts)


@pytest.mark.parametrize("log", [False, True])
def test_points_of_a_plot_lie_inside_it(log):
    points = [(10.0**k, 3.0**k) for k in range(-2, 4)]
    drawn = panel([x for x, _ in points], [y for _, y in points], log)
    made = report.lines(drawn, width=400, height=200)
    svg = ET.fromstring(made[: made.index("</svg>") + 6])
    circles = [element for element in svg.iter() if element.tag.endswith("circle")]
    assert len(circles) == len(points)
    assert all(0 <= float(c.get("cx")) <= 400 and 0 <= float(c.get("cy")) <= 200 for c in circles)


def test_more_is_higher_in_a_plot():
    made = report.lines(panel([1, 2], [1, 5]))
    svg = ET.fromstring(made[: made.index("</svg>") + 6])
    low, high = (float(e.get("cy")) for e in svg.iter() if e.tag.endswith("circle"))
    assert high < low


def test_what_is_not_finite_is_left_out_and_nothing_left_is_refused():
    made = report.lines(panel([1, 2], [math.inf, 5]))
    assert made.count("<circle") == 1
    with pytest.raises(ValueError, match="finite point"):
        report.lines(panel([1], [math.inf]))


def test_a_panel_of_bars_alone_has_no_lines_to_draw():
    axis = report.Axis(label="x")
    with pytest.raises(ValueError, match="finite point"):
        report.lines(report.Panel(x=axis, y=axis, marks=[report.Bars(name="", heights=[1.0])]))


def test_a_bar_is_as_long_as_its_share():
    made = report.bars([("a", 50.0, "#000"), ("b", 100.0, "#000")], report.Axis(label="%", high=100.0))
    svg = ET.fromstring(made)
    half, whole = (float(e.get("width")) for e in svg.iter() if e.tag.endswith("rect"))
    assert half == pytest.approx(whole / 2, abs=0.1)
