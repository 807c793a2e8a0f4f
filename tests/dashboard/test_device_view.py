"""What is shown of a device: what its events and records say, bounded, and the new part of it by itself."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboard.playing import CONDITIONS, SPLIT, PlayedDevice, event, record
from device.connection.returning import Ends, Setup
from edgent.dashboard.device_view import HISTORY, DeviceView
from edgent.dashboard.tallies import MOST_SOURCES
from edgent.link import TransferModel
from edgent.names import OTHERS
from edgent.planning.plan import STAGES, Stages
from edgent.units import Seconds

JPEG = b"\xff\xd8 not looked at"


class Time:
    """Seconds since 1970, as a test sets them."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def device() -> PlayedDevice:
    return PlayedDevice()


@pytest.fixture
def view(device, time) -> DeviceView:
    return DeviceView(device, time)


def test_a_document_is_json_even_before_anything_has_happened(view):
    document = json.loads(json.dumps(view.document(0)))
    assert (document["number"], document["rows"], document["plan"]) == (0, [], None)
    assert document["model"] == {"name": "net", "version": "0123456789ab"}


def test_each_answer_is_a_row_with_the_stages_of_its_record(view):
    stages = Stages(**{stage: 0.001 * (place + 1) for place, stage in enumerate(STAGES)})
    view.tell(event(7, record=record(stages=stages, total=stages.total, exit=3, by="device", why="edge late")))
    (row,) = view.document(0)["rows"]
    assert row == [1, 107.0, "door", 36.0, "device", True, 3, "edge late", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]


def test_what_is_new_since_a_number_and_what_was_before_make_the_whole(view):
    for number in range(10):
        view.tell(event(number))
    before = view.document(0)
    for number in range(10, 15):
        view.tell(event(number, record=record(deadline_met=number % 2 == 0)))
    news, whole = view.document(before["number"]), view.document(0)
    for history in ("rows", "remarks", "beliefs"):
        assert before[history] + news[history] == whole[history]
    assert len(news["rows"]) == 5


def test_counts_are_of_all_events_though_the_history_is_bounded(view):
    many = HISTORY + 50
    for number in range(many):
        view.tell(event(number, record=record(deadline_met=number % 10 != 0)))
    view.tell(event(many, "replaced"))
    view.tell(event(many + 1, "failed", error="no JPEG"))
    view.tell(event(many + 2, "refined", record=record()))
    document = view.document(0)
    assert len(document["rows"]) == HISTORY
    assert document["counts"]["sources"] == {"door": [585, 65, 1, 1, 1]}
    assert document["counts"]["by"] == {"device": 0, "edge": many}


def test_only_so_many_sources_are_told_apart(view):
    for number in range(MOST_SOURCES + 20):
        view.tell(event(number, source=f"camera {number}", picture=JPEG))
    document = view.document(0)
    assert len(document["counts"]["sources"]) == MOST_SOURCES + 1 == len(document["pictures"])
    assert document["counts"]["sources"][OTHERS][0] == 20


def test_a_late_answer_says_why(view):
    view.tell(event(1, record=record(deadline_met=False)))
    view.tell(event(2, record=record(deadline_met=False, why="edge failed: bad weather")))
    view.tell(event(3, record=record(deadline_met=False, why="edge failed: no luck")))
    document = view.document(0)
    assert document["counts"]["missed"] == [("edge failed", 2), ("uplink took longest", 1)]
    assert document["counts"]["detours"] == [("edge failed", 2)]
    assert [remark[3] for remark in document["remarks"]] == ["late: uplink took longest", *["late: edge failed"] * 2]


def test_what_failed_is_remarked_with_the_error(view):
    view.tell(event(1, "failed", error="door: found no picture"))
    assert view.document(0)["remarks"] == [[1, 101.0, "door", "door: found no picture"]]


def test_the_last_picture_of_each_source_is_kept_with_what_was_answered(view):
    boxes = [{"xyxy": [1, 2, 3, 4], "score": 0.5, "class": 0, "label": "cat"}]
    view.tell(event(1, picture=b"old"))
    view.tell(event(2, picture=JPEG, record=record(result={"boxes": boxes})))
    view.tell(event(3, source="yard", picture=b"yard", record=record(label="dog")))
    assert (view.picture("door"), view.picture("yard"), view.picture("nowhere")) == (JPEG, b"yard", None)
    assert view.document(0)["pictures"] == {
        "door": {"number": 2, "input": "door", "label": None, "boxes": boxes, "top": []},
        "yard": {"number": 3, "input": "door", "label": "dog", "boxes": [], "top": []},
    }


def test_a_refined_answer_replaces_the_picture_and_has_no_place_in_time(view):
    view.tell(event(1, picture=b"first"))
    view.tell(event(1, "refined", picture=b"first", record=record(label="better")))
    document = view.document(0)
    assert len(document["rows"]) == 1
    assert document["pictures"]["door"]["label"] == "better"


def test_a_frame_that_was_replaced_leaves_the_picture_that_was_answered(view):
    view.tell(event(1, picture=b"answered"))
    view.tell(event(2, "replaced", picture=b"never asked about"))
    assert view.picture("door") == b"answered"


def test_a_picture_that_is_far_too_large_is_not_kept(view):
    view.tell(event(1, picture=bytes(9 << 20)))
    assert view.picture("door") is None
    assert len(view.document(0)["rows"]) == 1


def test_the_plan_is_that_of_the_last_answer_that_had_one(view):
    view.tell(event(1, record=record(plan=SPLIT)))
    view.tell(event(2))
    assert view.document(0)["plan"]["total_ms"] == 68.0


def test_what_is_believed_of_the_link_is_noted_twice_a_second(view, time, device):
    for number in range(50):
        time.at += 0.1
        view.tell(event(number))
    device.conditions = None
    time.at += 1.0
    view.tell(event(50))
    beliefs = view.document(0)["beliefs"]
    assert 9 <= len(beliefs) <= 11
    assert beliefs[0][2:] == [8_000_000, 20_000_000, False]
    assert beliefs[-1][2:] == [None, None, False]  # a gap, and no line over it


def test_a_clock_that_is_set_back_stops_nothing(view, time):
    for at in (1000.0, 1001.0, 500.0, 500.1, 501.0):
        time.at = at
        view.tell(event(1))
    assert [belief[1] for belief in view.document(0)["beliefs"]] == [1000.0, 1001.0, 500.0, 501.0]


def believing(device, view, time, bandwidths):
    """The looks at which a change of the uplink's level was noted while this was believed of it."""
    for bandwidth in bandwidths:
        time.at += 1.0
        device.conditions = bandwidth and replace(CONDITIONS, uplink=TransferModel(bandwidth=bandwidth))
        view.tell(event(1))
    return [look for look, belief in enumerate(view.document(0)["beliefs"]) if belief[4]]


def test_a_change_of_the_uplinks_level_is_noted_two_looks_later(view, time, device):
    levels = [(2e7 if number < 50 else 1e6) * (1 + 0.05 * (number % 5)) for number in range(80)]
    (found,) = believing(device, view, time, levels)
    assert 50 < found <= 52


@pytest.mark.parametrize("period", [0.1, 2.0])
@pytest.mark.parametrize("environment", ["static", "dynamic"])
def test_it_is_noted_too_where_the_device_sends_nothing_more(made, model, fast, clock, picture, environment, period):
    """What the link is by then is known by small probes, and by what was given up."""
    ends = Ends(made, model, fast, clock, Setup(environment, race=True, period=period), seed=0)
    view = DeviceView(ends.device, clock.now)

    def watched(seconds: int) -> list[float]:
        began_at = clock.now()
        for look in range(seconds):
            ends.run(picture, began_at + look + 1)
            view.tell(event(1))
        return [at for _, at, *_, is_change in view.document(0)["beliefs"] if is_change and at > began_at]

    ends.link.set(bandwidth=2e7)
    assert not watched(20)
    ends.link.set(bandwidth=1e6)
    assert watched(10)


def test_an_edge_that_is_lost_for_a_while_is_no_change_of_the_uplinks_level(view, time, device):
    assert not believing(device, view, time, [1e6] * 20 + [None] * 20 + [1e6] * 20)


def test_a_link_that_is_believed_to_carry_next_to_nothing_stops_nothing(view, time, device):
    (found,) = believing(device, view, time, [1e6] * 20 + [1e-3] * 20)
    assert 20 < found <= 22


def test_the_link_is_shown_as_the_device_believes_it_at_the_moment(view, device):
    device.conditions = replace(CONDITIONS, queue=Seconds(0.5))
    link = view.document(0)["link"]
    assert (link["up_bps"], link["down_bps"]) == (8_000_000, 20_000_000)
    assert (link["round_trip_ms"], link["queue_ms"]) == (10.0, 500.0)
    device.conditions, device.connected, device.problem = None, False, "edge lost"
    document = view.document(0)
    assert document["link"] is None
    assert document["edge"] == {"connected": False, "problem": "edge lost"}


def test_a_real_device_is_shown_as_it_is(made, link, until, model):
    device = made(bandwidth=1e7)
    view = DeviceView(device, lambda: 1000.0)
    assert until(lambda: device.connected)
    document = view.document(0)
    assert document["edge"] == {"connected": True, "problem": ""}
    assert (document["model"]["version"], document["deadline_ms"]) == (model.version, 300.0)
    assert document["link"]["up_bps"] == 10_000_000
    link.cut()
    assert until(lambda: not device.connected)
    assert view.document(0)["edge"]["problem"] == "edge lost"
