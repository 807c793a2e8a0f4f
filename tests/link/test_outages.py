from __future__ import annotations

import pytest

from edgent.link.outages import Outages


def test_nothing_is_feared_before_anything_was_seen() -> None:
    assert Outages().chance(100.0) == 0.0


def test_an_outage_begins_with_what_did_not_get_through_and_ends_with_what_did() -> None:
    outages = Outages()
    outages.passed(0.0)
    assert not outages.now
    outages.failed(10.0, 11.0, otherwise=0.0)
    assert outages.now and outages.chance(11.0) == 1.0
    outages.passed(20.0)
    assert not outages.now and outages.chance(20.0) == 0.0


def test_an_outage_lasts_as_long_again_as_it_did_with_even_chance() -> None:
    outages = Outages()
    outages.passed(0.0)
    outages.failed(10.0, 60.0, otherwise=0.0)
    assert outages.chance(110.5) == pytest.approx(0.5)
    outages.failed(60.0, 610.0, otherwise=0.0)
    assert outages.chance(660.0) > 0.9


def test_the_more_outages_there_were_the_sooner_the_next_is_feared() -> None:
    rare, frequent = Outages(), Outages()
    for turn in range(100):
        rare.passed(10.0 * turn)
        frequent.passed(10.0 * turn)
        if turn % 5 == 0:
            frequent.failed(10.0 * turn + 4, 10.0 * turn + 6, otherwise=0.0)
    rare.passed(1000.0)
    frequent.passed(1000.0)
    assert 5 * rare.chance(1002.0) < frequent.chance(1002.0) < 0.1


def test_a_failure_that_was_to_be_expected_of_a_slow_link_is_hardly_an_outage() -> None:
    for otherwise, feared in ((1.0, 0.1), (0.5, 0.1), (1e-6, 1.0)):
        outages = Outages()
        outages.passed(0.0)
        outages.failed(2.0, 2.5, otherwise=otherwise)
        assert outages.now == (feared == 1.0)
        assert outages.chance(2.5) == pytest.approx(feared, abs=0.1)


def test_who_has_only_ever_seen_failures_takes_them_for_an_outage_the_surer_the_more_there_are() -> None:
    outages, chances = Outages(), []
    for turn in range(4):
        outages.failed(0.2 * turn, 0.2 * turn + 0.1, otherwise=0.3)
        chances.append(outages.chance(0.2 * turn + 0.1))
    assert 0.5 < chances[0] < chances[1] < chances[3]
