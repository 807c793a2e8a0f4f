from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgent.link.odd_links import ODD_LINKS, OddLink
from edgent.link.trace import Trace


def named(name: str) -> Trace:
    (link,) = (link for link in ODD_LINKS if link.name == name)
    return link.trace(1, 300.0)


@pytest.mark.parametrize("link", ODD_LINKS, ids=[link.name for link in ODD_LINKS])
def test_an_odd_link_is_seeded_and_lasts_as_long_as_asked(link: OddLink) -> None:
    for seconds in (20.0, 300.0):
        one, again, other = link.trace(1, seconds), link.trace(1, seconds), link.trace(2, seconds)
        assert one.duration == seconds and one.name == f"{link.name}-1"
        assert one.bandwidths.tolist() == again.bandwidths.tolist() and one.starts.tolist() == again.starts.tolist()
        if not link.name.startswith(("steady", "first")):
            assert one.starts.tolist() != other.starts.tolist()
    assert not link.trace(1, 300.0).doubts
    assert len(link.words) <= 60 and len(link.name) <= 14


def test_each_has_a_name_of_its_own_and_there_are_some_thirty() -> None:
    assert len({link.name for link in ODD_LINKS}) == len(ODD_LINKS) == 30


def test_they_do_what_their_words_say() -> None:
    assert named("steady-poor").bandwidths.tolist() == [120e3]
    assert named("first-fails").at(2.9) == 0 < named("first-fails").at(3.1)
    assert (named("slow-down").downlink, named("slow-up").downlink) == (0.05, 20.0)
    assert named("reboot").outage == pytest.approx(120.0, abs=0.3)
    assert named("elevator").outage == pytest.approx(18.0, abs=0.2)
    assert named("fades").outage == 0
    assert np.mean([named("fades").at(t) < 1e5 for t in range(300)]) == pytest.approx(4 / 30, abs=0.03)
    assert named("data-cap").at(299.0) == 128e3 < named("data-cap").at(0.0)
    decay = named("slow-decay")
    assert decay.at(1.0) / decay.at(299.0) == pytest.approx(100, rel=0.6)
    up = np.diff(np.log([named("ramps").at(t) for t in np.arange(0, 300, 5.0)]))
    assert np.abs(up).sum() / np.log(100) == pytest.approx(5, rel=0.2)  # turns each minute
    drops = np.diff(np.log(named("sawtooth").bandwidths)) < -3
    assert drops.sum() == pytest.approx(15, abs=1)
    lunch = named("lunch-hour")
    assert np.median(lunch.bandwidths[1100:1900]) == pytest.approx(1e5, rel=0.1)


def test_the_docs_list_all_of_them_in_their_words() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "traces.md").read_text()
    listed = page[page.index("| link | what it does |") :].splitlines()[2:]
    assert listed == [f"| {link.name} | {link.words} |" for link in ODD_LINKS]
