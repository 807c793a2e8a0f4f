from __future__ import annotations

import math

import pytest

from edgent.errors import InputError
from edgent.link.predictive import Predictive


def test_a_log_normal_has_its_mean_and_its_median_below_it() -> None:
    found = Predictive.log_normal(2e6, 0.3)
    assert float(found.bandwidths @ found.weights) == pytest.approx(2e6, rel=0.01)
    assert found.median == pytest.approx(2e6 / math.sqrt(1 + 0.3**2), rel=0.01)
    assert Predictive.log_normal(2e6, 0.0).bandwidths.tolist() == [2e6]


@pytest.mark.parametrize("variation", [0.0, 0.2])
@pytest.mark.parametrize("bandwidth", [0.0, -1.0, math.inf, math.nan])
def test_a_mean_that_is_no_bandwidth_is_refused(bandwidth: float, variation: float) -> None:
    with pytest.raises(InputError, match="positive, finite"):
        Predictive.log_normal(bandwidth, variation)
