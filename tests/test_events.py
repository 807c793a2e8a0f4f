"""What is told of frames."""

import json
from datetime import datetime

from edgent.events import Event
from edgent.planning.plan import Stages
from edgent.telemetry import Record
from edgent.units import Seconds

RECORD = Record(
    input="door",
    label="cat",
    exit=1,
    by="edge",
    deadline_met=True,
    total=Seconds(0.02),
    stages=Stages(head=Seconds(0.02)),
    plan=None,
)


def document(event: Event) -> dict[str, object]:
    read: dict[str, object] = json.loads(event.to_json())
    return read


def test_an_event_is_one_line_with_the_record_as_records_have_it() -> None:
    event = Event(id="a-1", source="door\n2", number=3, captured_at=0.25, kind="answer", record=RECORD)
    assert "\n" not in event.to_json()
    assert document(event)["source"] == "door\n2"
    assert document(event)["record"] == json.loads(RECORD.to_json())


def test_when_a_frame_was_captured_is_written_with_its_zone() -> None:
    event = Event(id="a-1", source="door", number=3, captured_at=1_700_000_000.25, kind="replaced")
    written = document(event)["captured_at"]
    assert isinstance(written, str)
    assert datetime.fromisoformat(written).timestamp() == 1_700_000_000.25


def test_the_line_has_no_picture_and_says_why_nothing_was_answered() -> None:
    event = Event(id="a-1", source="door", number=3, captured_at=0, kind="failed", picture=b"\xff\xd8", error="no JPEG")
    assert set(document(event)) == {"id", "source", "number", "captured_at", "kind", "record", "error"}
    assert document(event)["error"] == "no JPEG"
    assert document(event)["record"] is None
    assert "xff" not in repr(event)
