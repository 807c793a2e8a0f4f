"""The demo with its real processes, in small: edge, rival, both links, device."""

from __future__ import annotations

import pytest

from edgent import report
from edgent.demo import DemoOptions, run_demo
from edgent.demo.page.page import page
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import EdgentError
from edgent.lab.boards.emulation import find_device
from edgent.lab.boards.hidden import hidden_device
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.machines import DeviceProcess
from edgent.lab.processes.runs import WorkerSettings
from edgent.units import BitsPerSecond
from lab.figures.made import host


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def made(told):
    options = DemoOptions(unplug=True, bandwidths=(5e6,), deadlines=(0.05, 5.0), samples=3, live_seconds=9.0)
    return run_demo(options, progress=lambda *news: told.append(news))


@pytest.mark.timeout(200)
def test_every_method_is_run_live_and_a_wide_deadline_is_met(made, told):
    assert len(made.points) == 2 and told
    assert all(len(each.totals) >= 3 for each in made.measured.values())
    wide = made.points[1]
    assert all(each.deadlines_met == 1 for each in wide.figures.values())
    assert all(0 < each.accuracy_in_time <= 1 for each in wide.figures.values())
    assert wide.worse_than == ()
    assert made.host.account.pieces > 0 and made.beside.account.pieces > 0


def test_both_devices_have_hidden_factors_and_the_planner_has_what_profiling_found(made):
    assert "hidden factor (seed 0" in made.host.device and "hidden factor (seed 0" in made.beside.name
    alone = made.points[1].chosen["device-only"]
    totals = made.measured[alone.setup].totals
    assert min(totals) > 0.95 * alone.predicted  # the jitter's standard deviation is 0.01, the profile's 0.002


def test_what_is_planned_on_was_measured_through_the_link(made):
    """The bandwidth is that of the shaped link, not of the loopback behind it."""
    conditions = made.points[0].cell.conditions
    assert 0 < conditions.uplink.bandwidth < 25e6  # a busy machine makes it less, and nothing makes it much more


def test_a_device_that_only_sent_and_decoded_is_not_taken_for_a_slow_one(made):
    """What it had computed till then takes less than waking a thread does, and tells nothing of its speed."""
    assert made.points[0].cell.conditions.device_factor == 1


def test_the_device_decides_by_itself(made):
    for point in made.points:
        assert point.decision is not None and point.decision.configuration is not None
    assert made.points[1].decision.deadline_met


def test_unplugged_the_device_answers_on_and_the_edge_comes_back(made):
    run = made.unplugged
    before, during, after = (run.phase(name) for name in ("before", "during", "after"))
    assert any(request.by == "edge" for request in before)
    assert during and all(request.by == "device" for request in during[1:])  # the first may have been under way
    assert all(request.exit is not None for request in run.requests)
    assert any(request.by == "edge" for request in after)
    assert run.back_after is not None
    assert made.to_json()["unplugged"]["answered_by_device"] >= len(during) - 1


def test_the_report_of_a_real_run_is_written(made, tmp_path):
    report.write(page(made), tmp_path / "report.html")
    assert "<svg" in (tmp_path / "report.html").read_text()


def test_a_device_process_is_told_nothing_of_the_link_and_finds_each_state_of_it():
    model = load("b-alexnet")
    board = hidden_device(host(model), model, find_device("pi-5"), seed=0)
    settings = WorkerSettings(model=model.name, board=board, calibration=None, inputs=())
    with Edge(model, port=0, profiles=[host(model)]) as edge, DeviceProcess(settings) as device:
        for rate in (10e6, 0.4e6):  # apart by more than what is found may be off on a busy machine
            with ShapedLink(edge.address, uplink=BitsPerSecond(rate)) as link:
                found = device.connect(link.address, None)
            assert rate / 5 < found.uplink.bandwidth < 5 * rate
            assert rate / 5 < found.downlink.bandwidth < 5 * rate


def test_a_device_process_that_has_died_is_told_and_not_waited_for():
    model = load("b-alexnet")
    board = hidden_device(host(model), model, find_device("pi-5"), seed=0)
    settings = WorkerSettings(model="no such model", board=board, calibration=None, inputs=())
    with DeviceProcess(settings) as device, pytest.raises(EdgentError, match="ended unexpectedly"):
        device.account()
