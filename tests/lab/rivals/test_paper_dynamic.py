"""The paper's configurator as the figures have it: its map covers every deadline that they ask for."""

from __future__ import annotations

import pytest

from edgent.device.choosers.chooser import Scope
from edgent.lab.figures.f10 import PAPERS_DEADLINE, TODAYS_DEADLINE
from edgent.lab.rivals.paper_dynamic import paper_dynamic
from edgent.link.transfer import Transfer
from lab.figures import made


@pytest.fixture(scope="module")
def chooser():
    setting = made.setting("paper-pi3-resident")
    scope = Scope(
        candidates=setting.candidates,
        device=setting.profile,
        edge=setting.edge,
        deadline=PAPERS_DEADLINE,
        race=False,
        margin=lambda _: 0.0,
    )
    return paper_dynamic(scope)


def test_one_state_has_a_plan_for_each_deadline(chooser):
    for at in range(20):
        chooser.observe([Transfer(direction="up", size=12288, seconds=12288 * 8 / 200e3, at=float(at))])
    exits = [
        chooser.choose(0.0, made.conditions(5e6), deadline).configuration.exit
        for deadline in (PAPERS_DEADLINE, TODAYS_DEADLINE)
    ]
    assert exits[0] == 4
    assert exits[1] < 4  # the whole network takes 110 ms, the input 500 ms to send
