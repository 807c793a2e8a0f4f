from __future__ import annotations

import doctest
import math
from random import Random

import pytest

import edgent.device.connection.probe_account
from edgent.device.connection.probe_account import LOOK_SHARE, OWN_SHARE, ProbeAccount

SHARE, WINDOW = 0.02, 10.0


def carried(rates: list[tuple[float, float]], begin: float, end: float) -> float:
    """Bits that a link carries whose rate is another one from each of these moments on."""
    ends = [at for at, _ in rates[1:]] + [math.inf]
    return sum(max(0.0, min(end, until) - max(begin, at)) * rate for (at, rate), until in zip(rates, ends, strict=True))


def in_force(seen: list[tuple[float, float]], at: float) -> float:
    """The most that was seen within a window, or what was seen last."""
    return max([rate for then, rate in seen if at - WINDOW < then <= at] or [[r for then, r in seen if then <= at][-1]])


def believed(seen: list[tuple[float, float]], until: float) -> list[tuple[float, float]]:
    """The rates in force, and from when on: they change when something is seen, and a window after that."""
    moments = sorted({at + later for at, _ in seen for later in (0.0, WINDOW)})
    return [(at, in_force(seen, at)) for at in moments if at <= until]


def played(rate_of, *, seed: int, greed: float, share: float = SHARE):
    """Somebody who sends as much as there is room for, now and then, over a link that is believed to be like that.

    Gives what was sent (when, bits) and the rates (from when, bits a second) as far as they were known each time.
    """
    random, account, at = Random(seed), ProbeAccount(), 0.0
    sent, rates = [], []
    for _ in range(120):
        at += random.expovariate(4.0)
        if not rates or random.random() < 0.2:
            rates.append((at, rate_of(random, rates[-1][1] if rates else 1e6)))
            account.carries(rates[-1][1], at)
        bits = greed * random.random() * account.room(at, share)
        account.sent(bits, at)
        sent.append((at, bits))
        yield sent, list(rates)


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.device.connection.probe_account).failed == 0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("greed", [0.3, 1.0])
def test_over_no_ten_seconds_more_is_sent_than_a_fiftieth_of_what_is_believed_to_be_carried(seed, greed):
    """The oracle adds up each window by itself; the rest of one that is not over yet is as the link is now."""
    for sent, seen in played(lambda random, _: random.choice([0.0, 1e3, 1e5, 1e6, 1e7]), seed=seed, greed=greed):
        now, bits = sent[-1]
        rates = believed(seen, now)
        for begin, _ in sent if bits else ():
            if begin > now - WINDOW:
                whole = sum(bits for at, bits in sent if begin <= at < begin + WINDOW)
                assert whole <= SHARE * carried(rates, begin, begin + WINDOW) * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_where_the_link_never_becomes_slower_no_ten_seconds_hold_more_than_a_fiftieth_of_it(seed):
    *_, (sent, rates) = played(lambda random, before: before * random.choice([1, 1, 2]), seed=seed, greed=1.0)
    for begin, _ in sent:
        whole = sum(bits for at, bits in sent if begin <= at < begin + WINDOW)
        assert whole <= SHARE * carried(rates, begin, begin + WINDOW) * (1 + 1e-9)


@pytest.mark.parametrize(("share", "left"), [(OWN_SHARE, 0.8), (LOOK_SHARE, 0.3)])
def test_looks_and_measurements_leave_something_to_searches(share, left) -> None:
    account = ProbeAccount()
    account.carries(1e6, 0.0)
    assert account.most(share) == account.room(0.0, share)
    account.sent(account.most(share), 0.0)
    assert account.room(0.0, share) == pytest.approx(0.0, abs=1e-6)
    assert account.room(0.0) == pytest.approx(left * SHARE * 1e6 * WINDOW)


def test_what_is_affordable_then_finds_room_then_and_not_before() -> None:
    account = ProbeAccount()
    account.carries(1e6, 0.0)
    for second in range(4):
        account.sent(45_000, float(second))
    at = account.affordable(60_000, 4.0)
    assert account.room(at - 0.01) < 60_000
    assert account.room(at) >= 60_000
    assert account.affordable(0, 4.0) <= 4.0


def test_what_is_more_than_ten_seconds_allow_is_affordable_once_nothing_was_sent_in_them() -> None:
    account = ProbeAccount()
    account.carries(1e6, 0.0)
    account.sent(1_000, 3.0)
    assert account.affordable(1e9, 4.0) == 13.0
    assert account.affordable(1e9, 13.0) <= 13.0


def test_a_link_that_seems_slow_for_a_moment_has_room_for_what_proves_that_it_is_not() -> None:
    account = ProbeAccount()
    account.carries(1e7, 0.0)
    account.sent(1_900_000, 1.0)
    account.carries(1e4, 2.0)
    assert account.room(9.0) == pytest.approx(100_000)
    assert account.room(13.0) == pytest.approx(SHARE * 1e4 * WINDOW)
    account.carries(1e7, 14.0)
    assert account.room(14.0) == pytest.approx(SHARE * 1e7 * WINDOW)


def test_a_link_of_which_nothing_was_seen_has_room_for_nothing() -> None:
    account = ProbeAccount()
    account.sent(1_000, 5.0)  # an empty message is never refused
    assert account.room(6.0) == 0.0


def test_it_tells_what_was_sent_from_some_moment_on() -> None:
    account = ProbeAccount()
    account.carries(1e6, 0.0)
    account.sent(1_000, 1.0)
    account.sent(2_000, 2.0)
    assert account.spent(1.5) == 2_000
    assert repr(account) == "<ProbeAccount: 2 sent, over 1e+06 bit/s>"
