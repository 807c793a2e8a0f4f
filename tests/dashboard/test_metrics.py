"""`/metrics`: the numbers of the view, under names that Prometheus would give them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dashboard.playing import PlayedDevice, event, record
from edgent.dashboard.device_view import DeviceView
from edgent.dashboard.edge_view import EdgeView
from edgent.dashboard.metrics import device_families, edge_families, scraped
from edgent.edge.callers import CallerCounter
from edgent.edge.edge import Edge
from edgent.planning.plan import STAGES, Stages


def samples(content: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """By name and labels, as another program reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
    }


@pytest.fixture
def view() -> DeviceView:
    view = DeviceView(PlayedDevice(), lambda: 1000.0)
    stages = Stages(head=0.03, uplink=0.04)
    for number in range(10):
        view.tell(event(number, record=record(total=stages.total, stages=stages, deadline_met=number > 1)))
    view.tell(event(10, record=record(total=0.001, stages=Stages(head=0.001), by="device", why="edge lost")))
    view.tell(event(11, "replaced"))
    view.tell(event(12, "failed", error="no JPEG"))
    return view


@pytest.fixture
def edge_view(model, fast, clock) -> EdgeView:
    edge = Edge(model, profiles=[fast], clock=clock)
    edge.service.counters.answered(model, queue=0.5, middle=1.5)
    edge.service.counters.turned_away(model)
    return EdgeView(edge, CallerCounter(clock), lambda: 1000.0)


def test_a_devices_numbers_are_those_of_its_events(view):
    content, media_type = scraped(lambda: device_families(view))()
    got = samples(content)
    frames = {outcome: got["edgent_frames_total", (("outcome", outcome), ("source", "door"))] for outcome in
              ("in_time", "late", "replaced", "failed")}  # fmt: skip
    assert frames == {"in_time": 9, "late": 2, "replaced": 1, "failed": 1}
    assert got["edgent_missed_deadlines_total", (("reason", "uplink took longest"),)] == 2
    assert got["edgent_detours_total", (("reason", "edge lost"),)] == 1
    assert got["edgent_answer_duration_seconds_count", (("by", "edge"),)] == 10
    assert got["edgent_answer_duration_seconds_sum", (("by", "edge"),)] == pytest.approx(0.7)
    assert got["edgent_answer_duration_seconds_bucket", (("by", "edge"), ("le", "0.05"))] == 0
    assert got["edgent_answer_duration_seconds_bucket", (("by", "edge"), ("le", "0.1"))] == 10
    assert sum(got["edgent_stage_seconds_total", (("stage", stage),)] for stage in STAGES) == pytest.approx(0.701)
    assert got["edgent_link_bandwidth_bytes_per_second", (("direction", "up"),)] == 1e6
    assert got["edgent_link_bytes_total", (("direction", "down"),)] == 200
    assert got["edgent_edge_connected", ()] == 1
    assert media_type.startswith("text/plain")


def test_what_is_not_known_of_the_link_is_left_out(view):
    view.device.conditions, view.device.connected = None, False
    got = samples(scraped(lambda: device_families(view))()[0])
    assert got["edgent_edge_connected", ()] == 0
    assert not [name for name, _ in got if name.startswith("edgent_link_bandwidth")]


def test_a_device_without_an_edge_tells_nothing_of_one():
    device = PlayedDevice(has_edge=False, connected=False, conditions=None, traffic=(0, 0))
    view = DeviceView(device, lambda: 1000.0)
    stages = Stages(prepare=0.001, head=0.03, queue=0.01)
    view.tell(event(1, record=record(by="device", stages=stages, total=stages.total)))
    got = samples(scraped(lambda: device_families(view))()[0])
    assert not [name for name, _ in got if name.startswith(("edgent_edge_", "edgent_link_"))]
    assert not [labels for _, labels in got if ("by", "edge") in labels]
    spent = {dict(labels)["stage"]: seconds for (name, labels), seconds in got.items() if "stage_seconds_total" in name}
    assert spent == {"prepare": 0.001, "head": 0.03, "queue": 0.01}  # it waits for its other requests
    document = view.document(0)
    assert (document["edge"], document["rows"][0][-1]) == (None, [1.0, 30.0, 10.0])


def test_an_edges_numbers_are_those_of_its_counters(edge_view, model):
    got = samples(scraped(lambda: edge_families(edge_view))()[0])
    labels = (("model", model.name), ("version", model.version))
    assert got["edgent_edge_requests_total", (labels[0], ("outcome", "answered"), labels[1])] == 1
    assert got["edgent_edge_requests_total", (labels[0], ("outcome", "refused"), labels[1])] == 1
    assert got["edgent_edge_queue_seconds_total", labels] == 0.5
    assert got["edgent_edge_compute_seconds_total", labels] == 1.5
    assert (got["edgent_edge_slots", ()], got["edgent_edge_waiting_limit", ()]) == (1, 32)


def test_labels_with_any_text_stay_labels(view):
    view.tell(event(20, source='a"b\\c\nd 1'))
    got = samples(scraped(lambda: device_families(view))()[0])
    assert got["edgent_frames_total", (("outcome", "in_time"), ("source", 'a"b\\c\nd 1'))] == 1


@pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not installed: Debian's package prometheus has it"
)
def test_promtool_finds_nothing_to_say(view, edge_view):
    for content in (scraped(lambda: device_families(view))()[0], scraped(lambda: edge_families(edge_view))()[0]):
        checked = subprocess.run(["promtool", "check", "metrics"], input=content, capture_output=True, check=False)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
