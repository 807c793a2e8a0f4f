"""Who asks an edge, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from edgent.edge.callers import _CALLERS, CallerCounter
from edgent.errors import InputError
from edgent.names import OTHERS
from edgent.wire.errors import BusyError, LateError
from edgent.wire.messages import DESCRIBE, MODEL_INFER
from edgent.wire.transport import Unary


@dataclass
class Asking:
    """A call from a host, without a certificate."""

    host: str

    def certificate(self) -> None:
        return None

    def caller(self) -> str:
        return self.host


@pytest.fixture
def callers(clock) -> CallerCounter:
    return CallerCounter(clock)


def ask(callers, host, outcome=b"answer", clock=None, seconds=0.0):
    def answer(message, call):
        if clock is not None:
            clock.advance(seconds)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    counted = callers.counted({MODEL_INFER: Unary(answer=answer)})
    return counted[MODEL_INFER].answer(b"", Asking(host))


def test_answers_are_counted_with_their_time_and_given_as_they_are(callers, clock):
    assert ask(callers, "a", b"body", clock, 0.5) == b"body"
    ask(callers, "a", b"body", clock, 0.25)
    counts = callers.counts["a"]
    assert (counts.answered, counts.seconds, counts.asked_at) == (2, 0.75, clock.now())


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(BusyError("full"), "refused"), (LateError("too late"), "refused"), (InputError("bad"), "failed")],
)
def test_what_is_not_answered_is_counted_and_raised_all_the_same(callers, clock, error, outcome):
    with pytest.raises(type(error)):
        ask(callers, "a", error, clock, 0.5)
    counts = callers.counts["a"]
    assert (getattr(counts, outcome), counts.answered, counts.seconds) == (1, 0, 0.0)


def test_callers_beyond_the_first_few_share_a_name(callers):
    for number in range(_CALLERS + 10):
        ask(callers, f"host {number}")
    assert len(callers.counts) == _CALLERS + 1
    assert callers.counts[OTHERS].answered == 10


def test_no_counter_ever_falls_whoever_asks(callers):
    hosts, before = [f"host {number % (_CALLERS + 50)}" for number in range(3 * _CALLERS)], {}
    for host in hosts:
        ask(callers, host)
        now = {name: counts.answered for name, counts in callers.counts.items()}
        assert all(now[name] >= count for name, count in before.items())
        before = now
    assert sum(before.values()) == len(hosts)


def test_who_asked_last_comes_last(callers):
    for host in ("a", "b", "a"):
        ask(callers, host)
    assert list(callers.counts) == ["b", "a"]


def test_all_other_methods_are_left_as_they_are(callers):
    describe = Unary(answer=lambda message, call: b"")
    methods = callers.counted({MODEL_INFER: Unary(answer=lambda message, call: b""), DESCRIBE: describe})
    assert methods[DESCRIBE] is describe
