"""Which questions are open: each ends once, by an answer or by its time."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from edgent.frigate.open_questions import MOST_OPEN, OpenQuestions
from edgent.units import Seconds


def questions(patience: float = 1.0) -> OpenQuestions:
    return OpenQuestions(patience=Seconds(patience))


def test_a_question_that_is_answered_is_not_given_up() -> None:
    asked = questions()
    number = asked.begin(b"a", Seconds(0))
    assert number is not None and asked.end(number) == b"a"
    assert asked.give_up(Seconds(9)) == [] and asked.end(number) is None


def test_a_question_that_was_given_up_has_nobody_to_answer() -> None:
    asked = questions()
    number = asked.begin(b"a", Seconds(0))
    assert asked.give_up(Seconds(0.99)) == []
    assert asked.give_up(Seconds(1.0)) == [b"a"]
    assert number is not None and asked.end(number) is None


def test_the_next_moment_is_that_of_the_oldest_question() -> None:
    asked = questions()
    assert math.isinf(asked.left(Seconds(0)))
    first = asked.begin(b"a", Seconds(0))
    asked.begin(b"b", Seconds(0.5))
    assert asked.left(Seconds(0.6)) == 0.4
    assert first is not None and asked.end(first)
    assert asked.left(Seconds(0.6)) == 0.9 and asked.left(Seconds(9)) == 0


def test_there_is_a_most() -> None:
    asked = questions()
    assert None not in [asked.begin(b"a", Seconds(0)) for _ in range(MOST_OPEN)]
    assert asked.begin(b"b", Seconds(0)) is None


def test_a_question_that_was_given_up_keeps_its_place_until_its_work_ends() -> None:
    asked = questions()
    first, *_ = [asked.begin(b"a", Seconds(0)) for _ in range(MOST_OPEN)]
    assert len(asked.give_up(Seconds(1))) == MOST_OPEN and len(asked) == 0
    assert asked.begin(b"b", Seconds(1)) is None
    assert first is not None and asked.end(first) is None
    assert asked.begin(b"b", Seconds(1)) is not None
    assert asked.begin(b"c", Seconds(1)) is None


@given(st.lists(st.tuples(st.sampled_from(["ask", "end", "wait"]), st.integers(0, 20)), max_size=60))
def test_every_question_ends_exactly_once(steps: list[tuple[str, int]]) -> None:
    asked, at, begun, ended, worked_on = questions(3.0), 0.0, [], [], set()
    for step, value in steps:
        if step == "ask" and (number := asked.begin(str(len(begun)).encode(), Seconds(at))) is not None:
            begun.append(number)
            worked_on.add(number)
        if step == "end":
            worked_on.discard(value)
            ended += [asker] if (asker := asked.end(value)) is not None else []
        if step == "wait":
            at += value / 10
            ended += asked.give_up(Seconds(at))
        assert len(asked) <= len(worked_on) <= MOST_OPEN
    ended += asked.give_up(Seconds(at + 3.0))
    assert sorted(ended) == sorted(str(number).encode() for number in range(len(begun)))
    assert len(asked) == 0
