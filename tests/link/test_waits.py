"""Of two laws of a message's time the likelier is in force."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest

import edgent.link.waits
from edgent.link.forecast import LinkForecast
from edgent.link.transfer import Transfer
from edgent.link.waits import LinkBelief
from edgent.units import Seconds

SIZES = (300.0, 2_000.0, 12_000.0)  # bytes: a probe, a small picture and a large one


def plain(ahead: float = 0.0) -> LinkForecast:
    return LinkForecast(header_factor=1.0, message_bytes=0, ahead=ahead)


def learned(law: str, *, spread: float, count: int = 40, timing_error: float = 1e-9) -> LinkBelief:
    """Messages of several sizes, each alone after 2 s, that take their bits' time or that of a wait of 40 ms."""
    random = np.random.default_rng(3)
    belief = LinkBelief(
        lambda ahead: LinkForecast(header_factor=1.0, message_bytes=0, ahead=ahead, timing_error=timing_error)
    )
    for k in range(count):
        size = float(random.choice(SIZES))
        seconds = (size * 8 / 4e5 if law == "bits" else 0.040) * math.exp(spread * random.standard_normal())
        belief.learn(Transfer(direction="up", size=size, seconds=seconds, at=Seconds(2.0 * k)))
    return belief


def chance(belief: LinkBelief, size: float, within: float, now: float = 80.0) -> float:
    """That a message of so many bytes takes no longer."""
    told = belief.predictive(Seconds(now))
    assert told is not None
    return told.chance_above((size * 8 + told.ahead) / within)


def test_its_example_holds() -> None:
    assert doctest.testmod(edgent.link.waits).failed == 0


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_messages_that_take_as_long_whatever_their_size_wait(spread: float) -> None:
    assert learned("wait", spread=spread).waits


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_messages_that_take_as_long_as_their_bits_do_not_wait(spread: float) -> None:
    assert not learned("bits", spread=spread).waits


def test_where_messages_wait_a_large_one_is_as_likely_in_time_as_a_small_one() -> None:
    belief = learned("wait", spread=0.3)
    small, large = (chance(belief, size, within=0.060) for size in (SIZES[0], SIZES[1]))
    assert large == pytest.approx(small, abs=0.05)
    assert chance(belief, SIZES[1], within=0.015) < 0.2 < chance(belief, SIZES[1], within=0.060)


def test_where_messages_wait_a_small_probe_that_was_given_up_is_no_word_of_a_slow_link() -> None:
    belief = learned("wait", spread=0.3)
    belief.learn(Transfer(direction="up", size=300.0, seconds=0.045, at=Seconds(80.0), cut=True))
    assert chance(belief, SIZES[2], within=0.300, now=80.05) > 0.9


def test_of_one_size_the_laws_are_not_told_apart_and_the_usual_one_stays_in_force() -> None:
    belief, alone = LinkBelief(plain), plain()
    for k in range(60):
        event = Transfer(direction="up", size=2_000, seconds=0.040 * 1.5 ** (k % 3), at=Seconds(2.0 * k))
        belief.learn(event)
        alone.learn(event)
    one, other = belief.predictive(Seconds(120.0)), alone.predictive(Seconds(120.0))
    assert one is not None and other is not None
    assert one.ahead == 0.0 and one.bandwidths.tolist() == other.bandwidths.tolist()


def test_a_link_that_no_longer_waits_is_found_out() -> None:
    belief = learned("wait", spread=0.1)
    for k in range(40):
        size = SIZES[k % 3]
        belief.learn(Transfer(direction="up", size=size, seconds=size * 8 / 4e5, at=Seconds(80.0 + 2 * k)))
    assert not belief.waits


def test_what_is_too_short_for_the_clock_tells_no_law() -> None:
    assert not learned("wait", spread=0.1, timing_error=0.040).waits


def test_before_anything_was_seen_nothing_is_known() -> None:
    assert LinkBelief(plain).predictive(Seconds(0.0)) is None
    assert not LinkBelief(plain).waits
