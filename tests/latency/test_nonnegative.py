"""Non-negative least squares, against SciPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from edgent.latency.nonnegative import non_negative_least_squares


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 12))
def test_it_fits_as_well_as_scipy(seed: int, rows: int, columns: int) -> None:
    random = np.random.default_rng(seed)
    matrix, wanted = random.standard_normal((rows, columns)), random.standard_normal(rows)
    found = non_negative_least_squares(matrix, wanted)
    assert (found >= 0).all()
    assert np.linalg.norm(matrix @ found - wanted) <= nnls(matrix, wanted)[1] + 1e-6


@given(st.integers(0, 2**32 - 1))
def test_the_only_solution_is_scipy_s(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix, wanted = np.abs(random.standard_normal((40, 8))), random.standard_normal(40)
    assert np.allclose(non_negative_least_squares(matrix, wanted), nnls(matrix, wanted)[0], atol=1e-6)


def test_equal_columns_share_what_one_would_explain() -> None:
    matrix = np.ones((5, 2))
    assert np.isclose(non_negative_least_squares(matrix, np.full(5, 3.0)).sum(), 3.0)


def test_what_only_negative_unknowns_would_explain_is_left_at_zero() -> None:
    assert not non_negative_least_squares(np.eye(3), -np.ones(3)).any()


def test_columns_of_zeros_get_nothing() -> None:
    matrix = np.array([[1.0, 0.0], [2.0, 0.0]])
    assert np.allclose(non_negative_least_squares(matrix, np.array([2.0, 4.0])), [2.0, 0.0])
