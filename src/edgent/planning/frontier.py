"""Which candidates can win at all.

Latency rises with every component of the demand, whatever the conditions are. So a candidate is out for good as soon
as another one of at least its merit takes no more of anything. What remains is the Pareto frontier (the *skyline* of
Börzsönyi et al., ICDE 2001), found by their sort-filter: in an order in which nobody comes before the one that
undercuts him, the first of those left is always on the frontier.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def frontier(merit: NDArray[np.float64], demand: NDArray[np.float64]) -> NDArray[np.intp]:
    """Finds the candidates that no other undercuts. Of equal ones the first stays.

    Exact for any numbers: only ranks are compared. Time is that of a few sorts, plus the size of the frontier times
    the (soon few) candidates left.

    Args:
        merit: The more the better, shape (m,).
        demand: The less the better, shape (components, m).

    Returns:
        Positions on the frontier, rising.
    """
    ranks = np.stack([_ranks(row) for row in (-merit, *demand)])  # (components + 1, m)
    # The sum of ranks rises strictly from the undercutting to the undercut, and puts the strongest first.
    left = np.argsort(ranks.sum(axis=0, dtype=np.int64), kind="stable")
    ranks = ranks[:, left]
    found = []
    while left.size:
        found.append(left[0])
        not_undercut = (ranks < ranks[:, :1]).any(axis=0)  # better in something; false for the first itself
        left, ranks = left[not_undercut], ranks[:, not_undercut]
    return np.sort(np.array(found, dtype=np.intp))


def _ranks(row: NDArray[np.float64]) -> NDArray[np.int32]:
    """Position of each value among the distinct ones, so that equal values have equal ranks."""
    return np.unique(row, return_inverse=True)[1].astype(np.int32)
