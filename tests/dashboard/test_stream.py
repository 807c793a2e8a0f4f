"""The stream to those who look: all of it first, then what is new; no queue for anybody."""

from __future__ import annotations

import asyncio
import json

from dashboard.playing import PlayedDevice, event
from edgent.dashboard.device_view import DeviceView
from edgent.dashboard.stream import Stream


def made(**settings) -> tuple[DeviceView, Stream]:
    view = DeviceView(PlayedDevice(), lambda: 1000.0)
    return view, Stream(view, **settings)


def read(message: bytes) -> tuple[str, dict]:
    name, data, *rest = message.decode().split("\n")
    assert rest == ["", ""]
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_viewer_gets_the_whole_and_then_what_is_new():
    view, stream = made(every=0.001)
    view.tell(event(0))

    async def look() -> list[tuple[str, dict]]:
        messages, got = stream.messages(), []
        assert (await anext(messages)).startswith(b"retry: ")
        for number in range(1, 4):
            got.append(read(await anext(messages)))
            view.tell(event(number))
        await messages.aclose()
        return got

    got = asyncio.run(look())
    assert [name for name, _ in got] == ["whole", "news", "news"]
    assert [[row[0] for row in document["rows"]] for _, document in got] == [[1], [2], [3]]


def test_viewers_at_one_place_share_the_same_bytes():
    view, stream = made()
    view.tell(event(0))
    seen, _ = stream.message(0, 1.0)
    view.tell(event(1))
    assert stream.message(seen, 2.0)[1] is stream.message(seen, 2.0)[1]
    assert stream.message(seen, 2.0)[1] is not stream.message(seen, 3.0)[1]


def test_a_slow_viewer_is_sent_at_once_what_it_has_missed():
    view, stream = made()
    for number in range(100):
        view.tell(event(number))
    slow, _ = stream.message(0, 0.0)
    for number in range(100, 400):
        view.tell(event(number))
        stream.message(number, float(number))  # another one, that keeps up
    seen, message = stream.message(slow, 1e9)
    assert [row[0] for row in read(message)[1]["rows"]] == list(range(101, 401))
    assert seen == 400


def test_a_line_end_in_a_name_ends_no_message():
    view, stream = made()
    view.tell(event(0, source="a\n\nevent: whole\ndata: {}\n\n"))
    assert read(stream.message(0, 0.0)[1])[1]["rows"][0][2].startswith("a\n\nevent")


def test_who_leaves_makes_room():
    _, stream = made(most=2)
    with stream.viewer():
        with stream.viewer():
            assert stream.is_full
        assert not stream.is_full
    assert stream.viewers == 0
