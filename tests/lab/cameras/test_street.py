from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.lab.cameras.plans import BIG, CASCADE, JPEG, OURS, RACED, SMALL, clairvoyant_choice, methods_of
from edgent.lab.cameras.street import SharedLink, StreetRun, arrivals
from lab.cameras import made

FACTS = made.facts()


def seen(name, *, street=None, machines=None):
    street, machines = street or made.street(), machines or made.machines()
    return StreetRun(street, methods_of(FACTS, machines, street.traffic.deadline)[name]).run()


def of(marks, outcome):
    return marks[outcome.picture].mean()


def test_a_device_alone_sends_nothing_and_is_right_as_often_as_its_network():
    outcome = seen(SMALL)
    assert outcome.right.mean() == of(FACTS.small, outcome)
    assert (outcome.asked, outcome.nbytes, outcome.edge_seconds) == (0, 0.0, 0.0)


def test_a_network_that_takes_longer_than_the_deadline_answers_nothing():
    assert not seen(BIG, machines=made.machines(big=0.4)).right.any()


def test_a_single_camera_gets_all_that_the_edge_knows():
    outcome = seen(JPEG)
    assert outcome.right.mean() == of(FACTS.big["source"], outcome)
    assert outcome.asked == len(outcome.right)


def test_over_a_link_that_carries_nothing_who_has_no_answer_of_his_own_has_none():
    dead = made.street(bandwidth=1e3)
    assert not seen(JPEG, street=dead).right.any()
    raced = seen(RACED, street=dead)
    assert raced.right.mean() == of(FACTS.small, raced)


def test_a_cascade_asks_about_the_pictures_that_are_not_clear():
    outcome = seen(CASCADE)
    assert outcome.asked == (~FACTS.clear[outcome.picture]).sum()
    right = np.where(FACTS.clear, FACTS.small, FACTS.big["source"])
    assert outcome.right.mean() == of(right, outcome)


@pytest.mark.parametrize("name", [JPEG, RACED, CASCADE, OURS])
def test_a_full_edge_core_computes_no_more_than_there_is_time_for(name):
    full = made.street(cameras=60)
    outcome = seen(name, street=full)
    # What is begun in the last second of pictures may end in the deadline after it.
    assert outcome.edge_seconds <= outcome.seconds + full.traffic.deadline
    assert outcome.refused <= outcome.asked


def test_where_the_edge_is_full_the_devices_own_answers_stand():
    full = made.street(cameras=100)
    ours, jpeg = seen(OURS, street=full), seen(JPEG, street=full)
    assert ours.right.mean() >= of(FACTS.small, ours) - 0.02
    assert jpeg.right.mean() < 0.5 * of(FACTS.big["source"], jpeg)


@pytest.mark.parametrize("cameras", [1, 40])
def test_who_knows_all_answers_is_never_behind(cameras):
    street = made.street(cameras=cameras)
    methods = methods_of(FACTS, made.machines(), street.traffic.deadline)
    ours = methods[OURS]
    seer = StreetRun(street, ours, lambda camera, picture, _: clairvoyant_choice(ours.of(camera), picture)).run()
    assert all(seer.right.sum() >= StreetRun(street, other).run().right.sum() for other in methods.values())


def test_all_methods_see_the_same_pictures_each_as_often_as_any_other():
    street = made.street(cameras=7)
    first, other = seen(JPEG, street=street), seen(OURS, street=street)
    assert np.array_equal(first.picture, other.picture)
    times = np.bincount(first.picture, minlength=40)
    assert times.max() - times.min() <= 1


def test_a_camera_s_pictures_come_at_its_rate_and_no_two_cameras_keep_step():
    at, camera, _ = arrivals(made.street(cameras=3, seconds=20.0))
    assert (np.diff(at) >= 0).all()
    for number in range(3):
        assert len(at[camera == number]) == 40
    phases = {round(float(at[camera == number][0] % 0.5), 3) for number in range(3)}
    assert len(phases) == 3


def test_a_seed_is_a_run():
    one, same, other = (seen(OURS, street=made.street(cameras=30, seed=seed)) for seed in (0, 0, 1))
    assert np.array_equal(one.right, same.right)
    assert one.edge_seconds == same.edge_seconds
    assert not np.array_equal(one.picture, other.picture)


def test_by_picture_is_how_often_it_was_right_and_how_often_it_came():
    outcome = seen(OURS, street=made.street(cameras=3))
    right, came = outcome.by_picture(40)
    assert [int(outcome.right[outcome.picture == number].sum()) for number in range(40)] == right.tolist()
    assert [int((outcome.picture == number).sum()) for number in range(40)] == came.tolist()


def test_messages_pass_one_after_the_other_and_none_that_is_given_up_takes_the_link():
    link = SharedLink(made.steady(8e6))  # a byte a microsecond, headers apart
    first = link.send(0.0, 100_000, due=1.0)
    assert first == pytest.approx(0.1046)
    assert link.send(0.0, 100_000, due=1.0) == pytest.approx(2 * first)
    assert link.send(0.0, 100_000, due=0.15) == math.inf  # its turn comes too late: it is not begun
    assert link.send(0.0, 100_000, due=0.25) == math.inf  # broken off at its deadline
    assert link.send(0.0, 100_000, due=1.0) == pytest.approx(0.25 + first)
