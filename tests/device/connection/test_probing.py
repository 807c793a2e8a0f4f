from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgent.device.connection.probing
from edgent.device.connection.link_follower import PROBE_SIZES, TELLING
from edgent.device.connection.probing import Ascent

ALLOWANCE = 0.032
AROUND = 240  # bytes of a call without any


def climbed(rate: float, *, round_trip: float = 0.01, late: float = 0.0, enough: float = float("inf")):
    """All sizes of an ascent on a link of so many bits per second, and how long they occupied it in truth."""

    def on_link(size: int) -> float:
        return (size + AROUND) * 1.046 * 8 / rate

    ascent, sizes = Ascent(allowance=ALLOWANCE), []
    ascent.began(took=round_trip + on_link(0) + late, beyond=on_link(0) + late)
    while (size := ascent.next(enough)) is not None:
        sizes.append(size)
        ascent.passed(size, took=round_trip + on_link(size) + late)
        assert len(sizes) < 20
    return ascent, sizes, on_link(0) + sum(map(on_link, sizes))


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.device.connection.probing).failed == 0


@given(st.floats(2e5, 1e9), st.floats(0.0, 0.5), st.floats(0.0, 0.01))
def test_an_ascent_never_occupies_the_link_for_much_longer_than_it_may(rate, round_trip, late):
    """The oracle is arithmetic: the bytes of all steps at the link's true rate; a call's own bytes go both ways."""
    _, _, occupied = climbed(rate, round_trip=round_trip, late=late)
    assert occupied <= ALLOWANCE + 2 * 0.032  # the last step once more, if it took its time


@given(st.floats(1e3, 3e4))
def test_on_a_link_where_an_empty_message_takes_the_whole_allowance_nothing_longer_is_sent(rate):
    assert climbed(rate)[1] == []


@given(st.floats(1e6, 1e8))
def test_each_step_is_longer_than_the_one_before(rate):
    _, sizes, _ = climbed(rate)
    assert sizes[-1] in sizes[-2:]
    assert sizes[:-1] == sorted(set(sizes[:-1]))  # but for the last one, which is made again if it took its time
    assert sizes[-1] <= PROBE_SIZES[-1]


@pytest.mark.parametrize("rate", [2e6, 1e7, 1e8])
def test_it_proves_a_bandwidth_that_the_link_has(rate):
    ascent, sizes, _ = climbed(rate, enough=rate / 10)
    assert ascent.next(rate / 10) is None
    assert sizes[-1] * 8 / rate < TELLING


def test_who_needs_little_is_asked_for_little():
    assert climbed(1e8, enough=1e6)[1][-1] < climbed(1e8, enough=1e7)[1][-1]


def test_a_probe_that_took_its_time_twice_ends_the_ascent():
    ascent = Ascent(allowance=ALLOWANCE)
    ascent.began(took=0.01, beyond=0.0)
    size = ascent.next(1e9)
    ascent.passed(size, took=0.011 + TELLING)
    assert ascent.next(1e9) == size
    ascent.passed(size, took=0.012 + TELLING)
    assert ascent.next(1e9) is None


def test_a_probe_that_was_late_by_chance_is_made_again_and_the_ascent_goes_on():
    ascent = Ascent(allowance=ALLOWANCE)
    ascent.began(took=0.01, beyond=0.0)
    size = ascent.next(1e9)
    ascent.passed(size, took=0.011 + TELLING)
    ascent.passed(ascent.next(1e9), took=0.0101)
    assert ascent.next(1e9) > 2 * size


def test_where_there_is_no_room_for_it_a_probe_is_smaller_or_not_made():
    ascent = Ascent(allowance=ALLOWANCE)
    ascent.began(took=0.01, beyond=0.0)
    assert ascent.next(1e9, most=150) == 150
    assert ascent.next(1e9, most=0) is None
    ascent.passed(200, took=0.011 + TELLING)
    assert ascent.next(1e9, most=150) is None


def test_a_way_that_became_shorter_meanwhile_proves_nothing_by_itself():
    """An empty message took 310 ms, and then the delay was gone: the longer ones are quicker, on a link of 1 Mbit/s."""
    rate, ascent, took = 1e6, Ascent(allowance=ALLOWANCE), 0.0
    ascent.began(took=0.31, beyond=0.0)
    while (size := ascent.next(float("inf"))) is not None:
        took = 0.01 + (size + AROUND) * 1.046 * 8 / rate
        ascent.passed(size, took=took)
        assert ascent.proven <= rate
    assert took - 0.01 <= 2 * ALLOWANCE


def test_a_late_thread_is_disproved_by_a_longer_probe_that_was_quick():
    ascent = Ascent(allowance=ALLOWANCE)
    ascent.began(took=0.022, beyond=0.012)
    assert ascent.occupied == pytest.approx(0.012)
    ascent.passed(ascent.next(1e9), took=0.010)
    ascent.passed(ascent.next(1e9), took=0.010)
    assert ascent.occupied < 0.006


def test_its_repr_says_how_far_it_came():
    ascent = Ascent(allowance=0.03)
    ascent.began(took=0.01, beyond=0.001)
    ascent.passed(700, took=0.012)
    assert repr(ascent).startswith("<Ascent: 700 B so far, ")


@given(st.floats(2e5, 1e9), st.floats(0.0, 0.5), st.floats(0.0, 0.01))
def test_what_is_proven_for_a_time_never_takes_the_link_longer(rate, round_trip, late):
    """The oracle is arithmetic: those bytes, and a call's own, at the link's true rate."""
    ascent, _, _ = climbed(rate, round_trip=round_trip, late=late)
    assert (ascent.proven_bytes(0.05) + AROUND) * 1.046 * 8 / rate <= 0.05 + 2 * AROUND * 1.046 * 8 / rate


def test_a_step_later_than_its_bytes_can_be_on_a_link_that_proved_more_is_sent_again():
    """An empty message of 2 kbit within 8 ms has proven some 270 kbit/s: 100 bytes cannot take 50 ms there."""
    ascent = Ascent(allowance=0.032)
    ascent.began(took=0.010, beyond=0.0)
    size = ascent.next(enough=1e7)
    for _ in range(2):  # twice in a row, as no honest link would be
        ascent.passed(size, took=0.060)
        assert ascent.next(enough=1e7) == size
    ascent.passed(size, took=0.010)
    assert ascent.next(enough=1e7) > size


def test_what_is_late_by_chance_again_and_again_ends_an_ascent_all_the_same():
    ascent, sent = Ascent(allowance=0.032), 0
    ascent.began(took=0.010, beyond=0.0)
    while (size := ascent.next(enough=1e7)) is not None:
        ascent.passed(size, took=0.060)
        sent += 1
    assert sent <= 5


def test_a_step_that_takes_what_its_bytes_take_ends_an_ascent_as_soon_as_it_does_so_twice():
    bandwidth = 60e3
    ascent = Ascent(allowance=0.5)
    ascent.began(took=0.010 + 2177 / bandwidth, beyond=2177 / bandwidth)
    sent = []
    while (size := ascent.next(enough=1e7)) is not None:
        sent.append(size)
        ascent.passed(size, took=0.010 + (size + 260) * 1.046 * 8 / bandwidth)
    assert len(sent) == 2
    assert sent[0] == sent[1]
