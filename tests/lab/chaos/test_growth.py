"""What a process holds, by /proc; and whether that has grown."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgent.lab.chaos.growth import Footprint, footprint, growth

MB = 1 << 20


def looked_at(memory=lambda at: 100 * MB, threads=lambda at: 20, files=lambda at: 10, seconds=300):
    return [
        Footprint(at=float(at), memory=int(memory(at)), threads=threads(at), files=files(at)) for at in range(seconds)
    ]


def test_a_process_is_read_from_what_the_kernel_says_of_it(tmp_path: Path):
    (tmp_path / "7" / "fd").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "7" / "fd" / str(number)).write_text("")
    (tmp_path / "7" / "status").write_text("Name:\tpython\nVmRSS:\t   1000 kB\nThreads:\t12\n")
    assert footprint(7, 1.5, tmp_path) == Footprint(at=1.5, memory=1_024_000, threads=12, files=3)


def test_a_process_that_is_gone_or_a_corpse_holds_nothing(tmp_path: Path):
    assert footprint(7, 1.5, tmp_path) is None
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "status").write_text("Name:\tpython\nState:\tZ (zombie)\nThreads:\t1\n")
    assert footprint(7, 1.5, tmp_path) is None


@pytest.mark.parametrize(
    ("grows", "flat"),
    [
        ({}, True),
        ({"memory": lambda at: (100 + 0.2 * at) * MB}, False),
        ({"memory": lambda at: (100 + 5 * (at % 2)) * MB}, True),
        ({"memory": lambda at: (150 - 0.2 * at) * MB}, True),
        ({"threads": lambda at: 20 + at // 15}, False),
        ({"threads": lambda at: 20 + at % 3}, True),
        ({"threads": lambda at: 20 + min(at, 90) // 5}, True),  # a pool that has come to its most
        ({"files": lambda at: 10 + at // 15}, False),
    ],
)
def test_what_grows_without_end_is_told_from_what_comes_and_goes(grows, flat):
    assert growth("device", looked_at(**grows), since=30.0).flat is flat


def test_what_a_process_makes_at_its_beginning_is_no_growth():
    made = looked_at(memory=lambda at: min(100, at / 2) * MB, threads=lambda at: min(20, at))
    assert growth("device", made, since=200.0).flat
    assert not growth("device", made, since=0.0).flat


def test_nothing_is_said_of_what_was_hardly_seen():
    assert growth("device", looked_at(seconds=4), since=0.0) is None
    assert growth("device", looked_at(), since=299.0) is None
