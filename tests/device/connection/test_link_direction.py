from __future__ import annotations

import numpy as np
import pytest

from edgent.device.connection.link_direction import LinkDirection
from edgent.link.estimator import BandwidthEstimator
from edgent.link.slow_start import CongestionWindow
from edgent.link.transfer import CALL_BYTES, HEADER_FACTOR, TIMING_ERROR


def direction(bandwidth: float | None = None) -> LinkDirection:
    return LinkDirection("up", CongestionWindow(), bandwidth=bandwidth, gain=0.5)


def test_what_is_no_news_is_left_out_and_the_estimate_is_the_same():
    """Held against the estimator, that is told every message."""
    random = np.random.default_rng(3)
    told = BandwidthEstimator(
        gain=0.5, header_factor=HEADER_FACTOR, message_bytes=CALL_BYTES, timing_error=TIMING_ERROR
    )
    followed = direction()
    for at in range(300):
        size, seconds = 10 ** random.uniform(2, 6), 10 ** random.uniform(-4, 0) - 1e-3
        told.observe(size, seconds)
        followed.heard(size, seconds, float(at))
        assert followed.bandwidth == pytest.approx(told.bandwidth, rel=1e-12)


def test_each_message_is_told_to_others_whether_or_not_it_is_news():
    followed = direction()
    for at in (1.0, 2.0):
        transfer = followed.heard(1e5, 0.001, at)
        assert (transfer.size, transfer.seconds, transfer.at) == (1e5, 0.001, at)


def test_of_a_stated_bandwidth_nothing_is_told():
    stated = direction(1e6)
    assert stated.heard(1e5, 0.1, 1.0) is None
    assert stated.bandwidth == 1e6
    assert stated.measured == pytest.approx((1e5 + CALL_BYTES) * HEADER_FACTOR * 8 / 0.1)


def test_a_short_message_that_got_through_proves_what_it_can_of_a_direction_taken_to_be_slow():
    """An answer of 40 bytes behind one that loss had kept for a second: nothing arrives before it was sent."""
    followed = direction()
    followed.heard(1_000, 1.0, 1.0)
    assert followed.measured < 1e4
    transfer = followed.observe(40, 0.0, whole=40, began_at=2.0, at=2.0, round_trip=0.01)
    assert followed.measured == pytest.approx((40 + CALL_BYTES) * HEADER_FACTOR * 8 / TIMING_ERROR)
    assert transfer.seconds == 0.0
    before = followed.measured
    followed.observe(40, 0.05, whole=40, began_at=3.0, at=3.05, round_trip=0.01)  # its thread was late: no word of it
    assert followed.measured == before


def test_of_a_direction_that_nothing_is_known_of_a_short_message_tells_nothing():
    followed = direction()
    followed.observe(40, 0.0, whole=40, began_at=2.0, at=2.0, round_trip=0.01)
    assert followed.measured is None
