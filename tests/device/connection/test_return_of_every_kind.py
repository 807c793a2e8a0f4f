"""After trouble of any kind the edge is used again within two seconds, and probing stays within a fiftieth of the link.

The trouble begins and ends by itself, at any moment: before a request, during one, or while a probe is on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from device.connection.returning import EVERYTHING, RATE, ROUND_TRIP, WELL, Ends, Setup

BEFORE, DURING, AFTER, WITHIN, PROBING = 8.0, 6.0, 5.0, 2.0, 0.02
STEP = 0.05  # seconds between changes of a trouble that changes


@dataclass(frozen=True)
class Trouble:
    """What it does to both ends, so many seconds after it began; what is left of the rate; what ends it."""

    play: Callable[[Ends, float], None]
    carries: float = 1.0
    end: Callable[[Ends], None] = lambda ends: None


def _set(**changes) -> Callable[[Ends, float], None]:
    return lambda ends, _: ends.link.set(**changes)


def _slow(ends: Ends, _: float) -> None:
    ends.pace.factor = 300.0


def _slow_by_its_load(ends: Ends, _: float) -> None:
    ends.pace.factor, ends.pace.by_own_load = 300.0, True


TROUBLES = {
    "150 ms of delay": Trouble(_set(round_trip=ROUND_TRIP + 0.15)),
    "300 ms of delay": Trouble(_set(round_trip=ROUND_TRIP + 0.3)),
    "a hundredth of the rate": Trouble(_set(bandwidth=RATE / 100), carries=0.01),
    "a trickle": Trouble(_set(bandwidth=RATE / 1e4), carries=1e-4),
    "nothing": Trouble(lambda e, _: e.link.hold(*EVERYTHING), 0.0, lambda e: e.link.release()),
    "nobody": Trouble(lambda e, _: e.link.cut(), 0.0, lambda e: e.link.mend()),
    "a fifth of packets lost": Trouble(_set(lost=0.2)),
    "loss that fades slowly": Trouble(lambda e, s: e.link.set(lost=0.3 * (1 - s / DURING))),
    "now well, now a hundredth": Trouble(
        lambda e, s: e.link.set(bandwidth=RATE / 100 if s % 1.4 < 0.7 else RATE), carries=0.5
    ),
    "a delay that wavers": Trouble(lambda e, s: e.link.set(round_trip=ROUND_TRIP + (0.3 if s % 1.0 < 0.5 else 0.0))),
    "a slow edge": Trouble(_slow),
    "an edge slow by this device's load": Trouble(_slow_by_its_load),
}
SETUPS = {
    "dynamic, no race, often": Setup("dynamic", race=False, period=0.1),
    "dynamic, no race, by chance": Setup("dynamic", race=False, period=1.0, by_chance=True),
    "dynamic, race, seldom": Setup("dynamic", race=True, period=2.0),
    "static, no race, by chance": Setup("static", race=False, period=0.3, by_chance=True),
    "static, no race, seldom": Setup("static", race=False, period=2.0),
    "static, race, by chance": Setup("static", race=True, period=1.0, by_chance=True),
}


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_it_is_used_again_within_two_seconds_and_probed_for_a_fiftieth(
    made, model, fast, clock, picture, trouble, setup
):
    what, seed = TROUBLES[trouble], f"{trouble} {setup}"
    ends = Ends(made, model, fast, clock, SETUPS[setup], seed)
    began_at = clock.now() + BEFORE + Random(seed).random()

    def play() -> None:
        clock.sleep(began_at - clock.now())
        ends.carries.append((clock.now(), what.carries))
        for step in range(round(DURING / STEP)):
            what.play(ends, step * STEP)
            clock.sleep(STEP)
        what.end(ends)
        ends.link.set(**WELL)
        ends.pace.factor = 1.0
        ends.carries.append((clock.now(), 1.0))

    clock.thread(play, "trouble").start()
    ends.run(picture, began_at + DURING + AFTER)
    assert ends.last_without(ends.carries[-1][0]) <= WITHIN
    assert ends.probing() <= PROBING
