"""What a device learns of its pictures' sizes: from the first where nothing is known, else from enough of them."""

from __future__ import annotations

from edgent.device.source_sizes import ENOUGH, SourceSizes


def test_the_first_file_is_believed_where_nothing_is_known() -> None:
    sizes = SourceSizes()
    assert sizes.add(100_000)
    assert sizes.typical == 100_000


def test_files_of_about_that_size_change_nothing() -> None:
    sizes = SourceSizes()
    sizes.add(100_000)
    assert not any(sizes.add(size) for size in (90_000, 120_000) * 20)
    assert sizes.typical == 100_000


def test_enough_files_of_another_size_do() -> None:
    sizes = SourceSizes()
    sizes.assume(2_000.0)
    changes = [sizes.add(100_000) for _ in range(ENOUGH)]
    assert changes == [False] * (ENOUGH - 1) + [True]
    assert sizes.typical == 100_000


def test_what_is_assumed_later_does_not_outdo_files_that_came() -> None:
    sizes = SourceSizes()
    sizes.add(50_000)
    sizes.assume(2_000.0)
    assert sizes.typical == 50_000


def test_old_files_are_forgotten() -> None:
    sizes = SourceSizes()
    for size in [10_000] * 50 + [100_000] * 50:
        sizes.add(size)
    assert sizes.typical is not None and 75_000 < sizes.typical <= 100_000
