"""One device, edge and link as real processes, in small."""

from __future__ import annotations

import numpy as np
import pytest

from edgent.lab.figures.live import live_runs, measured_conditions
from edgent.lab.figures.rig import Rig
from edgent.link.trace import Trace
from edgent.units import Seconds
from lab.figures import made


@pytest.fixture(scope="module")
def setting():
    return made.setting("paper-pi3-resident", layer=1e-3)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return made.lab(tmp_path_factory.mktemp("parts"))


def test_runs_are_held_to_both_machines_pace_and_kept(setting, lab):
    with Rig(setting) as rig:
        alone = live_runs(lab, rig, None, [made.plan(up=22)], 2)[made.plan(up=22)]
        assert all(total > 0.109 for total in alone.totals)  # no earlier than the paper's device
        sent = live_runs(lab, rig, 5e6, [made.plan()], 2)[made.plan()]
        assert sent.stages.middle >= 0.0074  # the edge of the paper's device
        assert sent.stages.link > 98304 / 5e6
        seen = measured_conditions(lab, rig, 5e6)
        assert 0 < seen.uplink.bandwidth < 25e6  # the link's, and not the loopback's behind it
    with Rig(setting) as unused:
        assert live_runs(lab, unused, 5e6, [made.plan()], 2)[made.plan()] == sent
        assert measured_conditions(lab, unused, 5e6) == seen
        assert unused._device is None  # nothing was started for what is kept
        assert "pieces of its work" in str(unused)


def test_a_device_follows_a_link_and_tells_what_it_found(setting):
    steady = Trace(name="steady", starts=np.array([0.0, 0.6]), bandwidths=np.array([6e6, 8e6]), duration=Seconds(1.2))
    with Rig(setting, environment="dynamic", race=True, round_trip=Seconds(0.0)) as rig:
        requests = rig.follow(steady, 0.3, 0.15)
        assert len(requests) == 4
        assert all(request.at >= 0.3 * turn - 1e-6 for turn, request in enumerate(requests))  # or later
        assert all(request.configuration is not None for request in requests)
        assert 0 < rig.conditions().uplink.bandwidth < 40e6
