"""Which specimen a sweep times next: every block first, then by turns what is least known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from edgent.latency.traits import Traits
from edgent.model.specimens import FIRST_GO, first_block
from edgent.profiling.next_specimen import next_number


@dataclass(frozen=True)
class Timed:
    number: int
    kernels: tuple[Traits, ...]
    times: tuple[float, ...]
    seconds: float = 0.1


def of(number: int, *families: str, scatter: float = 0.0) -> Timed:
    """A specimen of kernels of equal work; with scatter, the times of each second one are that much longer."""
    kernels = tuple(Traits(family=name, work=(1.0,) * 5, form=(1.0,)) for name in families)
    return Timed(number, kernels, tuple(1e-5 * math.exp(scatter * (k % 2)) for k in range(len(kernels))))


def gone_on(law: dict[str, tuple[str, ...]], count: int) -> list[Timed]:
    """A sweep of so many specimens, each with the families that its first block has by the law."""
    timed: list[Timed] = []
    for _ in range(count):
        number = next_number(timed)
        timed.append(of(number, *law.get(first_block(number), ("Conv",) * 3)))
    return timed


def test_the_first_go_round_has_every_block() -> None:
    timed = gone_on({}, FIRST_GO)
    every = {first_block(number) for number in range(10 * FIRST_GO)}
    assert {first_block(one.number) for one in timed} == every


def test_no_specimen_comes_twice_and_the_same_timings_choose_the_same() -> None:
    law = {"recurrent": ("LSTM",), "quantised": ("QLinearConv", "QLinearAdd")}
    numbers = [one.number for one in gone_on(law, 5 * FIRST_GO)]
    assert len(set(numbers)) == len(numbers)
    assert numbers == [one.number for one in gone_on(law, 5 * FIRST_GO)]


def test_a_block_of_little_known_families_has_more_turns_until_they_are_known() -> None:
    timed = gone_on({"recurrent": ("LSTM",)}, 2 * FIRST_GO)
    begun = [first_block(one.number) for one in timed]
    assert begun.count("recurrent") >= 7  # in order it would have had two
    assert begun[-4:].count("recurrent") <= 1  # known by now


def test_where_all_is_known_the_sweep_goes_on_in_order() -> None:
    known = [of(number, *("Conv",) * 9) for number in range(3 * FIRST_GO + 1)]
    assert next_number(known) == len(known)
    assert next_number(known[:-1]) == len(known) - 1


def test_a_gap_that_was_left_is_filled_in_its_turn() -> None:
    timed = [of(number, *("Conv",) * 9) for number in range(2 * FIRST_GO) if number != 5]
    timed.append(of(3 * FIRST_GO, "Conv"))
    assert next_number(timed) == 5


def test_of_families_met_equally_often_the_one_that_scatters_more_has_the_next_turn() -> None:
    timed = [
        of(number, *(first_block(number),) * 12, scatter=2.0 if first_block(number) == "grouped" else 0.1)
        for number in range(FIRST_GO)
    ]
    timed = timed if len(timed) % 2 else [*timed, of(FIRST_GO, "Conv")]
    assert first_block(next_number(timed)) == "grouped"


def test_of_blocks_as_little_known_the_quicker_one_has_the_next_turn() -> None:
    timed = [of(number, f"only {first_block(number)}") for number in range(FIRST_GO)]
    timed = [replace(one, seconds=0.01) if first_block(one.number) == "pooled" else one for one in timed]
    timed = timed if len(timed) % 2 else [*timed, of(FIRST_GO, *("Conv",) * 9)]
    assert first_block(next_number(timed)) == "pooled"
