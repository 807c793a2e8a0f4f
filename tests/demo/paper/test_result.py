from __future__ import annotations

import io
import json
import math
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from demo.paper.made import LAST, RIVALS, cell, measured, request, result, unplugged
from edgent import report
from edgent.cli.terminal import show
from edgent.codec import decode_pixels
from edgent.demo.paper.console import print_result
from edgent.demo.paper.page.page import page
from edgent.demo.paper.page.picture import demo_picture
from edgent.demo.paper.run import test_images as shipped_images
from edgent.demo.paper.words import confirmation, verdict
from edgent.lab.processes.live_runs import Decision, LiveRuns

KEYS = {"deadlines_met", "accuracy_in_time", "p50_ms", "p95_ms"}
NAMES = ["device-only", "edge-only", "partitioning", "right-sizing", "edgent", "rival"]


def strict(made):
    return json.loads(json.dumps(made.to_json(), allow_nan=False))


def test_the_json_form_is_the_contract():
    made = strict(result())
    assert list(made["methods"]) == NAMES
    assert all(set(figures) == KEYS for figures in made["methods"].values())
    (point,) = made["points"]
    assert (point["bandwidth_bps"], point["deadline_ms"], point["borderline"]) == (1e6, 100.0, False)
    assert list(point["methods"]) == NAMES and all(set(figures) == KEYS for figures in point["methods"].values())


def test_json_has_null_where_nobody_answered_or_nobody_knows():
    runs = measured(ours=(math.inf,) * 3, rival=(0.05,) * 3)
    made = strict(result(runs=runs))
    assert made["methods"]["edgent"]["p50_ms"] is None
    assert made["points"][0]["methods"]["edgent"]["p95_ms"] is None


def test_json_says_of_each_cell_and_method_who_was_not_worse():
    runs = measured(ours=[0.2] * 10, rival=[0.05] * 10)
    (point,) = strict(result(runs=runs))["points"]
    assert point["compared"]["rival"]["verdict"] == "worse" and point["compared"]["rival"]["ahead"] == -0.8
    assert point["compared"]["device-only"] == {"ahead": 0, "low": 0, "high": 0, "verdict": "not worse"}


def test_borderline_cells_are_counted_and_more_than_a_quarter_are_no_evidence():
    runs = measured(ours=[0.2] * 10, rival=[0.05] * 10)
    few = result(cell(0.1), cell(0.12), cell(0.13), cell(0.205), runs=runs)
    assert few.borderline == 0.25 and few.is_evidence
    assert "1 of 4 cells are borderline" in verdict(few) and "at most a quarter" in verdict(few)
    assert strict(few)["points"][3]["compared"]["rival"]["verdict"] == "borderline"
    many = result(cell(0.1), cell(0.205), runs=runs)
    assert not many.is_evidence and "no evidence" in verdict(many)


def test_the_verdict_names_the_cells_that_were_lost():
    runs = measured(ours=[0.2] * 10, rival=[0.05] * 10)
    assert "In 0 of 1 cells" in verdict(result(runs=runs))
    assert "Worse at: 1 Mbit/s, 100 ms (rival)" in verdict(result(runs=runs))
    assert "Worse at" not in verdict(result())


def test_a_decision_is_confirmed_only_by_the_same_configuration():
    assert "1 of 1 cells" in confirmation(result())
    (point,) = result().points
    other = Decision(deadline=0.1, configuration=None, by="device", deadline_met=True)
    assert point.confirmed and point.chosen["edgent"].setup.configuration == LAST
    assert other.configuration != LAST


def test_the_rival_sends_what_was_best_in_hindsight():
    setups = RIVALS.setups(1e6)
    runs = {setups["source"]: LiveRuns(totals=(0.2, 0.2)), setups["jpeg-75"]: LiveRuns(totals=(0.05, 0.05))}
    assert RIVALS.best(runs, 1e6, 0.1).setup.configuration.codec == "jpeg-75"
    assert RIVALS.best(runs, 1e6, 0.3).setup.configuration.codec == "source"
    assert RIVALS.best(runs, 1e6, 0.01).setup.configuration.codec == "jpeg-75"  # the faster of two that are late


def test_an_outage_has_three_phases_and_the_return_is_timed():
    run = unplugged(request(0.5, "edge"), request(1.5, "device", 0.09), request(2.1, "device"), request(2.5, "edge"))
    assert [len(run.phase(name)) for name in ("before", "during", "after")] == [1, 1, 2]
    assert run.back_after == pytest.approx(0.55)
    assert unplugged(request(1.5, "device")).back_after is None


def test_the_report_says_what_is_emulated_and_shows_plots(tmp_path):
    report.write(page(result()), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    for words in ("Emulated: the link, and the device", "Emulated link", "Unplugged", "knob", "Cells: five"):
        assert words in text
    assert "never sees these factors" in text and "Overruns: of 10 pieces of work" in text
    assert text.count("<svg") >= 3


def test_the_host_that_stands_in_is_called_to_account_wherever_the_result_is_read():
    written = io.StringIO()
    print_result(result(), Console(file=written, width=100))
    text = " ".join(written.getvalue().split())
    assert "of 10 pieces of work this machine finished 1 later than the device would have, by 1 ms at most" in text
    assert "Its planner never sees these factors" in text
    assert strict(result())["emulated"] == {"device": "slow", "pieces": 10, "overran": 1, "worst_overrun_ms": 1.0}


def test_the_picture_stands_alone(tmp_path):
    report.write_picture(demo_picture(result()), tmp_path / "demo.svg")
    drawn = ET.parse(tmp_path / "demo.svg").getroot()
    texts = {"".join(element.itertext()) for element in drawn.iter() if element.tag.endswith("}text")}
    assert {"edgent", "rival", "1 Mbit/s", "deadline, ms"} <= texts


def test_the_tables_fit_a_hundred_columns_of_the_commands_console_and_nothing_of_them_is_cut_off():
    with show.out.capture() as captured:
        print_result(result(runs=measured(ours=[0.2] * 10, rival=[0.05] * 10)), show.out)
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 100
    row = next(line for line in lines if "Mbit/s" in line and "device" in line).split()
    assert row[:4] == ["1", "Mbit/s", "100", "ms"]
    assert [float(cell) for cell in row[4:10]] == [0.0, 0.0, 0.0, 0.0, 0.0, 80.0]
    assert "…" not in captured.get()


def test_the_images_are_the_shipped_ones():
    images = shipped_images()
    assert len(images) == 256
    assert decode_pixels(images[0]).shape == (32, 32, 3)
