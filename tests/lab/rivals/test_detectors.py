from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from edgent.lab.rivals.detectors import Adwin, Cusum, PageHinkley, optimal_partitioning
from edgent.link.generator import steps


@pytest.mark.parametrize("detector", [PageHinkley(0.3, 1.0), Adwin(1e-3, 0.1)])
def test_a_plain_step_is_found_once(detector: PageHinkley | Adwin) -> None:
    random = np.random.default_rng(1)
    samples = np.repeat([14.0, 14.7], 80) + 0.1 * random.standard_normal(160)
    alarms = [at for at, sample in enumerate(samples) if detector.update(sample)]
    assert len(alarms) == 1 and 80 <= alarms[0] < 90


def test_cusum_that_is_told_everything_finds_every_step() -> None:
    stream = steps(3, changes=20)
    detector = Cusum(np.log(stream.levels).tolist(), math.log(2), stream.deviation, 8.0)
    alarms = [at for at, sample in enumerate(np.log(stream.samples)) if detector.update(sample)]
    assert len(alarms) == 20
    assert all(0 <= at - change < 8 for at, change in zip(alarms, stream.changes, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_the_offline_optimum_is_that_of_all_partitions(seed: int) -> None:
    random = np.random.default_rng(seed)
    samples = np.repeat(random.normal(0, 2, 3), 4) + random.normal(0, 0.5, 12)

    def fit(first: int, last: int) -> float:
        return float(((samples[first:last] - samples[first:last].mean()) ** 2).sum()) / 0.25

    @cache
    def least(end: int) -> tuple[float, tuple[int, ...]]:
        if end == 0:
            return -3.0, ()
        options = ((least(k)[0] + fit(k, end) + 3.0, (*least(k)[1], k)) for k in range(end))
        return min(options)

    assert optimal_partitioning(samples, 0.5, 3.0) == [k for k in least(12)[1] if k > 0]
