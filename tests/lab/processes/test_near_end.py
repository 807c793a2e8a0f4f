"""The two ends of a link: what the device's transfer model knows there of its own TCP."""

from __future__ import annotations

import os

import pytest

from edgent.lab.links import between, tun
from edgent.lab.links.between import linked_ends
from edgent.lab.links.link import ShapedLink
from edgent.lab.links.tun import obstacle
from edgent.link.slow_start import INITIAL_WINDOW
from edgent.units import BitsPerSecond, Seconds
from real_time import until


@pytest.mark.root
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_transfer_after_a_pause_takes_longer_and_is_predicted_with_the_window_that_idling_left(way: str) -> None:
    if reason := obstacle():
        pytest.skip(reason)
    with linked_ends(BitsPerSecond(20e6)) as (link, near):
        link.set(round_trip=Seconds(0.04))
        near.ask("probe")
        size, open_windows, small_windows = 100_000, [], []
        sent = {"up": 0, "down": 0, way: size}

        def is_predicted() -> bool:
            """By the least disturbed of each: who is held up rests too, and misleads what is predicted next."""
            near.ask("transfer", idle=0.0, **sent | {way: 3 * size})
            timed = [near.ask("transfer", idle=idle, **sent) for idle in (0.0, 0.0, 0.0, 0.8, 0.8, 0.8)]
            open_windows.extend(one for one in timed[:3] if one["window"] >= size)
            small_windows.extend(one for one in timed[3:] if one["window"] < size)
            return (
                bool(open_windows and small_windows)
                and any(one["predicted"] > one["plain"] for one in small_windows)
                and all(
                    min(one[of_interest] for one in open_windows) < min(one[of_interest] for one in small_windows)
                    for of_interest in ("seconds", "predicted")
                )
            )

        assert until(is_predicted)
    assert all(one["window"] >= INITIAL_WINDOW for one in small_windows)


def test_where_no_tun_link_can_be_the_proxy_serves_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(between, "obstacle", lambda: "needs root, for network namespaces")
    with linked_ends(BitsPerSecond(20e6)) as (link, near):
        link.set(round_trip=Seconds(0.04))
        assert isinstance(link, ShapedLink)
        assert until(lambda: near.ask("probe")["round_trip"] > 0.02)  # an estimate: what its own bytes took is off
        rested = near.ask("transfer", idle=0.5, up=100_000, down=0)
    assert rested["predicted"] == pytest.approx(rested["plain"])  # what is near by acknowledges at once
    said = capsys.readouterr().err
    assert said.count("the proxy serves") == 1 and "needs root" in said


def test_a_kernel_without_tun_devices_is_told_from_a_missing_right(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setattr(tun, "_TUN", "/dev/net/no-such-device")
    assert obstacle() == "/dev/net/no-such-device: not there; modprobe tun, or a kernel that has it"
