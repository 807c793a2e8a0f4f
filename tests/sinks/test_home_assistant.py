"""What Home Assistant is told: a device a camera, each entity with a state that is really published."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.sinks.home_assistant import CameraState, discovery, discovery_topic, slug
from sinks.telling import event, record


def state_after(*events) -> dict:
    state = CameraState()
    for one in events:
        state.learn(json.loads(one.to_json()))
    return json.loads(state.to_json())


def boxes(*labels: str) -> dict:
    return {"boxes": [{"xyxy": [0, 0, 1, 1], "score": 0.5, "class": 3, "label": label} for label in labels]}


def test_every_sensor_reads_what_the_state_holds() -> None:
    state = state_after(event(0, record=record(result=boxes("cat"))))
    for entity in discovery("home/edgent", "door", with_pictures=True)["components"].values():
        if entity["platform"] == "sensor":
            (key,) = re.fullmatch(r"\{\{ value_json\.(\w+) \}\}", entity["value_template"]).groups()
            assert key in state


def test_a_camera_is_a_device_with_an_entity_of_each_kind() -> None:
    document = discovery("home/edgent", "door", with_pictures=True)
    assert set(document["components"]) == {"label", "count", "latency", "in_time", "answered_by", "picture"}
    assert document["components"]["picture"]["image_topic"] == "home/edgent/door/picture"
    assert document["state_topic"] == "home/edgent/door/state"
    assert document["availability_topic"] == "home/edgent/status"
    assert document["device"]["identifiers"] and document["origin"]["name"] == "edgent"  # both are required
    assert "picture" not in discovery("home/edgent", "door", with_pictures=False)["components"]


def test_no_two_entities_of_any_cameras_have_the_same_id() -> None:
    cameras = [("a", "b"), ("a", "b c"), ("a", "b_c"), ("a_b", "c"), ("a/b", "c"), ("a", "b/c"), ("x", "ä"), ("x", "ö")]
    ids = [
        entity["unique_id"]
        for topic, source in cameras
        for entity in discovery(topic, source, with_pictures=True)["components"].values()
    ]
    assert len(set(ids)) == len(ids) == 6 * len(cameras)
    assert len({discovery_topic(*camera) for camera in cameras}) == len(cameras)


@given(st.text(max_size=100))
def test_a_slug_is_one_level_of_a_topic(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,47}", slug(text))


@pytest.mark.parametrize(
    ("answer", "label", "count"),
    [
        (record(result=boxes("cat", "dog")), "cat", 2),
        (record(result=boxes()), "none", 0),
        (record(result=boxes("")), "class 3", 1),
        (record(label="ship", result={"top": []}), "ship", 1),
        (record(label=None), "unknown", 1),
    ],
)
def test_label_and_count_are_those_of_the_answer(answer, label: str, count: int) -> None:
    state = state_after(event(0, record=answer))
    assert (state["label"], state["count"]) == (label, count)


def test_the_share_in_time_counts_answers_and_failures_and_nothing_else() -> None:
    events = [
        event(0),
        event(1, record=record(in_time=False)),
        event(2, kind="failed"),
        event(3, kind="replaced"),
        event(4, kind="refined"),
        event(5),
    ]
    assert state_after(*events)["in_time_percent"] == 50.0  # two of four


def test_the_share_is_of_the_last_hundred() -> None:
    late = [event(number, record=record(in_time=False)) for number in range(50)]
    assert state_after(*late, *map(event, range(100)))["in_time_percent"] == 100.0


def test_a_frame_without_an_answer_tells_nothing_new() -> None:
    assert not CameraState().learn(json.loads(event(0, kind="replaced").to_json()))
