"""What an edge answers in time under load: its own queue in virtual time, with Poisson arrivals."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass

import pytest

from edgent.edge.queue import EdgeQueue, EdgeWork, Start
from edgent.units import Seconds

DEADLINE = 0.100
SECONDS = 20.0


@dataclass
class Outcome:
    in_time: int = 0
    late: int = 0
    less: int = 0  # answered by another choice than the best


def play(queue, rate, choices, *, actual, deadlines=(DEADLINE,), seed=0):
    """Requests at a rate; `actual` draws what a choice really takes."""
    draws, outcome, numbers = random.Random(seed), Outcome(), itertools.count()
    due, events, at = {}, [], 0.0
    while (at := at + draws.expovariate(rate)) < SECONDS:
        events.append((at, next(numbers), None))

    def act(decisions, now):
        for decision in decisions:
            if isinstance(decision, Start):
                outcome.less += decision.choice > 0
                ended = now + actual(draws, choices[decision.choice].profiled)
                heapq.heappush(events, (ended, next(numbers), decision.request))

    while events:
        now, number, done = heapq.heappop(events)
        if done is None:
            budget = draws.choice(deadlines)
            due[number] = now + budget
            act(queue.arrive(number, Seconds(now), budget=Seconds(budget), choices=choices), now)
        else:
            outcome.in_time += now <= due[done]
            outcome.late += now > due[done]
            act(queue.done(done, Seconds(now)), now)
    return outcome


def exactly(_, seconds):
    return seconds


def unevenly(draws, seconds):
    """A third longer than profiled in the mean, and one in ten four times as long."""
    return seconds * (4.0 if draws.random() < 0.1 else draws.uniform(0.8, 1.2))


WORK = (EdgeWork(key="work", profiled=0.009),)


@pytest.mark.parametrize("actual", [exactly, unevenly])
@pytest.mark.parametrize("order", ["deadline", "fifo"])
def test_an_overloaded_edge_answers_nearly_as_many_in_time_as_at_its_best(actual, order):
    capacity = 1 / (WORK[0].profiled * (1.0 if actual is exactly else 1.3))

    def goodput(load):
        return play(EdgeQueue(order=order), load * capacity, WORK, actual=actual).in_time

    peak = max(goodput(load) for load in (0.5, 0.7, 0.85, 1.0))
    assert [goodput(load) / peak > 0.9 for load in (1.2, 2.0, 4.0)] == [True] * 3


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("deadlines", [(DEADLINE,), (0.02, 0.05, 0.3)])
def test_where_work_takes_what_is_expected_nobody_is_let_in_to_be_late(slots, deadlines):
    queue = EdgeQueue(slots=slots)
    outcome = play(queue, 4 * slots / WORK[0].profiled, WORK, actual=exactly, deadlines=deadlines)
    assert outcome.late == 0
    assert outcome.in_time > 0.9 * SECONDS * slots / WORK[0].profiled


def test_few_of_those_who_are_let_in_are_late_where_work_takes_longer_now_and_then():
    outcome = play(EdgeQueue(), 2 / WORK[0].profiled, WORK, actual=unevenly)
    assert outcome.late < 0.1 * outcome.in_time


def test_an_edge_whose_profile_is_far_too_slow_learns_better():
    outcome = play(EdgeQueue(), 50, (EdgeWork(key="work", profiled=0.09),), actual=lambda *_: 0.009)
    assert outcome.in_time > 0.9 * 50 * SECONDS


def test_a_loaded_edge_answers_at_an_earlier_exit_before_it_refuses():
    alone = play(EdgeQueue(), 200, WORK, actual=exactly)
    cheaper = (*WORK, EdgeWork(key="earlier exit", profiled=0.003))
    outcome = play(EdgeQueue(), 200, cheaper, actual=exactly)
    assert outcome.late == 0
    assert outcome.in_time > 1.5 * alone.in_time
    assert outcome.less > 0.5 * outcome.in_time


def test_an_edge_with_time_to_spare_answers_with_the_best():
    cheaper = (*WORK, EdgeWork(key="earlier exit", profiled=0.003))
    outcome = play(EdgeQueue(), 30, cheaper, actual=exactly)
    assert outcome.less == 0
    assert outcome.in_time > 0.98 * 30 * SECONDS * 0.95
