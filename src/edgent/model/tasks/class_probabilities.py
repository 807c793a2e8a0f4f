"""How sure a classifier is of an answer, and what several of them say together.

Scores come as a network gives them: logits, or the shares of a softmax. Both become the logarithms of probabilities,
in which answers are combined: a weighted sum of logarithms is a product of opinions (a *logarithmic opinion pool*;
C. Genest and J. Zidek, "Combining probability distributions", Statistical Science 1, 1986). A weight is at the same
time the inverse of a temperature (C. Guo et al., "On calibration of modern neural networks", ICML 2017): a network that
is surer than it is right counts for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SUM_OFF = 1e-3  # of shares that were rounded to half precision
_LEAST = 1e-12  # a share of 0 is one that was too small for its type: its logarithm stays finite


def log_probabilities(scores: NDArray[Any]) -> Floats:
    """The logarithms of the classes' probabilities.

    Args:
        scores: of the classes, shape (..., classes): logits, or shares that add up to 1.

    Returns:
        The same shape; nan where a score is nan.
    """
    values = scores.astype(np.float64)
    # A softmax of shares would make nearly equal ones of them: so those who are shares already stay as they are.
    if (values >= 0).all() and (np.abs(values.sum(axis=-1) - 1) < _SUM_OFF).all():
        values = np.log(np.maximum(values, _LEAST))
    return _normalised(values)


def confidence(log_probabilities: Floats) -> Floats:
    """The probability of the likeliest class, shape (...); 0 where a score was nan, so that no gate accepts it."""
    sure: Floats = np.nan_to_num(np.exp(log_probabilities.max(axis=-1)), nan=0.0)
    return sure


def pooled(members: Sequence[Floats], weights: Sequence[float]) -> Floats:
    """What several classifiers say together.

    Args:
        members: log-probabilities of each, all of one shape (..., classes).
        weights: of each, 0 or more.

    Returns:
        Log-probabilities, the same shape.
    """
    return _normalised(np.sum([weight * member for weight, member in zip(weights, members, strict=True)], axis=0))


def _normalised(values: Floats) -> Floats:
    shifted = values - values.max(axis=-1, keepdims=True)  # the exponential of a large logit is beyond all floats
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return logs
