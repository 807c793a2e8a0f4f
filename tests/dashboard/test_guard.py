"""Whom the page's port answers."""

from __future__ import annotations

import base64

import pytest

from edgent.dashboard.guard import HEADERS, PageGuard

LOCAL = PageGuard(hosts={"localhost", "127.0.0.1", "::1"})
OPEN = PageGuard(hosts={"board.local", "192.0.2.7"}, password="long secret", has_joined=lambda pem: pem == b"joined")
HOST = {"host": "board.local:8080"}


VISIT = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def status(guard: PageGuard, headers: dict[str, str], certificate: bytes | None = None, method: str = "GET") -> int:
    refusal = guard.refusal(method, headers, certificate)
    return 200 if refusal is None else int(refusal.status)


def basic(text: str) -> dict[str, str]:
    return {**HOST, "authorization": "Basic " + base64.b64encode(text.encode()).decode()}


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "LOCALHOST.:80"])
def test_requests_that_name_this_machine_are_answered(host):
    assert status(LOCAL, {"host": host}) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost@evil",
        "[::1",
        "a b",
        "::1",
        "x" * 9999,
    ],
)
def test_a_name_of_somebody_else_that_leads_here_is_not_answered(host):
    assert status(LOCAL, {"host": host}) == 421
    assert status(LOCAL, {}) == 421


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
        {"origin": "https://evil.example", **VISIT},
        {"origin": "null", **VISIT},
        {"origin": "https://evil.example", "sec-fetch-site": "none"},
        {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
    ],
)
def test_what_another_page_sends_is_refused(said):
    for method in ("GET", "HEAD", "POST"):
        assert status(LOCAL, {"host": "localhost:8080", **said}, method=method) == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "get"])
def test_a_form_on_another_page_is_no_link(method):
    assert status(LOCAL, {"host": "localhost:8080", **VISIT}, method=method) == 403
    assert status(LOCAL, {"host": "localhost:8080", **VISIT, "sec-fetch-site": "same-site"}, method=method) == 403


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "http://localhost:8080", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
        VISIT,
    ],
)
def test_the_page_itself_and_a_link_to_it_are_answered(said):
    assert status(LOCAL, {"host": "localhost:8080", **said}) == 200


def test_beyond_this_machine_the_password_is_asked_for():
    assert status(OPEN, HOST) == 401
    assert status(OPEN, basic("edgent:long secret")) == 200
    for wrong in ("edgent:", "edgent:long secre", "edgent:long secret ", "other:long secret", "edgent", "", "é:ü"):
        assert status(OPEN, basic(wrong)) == 401
    assert status(OPEN, {**HOST, "authorization": "Bearer long secret"}) == 401
    assert status(OPEN, {**HOST, "authorization": "Basic é" * 1000}) == 401


def test_who_has_joined_needs_no_password():
    assert status(OPEN, HOST, b"joined") == 200
    assert status(OPEN, HOST, b"removed since") == 401
    assert status(PageGuard(hosts={"board.local"}, password="x"), HOST, b"joined") == 401


def test_nothing_but_the_own_scripts_may_run_and_nothing_is_loaded_from_elsewhere():
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[key] for key in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
