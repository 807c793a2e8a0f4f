"""The street with its real processes, once and in small: edge, link, and the cameras of both methods."""

from __future__ import annotations

import pytest

from edgent.demo.cameras.setting import StreetOptions
from edgent.demo.cameras.stage import play, traffic_of
from edgent.lab.cameras.live_street import LiveStreet
from edgent.lab.cameras.plans import LIVE, OURS, RACED
from edgent.lab.cameras.street import arrivals
from lab.cameras import made as lab_made

OPTIONS = StreetOptions(steps=(2,), seconds=1.0, outage=(0.6, 1.2, 1.0))


@pytest.fixture(scope="module")
def seen():
    return []


@pytest.fixture(scope="module")
def basis():
    return lab_made.basis()


@pytest.fixture(scope="module")
def live(basis):
    with LiveStreet(basis, lab_made.host(basis.bundle), traffic_of(OPTIONS, OPTIONS.seconds)) as street:
        yield street


@pytest.fixture(scope="module")
def show(seen, basis, live):
    return play(OPTIONS, live, len(basis.shown), seen.append)


@pytest.mark.timeout(200)
def test_both_methods_see_the_same_pictures_and_each_is_answered_once(show):
    at, camera, picture = arrivals(show.streets[0])
    expected = sorted(zip(at.tolist(), camera.tolist(), picture.tolist(), strict=True))
    assert [meter.method for meter in show.meters] == [OURS, RACED]
    for meter in show.meters:
        assert sorted((a.at, a.camera, a.picture) for a in meter.answers) == expected


def test_meters_fill_while_they_are_watched(show, seen):
    assert len(seen) > len(show.meters) + len(show.outages)
    assert all(meter.nbytes >= 0 and meter.edge >= 0 and meter.carrier > 0 for meter in show.meters)
    assert show.ended


def test_an_outage_is_as_long_as_it_was_and_every_picture_is_answered(show):
    at, *_ = arrivals(show.streets[0])
    before, out, _ = OPTIONS.outage
    for outage in show.outages:
        assert before <= outage.cut_at < outage.restored_at and outage.restored_at >= before + out
        assert len(outage.meter.answers) >= len(at)
        # The edge's answer may still come where the link is back before the deadline.
        during = (a for a in outage.meter.answers if outage.cut_at <= a.at and a.at + a.total < outage.restored_at)
        assert all(answer.by == "device" for answer in during)


def test_while_the_link_is_unplugged_the_devices_answer(show, live):
    """For as long as the street is shown: when exactly in it a link is cut and restored, a busy machine decides."""
    for method in LIVE:
        live.link.cut()
        meter, _ = live.watch(method, show.streets[0])
        live.link.restore()
        assert meter.answers and all(answer.by == "device" for answer in meter.answers)
