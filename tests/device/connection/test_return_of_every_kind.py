"""After trouble of any kind the edge is used again within two seconds, and probing stays within a fiftieth of the link.

The trouble begins and ends by itself, at any moment: before a request, during one, or while a probe is on its way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from device.connection.returning import EVERYTHING, LAYER, RATE, ROUND_TRIP, WELL, Ends, Setup
from edgent.device.connection.upkeep import IDLE
from edgent.wire import messages as m

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


def _swallow(ends: Ends, _: float) -> None:
    ends.link.swallows = True
    ends.link.hold(*EVERYTHING)


def _hang_at_the_handshake(ends: Ends, seconds: float) -> None:
    if seconds < 1.0:
        ends.link.cut()
    else:
        ends.link.swallows = True
        ends.link.hold(m.DESCRIBE)
        ends.link.mend()


TROUBLES = {
    "150 ms of delay": Trouble(_set(round_trip=ROUND_TRIP + 0.15)),
    "300 ms of delay": Trouble(_set(round_trip=ROUND_TRIP + 0.3)),
    "a hundredth of the rate": Trouble(_set(bandwidth=RATE / 100), carries=0.01),
    "a trickle": Trouble(_set(bandwidth=RATE / 1e4), carries=1e-4),
    "nothing": Trouble(lambda e, _: e.link.hold(*EVERYTHING), 0.0, lambda e: e.link.release()),
    "nothing, and what is sent is lost": Trouble(_swallow, 0.0, lambda e: e.link.release()),
    "a handshake that hangs": Trouble(_hang_at_the_handshake, 0.0, lambda e: e.link.release()),
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
    "dynamic, race, no margin": Setup("dynamic", race=True, period=1.0, by_chance=True, layer=1.06 * LAYER),
    "static, no race, by chance": Setup("static", race=False, period=0.3, by_chance=True),
    "static, no race, seldom": Setup("static", race=False, period=2.0),
    "static, race, by chance": Setup("static", race=True, period=1.0, by_chance=True),
}


def played(ends: Ends, picture, what: Trouble, begins_in: float) -> None:
    """Requests before, during and after some trouble."""
    began_at = ends.clock.now() + begins_in

    def play() -> None:
        ends.clock.sleep(began_at - ends.clock.now())
        ends.carries.append((ends.clock.now(), what.carries))
        for step in range(round(DURING / STEP)):
            what.play(ends, step * STEP)
            ends.clock.sleep(STEP)
        what.end(ends)
        ends.link.set(**WELL)
        ends.pace.factor = 1.0
        ends.carries.append((ends.clock.now(), 1.0))

    ends.clock.thread(play, "trouble").start()
    ends.run(picture, began_at + DURING + AFTER)


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("trouble", TROUBLES)
def test_it_is_used_again_within_two_seconds_and_probed_for_a_fiftieth(
    made, model, fast, clock, picture, trouble, setup
):
    seed = f"{trouble} {setup}"
    ends = Ends(made, model, fast, clock, SETUPS[setup], seed)
    played(ends, picture, TROUBLES[trouble], BEFORE + Random(seed).random())
    assert ends.last_without(ends.carries[-1][0]) <= WITHIN
    assert ends.probing() <= PROBING


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("setup", ["static, no race, by chance", "static, race, by chance"])
@pytest.mark.parametrize("trouble", ["a hundredth of the rate", "nothing", "a fifth of packets lost"])
def test_beside_a_full_machine_on_which_a_quarter_of_exchanges_is_late_by_chance_as_well(
    made, model, fast, clock, picture, trouble, setup, seed
):
    ends = Ends(made, model, fast, clock, SETUPS[setup], seed)
    ends.link.full = 0.15
    played(ends, picture, TROUBLES[trouble], BEFORE + Random(seed).random())
    assert ends.last_without(ends.carries[-1][0]) <= WITHIN


def test_without_a_race_a_request_waits_for_a_dead_edge_no_longer_than_it_takes_to_find_that_out(
    made, model, fast, clock, picture
):
    ends = Ends(made, model, fast, clock, Setup("static", race=False, period=1.0), seed=0)
    ends.run(picture, clock.now() + BEFORE)
    _swallow(ends, 0.0)
    record = ends.device.infer(picture).record
    assert record.by == "device"
    assert record.total < IDLE + 1.5  # a check's patience, and its own answer
