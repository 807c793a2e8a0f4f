"""The street with its real processes, once and in small: edge, link, and the cameras of both methods."""

from __future__ import annotations

import pytest

from demo.cameras import made
from edgent.demo.cameras.setting import StreetOptions
from edgent.demo.cameras.stage import Stage
from edgent.lab.cameras.plans import OURS, RACED
from edgent.lab.cameras.street import arrivals

OPTIONS = StreetOptions(steps=(2,), seconds=1.0, outage=(0.6, 1.2, 1.0))


@pytest.fixture(scope="module")
def seen():
    return []


@pytest.fixture(scope="module")
def stage(seen):
    basis = made.basis()
    with Stage(OPTIONS, basis, made.host(basis.bundle), seen.append) as stage:
        yield stage


@pytest.fixture(scope="module")
def show(stage):
    return stage.play()


@pytest.mark.timeout(200)
def test_both_methods_see_the_same_pictures_and_each_is_answered_once(show, stage):
    at, camera, picture = arrivals(stage.street(2, OPTIONS.seconds))
    expected = sorted(zip(at.tolist(), camera.tolist(), picture.tolist(), strict=True))
    assert [meter.method for meter in show.meters] == [OURS, RACED]
    for meter in show.meters:
        assert sorted((a.at, a.camera, a.picture) for a in meter.answers) == expected


def test_meters_fill_while_they_are_watched(show, seen):
    assert len(seen) > len(show.meters) + len(show.outages)
    assert all(meter.nbytes >= 0 and meter.edge >= 0 and meter.carrier > 0 for meter in show.meters)
    assert show.ended


def test_while_the_link_is_unplugged_the_devices_answer_and_afterwards_the_edge_may(show):
    for outage in show.outages:
        # Those near the end have the edge's answer where the link is back before their deadline.
        back = outage.restored_at - OPTIONS.deadline
        during = [answer for answer in outage.meter.answers if outage.cut_at <= answer.at < back]
        assert during
        assert all(answer.by == "device" for answer in during)
