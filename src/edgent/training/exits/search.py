"""Which places are worth an exit: those that win the most accuracy for each operation.

Training a twig at every place would take hours. What a place knows is told well enough by a linear *readout*
of the means and deviations of its channels, fitted in one step. A twig of convolutions reads more than that, at every
place, so readouts stand for an order and not for what an exit will reach.

A request that may spend a share of the operations gets the best exit up to there. Where any share is as likely as any
other, what a set of exits is worth is the area under the staircase of their accuracies over the operations; the set of
the largest area is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError

Doubles = NDArray[np.float64]

_RIDGE = 1e-2  # of the mean square of a column
_LEAST_WIN = 0.005  # of the area: an exit that wins less is not worth its bytes


class Prospect(NamedTuple):
    """What an exit at a place would cost, and what a readout found there.

    Attributes:
        share: of the network's operations, with those of the twig.
        accuracy: of the readout, on pictures that it did not learn from.
    """

    share: float
    accuracy: float


def statistics_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means and deviations of the channels of a map [channels, height, width], shape (2 * channels,)."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    both: NDArray[np.float32] = np.concatenate([flat.mean(axis=1), flat.std(axis=1)]).astype(np.float32)
    return both


def readout(learned: NDArray[np.float32], targets: Doubles, asked: NDArray[np.float32]) -> Doubles:
    """What ridge regression, fitted on some rows, says of others.

    Args:
        learned: shape (n, k).
        targets: shape (n, outputs).
        asked: shape (m, k).

    Returns:
        Shape (m, outputs).
    """
    middle, scale = learned.mean(axis=0), learned.std(axis=0) + 1e-6
    x, mean = ((learned - middle) / scale).astype(np.float64), targets.mean(axis=0)
    gram = x.T @ x
    weights = np.linalg.solve(gram + _RIDGE * len(x) * np.eye(gram.shape[0]), x.T @ (targets - mean))
    answers: Doubles = ((asked - middle) / scale).astype(np.float64) @ weights + mean
    return answers


def worth(exits: Sequence[Prospect], last: float) -> float:
    """The area under the staircase of the best accuracy for each share of the operations.

    Args:
        exits: in any order.
        last: accuracy of the whole network, at all of the operations.
    """
    area, best, since = 0.0, 0.0, 0.0
    for exit in sorted(exits):
        if exit.share >= 1:
            break
        area += best * (exit.share - since)
        best, since = max(best, exit.accuracy), exit.share
    return area + min(best, last) * (1 - since)


def chosen(prospects: Sequence[Prospect], last: float, most: int) -> tuple[int, ...]:
    """The places of the largest area, in their order; of fewer exits where more win next to nothing.

    Args:
        prospects: of each place.
        last: accuracy of the whole network.
        most: so many exits at most.

    Raises:
        InputError: no exit wins anything: the whole network costs less than any, or is no better than chance.
    """
    best: tuple[int, ...] = ()
    for count in range(1, most + 1):
        sets = combinations(range(len(prospects)), count)
        new = max(sets, key=lambda numbers: worth([prospects[k] for k in numbers], last), default=())
        if worth([prospects[k] for k in new], last) < worth([prospects[k] for k in best], last) + _LEAST_WIN:
            break
        best = new
    if not best:
        raise InputError("no place wins anything: an early answer knows no more than chance there, or costs as much")
    return best


def nearest_below(prospects: Sequence[Prospect], wanted: Sequence[float]) -> tuple[int, ...]:
    """The latest places that cost at most the wanted shares of the operations, in their order.

    Raises:
        InputError: none is so cheap.
    """
    numbers = set()
    for share in wanted:
        affordable = [number for number, one in enumerate(prospects) if one.share <= share]
        if not affordable:
            least = min(one.share for one in prospects)
            raise InputError(f"no exit at {share:.0%} of the operations: the earliest place takes {least:.0%}")
        numbers.add(max(affordable, key=lambda number: prospects[number].share))
    return tuple(sorted(numbers))
