"""Orders that come over a pipe: whole lines only, in their order, each answered once."""

from __future__ import annotations

import contextlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import EdgentError
from edgent.lab.processes.orders import Orders


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    for end in (read, write):
        with contextlib.suppress(OSError):  # one that the test has closed
            os.close(end)


def line(**order: object) -> bytes:
    return json.dumps(order).encode() + b"\n"


def answers(capsys) -> list[dict[str, object]]:
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def test_orders_are_done_in_their_order_and_each_is_answered(pipe, capsys) -> None:
    done = []

    def add(a: int, b: int) -> dict[str, object]:
        done.append((a, b))
        return {"sum": a + b}

    obedient = Orders({"add": add, "rest": lambda: None}, pipe[0])
    os.write(pipe[1], line(do="add", a=1, b=2) + line(do="rest") + line(do="add", a=3, b=4))
    obedient.obey()
    assert done == [(1, 2), (3, 4)]
    assert answers(capsys) == [{"sum": 3}, {}, {"sum": 7}]


def test_half_an_order_waits_for_the_other_half(pipe, capsys) -> None:
    obedient = Orders({"say": lambda word: {"word": word}}, pipe[0])
    whole = line(do="say", word="yes") + line(do="say", word="no")
    os.write(pipe[1], whole[:9])
    obedient.obey()
    assert answers(capsys) == []
    os.write(pipe[1], whole[9:-1])
    obedient.obey()
    assert answers(capsys) == [{"word": "yes"}]
    os.write(pipe[1], whole[-1:])
    obedient.obey()
    assert answers(capsys) == [{"word": "no"}]


def test_what_fails_is_answered_and_the_next_order_is_done(pipe, capsys) -> None:
    def fail() -> None:
        raise EdgentError("the edge is not there")

    obedient = Orders({"fail": fail, "go": lambda: {"gone": True}}, pipe[0])
    os.write(pipe[1], line(do="fail") + line(do="go"))
    obedient.obey()
    assert answers(capsys) == [{"failed": "the edge is not there"}, {"gone": True}]


def test_an_error_of_ones_own_is_not_hidden(pipe) -> None:
    obedient = Orders({"go": lambda: {}["missing"]}, pipe[0])
    os.write(pipe[1], line(do="go"))
    with pytest.raises(KeyError):
        obedient.obey()


def test_the_end_of_the_pipe_ends_it(pipe, capsys) -> None:
    obedient = Orders({"go": lambda: {}}, pipe[0])
    os.write(pipe[1], line(do="go"))
    os.close(pipe[1])
    obedient.obey_all()
    assert obedient.ended and answers(capsys) == [{}]


@given(st.lists(st.integers(), min_size=1, max_size=8), st.data())
def test_however_the_bytes_are_cut_the_orders_are_the_same(numbers, data) -> None:
    whole = b"".join(line(do="take", number=number) for number in numbers)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    read, write = os.pipe()
    received: list[int] = []

    def take(number: int) -> None:
        received.append(number)

    obedient = Orders({"take": take}, read)
    try:
        for piece in pieces:
            os.write(write, piece)
            obedient.obey()
    finally:
        os.close(read)
        os.close(write)
    assert received == numbers
