"""`POST /predict`: the same answer as the device's own, and one line of JSON for whatever goes wrong."""

from __future__ import annotations

import asyncio
import io
import json
import tracemalloc
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from dashboard.asking import HOST, answered, ask
from edgent.address import Address
from edgent.dashboard.access import access_to
from edgent.dashboard.application import application
from edgent.dashboard.device_view import DeviceView
from edgent.dashboard.guard import PageGuard
from edgent.dashboard.opened import DevicePage
from edgent.dashboard.predict import _AT_ONCE, _WAITING, MOST_BYTES, Predict
from edgent.errors import EdgeError, EdgentError, InputError, RefusedError
from edgent.testing import FakeEngine


def jpeg() -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(3).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


PICTURE = jpeg()


class Keeping:
    """Who is told of what was posted, and may be behind with keeping it."""

    def __init__(self) -> None:
        self.told, self.is_behind = [], False

    def tell(self, event, answer) -> None:
        self.told.append(event)


class Failing:
    """A device that raises."""

    deadline, has_edge, connected, problem, conditions, traffic = 0.1, True, False, "", None, (0, 0)

    def __init__(self, error: Exception) -> None:
        self.error = error

    def infer(self, *_, **__):
        raise self.error


def app_of(device, told=lambda *_: None):
    view = DeviceView(device, lambda: 1000.0)
    return application(
        view, PageGuard(hosts={"localhost"}), metrics=lambda: (b"", ""), predict=Predict(device, told).answer
    )


@pytest.fixture
def real(model, slow):
    """A device by itself, on the machine's clock: what is posted is answered in threads that no test's clock made."""
    from edgent.device.device import Device

    with Device(model, deadline=10.0, device_profile=slow, engine=FakeEngine()) as device:
        yield device


def test_the_answer_is_that_of_the_device_itself(real):
    got = ask(app_of(real), "/predict", "POST", PICTURE, query="name=cat.png")
    expected = real.infer(PICTURE, name="cat.png").kept()
    assert got.status == 200
    assert got.json["result"] == expected.result
    assert (got.json["input"], got.json["exit"], got.json["by"]) == ("cat.png", expected.exit, "device")


def test_a_request_may_have_a_deadline_of_its_own(real):
    late = ask(app_of(real), "/predict", "POST", PICTURE, query="deadline_ms=1")
    assert late.status == 200
    for text in ("0", "-1", "soon", "1e3", "9" * 30, "٣"):
        got = ask(app_of(real), "/predict", "POST", PICTURE, query=f"deadline_ms={text}")
        assert got.status == 400 and "deadline_ms" in got.json["error"], text


def test_the_page_is_told_what_was_posted(real):
    told = []
    ask(app_of(real, lambda answer, picture: told.append((answer.record.input, picture))), "/predict", "POST", PICTURE)
    assert told == [("predict", PICTURE)]


def test_who_else_is_told_of_what_was_posted_is_given_a_jpeg(real):
    """Sinks write a file of that name, and brokers keep it as one."""
    keeping, here = Keeping(), Address(host="127.0.0.1", port=0)
    with DevicePage(real, here, access_to(here, None), keeping) as page:
        page.answered(real.infer(PICTURE), PICTURE)
    assert [Image.open(io.BytesIO(event.picture)).format for event in keeping.told] == ["JPEG"]


def test_while_what_was_answered_waits_to_be_kept_nothing_more_is_taken_in(real):
    keeping, here = Keeping(), Address(host="127.0.0.1", port=0)
    statuses = []
    with DevicePage(real, here, access_to(here, None), keeping) as page:
        for keeping.is_behind in (False, True, False):
            try:
                with urllib.request.urlopen(f"{page.url}predict", PICTURE, timeout=60) as answer:
                    statuses.append((answer.status, None))
            except urllib.error.HTTPError as refusal:
                statuses.append((refusal.code, refusal.headers["Retry-After"]))
                assert "the disk is slow" in json.load(refusal)["error"]
    assert statuses == [(200, None), (503, "1"), (200, None)]
    assert len(keeping.told) == 2


@pytest.mark.parametrize("body", [b"", b"no picture", PICTURE[:40], b"\x00" * 1000])
def test_what_is_no_picture_is_the_callers_fault(real, body):
    got = ask(app_of(real), "/predict", "POST", body)
    assert got.status == 400
    assert "\n" not in got.json["error"]


def test_a_body_without_an_end_is_refused_before_it_is_all_here(real):
    chunk = bytes(1 << 20)
    chunks = [chunk] * ((MOST_BYTES >> 20) + 5)
    got = asyncio.run(answered(app_of(real), "/predict", "POST", chunks))
    assert got.status == 413


def test_who_sends_a_picture_too_slowly_gives_its_place_to_others(real, monkeypatch):
    monkeypatch.setattr("edgent.dashboard.predict._SLOWEST", 0.05)
    monkeypatch.setattr("edgent.dashboard.application._PASSING", 0.01)
    sent = []

    async def post() -> None:
        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [HOST], "query_string": b""}
        await asyncio.wait_for(app_of(real)(scope, asyncio.Event().wait, send), 30)

    asyncio.run(post())
    assert sent[0]["status"] == 408


@pytest.mark.parametrize(
    ("error", "status"),
    [(EdgeError("edge lost"), 503), (RefusedError("another model"), 503), (EdgentError("the engine failed"), 500)],
)
def test_an_error_has_the_status_of_whose_fault_it_is(error, status):
    got = ask(app_of(Failing(error)), "/predict", "POST", PICTURE)
    assert (got.status, got.json) == (status, {"error": str(error)})
    assert ("retry-after" in got.headers) is (status == 503)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_pictures_are_posted(real, method):
    got = ask(app_of(real), "/predict", method)
    assert got.status == 405 and "error" in got.json


def test_only_so_many_wait(real):
    predict = Predict(real, lambda *_: None)
    predict._in_hand = _AT_ONCE + _WAITING
    view = DeviceView(real, lambda: 1000.0)
    app = application(view, PageGuard(hosts={"localhost"}), metrics=lambda: (b"", ""), predict=predict.answer)
    assert ask(app, "/predict", "POST", PICTURE).status == 503


async def sends_a_part(app, part: bytes, here: asyncio.Event, leave: asyncio.Event) -> None:
    """Who sends a part of a picture, and goes away in the end."""
    parts = [{"type": "http.request", "body": part, "more_body": True}]

    async def receive():
        if parts:
            return parts.pop()
        here.set()
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        pass

    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [HOST], "query_string": b""}
    await app(scope, receive, send)


def test_all_pictures_together_have_only_so_many_bytes_until_their_senders_are_answered(real, monkeypatch):
    monkeypatch.setattr("edgent.dashboard.predict._MOST_IN_HAND", len(PICTURE) + 100)
    app = app_of(real)

    async def posts() -> list:
        here, leave = asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(sends_a_part(app, bytes(200), here, leave))
        await here.wait()
        got = [await answered(app, "/predict", "POST", [PICTURE])]
        leave.set()
        await first
        return [*got, *[await answered(app, "/predict", "POST", [PICTURE]) for _ in range(3)]]

    refused, *others = asyncio.run(posts())
    assert (refused.status, refused.json["error"]) == (503, "200 bytes of pictures are in hand already")
    assert refused.headers["retry-after"] == "1"
    assert [got.status for got in others] == [200, 200, 200]


def test_a_picture_is_held_once():
    held = []

    class Watching(Failing):
        def infer(self, picture, **_):
            held.append(tracemalloc.get_traced_memory()[0])
            raise self.error

    size, app = 8 << 20, app_of(Watching(InputError("seen")))
    chunks = [bytes(1 << 20)] * 8
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert asyncio.run(answered(app, "/predict", "POST", chunks)).status == 400
    finally:
        tracemalloc.stop()
    assert held[0] - before < 1.3 * size
