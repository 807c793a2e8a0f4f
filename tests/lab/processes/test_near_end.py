"""The two ends of a link: what the device's transfer model knows there of its own TCP."""

from __future__ import annotations

import os
from statistics import median

import pytest

from edgent.lab.links import between, tun
from edgent.lab.links.between import linked_ends
from edgent.lab.links.link import ShapedLink
from edgent.lab.links.tun import obstacle
from edgent.link.slow_start import INITIAL_WINDOW
from edgent.units import BitsPerSecond, Seconds


@pytest.mark.root
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_transfer_after_a_pause_takes_longer_and_is_predicted_with_the_window_that_idling_left(way: str) -> None:
    if reason := obstacle():
        pytest.skip(reason)
    with linked_ends(BitsPerSecond(20e6)) as (link, near):
        link.set(round_trip=Seconds(0.04))
        near.ask("probe")
        for _ in range(2):
            near.ask("transfer", idle=0.0, **{"up": 0, "down": 0, way: 300_000})
        at_once, rested = (
            [near.ask("transfer", idle=idle, **{"up": 0, "down": 0, way: 100_000}) for _ in range(9)]
            for idle in (0.0, 0.8)
        )
    assert at_once[0]["window"] > rested[0]["window"] >= INITIAL_WINDOW
    for of_interest in ("seconds", "predicted"):  # one of them may be disturbed, and mislead the next prediction
        assert median(one[of_interest] for one in at_once) < median(one[of_interest] for one in rested)
    assert sum(one["predicted"] > one["plain"] for one in rested) > len(rested) / 2


def test_where_no_tun_link_can_be_the_proxy_serves_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(between, "obstacle", lambda: "needs root, for network namespaces")
    with linked_ends(BitsPerSecond(20e6)) as (link, near):
        link.set(round_trip=Seconds(0.04))
        assert isinstance(link, ShapedLink)
        assert near.ask("probe")["round_trip"] > 0.02  # an estimate: what its own bytes took is taken off
        rested = near.ask("transfer", idle=0.5, up=100_000, down=0)
    assert rested["predicted"] == pytest.approx(rested["plain"])  # what is near by acknowledges at once
    said = capsys.readouterr().err
    assert said.count("the proxy serves") == 1 and "needs root" in said


def test_a_kernel_without_tun_devices_is_told_from_a_missing_right(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setattr(tun, "_TUN", "/dev/net/no-such-device")
    assert obstacle() == "/dev/net/no-such-device: not there; modprobe tun, or a kernel that has it"
