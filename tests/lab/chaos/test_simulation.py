"""The same objects in time of their own: a seed has one course, what is promised holds, and what breaks it is seen."""

from __future__ import annotations

import pytest

from edgent.errors import EdgeError
from edgent.lab.chaos import simulation
from edgent.lab.chaos.invariants import judged
from edgent.lab.chaos.simulated_link import KINDS, SimulatedLink
from edgent.testing import ManualClock
from edgent.wire import messages as m
from edgent.wire.transport import Unary

REQUESTS = 120


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_promised_holds_in_a_run(seed):
    outcomes = simulation.run(seed, REQUESTS)
    verdict = judged(outcomes)
    assert verdict.holds, verdict.examples
    assert len(outcomes) > REQUESTS / 2
    assert len({outcome.name for outcome in outcomes}) == len(outcomes)


def test_all_that_happens_follows_from_the_seed():
    first, again, other = (simulation.run(seed, REQUESTS) for seed in (4, 4, 5))
    assert first == again != other


def test_seeds_differ_in_devices_callers_and_deadlines():
    drawn = [simulation.boards(seed) for seed in range(60)]
    assert {len(of_boards) for of_boards in drawn} == {1, 2, 5, 12}
    assert {board.callers for of_boards in drawn for board in of_boards} >= {1, 2, 5, 50}
    assert {board.environment for of_boards in drawn for board in of_boards} == {"static", "dynamic"}
    assert any(board.spare < 1 for of_boards in drawn for board in of_boards)


@pytest.fixture
def echo():
    """A link to an edge that gives back what it is sent."""
    return SimulatedLink({m.MODEL_INFER: Unary(answer=lambda message, _: message)}, ManualClock(), seed=1)


def test_what_is_damaged_on_the_way_is_never_taken_for_an_answer(echo):
    """What came is what was sent, or nothing did: 400 messages of both forms, short and announced."""
    echo.fault("corrupt")
    answered = lost = 0
    for number in range(400):
        sent = bytes([number % 256]) * (40 if number % 2 else 40_000)
        try:
            assert echo.exchange(m.MODEL_INFER, sent, 10.0).body == sent
            answered += 1
        except EdgeError:
            lost += 1
    assert answered > 50 and lost > 50


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_is_well_again_carries_as_before(echo, kind):
    echo.fault(kind)
    echo.well()
    for _ in range(50):
        assert echo.exchange(m.MODEL_INFER, b"x" * 40, 10.0).body == b"x" * 40
