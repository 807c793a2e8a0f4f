"""All sinks behind one listener: who tells waits for none of them, and none of them for another."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgent.sinks.addresses import parse_sink
from edgent.sinks.delivery import SinkDelivery
from edgent.sinks.fair_queue import MOST_EVENTS
from edgent.sinks.fan import SinkFan, delivery_to
from edgent.sinks.outbox import Outbox
from sinks.telling import FakeSink, event


@pytest.fixture
def fan_of(clock, tmp_path):
    def made(*sinks: FakeSink) -> SinkFan:
        return SinkFan([SinkDelivery(sink, Outbox(tmp_path / sink.name), clock) for sink in sinks], clock)

    return made


def test_each_event_goes_to_every_sink_in_order(fan_of, clock) -> None:
    one, other = FakeSink(name="one"), FakeSink(name="other")
    fan = fan_of(one, other)
    for number in range(5):
        fan.tell(event(number))
    fan.close()
    assert one.numbers == other.numbers == [0, 1, 2, 3, 4]


def test_a_sink_that_fails_keeps_no_other_one(fan_of, clock) -> None:
    broken, whole = FakeSink(name="broken", failing_from=0), FakeSink(name="whole")
    fan = fan_of(broken, whole)
    for number in range(3):
        fan.tell(event(number))
        clock.sleep(10)
    assert whole.numbers == [0, 1, 2]
    assert [state.waiting for state in fan.states] == [3, 0]
    fan.close()


def test_who_tells_returns_at_once_and_the_oldest_go_where_nobody_takes_them(fan_of, clock, caplog) -> None:
    sink = FakeSink()
    fan = fan_of(sink)
    for number in range(MOST_EVENTS + 5):  # no other thread has a turn in between: a disk that hangs
        fan.tell(event(number))
    assert clock.now() == 0
    fan.close()
    assert sink.numbers == list(range(5, MOST_EVENTS + 5))
    assert any("5 events were dropped" in entry.getMessage() for entry in caplog.records)


def test_what_no_sink_had_is_lost_to_each_and_a_quiet_camera_loses_none(fan_of, clock, caplog) -> None:
    sinks = FakeSink(name="one"), FakeSink(name="other")
    fan = fan_of(*sinks)
    for number in range(7600):
        fan.tell(event(number, source="mad", kind="replaced"))
        if number % 50 == 0:
            fan.tell(event(number, source="door"))
    clock.sleep(1)
    assert [state.dropped for state in fan.states] == [7600 + 152 - MOST_EVENTS] * 2
    for sink in sinks:
        assert [line.source for line in sink.taken].count("door") == 152
    assert len([entry for entry in caplog.records if "events were dropped" in entry.getMessage()]) == 1
    fan.close()


def test_pictures_that_were_told_have_a_bound_in_memory(fan_of) -> None:
    sink = FakeSink(with_pictures=True)
    fan = fan_of(sink)
    for number in range(5):
        fan.tell(event(number, picture=bytes(20 << 20)))
    fan.close()
    assert sink.numbers == [2, 3, 4]


def test_only_who_takes_pictures_is_given_them(fan_of) -> None:
    words, frames = FakeSink(name="words"), FakeSink(name="frames", with_pictures=True)
    fan = fan_of(words, frames)
    assert fan.with_pictures and not fan_of(replace(words, name="again")).with_pictures
    fan.tell(event(0, picture=b"jpeg"))
    fan.close()
    assert words.taken[0].picture is None and frames.taken[0].picture == b"jpeg"


def test_sinks_that_hang_at_the_end_do_so_at_the_same_time(fan_of, clock) -> None:
    class Hanging(FakeSink):
        def deliver(self, events):
            clock.sleep(2.0)
            yield from super().deliver(events)

    sinks = [Hanging(name=str(number)) for number in range(5)]
    fan = fan_of(*sinks)
    fan.tell(event(0))
    fan.close()
    assert clock.now() < 4.0 and all(sink.numbers == [0] for sink in sinks)


def test_no_sink_at_all_is_fine(fan_of) -> None:
    fan = fan_of()
    fan.tell(event(0))
    fan.close()
    assert fan.states == () and "no sinks" in repr(fan)


def test_what_an_address_names_is_delivered_to(tmp_path: Path, clock) -> None:
    file, folder = tmp_path / "events.jsonl", tmp_path / "frames"
    addresses = [parse_sink(f"jsonl:{file}"), parse_sink(f"folder:{folder}")]
    fan = SinkFan([delivery_to(address, tmp_path / "outboxes", clock) for address in addresses], clock)
    fan.tell(event(3, picture=b"jpeg"))
    fan.close()
    (line,) = file.read_text().splitlines()
    assert json.loads(line) == json.loads(event(3).to_json())
    assert sorted(path.suffix for path in folder.rglob("*.*") if path.is_file()) == [".jpg", ".json"]
    assert len(list((tmp_path / "outboxes").iterdir())) >= 2


def test_a_file_whose_name_is_no_text_is_delivered_to(tmp_path: Path, clock) -> None:
    fan = SinkFan([delivery_to(parse_sink(f"jsonl:{tmp_path}/a\udcff"), tmp_path / "outboxes", clock)], clock)
    fan.tell(event(0))
    fan.close()
    assert (tmp_path / "a\udcff").read_text()
