"""The links of the figures: their beginnings and their hashes, beside plain lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.lab.figures.links import digest, excerpt
from edgent.link.trace import Trace
from edgent.units import Seconds


def trace(bandwidths: list[float], step: float = 1.0) -> Trace:
    count = len(bandwidths)
    starts = np.array([step * k for k in range(count)])
    return Trace(name="t", starts=starts, bandwidths=np.array(bandwidths), duration=Seconds(step * count))


rates = st.lists(st.floats(1, 1e8), min_size=1, max_size=20)


@given(rates, st.floats(0.5, 30.0))
def test_an_excerpt_has_at_each_moment_what_the_whole_has_and_ends_when_it_should(rates, seconds) -> None:
    whole = trace(rates)
    begin = excerpt(whole, seconds)
    assert begin.duration == min(seconds, whole.duration)
    for start, bandwidth in zip(begin.starts, begin.bandwidths, strict=True):
        assert start < seconds and bandwidth == rates[int(start)]
    assert len(begin.starts) == sum(k < seconds for k in range(len(rates)))


@given(rates, st.data())
def test_traces_that_differ_in_one_number_have_different_hashes_and_equal_ones_the_same(rates, data) -> None:
    assert digest([trace(rates)]) == digest([trace(list(rates))])
    place = data.draw(st.integers(0, len(rates) - 1))
    other = [*rates]
    other[place] = float(np.nextafter(other[place], np.inf))
    assert digest([trace(rates)]) != digest([trace(other)])
    assert digest([trace(rates)]) != digest([trace(rates, step=2.0)]) or len(rates) == 1


def test_the_order_of_traces_is_part_of_the_hash() -> None:
    first, second = trace([1.0, 2.0]), trace([3.0])
    assert digest([first, second]) != digest([second, first])
    assert len(digest([])) == 16


def test_an_excerpt_of_more_than_there_is_is_all_of_it() -> None:
    whole = trace([1.0, 2.0, 3.0])
    begin = excerpt(whole, 100.0)
    assert begin.bandwidths.tolist() == [1.0, 2.0, 3.0] and begin.duration == pytest.approx(3.0)
