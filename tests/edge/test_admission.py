from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgent.edge.admission import Durations, Lateness, admitted, ends

moments = st.floats(0, 3)
seconds = st.floats(0.01, 2)


@settings(max_examples=300)
@given(st.lists(moments, min_size=1, max_size=3), st.lists(seconds, max_size=6))
def test_each_piece_of_work_begins_when_the_first_slot_is_free(free, work):
    slots = [[at] for at in free]
    for takes in work:
        first = min(slots, key=lambda slot: slot[-1])
        first.append(first[-1] + takes)
    assert sorted(ends(free, work)) == sorted(itertools.chain.from_iterable(slot[1:] for slot in slots))


@settings(max_examples=300)
@given(
    st.lists(moments, min_size=1, max_size=2),
    st.lists(st.tuples(seconds, st.floats(0, 6)), min_size=1, max_size=5),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.5]),
)
def test_a_newcomer_is_let_in_unless_it_or_somebody_who_would_not_be_is_late_by_it(free, waiting, place, margin):
    place = min(place, len(waiting) - 1)
    names = list(range(len(waiting)))

    def late(of):
        done = dict(zip(of, ends(free, [waiting[each][0] for each in of]), strict=True))
        return {each for each in of if done[each] > waiting[each][1] - margin}

    by_it = late(names) - late([each for each in names if each != place])
    predicted = admitted(free, waiting, place, margin)
    assert (predicted is None) == bool(by_it)
    assert predicted in (None, ends(free, [takes for takes, _ in waiting])[place])


def test_one_that_leaves_no_time_to_who_waits_behind_it_is_refused():
    waits = (1.0, 2.0)  # takes a second, is due at 2
    assert admitted([0.0], [(1.0, 1.0), waits], 0, margin=0.0) is not None
    assert admitted([0.0], [(1.1, 1.1), waits], 0, margin=0.0) is None


def test_one_who_is_late_anyway_is_no_reason_to_refuse_others():
    assert admitted([0.0], [(1.0, 1.0), (1.0, 0.5)], 0, margin=0.0) is not None


def test_work_takes_what_the_profile_says_until_it_was_done_three_times():
    durations = Durations()
    for at in (1.0, 1.1):
        durations.took("work", 5.0, at)
    assert durations.expected("work", 0.2, 1.2) == 0.2
    durations.took("work", 7.0, 1.2)
    assert durations.expected("work", 0.2, 1.2) == 5.0
    assert durations.expected("other work", 0.2, 1.2) == 0.2


def test_a_first_time_that_made_a_session_is_soon_one_of_many():
    durations = Durations()
    for at, took in enumerate([3.0, *[0.1] * 2]):
        durations.took("work", took, at * 0.1)
    assert durations.expected("work", 0.0, 0.3) == 0.1


def test_an_edge_that_was_slow_a_while_ago_is_tried_again():
    durations = Durations()
    for at in (0.0, 0.1, 0.2):
        durations.took("work", 9.0, at)
    assert durations.expected("work", 0.1, 2.1) == 9.0
    assert durations.expected("work", 0.1, 2.2) == 0.1
    durations.took("work", 0.1, 3.0)
    assert durations.expected("work", 0.1, 3.0) == 0.1  # the old times are forgotten, and not only too old


def test_who_makes_up_names_without_end_takes_no_memory():
    durations = Durations()
    for name in range(10_000):
        durations.took(name, 1.0, 0.0)
    assert repr(durations) == "<Durations of 256 pieces of work>"


def test_the_margin_is_what_all_but_few_predictions_were_off_by():
    lateness = Lateness()
    assert lateness.margin == 0.0
    for number in range(1, 51):
        lateness.done(100.0, 100.0 + number)
    assert lateness.margin == pytest.approx(48.0)


def test_requests_that_were_done_early_ask_for_no_margin_and_for_no_less():
    lateness = Lateness()
    for _ in range(10):
        lateness.done(100.0, 99.0)
    assert lateness.margin == 0.0


def test_a_margin_is_forgotten_when_predictions_come_true_again():
    lateness = Lateness()
    for _ in range(64):
        lateness.done(100.0, 105.0)
    for _ in range(64):
        lateness.done(100.0, 100.0)
    assert lateness.margin == 0.0
