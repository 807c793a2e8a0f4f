"""The page in a real Chromium: it says what the records say, heals, and can be used by everybody."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest

from dashboard.playing import CONDITIONS, SPLIT, PlayedDevice, event, record
from dashboard_played import Play
from dashboard_played import PlayedDevice as Yard
from edgent.address import Address
from edgent.dashboard.access import access_to
from edgent.dashboard.opened import DevicePage, edge_page
from edgent.edge.callers import CallerCounter, CallerCounts
from edgent.edge.edge import Edge
from edgent.events import Event

playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: the group `browser` has it"
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: Debian's package is chromium")

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
PATIENCE = 60_000  # milliseconds: only ever waited for when something is broken


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def looked_at(browser, url: str, viewport=DESK, scheme="light", **more: Any) -> Iterator[Any]:
    """A page in the browser; whatever it complains of, or asks elsewhere, fails the test."""
    complaints: list[str] = []
    context = browser.new_context(viewport=viewport, color_scheme=scheme, **more)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("request", lambda request: request.url.startswith(url) or complaints.append(request.url))
    try:
        page.goto(url)
        page.wait_for_selector("#stream.good")
        yield page
    finally:
        context.close()
    assert not [words for words in complaints if "net::ERR" not in words]


@contextmanager
def served(device=None, port: int = 0, now=lambda: 1000.0) -> Iterator[DevicePage]:
    address = Address(host="127.0.0.1", port=port)
    with DevicePage(device or PlayedDevice(), address, access_to(address, None), now=now) as opened:
        yield opened


def played(opened: DevicePage, play: Play, count: int) -> list[Event]:
    events = [play.event(950.0 + number * 0.1) for number in range(count)]
    for one in events:
        opened.tell(one)
    return events


def table(page, name: str) -> list[list[str]]:
    return page.eval_on_selector_all(
        f"#{name} tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )


def shows(page, selector: str, text: str) -> None:
    """Waits until it is there."""
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)", arg=[selector, text]
    )


def violations(page) -> list[tuple[str, list[str]]]:
    """What axe-core finds, of whatever impact, and where."""
    pytest.importorskip("axe_playwright_python", reason="axe-core is not installed: the group `browser` has it")
    page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate("() => axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] })")
    assert found["passes"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]]


def test_what_the_page_says_is_what_the_records_say(browser):
    yard = Yard()
    with served(yard) as opened, looked_at(browser, opened.url) as page:
        events = played(opened, Play(yard), 400)
        records = [one.record for one in events if one.record is not None]
        shows(page, "#replaced", str(sum(one.kind == "replaced" for one in events)))
        in_time = sum(one.deadline_met for one in records)
        assert page.text_content("#in-time") == f"{100 * in_time / len(records):.1f} %"
        by_edge = sum(one.by == "edge" for one in records)
        assert page.text_content("#by-edge") == f"{100 * by_edge / len(records):.1f} %"
        for name, *counts in table(page, "frames"):
            own = [one for one in events if one.source == name]
            met = [one.record.deadline_met for one in own if one.record is not None]
            replaced = sum(one.kind == "replaced" for one in own)
            assert [int(count) for count in counts] == [sum(met), len(met) - sum(met), 0, replaced, 0]
        late = Counter(one.why or f"{one.stages.dominating} took longest" for one in records if not one.deadline_met)
        assert {reason: int(count) for reason, count in table(page, "missed")} == late
        lost = sum(one.why == "edge lost" for one in records)
        assert table(page, "detours") == [["edge lost", str(lost)]]
        median = sorted(one.total for one in records)[(len(records) - 1) // 2]
        assert page.text_content("#median") == f"{median * 1e3:.1f} ms"


def test_the_table_has_the_stages_of_each_answer(browser):
    with served() as opened, looked_at(browser, opened.url) as page:
        page.click("summary")
        opened.tell(event(1, record=record(deadline_met=False, exit=3, why="edge late")))
        shows(page, "#answers", "edge late")
        (row,) = table(page, "answers")
        assert row[1:] == ["door", "late", "50.0", "edge", "3", "0.0", "20.0", "0.0", "30.0", *["0.0"] * 4, "edge late"]
        label = page.get_attribute("#timeline", "aria-label")
        assert label == "The last 1 answers by stage; 1 later than the deadline of 100 ms"


def test_the_plan_is_said_and_drawn(browser):
    with served() as opened, looked_at(browser, opened.url) as page:
        opened.tell(event(1, record=record(plan=SPLIT)))
        shows(page, "#plan-words", "The edge runs layers 5 to 22")
        drawn = page.text_content("#plan")
        assert all(
            words in drawn for words in ("layers 1 to 4", "layers 5 to 22", "uint8", "20 kB", "13.0 ms", "30.0 ms")
        )


def test_boxes_lie_on_the_picture_where_the_record_says(browser):
    yard = Yard()
    with served(yard) as opened, looked_at(browser, opened.url) as page:
        (first,) = played(opened, Play(yard), 1)
        page.wait_for_selector("#boxes rect", state="attached")
        drawn = page.eval_on_selector_all(
            "#boxes rect", "all => all.map(one => ['x', 'y', 'width', 'height'].map(key => +one.getAttribute(key)))"
        )
        boxes = first.record.result["boxes"]
        assert drawn == [
            [left, top, right - left, bottom - top] for left, top, right, bottom in (b["xyxy"] for b in boxes)
        ]
        assert page.get_attribute("#boxes", "viewBox") == "0 0 640 360"
        picture, overlay = (page.locator(place).bounding_box() for place in ("#picture", "#boxes"))
        assert overlay == pytest.approx(picture, abs=1)


def test_markup_from_outside_stays_text(browser):
    evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    box = {"xyxy": [0, 0, 9, 9], "score": 0.5, "class": 1, "label": evil}
    picture = Play(Yard())._yard.frame(0)[0]
    with served(PlayedDevice(problem=evil, connected=False)) as opened, looked_at(browser, opened.url) as page:
        opened.tell(event(1, source=evil, picture=picture, record=record(result={"boxes": [box]}, why=evil)))
        opened.tell(event(2, "failed", source=evil, error=evil))
        shows(page, "#remarks", evil)
        shows(page, "#boxes", evil)
        shows(page, "#said", evil)
        assert page.title() == "Edgent: net"
        assert page.locator("main img").count() == 1


def test_another_sources_picture_is_chosen_by_keyboard(browser):
    yard = Yard()
    with served(yard) as opened, looked_at(browser, opened.url) as page:
        played(opened, Play(yard), 4)
        page.wait_for_selector("#sources button:nth-child(2)")
        focused = "document.activeElement.textContent"
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate(focused) == "ramp":
                break
        page.keyboard.press("Enter")
        shows(page, "#said", "ramp:")
        assert page.get_attribute("#sources button:nth-child(2)", "aria-pressed") == "true"
        assert page.evaluate(focused) == "ramp"


def test_a_lost_connection_is_shown_and_heals(browser):
    with served() as opened:
        port = int(opened.url.rstrip("/").rpartition(":")[2])
        with looked_at(browser, opened.url) as page:
            opened.tell(event(1, "replaced"))
            shows(page, "#replaced", "1")
            opened.__exit__()
            page.wait_for_selector("#stream.bad")
            assert "connection lost" in page.text_content("#stream")
            with served(port=port) as again:
                page.wait_for_selector("#stream.good")
                again.tell(event(5, "replaced"))
                again.tell(event(6, "replaced"))
                shows(page, "#replaced", "2")


def test_over_tls_with_the_password_it_is_the_same_page(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    access = access_to(Address(host="0.0.0.0", port=0), None)
    known = {"username": "edgent", "password": access.guard.password}
    device, here = PlayedDevice(), Address(host="127.0.0.1", port=0)
    with (
        DevicePage(device, here, access, now=lambda: 1000.0) as opened,
        looked_at(browser, opened.url, http_credentials=known, ignore_https_errors=True) as page,
    ):
        opened.tell(event(1, "replaced"))
        shows(page, "#replaced", "1")
        assert page.url.startswith("https://")


def test_a_device_without_an_edge_shows_none_and_says_what_to_do(browser):
    alone = PlayedDevice(has_edge=False, connected=False, conditions=None, traffic=(0, 0))
    with served(alone) as opened, looked_at(browser, opened.url, PHONE) as page:
        shows(page, "#frames-none", "edgent run --source")
        for hidden in ("#link-chart", "#by-edge", "#edge-state", "#missed", "#detours", "#plan"):
            assert page.is_hidden(hidden), hidden
        assert violations(page) == []
        opened.tell(event(1, record=record(by="device")))
        shows(page, "#frames", "door")
        assert page.is_hidden("#frames-none")
        assert page.text_content("#legend") == "prepareheadqueuedeadline"


@pytest.mark.parametrize("step", [0.02, 0.5, 60.0, 3600.0, 86400.0])
def test_no_time_is_written_twice_under_a_plot(browser, step):
    """The labels are read as they are drawn: the canvas has no text."""
    with served(now=lambda: 1000.0) as opened, looked_at(browser, opened.url) as page:
        labels = page.evaluate(
            """async (step) => {
                const written = [];
                const draw = CanvasRenderingContext2D.prototype.fillText;
                CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
                    written.push(text);
                    return draw.call(this, text, ...place);
                };
                const { LoadChart } = await import("./charts.js");
                const place = document.getElementById("edge");
                place.hidden = false;
                const rows = Array.from({ length: 40 }, (_, at) => [at, 1.79e9 + at * step, 1, 0]);
                new LoadChart("load-chart").show(rows, true);
                await new Promise((done) => setTimeout(done, 0));
                return written.filter((text) => text.includes(":"));
            }""",
            step,
        )
        assert len(set(labels)) == len(labels)
        assert step < 1 or labels


def test_an_edge_shows_its_devices_and_models(browser, model, fast, clock):
    callers = CallerCounter(clock)
    callers._counts["board-7"] = CallerCounts(answered=12, refused=3, seconds=0.6)
    address = Address(host="127.0.0.1", port=0)
    with Edge(model, profiles=[fast], port=0, callers=callers) as edge:
        edge.service.counters.answered(model, queue=0.001, middle=0.02)
        opening = edge_page(edge, callers, address, access_to(address, None))
        with opening as opened, looked_at(browser, opened.url) as page:
            shows(page, "#devices", "board-7")
            assert table(page, "devices") == [["board-7", "12", "3", "0", "50.0 ms", "0 s ago"]]
            assert table(page, "models") == [[model.name, model.version, "1", "0", "1.00 ms", "20.0 ms"]]
            assert page.text_content("#subtitle") == edge.address
            assert page.is_hidden("#device")
            assert violations(page) == []


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, viewport, scheme):
    yard = Yard()
    with served(yard) as opened, looked_at(browser, opened.url, viewport, scheme) as page:
        played(opened, Play(yard), 100)
        opened.tell(event(1, "failed", source="gate", error="no picture"))
        shows(page, "#remarks", "no picture")
        page.click("summary")
        shows(page, "#answers", "gate")
        assert violations(page) == []


def test_nothing_sticks_out_on_a_phone(browser):
    yard = Yard()
    with served(yard) as opened, looked_at(browser, opened.url, PHONE) as page:
        played(opened, Play(yard), 300)
        shows(page, "#missed", "took longest")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        fonts = page.evaluate(
            "[...document.querySelectorAll('main *')].filter(one => one.offsetParent && one.textContent.trim())"
            ".map(one => parseFloat(getComputedStyle(one).fontSize))"
        )
        assert min(fonts) >= 12


def test_the_link_is_said_and_drawn_as_it_is_believed(browser):
    time, device = [1000.0], PlayedDevice()
    with served(device, now=lambda: time[0]) as opened, looked_at(browser, opened.url) as page:
        shows(page, "#link-words", "Up 8.00 Mbit/s")
        assert page.text_content("#changes") == ""  # nothing was looked at
        for number in range(20):
            time[0] += 1.0
            device.conditions = CONDITIONS if number < 10 else replace(CONDITIONS, uplink=CONDITIONS.downlink)
            opened.tell(event(number))
        shows(page, "#changes", "Changes of the uplink's level in this time: 1, last at ")
        shows(page, "#link-words", "Up 20.0 Mbit/s, down 20.0 Mbit/s, round trip 10.0 ms")
        assert page.locator("#link-chart canvas").count() == 1
        assert re.search(r"Requests sent 1\.00 kB up; their answers were 200 B", page.text_content("#bytes"))
