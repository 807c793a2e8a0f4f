"""An event as a line: printable and short, whatever stands in it, and never without its id."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.events import Event
from edgent.sinks.lines import MOST_LINE, MOST_TEXT, EventLine
from edgent.telemetry import Record
from sinks.telling import event, record

TEXTS = st.text(alphabet=st.characters(), max_size=400)


def texts_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts_in(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts_in(part)]
    return [value] if isinstance(value, str) else []


@given(TEXTS, TEXTS, TEXTS)
def test_every_text_in_a_line_is_printable_and_short(source: str, label: str, error: str) -> None:
    told = event(source=source, error=error, record=record(label=label, result={label: [{"label": label}]}))
    line = EventLine.of_event(told)
    for text in [line.source, *texts_in(json.loads(line.line))]:
        assert len(text) <= MOST_TEXT
        assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 or 0x202A <= ord(sign) <= 0x202E for sign in text)
    assert line.line.isascii() and "\n" not in line.line


def test_a_line_holds_what_the_event_says_of_itself() -> None:
    told = event(7, record=record(result={"boxes": []}), picture=b"jpeg")
    line = EventLine.of_event(told)
    assert json.loads(line.line) == json.loads(told.to_json())
    assert (line.id, line.source, line.picture) == (told.id, "door", b"jpeg")
    assert line.size == len(line.line) + 4


@pytest.mark.parametrize("count", [10, 100_000])
def test_a_result_without_end_is_left_out_and_the_rest_stays(count: int) -> None:
    line = EventLine.of_event(event(record=record(result={"values": list(range(count))})))
    document = json.loads(line.line)
    assert len(line.line) <= MOST_LINE
    assert ("left_out" in document["record"]["result"]) == (count > 10)
    assert document["record"]["label"] == "cat"
    assert Record.from_json(json.dumps(document["record"])).deadline_met


def test_a_frame_without_an_answer_has_a_line_too() -> None:
    line = EventLine.of_event(Event(id="a", source="s", number=1, captured_at=0, kind="failed", error="no JPEG"))
    assert json.loads(line.line)["error"] == "no JPEG"
