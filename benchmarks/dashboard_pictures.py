#!/usr/bin/env python3
"""The pictures of the live page in docs/figures, of a played device: both themes, and a phone's width.

Takes a Chromium (Debian's package) and Playwright (the dependency group `browser`).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import command
from dashboard_played import Play, PlayedDevice
from edgent.address import Address
from edgent.dashboard.access import access_to
from edgent.dashboard.opened import DevicePage
from edgent.errors import EdgentError, InputError

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"
PICTURES = {
    "dashboard-light.png": ("light", 1200, 1000),
    "dashboard-dark.png": ("dark", 1200, 1000),
    "dashboard-phone.png": ("light", 390, 844),
}
_FRAMES, _EVERY, _NOON = 440, 0.1, 1_760_000_400.0
_HERE = Address(host="127.0.0.1", port=0)


def main() -> int:
    """Makes them."""
    command.parser(__doc__).parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        raise InputError("no Chromium is installed; install Debian's package chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise EdgentError("Playwright is not installed: pip install --group browser") from None
    FOLDER.mkdir(exist_ok=True)
    device, time = PlayedDevice(), [_NOON]
    with DevicePage(device, _HERE, access_to(_HERE, None), now=lambda: time[0]) as page:
        play = Play(device)
        for number in range(_FRAMES):
            time[0] = _NOON + number * _EVERY
            page.tell(play.event(time[0]))
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            for name, (scheme, width, height) in PICTURES.items():
                take(browser, page.url, FOLDER / name, scheme, {"width": width, "height": height})
            browser.close()
    return 0


def take(browser: Any, url: str, path: Path, scheme: str, size: dict[str, int]) -> None:
    """One picture of the whole page."""
    context = browser.new_context(viewport=size, color_scheme=scheme, locale="en-GB", timezone_id="UTC")
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#boxes rect", state="attached")
    page.wait_for_selector("#link-chart canvas")
    page.screenshot(path=path, full_page=True)
    context.close()


if __name__ == "__main__":
    command.run(main)
