from __future__ import annotations

import json

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.lab.figures import f10, f11, links, streams
from edgent.lab.processes.live_runs import StreamRequest
from edgent.link.trace import Trace
from lab.figures import made


def trace(*bandwidths):
    starts = np.arange(len(bandwidths), dtype=float)
    return Trace(name="t", starts=starts, bandwidths=np.array(bandwidths, float), duration=float(len(bandwidths)))


LINK = trace(1e6, 2e6, 4e6, 8e6, 2e6, 1e6)


def requests(latency, exit=4, by="edge"):
    return [
        StreamRequest(at=at, total=latency(LINK.at(at)), by=by, exit=exit, deadline_met=True, why="",
                configuration=made.plan(exit=exit))
        for at in np.arange(0.5, 6, 0.5).tolist()
    ]  # fmt: skip


def test_throughput_that_is_all_transfer_follows_the_link():
    assert f10.follows(requests(lambda rate: 98304 / rate), LINK) == pytest.approx(1.0)


def test_throughput_of_a_device_that_answers_itself_does_not():
    assert f10.follows(requests(lambda rate: 0.1, by="device"), LINK) == 0


@pytest.mark.parametrize(("exit", "stays"), [(4, True), (0, False)])
def test_the_exit_is_that_of_the_plans(exit, stays):
    result = f10.result({"one": requests(lambda rate: 98304 / rate, exit)}, LINK, ())
    assert [ordering.reproduced for ordering in result.orderings] == [True, stays]
    assert [panel.title for panel in result.panels] == ["the link", "throughput", "one"]


def curve(method, throughput, live=False, plans=()):
    return f11.Curve(
        setting="s", method=method, deadline=1.0, live=live, throughput=throughput, reward=throughput,
        accuracy_in_time=0.8, in_time=0.9, plans=plans,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("dynamic", "reproduced"), [((30.0, 31.0), True), ((20.0, 20.2), False), ((10.0, 12.0), False)]
)
def test_f11_wants_the_dynamic_configurator_clearly_ahead(dynamic, reproduced):
    (ordering,) = f11.result([curve("static", (20.0, 20.0)), curve("dynamic", dynamic)], ()).orderings
    assert ordering.reproduced is reproduced


def test_f11_tells_for_how_many_requests_both_plan_the_same():
    static = curve("static", (20.0,), live=True, plans=(made.plan(), made.plan()))
    dynamic = curve("dynamic", (20.0,), live=True, plans=(made.plan(), made.plan(exit=0)))
    (ordering,) = f11.result([static, dynamic], ()).orderings
    assert "50% of the requests" in ordering.why


def test_a_reward_that_was_not_counted_is_no_curve_and_a_dash():
    unknown = f11.Curve(
        setting="s", method="dynamic", deadline=1.0, live=False, throughput=(1.0,), reward=(), accuracy_in_time=0.8,
        in_time=0.9,
    )  # fmt: skip
    result = f11.result([curve("static", (20.0,)), unknown], ())
    assert result.tables[0].texts()[1][-1] == "-"
    assert [len(panel.marks) for panel in result.panels] == [2, 1]


def test_a_replay_is_kept_as_a_part(tmp_path):
    lab = made.lab(tmp_path)
    replayed = (made.setting("paper-pi3"), 1.0, (LINK, LINK.scaled(2.0)))
    first = f11._replayed(lab, *replayed)
    assert f11._replayed(lab, *replayed) == first
    assert lab.parts.computed == 1
    assert {one.method for one in first} == {"static", "dynamic", f11.FRACTION_MAP, "ours", "regime oracle"}
    assert all(len(one.throughput) == 2 for one in first)


def test_without_recorded_links_seeded_ones_take_their_place_and_that_is_said(tmp_path):
    once, again = (links.bus_link(made.lab(tmp_path, seed=5), 20.0) for _ in range(2))
    assert once.traces[0].bandwidths.tolist() == again.traces[0].bandwidths.tolist()
    assert once.traces[0].bandwidths.max() == pytest.approx(links.HIGHEST)
    assert "generated from seed 5" in once.words
    assert len(links.many_links(made.lab(tmp_path)).traces) == 20


def test_the_bus_log_s_beginning_is_scaled_to_10_mbit(tmp_path):
    (tmp_path / "belgium").mkdir()
    for name, top in (("report_bus_0001.json", 40000), ("report_car_0001.json", 80000)):
        log = [{"duration_ms": 1000, "bandwidth_kbps": rate, "latency_ms": 20} for rate in (100, top, 200, top * 2)]
        (tmp_path / "belgium" / name).write_text(json.dumps(log))
    bus = links.bus_link(made.lab(tmp_path, traces=tmp_path), 3.0)
    assert bus.traces[0].bandwidths.tolist() == pytest.approx([25e3, 10e6, 50e3])
    assert "the first 3 s of report_bus_0001.json" in bus.words
    assert [t.bandwidths.max() for t in links.many_links(made.lab(tmp_path, traces=tmp_path)).traces] == [10e6, 10e6]


def test_a_folder_without_traces_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no trace"):
        links.many_links(made.lab(tmp_path, traces=tmp_path))


def test_a_stream_is_read_as_it_was_kept(tmp_path):
    lost = StreamRequest(at=0.1, total=float("inf"), by="device", exit=None, deadline_met=False, why="edge lost")
    for request in (lost, requests(lambda rate: 0.1)[0]):
        assert streams._request(json.loads(json.dumps(streams._document(request), allow_nan=False))) == request
