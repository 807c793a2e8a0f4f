"""What is shown of an address, and what never is."""

from __future__ import annotations

import pytest

from edgent.sources.addresses import shown

LOGINS = ["admin:hunter2@", "hunter2@", ":hunter2@", "admin:hun/ter2@", "admin:hunter2@x@", "admin:hunter%402@"]
LOGINS += ["admin:hunter2?@", "admin:#hunter2@", "admin:a?b=hunter2@", "a@b.c:hunter2@", "admin:hunter2\n@"]
QUERIES = ["?user=admin&pwd=hunter2", "?pwd=hunter2#top", "#hunter2", "?user=a@b&pwd=hunter2", "?pwd=@hunter2"]
QUERIES += ["?pwd=hunter2@", "/user=admin&password=hunter2&channel=1", "/user=admin_password=hunter2_channel=1"]


@pytest.mark.parametrize("prefix", ["", "yard="])
@pytest.mark.parametrize("scheme", ["rtsp", "RTSP", "http", "rtmp", "srt", "made-up"])
@pytest.mark.parametrize(
    "secret", [*(f"{login}cam:554/live" for login in LOGINS), *(f"cam/v{each}" for each in QUERIES)]
)
def test_no_password_of_an_address_is_shown_wherever_it_stands(prefix, scheme, secret):
    text = shown(f"{prefix}{scheme}://{secret}")
    assert "unter2" not in text and "ter2" not in text
    assert text.startswith(f"{prefix}{scheme}://")


@pytest.mark.parametrize(
    "text", ["rtsp:/admin:hunter2@cam/1", "admin:hunter2@cam", "x=admin:hun/ter2@cam", "cam?p=hunter2"]
)
def test_nor_of_one_that_was_mistyped(text):
    assert "ter2" not in shown(text) and shown(text).endswith(("cam", "cam/1"))


@pytest.mark.parametrize("login", LOGINS[:6])
def test_which_camera_is_meant_can_be_told_all_the_same(login):
    assert shown(f"rtsp://{login}10.0.0.9:554/live/1?token=1") == "rtsp://10.0.0.9:554/live/1"


@pytest.mark.parametrize(
    "text", ["", "camera:0", "film.mp4", "a/b #1.mp4", "yard=camera:1", "C:/films", "rtsp://cam/1", "a@b"]
)
def test_what_holds_no_secret_stays_as_it_is(text):
    assert shown(text) == text
