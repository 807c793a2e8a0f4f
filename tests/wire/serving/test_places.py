"""What callers may take of a server, counted."""

from __future__ import annotations

import threading

import pytest

from edgent.wire.errors import BusyError
from edgent.wire.serving.places import InHand, Places, Shares, host_of


@pytest.mark.parametrize("most", [1, 3])
def test_places_are_taken_until_somebody_is_done(most):
    go, places = threading.Event(), Places(most, "calls")
    with places:
        works = []
        for _ in range(most):
            assert not places.are_taken
            works.append(places.submit(go.wait))
        assert places.are_taken
        go.set()
        for work in works:
            assert work.result()
    assert not places.are_taken


def test_a_place_is_free_again_whatever_became_of_the_work():
    with Places(1, "calls") as places, pytest.raises(ZeroDivisionError):
        places.submit(lambda: 1 // 0).result()
    assert not places.are_taken


def test_one_host_cannot_take_the_share_of_another():
    shares = Shares(2, "streams")
    with shares.held("192.0.2.7"), shares.held("192.0.2.7"), shares.held("192.0.2.8"):
        with pytest.raises(BusyError, match=r"2 streams of 192\.0\.2\.7 are under way"), shares.held("192.0.2.7"):
            raise AssertionError
        with shares.held("192.0.2.8"):
            pass


def test_a_share_is_given_back_also_after_a_failure_and_nobody_is_remembered():
    shares = Shares(1, "uploads")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), shares.held("::1"):
            raise ZeroDivisionError
    assert "{}" in repr(shares)


def test_in_hand_is_what_has_begun_and_not_ended():
    in_hand = InHand()
    assert in_hand.emptied(0)
    with in_hand:
        assert not in_hand.emptied(0)
        with pytest.raises(ZeroDivisionError), in_hand:
            raise ZeroDivisionError
        assert not in_hand.emptied(0)
    assert in_hand.emptied(0)


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.7:40312", "192.0.2.7"),
        ("ipv6:%5B::1%5D:40312", "[::1]"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", "[fe80::1%eth0]"),
    ],
)
def test_callers_of_one_host_have_one_name(peer, host):
    assert host_of(peer) == host
