"""`--dashboard`: what it takes, and an edge with a page."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

import pytest

from dashboard.playing import PlayedDevice, event
from edgent.address import Address
from edgent.cli.arguments.dashboard import open_dashboard, page_address
from edgent.dashboard.access import access_to
from edgent.errors import EdgeError, InputError, MissingExtraError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8080", Address(host="127.0.0.1", port=8080)),
        ("0.0.0.0:80", Address(host="0.0.0.0", port=80)),
        ("[::1]:8080", Address(host="::1", port=8080)),
        ("board.local:0", Address(host="board.local", port=0)),
    ],
)
def test_without_a_host_it_is_this_machine(text, address):
    assert page_address(text) == address
    assert page_address("") is None


@pytest.mark.parametrize(
    "text", ["8080", ":", ":http", ":-1", ":70000", ":8080:x", "a b:80", ":٨", "http://x:80", "::1"]
)
def test_what_is_no_address_is_bad_input(text):
    with pytest.raises(InputError):
        page_address(text)


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match="pip install 'edgent\\[dashboard\\]'"):
        page_address(":8080")


def test_without_the_option_nothing_is_opened():
    with open_dashboard("", PlayedDevice()) as page:
        assert page is None


def test_the_page_is_told_events_and_its_address_is_said(capsys):
    with open_dashboard(":0", PlayedDevice()) as page:
        page.tell(event(1))
        with urllib.request.urlopen(f"{page.url}metrics", timeout=30) as answer:
            assert b'edgent_frames_total{outcome="in_time",source="door"} 1.0' in answer.read()
        said = capsys.readouterr()
        assert said.out == "" and page.url in said.err


def test_a_port_that_is_taken_is_one_line(capsys):
    with open_dashboard(":0", PlayedDevice()) as page:
        taken = page.url.rstrip("/").rpartition(":")[2]
        with pytest.raises(EdgeError, match="choose another"), open_dashboard(f":{taken}", PlayedDevice()):
            pass


def test_beyond_this_machine_the_place_of_the_password_is_said_and_not_the_password(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with open_dashboard("0.0.0.0:0", PlayedDevice()) as page:
        said = capsys.readouterr().err
        assert page.url.startswith("https://") and "dashboard.password" in said
    password = access_to(Address(host="0.0.0.0", port=0), None).guard.password
    assert password is not None and password not in said


def test_an_edge_shows_its_page_until_it_is_stopped():
    command = [sys.executable, "-m", "edgent", "serve", "b-alexnet", "--port", "0", "--dashboard", ":0", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as serving:
        try:
            said = next(line for line in serving.stderr if "the page is on" in line)
            url = said.strip().rpartition(" ")[2]
            with urllib.request.urlopen(f"{url}metrics", timeout=30) as answer:
                assert b"edgent_edge_slots 1.0" in answer.read()
            with urllib.request.urlopen(f"{url}events", timeout=30) as events:
                lines = [events.readline() for _ in range(4)]
            document = json.loads(lines[3].removeprefix(b"data: "))
            assert (document["kind"], document["models"][0]["name"]) == ("edge", "b-alexnet")
        finally:
            serving.terminate()
        assert serving.wait(60) == 0
