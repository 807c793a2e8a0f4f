"""Which candidates can win at all.

Latency rises with every component of the demand, whatever the conditions are. So a candidate is out for good as soon
as another one of at least its merit takes no more of anything. What remains is the Pareto frontier (the *maxima* of
Kung, Luccio and Preparata, JACM 1975), found by their divide and conquer: in an order in which nobody comes before
the one that undercuts him, the frontier of the first half is final, and thins out the second.

It cannot be made smaller by taking close accuracies for equal. Within a tolerance x may equal y and y equal z, but x
not z: whether x counts as good as y depends on what else is in time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Shape (components, m); the less the better in each."""

_PAIRS = 1 << 18  # so many comparisons of two points cost about what dividing them does
_FEW = 256


def frontier(merit: NDArray[np.float64], demand: NDArray[np.float64]) -> NDArray[np.intp]:
    """Finds the candidates that no other undercuts. Of equal ones the first stays.

    Exact for any numbers but nan: they are only compared.

    Args:
        merit: The more the better, shape (m,).
        demand: The less the better, shape (components, m).

    Returns:
        Positions on the frontier, rising.
    """
    # Merit is negated, so that less is better in every component and one comparison serves all.
    points = np.stack([-merit, *demand])
    # In lexicographic order nobody comes before the one that undercuts him: whoever takes no more of anything is
    # smaller in the first component that differs. So the divide and conquer below never looks back.
    order = np.lexsort(points[::-1])  # by merit, then by each component; equal points keep their order
    points = points[:, order]
    first_of_equals = np.full(len(order), True)
    first_of_equals[1:] = (points[:, 1:] != points[:, :-1]).any(axis=0)
    left = np.flatnonzero(first_of_equals)
    return np.sort(order[left[_frontier(points[:, left])]])


def _frontier(points: Points) -> NDArray[np.intp]:
    """The frontier of distinct points in lexicographic order."""
    m = points.shape[1]
    # Below this, all pairs at once in numpy are quicker than the recursion's many small arrays.
    if m <= _FEW:
        undercut = _pairs(points, points)
        np.fill_diagonal(undercut, False)  # a point does not undercut itself
        return np.flatnonzero(~_any_row(undercut))
    half = m // 2
    first = _frontier(points[:, :half])
    # The first half's frontier is final: nothing behind it in the order can undercut it.
    second = half + np.flatnonzero(~_undercut(points[:, first], points[:, half:]))
    return np.concatenate([first, second[_frontier(points[:, second])]])


def _undercut(above: Points, below: Points) -> NDArray[np.bool_]:
    """Which of the points below some point above undercuts (or equals)."""
    undercut = np.full(below.shape[1], False)
    if not (above.shape[1] and below.shape[1]):
        return undercut
    # Two cheap tests first. A point that exceeds the worst of `below` in some component undercuts none of them; one
    # that is beneath the best of `above` in some component cannot be undercut. Few usually remain for the exact test.
    able = np.flatnonzero((above <= below.max(axis=1)[:, None]).all(axis=0))
    exposed = np.flatnonzero((below >= above.min(axis=1)[:, None]).all(axis=0))
    if able.size and exposed.size:
        undercut[exposed] = _divided(above[:, able], below[:, exposed])
    return undercut


def _divided(above: Points, below: Points) -> NDArray[np.bool_]:
    # A component in which every point above is no worse is settled for all pairs and drops out: each step of the
    # recursion either halves the points or lowers the dimension, which is what makes it end early.
    open_components = above.max(axis=1) > below.min(axis=1)  # in the others, all above are better than all below
    if not open_components.any():
        return np.full(below.shape[1], True)
    above, below = above[open_components], below[open_components]
    if above.shape[1] * below.shape[1] <= _PAIRS:
        return _any_row(_pairs(above, below))
    # Divide by the last open component. Low points above may undercut low points below, and high ones with this
    # component settled; high points above can undercut only high points below; so one of four combinations needs no
    # work.
    a, b = above[-1], below[-1]
    middle = _middle(np.concatenate([a, b]))
    low, high = a <= middle, b > middle
    undercut = np.full(below.shape[1], False)
    undercut[~high] = _undercut(above[:, low], below[:, ~high])
    undercut[high] = _undercut(above[:-1, low], below[:-1, high])  # settled in this component
    rest = np.flatnonzero(high & ~undercut)
    undercut[rest] = _undercut(above[:, ~low], below[:, rest])
    return undercut


def _middle(values: NDArray[np.float64]) -> float:
    """A value with some at or below it and some above it; they are not all equal."""
    # The median may equal the maximum; then nothing would lie above it and the recursion would not end.
    middle = float(np.partition(values, values.size // 2)[values.size // 2])
    highest = float(values.max())
    return middle if middle < highest else float(values[values < highest].max())


def _pairs(above: Points, below: Points) -> NDArray[np.bool_]:
    """Whether each point above takes no more of anything than each below: shape (above, below)."""
    undercut: NDArray[np.bool_] = above[0][:, None] <= below[0]
    # A component at a time, on booleans: an array of shape (components, above, below) would be eight times as large.
    for a, b in zip(above[1:], below[1:], strict=True):
        undercut &= a[:, None] <= b
    return undercut


def _any_row(table: NDArray[np.bool_]) -> NDArray[np.bool_]:
    any_row: NDArray[np.bool_] = np.logical_or.reduce(table)
    return any_row
