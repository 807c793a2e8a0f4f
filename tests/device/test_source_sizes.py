"""What a device learns of its pictures' sizes: from the first where nothing is known, else from enough of them."""

from __future__ import annotations

import pytest

from edgent.device.source_sizes import CHANGED, SourceSizes


def test_the_first_file_is_believed_where_nothing_is_known() -> None:
    sizes = SourceSizes()
    assert sizes.add([100_000])
    assert sizes.typical == 100_000


def test_files_of_about_that_size_change_nothing() -> None:
    sizes = SourceSizes()
    sizes.add([100_000])
    assert not any(sizes.add([size] * 8) for size in (90_000, 120_000) * 20)
    assert sizes.typical == 100_000


@pytest.mark.parametrize("share", [-CHANGED, CHANGED])
def test_files_of_another_size_do_from_a_share_on(share: float) -> None:
    sizes = SourceSizes()
    sizes.assume(100_000.0)
    edge = int(100_000 * (1 + share))
    beyond = edge + (1 if share > 0 else -1)
    assert [sizes.add([edge]), sizes.add([beyond])] == [False, True]
    assert sizes.typical == beyond


def test_what_is_assumed_later_does_not_outdo_files_that_came() -> None:
    sizes = SourceSizes()
    sizes.add([50_000])
    sizes.assume(2_000.0)
    assert sizes.typical == 50_000


def test_the_mean_of_those_that_came_counts_and_older_ones_are_forgotten() -> None:
    sizes = SourceSizes()
    sizes.add([10_000] * 50)
    assert sizes.add([90_000, 110_000])
    assert sizes.typical == 100_000
