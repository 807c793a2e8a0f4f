"""What answers on the page's port: with strict headers, and with nothing but the page's own files."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from dashboard.asking import HOST, answered, ask
from dashboard.playing import PlayedDevice, event
from edgent.dashboard.application import application, page_files
from edgent.dashboard.device_view import DeviceView
from edgent.dashboard.guard import HEADERS, PageGuard
from edgent.dashboard.stream import MOST_VIEWERS

GUARD = PageGuard(hosts={"localhost"})


@pytest.fixture
def view() -> DeviceView:
    return DeviceView(PlayedDevice(), lambda: 1000.0)


@pytest.fixture
def app(view):
    return application(view, GUARD, metrics=lambda: (b"up 1\n", "text/plain; version=1.0.0"))


@pytest.mark.parametrize("path", ["/", "/page.css", "/nothing.js", "/picture", "/metrics", "/predict"])
def test_the_headers_stand_beside_every_answer(app, path):
    got = ask(app, path)
    assert {name: got.headers[name.lower()] for name in HEADERS} == HEADERS


def test_the_headers_stand_beside_a_refusal(app):
    got = ask(app, "/", headers=[(b"host", b"evil.example")])
    assert got.status == 421
    assert "localhost" in got.json["error"]
    assert {name: got.headers[name.lower()] for name in HEADERS} == HEADERS


def test_who_must_say_a_password_is_asked_for_it(view):
    app = application(view, PageGuard(hosts={"localhost"}, password="x"), metrics=lambda: (b"", ""))
    got = ask(app, "/metrics")
    assert (got.status, got.headers["www-authenticate"]) == (401, 'Basic realm="edgent", charset="UTF-8"')


def test_the_page_is_made_of_its_files(app):
    page = ask(app, "/").body.decode()
    assert page.startswith("<!doctype html>")
    for name in ("main.js", "page.css", "uPlot.iife.min.js", "uPlot.min.css"):
        assert name in page
        assert ask(app, f"/{name}").status == 200


def test_the_page_loads_nothing_from_elsewhere_and_has_no_script_inside():
    for name, file in page_files().items():
        if not name.startswith("uPlot"):
            text = file.content.decode().replace("http://www.w3.org/2000/svg", "")
            assert "//" not in text.replace("// ", ""), name
            assert "innerHTML" not in text and "onclick" not in text and "style=" not in text


@pytest.mark.parametrize(
    "path", ["/../guard.py", "/%2e%2e/guard.py", "/uPlot.LICENSE", "/page", "/a/b", "/__init__.py"]
)
def test_nothing_else_is_served(app, path):
    assert ask(app, path).status == 404


def test_a_picture_is_that_of_the_source_that_is_named(app, view):
    view.tell(event(1, source="a&b", picture=b"jpeg of a"))
    got = ask(app, "/picture", query="source=a%26b&number=1")
    assert (got.status, got.headers["content-type"], got.body) == (200, "image/jpeg", b"jpeg of a")
    assert ask(app, "/picture", query="source=b").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_page_only_reads(app, method):
    assert ask(app, "/", method).status == 405
    assert "error" in ask(app, "/metrics", method).json


def test_the_stream_begins_with_the_whole_and_ends_with_its_viewer(app, view):
    view.tell(event(1))
    got = ask(app, "/events")
    assert got.headers["content-type"].startswith("text/event-stream")
    assert b"event: whole\n" in got.body


def test_more_viewers_than_there_is_room_for_are_told_so(view, monkeypatch):
    monkeypatch.setattr("edgent.dashboard.application._PASSING", 0.01)  # these never say that they have said all
    app = application(view, GUARD, metrics=lambda: (b"", ""))
    statuses = []

    async def viewer() -> None:
        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        asked = asyncio.Event()
        scope = {"type": "http", "method": "GET", "path": "/events", "headers": [HOST], "query_string": b""}
        await app(scope, asked.wait, send)

    async def crowd() -> None:
        tasks = [asyncio.create_task(viewer()) for _ in range(MOST_VIEWERS + 3)]
        while len(statuses) < len(tasks):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(crowd())
    assert (statuses.count(200), statuses.count(503)) == (MOST_VIEWERS, 3)


def test_who_takes_nothing_of_what_is_sent_is_hung_up_on(app, monkeypatch, caplog):
    monkeypatch.setattr("edgent.dashboard.application._SLOWEST", 0.05)

    async def look() -> None:
        async def send(message):
            await asyncio.Event().wait()

        scope = {"type": "http", "method": "GET", "path": "/events", "headers": [HOST], "query_string": b""}
        await asyncio.wait_for(app(scope, asyncio.Event().wait, send), 30)

    asyncio.run(look())
    assert caplog.records == []


def seen_by_a_device(view, until: float) -> tuple[int, list[float]]:
    """How many parts of an answer of ten a device is sent that may look until then, and when its guard was asked.

    A clock goes on for half a minute with each part.
    """
    now, asked_at, sent = [0.0], [], []

    def has_joined(_: bytes) -> bool:
        asked_at.append(now[0])
        return now[0] < until

    async def goes_on(_: Request) -> Response:
        async def parts():
            for _ in range(10):
                yield b"part"

        return StreamingResponse(parts())

    async def send(message):
        sent.append(message.get("body"))
        now[0] += 30.0

    guard = PageGuard(hosts={"localhost"}, password="long secret", has_joined=has_joined)
    app = application(view, guard, metrics=lambda: (b"", ""), predict=goes_on, now=lambda: now[0])
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": [HOST], "query_string": b""}
    scope["state"] = {"certificate": b"PEM"}
    asyncio.run(asyncio.wait_for(app(scope, asyncio.Event().wait, send), 30))
    return sent.count(b"part"), asked_at


def test_what_a_removed_device_looks_at_ends_within_a_minute(view, caplog):
    parts, asked_at = seen_by_a_device(view, until=70.0)
    assert asked_at == [0.0, 60.0, 120.0]
    assert parts == 3  # at 30, 60 and 90 s
    assert caplog.records == []


def test_what_a_device_looks_at_goes_on_while_it_may(view):
    parts, asked_at = seen_by_a_device(view, until=1e9)
    assert parts == 10
    assert asked_at == [0.0, 60.0, 120.0, 180.0, 240.0, 300.0]


def test_who_is_refused_is_told_once_what_it_sends_is_here_and_leaves(app):
    refused = [(b"host", b"evil.example")]
    got = asyncio.run(answered(app, "/predict", "POST", [bytes(1000)] * 50, headers=refused))
    assert (got.status, got.headers["connection"]) == (421, "close")
    assert "connection" not in ask(app, "/").headers


def test_who_is_refused_and_sends_without_an_end_is_told_all_the_same(app, monkeypatch):
    monkeypatch.setattr("edgent.dashboard.application._PASSING", 0.05)
    sent = []

    async def post() -> None:
        async def send(message):
            sent.append(message)

        async def drips():
            await asyncio.sleep(0.001)
            return {"type": "http.request", "body": b"x", "more_body": True}

        headers = [(b"host", b"evil.example")]
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
        await asyncio.wait_for(app(scope, drips, send), 30)

    asyncio.run(post())
    assert sent[0]["status"] == 421


def test_who_asks_whether_to_send_is_refused_before_it_sends(app):
    async def never():
        raise AssertionError("it was invited to send")

    sent = []

    async def post() -> None:
        async def send(message):
            sent.append(message)

        headers = [(b"host", b"evil.example"), (b"expect", b"100-continue")]
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
        await app(scope, never, send)

    asyncio.run(post())
    assert sent[0]["status"] == 421


def test_what_fails_here_is_one_line_for_who_asked_and_for_the_log(view, caplog):
    def broken():
        raise ValueError("a bug\nof two lines")

    app = application(view, GUARD, metrics=broken)
    got = ask(app, "/metrics")
    assert (got.status, got.json) == (500, {"error": "ValueError: a bug\\nof two lines"})
    assert [record.getMessage() for record in caplog.records] == ["GET /metrics: ValueError: a bug\\nof two lines"]
    assert not any(record.exc_info for record in caplog.records)


def test_metrics_have_the_type_that_they_say(app):
    got = ask(app, "/metrics")
    assert (got.headers["content-type"], got.body) == ("text/plain; version=1.0.0", b"up 1\n")
