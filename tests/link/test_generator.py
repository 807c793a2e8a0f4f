from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.link.generator import steps


def test_the_same_seed_gives_the_same_stream() -> None:
    assert steps(4, changes=5).samples.tolist() == steps(4, changes=5).samples.tolist()
    assert steps(4, changes=5).samples.tolist() != steps(5, changes=5).samples.tolist()


@pytest.mark.parametrize("factor", [1.3, 2.0, 10.0])
def test_levels_change_by_the_factor_exactly_where_it_says(factor: float) -> None:
    stream = steps(1, changes=30, factor=factor)
    moved = np.flatnonzero(np.diff(stream.levels)) + 1
    assert tuple(moved) == stream.changes
    ratios = stream.levels[moved] / stream.levels[moved - 1]
    assert np.abs(np.log(ratios)) == pytest.approx(math.log(factor))
    assert stream.levels.min() >= 50e3 and stream.levels.max() <= 50e6


@pytest.mark.parametrize("noise", ["independent", "correlated", "heavy-tailed"])
def test_the_noise_has_the_stated_spread(noise: str) -> None:
    stream = steps(2, changes=150, noise=noise)  # type: ignore[arg-type]
    errors = np.log(stream.samples / stream.levels)
    assert errors.std() == pytest.approx(stream.deviation, rel=0.12)
    lag = float(np.corrcoef(errors[:-1], errors[1:])[0, 1])
    assert lag == pytest.approx(0.5 if noise == "correlated" else 0.0, abs=0.05)


def test_steps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="changes by"):
        steps(1, changes=3, factor=1000.0)
