"""How much each of several networks counts where their answers are combined, and whether that helps.

Weights make the right classes of the calibration's pictures as likely as possible. That problem is convex, with as many
unknowns as networks, so Newton's method ends in a few steps. Whether the combination is better is judged on pictures
that its weights have not seen: by cross-fitting, each fold's pictures by the weights of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.model.tasks.class_probabilities import Floats, pooled

_STEPS = 50
_SMALL = 1e-9
_FOLDS = 10


def fitted_weights(members: Sequence[Floats], truths: NDArray[np.int64]) -> tuple[float, ...]:
    """The weights under which the true classes are likeliest; none is below 0.

    Args:
        members: log-probabilities of each network, shape (n, classes).
        truths: the true class of each picture, shape (n,).
    """
    kept = list(range(len(members)))
    while True:
        weights = _newton(np.stack([members[k] for k in kept]), truths)
        # A network that is worse than no opinion would get a weight below 0: it is left out, and the others fitted
        # again, the worst first.
        if len(kept) == 1 or weights.min() >= 0:
            break
        kept.pop(int(weights.argmin()))
    of_each = np.zeros(len(members))
    of_each[kept] = np.maximum(weights, _SMALL)
    return tuple(of_each.tolist())


class CrossFitted(NamedTuple):
    """A combination.

    Attributes:
        weights: of each network, fitted on all pictures.
        log_probabilities: of each picture by the weights of the other folds, shape (n, classes).
    """

    weights: tuple[float, ...]
    log_probabilities: Floats


def cross_fitted(members: Sequence[Floats], truths: NDArray[np.int64], seed: int = 0) -> CrossFitted:
    """The weights, and what each picture's answer is by weights that have not seen it.

    Args:
        members: log-probabilities of each network, shape (n, classes).
        truths: the true class of each picture, shape (n,).
        seed: of the folds.
    """
    n = len(truths)
    fold = np.random.default_rng(seed).permutation(n) % min(_FOLDS, n)
    answers = np.empty_like(members[0])
    for number in range(fold.max() + 1):
        seen, left = fold != number, fold == number
        weights = fitted_weights([member[seen] for member in members], truths[seen])
        answers[left] = pooled([member[left] for member in members], weights)
    return CrossFitted(fitted_weights(members, truths), answers)


def _newton(members: NDArray[np.float64], truths: NDArray[np.int64]) -> Floats:
    """Minimises the mean of -log p(truth), p the softmax of the weighted sum; (m, n, classes)."""
    count, rows = len(members), np.arange(len(truths))
    weights = np.full(count, 1 / count)
    true = members[:, rows, truths]
    loss = _loss(members, truths, weights)
    for _ in range(_STEPS):
        shares = np.exp(pooled(list(members), weights.tolist()))
        means = np.einsum("nc,mnc->mn", shares, members)
        gradient = (means - true).mean(axis=1)
        second = np.einsum("nc,inc,jnc->ijn", shares, members, members) - means[:, None] * means[None, :]
        step = np.linalg.solve(second.mean(axis=2) + _SMALL * np.eye(count), gradient)
        # Halved until it helps: far from the minimum a full step of Newton's may overshoot.
        while (shorter := _loss(members, truths, weights - step)) > loss and np.abs(step).max() > _SMALL:
            step = step / 2
        if np.abs(step).max() <= _SMALL:
            break
        weights, loss = weights - step, shorter
    return weights


def _loss(members: NDArray[np.float64], truths: NDArray[np.int64], weights: Floats) -> float:
    logs = pooled(list(members), weights.tolist())
    return float(-logs[np.arange(len(truths)), truths].mean())
