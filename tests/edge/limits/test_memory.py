"""The edge's budget of memory: what is done at which share of it; the numbers are a test's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from edgent.edge.limits.memory import (
    MemoryWatch,
    Room,
    give_back,
    memory_taken,
    memory_there,
    next_look,
    room_for,
)
from edgent.errors import InputError
from edgent.wire.errors import BusyError


class Memory:
    """What is taken, and what was done about it."""

    def __init__(self, taken):
        self.taken, self.done = taken, []
        self.watch = MemoryWatch(100.0, taken=lambda: self.taken, make_room=lambda: self.done.append("made room"))

    def look(self, taken):
        self.taken = taken
        self.done.clear()
        self.watch.look(lambda: self.done.append("shed"))
        return self.done


@pytest.mark.parametrize(
    ("taken", "room"),
    [(0, Room.PLENTY), (69.9, Room.PLENTY), (70, Room.SCARCE), (79.9, Room.SCARCE), (80, Room.NONE), (1e9, Room.NONE)],
)
def test_what_is_left_goes_by_the_share_that_is_taken(taken, room):
    assert room_for(taken, 100.0) is room


@pytest.mark.parametrize("budget", [1e8, 8e8, 4e9, 64e9])
def test_however_fast_memory_goes_it_is_looked_at_before_it_is_scarce(budget):
    gigabytes_a_second, looks = 5.0, []
    for share in range(0, 101, 5):
        taken = budget * share / 100
        looks.append(next_look(taken, budget))
        # Nearer than what goes between two looks at their oftenest, the next one may find it scarce, by that much.
        assert taken + looks[-1] * gigabytes_a_second * 1e9 <= max(0.7 * budget, taken + 1e8) * (1 + 1e-9)
        assert 0.02 <= looks[-1] <= 0.2
    assert looks == sorted(looks, reverse=True)


def test_a_watch_looks_again_by_what_is_left():
    watch = MemoryWatch(10e9, taken=iter([1e9, 6.5e9, 7.5e9]).__next__, make_room=lambda: None)
    assert [watch.look(lambda: None) for _ in range(3)] == pytest.approx([0.2, 0.1, 0.02])


def test_room_is_made_before_anybody_is_shed_and_all_is_well_again_afterwards():
    memory = Memory(10.0)
    assert not memory.look(50.0) and not memory.watch.is_scarce()
    assert memory.look(75.0) == ["made room"] and memory.watch.is_scarce()
    assert memory.look(95.0) == ["made room", "shed"]
    assert not memory.look(20.0) and not memory.watch.is_scarce()


def test_many_that_begin_between_two_looks_are_made_one_by_one_until_there_is_no_room():
    memory, made = Memory(0.0), []
    with ThreadPoolExecutor(20) as pool:
        for ended in [pool.submit(making, memory, made) for _ in range(20)]:
            assert ended.exception() is None or isinstance(ended.exception(), BusyError)
    # Each takes 15 of 100: the fifth begins at 60, and is the last that finds less than 70 taken.
    assert made == [15.0, 30.0, 45.0, 60.0, 75.0] and not memory.watch.is_scarce()


def making(memory, made):
    with memory.watch.making():
        before = memory.taken
        memory.taken = before + 15.0
        made.append(memory.taken)


def test_models_that_leave_no_room_are_refused_at_the_start_with_what_to_do():
    with pytest.raises(InputError, match=r"the models take 85 B.*--memory"):
        Memory(85.0).watch.start(lambda: None)


def test_the_budget_is_of_what_the_control_group_lets_the_process_take(tmp_path):
    machine = memory_there([])
    limits = [tmp_path / name for name in ("none", "max", "less", "more")]
    for path, text in zip(limits[1:], ("max\n", "1000000\n", f"{int(machine) * 2}\n"), strict=True):
        path.write_text(text)
    assert memory_there(limits) == 1_000_000
    assert memory_there(limits[:2]) == memory_there(limits[3:]) == machine > 1e8


def test_what_a_process_takes_grows_by_what_it_allocates():
    give_back()  # else the block may be made of what tests before this one have left
    before = memory_taken()
    block = bytearray(b"x") * 50_000_000
    assert 45e6 < memory_taken() - before < 60e6
    del block
