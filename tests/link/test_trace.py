from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.link.trace import Trace
from edgent.units import Seconds


def trace(bandwidths: list[float], each: float = 1.0) -> Trace:
    starts = each * np.arange(len(bandwidths))
    duration = Seconds(each * len(bandwidths))
    return Trace(name="made", starts=starts, bandwidths=np.array(bandwidths, dtype=np.float64), duration=duration)


def test_an_outage_at_the_end_of_a_loop_goes_on_at_its_beginning() -> None:
    assert trace([0.0, 1e6, 0.0]).outage == 1.0
    assert replace(trace([0.0, 1e6, 0.0]), loops=True).outage == 2.0


@pytest.mark.parametrize("factor", [1000, 0.001])
def test_values_a_thousand_times_too_large_or_too_small_are_doubted(factor: float) -> None:
    plausible = trace([3e6, 5e6, 0.0])
    assert plausible.doubts == ()
    (doubt,) = plausible.scaled(factor).doubts
    assert f"--scale {1 / factor:g} " in doubt and "\n" not in doubt


def test_hours_of_outage_are_doubted_and_can_be_used() -> None:
    found = trace([1e6, 0.0, 0.0, 1e6], each=3600.0)
    assert found.outage == 7200
    assert "nothing gets through" in found.doubts[0]
    assert found.arrival(3500.0, 200e6) == pytest.approx(3 * 3600 + 100)


def test_what_begins_in_an_outage_without_end_never_arrives() -> None:
    assert trace([1e6, 0.0]).arrival(1.5, 1.0) == math.inf


@given(
    bandwidths=st.lists(st.sampled_from([0.0, 1e5, 1e6, 3e6]), min_size=2, max_size=12).filter(any),
    begin=st.floats(0, 15),
    bits=st.floats(1, 1e7),
)
def test_a_transfer_integrates_the_trace_while_it_lasts(bandwidths: list[float], begin: float, bits: float) -> None:
    found = trace(bandwidths)
    end = found.arrival(begin, bits)
    times = np.linspace(begin, begin + 40, 40_001)
    pieces = np.floor((times[:-1] + times[1:]) / 2).astype(np.intp)  # of a second each
    rates = found.bandwidths[np.minimum(pieces, len(bandwidths) - 1)]
    carried = np.concatenate([[0.0], np.cumsum(rates * np.diff(times))])
    if end == math.inf or end > begin + 39:
        assert carried[-2000] <= bits * (1 + 1e-6)
    else:
        assert np.interp(end, times, carried) == pytest.approx(bits, abs=3.1e6 * 0.002)


def test_scaling_is_explicit_and_must_be_possible() -> None:
    assert trace([1e6, 3e6]).scaled(0.1).mean == pytest.approx(2e5)
    for factor in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match="scale"):
            trace([1e6, 3e6]).scaled(factor)


@pytest.mark.parametrize(("median", "scale"), [(5.3, "1e+06"), (5300.0, "1000"), (5.3e9, "0.001"), (5.3e12, "1e-06")])
def test_the_scale_that_is_advised_makes_the_median_plausible(median: float, scale: str) -> None:
    (doubt,) = trace([median, median * 2, median]).doubts
    assert f"--scale {scale} makes it 5.3 Mbit/s" in doubt
    assert not trace([median, median * 2, median]).scaled(float(scale)).doubts


def test_a_log_of_traffic_is_said_to_look_like_one_with_its_share_of_silence() -> None:
    used = [0.0 if second % 25 in range(0, 22, 2) else 4e6 for second in range(100)]
    used[0] = 3e3  # a phone that nobody uses still chatters
    (doubt,) = trace(used).doubts
    assert "44% of the time, in 44 spells" in doubt and "log of traffic" in doubt and "\n" not in doubt


def test_one_long_outage_and_a_slow_looping_link_are_no_traffic() -> None:
    assert not trace([4e6] * 50 + [0.0] * 40 + [4e6] * 10).doubts
    assert not replace(trace([4e4, 0.0, 0.0, 4e4] * 20), loops=True).doubts


@given(
    bandwidths=st.lists(st.sampled_from([0.0, 1e6]), min_size=1, max_size=20).filter(any),
    loops=st.booleans(),
)
def test_the_longest_outage_is_what_counting_second_by_second_finds(bandwidths: list[float], loops: bool) -> None:
    longest = held = 0
    for bandwidth in bandwidths * (2 if loops else 1):
        held = 0 if bandwidth else held + 1
        longest = max(longest, held)
    assert replace(trace(bandwidths), loops=loops).outage == longest


@pytest.mark.parametrize("downlink", [0.0, -1.0, math.inf, math.nan])
def test_a_downlink_that_cannot_be_is_refused(downlink: float) -> None:
    with pytest.raises(InputError, match="expected a positive number"):
        replace(trace([1e6]), downlink=downlink)
