"""The demo with its real processes, in small: edge, rival, both links, device."""

from __future__ import annotations

import pytest

from edgent import report
from edgent.demo.paper import DemoOptions, run_demo
from edgent.demo.paper.page.page import page
from edgent.edge.edge import Edge
from edgent.engine.loading import load
from edgent.errors import EdgentError
from edgent.lab.boards.emulation import find_device
from edgent.lab.boards.hidden import hidden_device
from edgent.lab.links.link import ShapedLink
from edgent.lab.processes.device_process import DeviceProcess
from edgent.lab.processes.live_runs import WorkerSettings
from edgent.units import BitsPerSecond
from lab.figures.made import host
from real_time import until


@pytest.fixture(scope="module")
def steps():
    return []


@pytest.fixture(scope="module")
def result(steps):
    options = DemoOptions(unplug=True, bandwidths=(5e6,), deadlines=(0.05, 5.0), samples=3, live_seconds=9.0)
    return run_demo(options, progress=lambda *news: steps.append(news))


@pytest.mark.timeout(200)
def test_every_method_is_run_live_and_a_wide_deadline_is_met(result, steps):
    assert len(result.points) == 2 and steps
    assert all(len(runs.totals) >= 3 for runs in result.measured.values())
    wide = result.points[1]
    assert all(runs.deadlines_met == 1 for runs in wide.figures.values())
    assert all(0 < runs.accuracy_in_time <= 1 for runs in wide.figures.values())
    assert wide.worse_than == ()
    assert result.host.account.pieces > 0 and result.beside.account.pieces > 0


def test_both_devices_have_hidden_factors_and_the_planner_has_what_profiling_found(result):
    assert "hidden factor (seed 0" in result.host.device and "hidden factor (seed 0" in result.beside.name
    alone = result.points[1].chosen["device-only"]
    totals = result.measured[alone.setup].totals
    assert min(totals) > 0.95 * alone.predicted  # the jitter's standard deviation is 0.01, the profile's 0.002


def test_what_is_planned_on_was_measured_through_the_link(result):
    """The bandwidth is that of the shaped link, not of the loopback behind it."""
    conditions = result.points[0].cell.conditions
    assert 0 < conditions.uplink.bandwidth < 25e6  # a busy machine makes it less, and nothing makes it much more


def test_a_device_that_only_sent_and_decoded_is_not_taken_for_a_slow_one(result):
    """What it had computed till then takes less than waking a thread does, and tells nothing of its speed."""
    assert result.points[0].cell.conditions.device_factor == 1


def test_the_device_decides_by_itself(result):
    for point in result.points:
        assert point.decision is not None and point.decision.configuration is not None
    assert result.points[1].decision.deadline_met


def test_unplugged_the_device_answers_on(result):
    """How soon the edge comes back, virtual time tells: here a busy machine decides, in the seconds that are left."""
    run = result.unplugged
    gone = [request for request in run.phase("during") if request.at + request.total < run.restored_at]
    assert gone and all(request.by == "device" for request in gone)
    assert all(request.exit is not None for request in run.requests)
    assert result.to_json()["unplugged"]["answered_by_device"] >= len(gone)


def test_the_report_of_a_real_run_is_written(result, tmp_path):
    report.write(page(result), tmp_path / "report.html")
    assert "<svg" in (tmp_path / "report.html").read_text()


def within(rate, seen):
    return all(rate / 5 < way.bandwidth < 5 * rate for way in (seen.uplink, seen.downlink))


def test_a_device_process_is_told_nothing_of_the_link_and_finds_each_state_of_it():
    model = load("b-alexnet")
    board = hidden_device(host(model), model, find_device("pi-5"), seed=0)
    settings = WorkerSettings(model=model.name, board=board, calibration=None, inputs=())
    with Edge(model, port=0, profiles=[host(model)]) as edge, DeviceProcess(settings) as device:
        for rate in (10e6, 0.4e6):
            with ShapedLink(edge.address, uplink=BitsPerSecond(rate)) as link:
                # A busy machine may hold up what is timed, and so a link is met until it was left alone.
                assert until(lambda link=link, rate=rate: within(rate, device.connect(link.address, None)))


def test_a_device_process_of_a_model_that_is_not_there_says_so():
    model = load("b-alexnet")
    board = hidden_device(host(model), model, find_device("pi-5"), seed=0)
    settings = WorkerSettings(model="no such model", board=board, calibration=None, inputs=())
    with pytest.raises(EdgentError, match="no such model"), DeviceProcess(settings):
        pass
