"""The two ends of the TUN link: what the device's transfer model knows there of its own TCP."""

from __future__ import annotations

import pytest

from edgent.lab.namespaces import FAR
from edgent.lab.speaker import Speaker
from edgent.lab.tun import TunLink, obstacle
from edgent.link.slow_start import INITIAL_WINDOW
from edgent.units import BitsPerSecond, Seconds

pytestmark = pytest.mark.root


def test_a_transfer_after_a_pause_is_predicted_with_the_window_that_idling_left() -> None:
    if reason := obstacle():
        pytest.skip(reason)
    link = TunLink(uplink=BitsPerSecond(20e6), round_trip=Seconds(0.04))
    with link, Speaker("edgent.lab.ends", "edge", FAR, prefix=link.far) as far:
        address = far.first["address"]
        with Speaker("edgent.lab.ends", "near", address, prefix=link.near, greets=False) as near:
            near.ask(do="sound")
            for _ in range(2):
                near.ask(do="transfer", idle=0.0, up=300_000, down=0)
            at_once = near.ask(do="transfer", idle=0.0, up=100_000, down=0)
            rested = near.ask(do="transfer", idle=1.0, up=100_000, down=0)
    assert at_once["window"] > 100_000 > rested["window"] >= INITIAL_WINDOW
    assert rested["predicted"] > at_once["predicted"]
    assert rested["predicted"] == pytest.approx(rested["seconds"], rel=0.25)
