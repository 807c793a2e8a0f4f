"""Which pictures are learned from, which choose, and which only measure.

What is chosen on a picture looks better there than it is: so the accuracy that is written into a file comes from
pictures that neither trained nor chose anything. Each class is divided alike, by a seed, and the order of the data does
not matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError

FEWEST = 10
"""Pictures of a class, or in all where nobody says what they show."""

_TENTHS = 10
_FEWEST_IN_ALL = 50
_CHOOSING, _MEASURING = 0, 1  # of ten pictures in a row, drawn anew


class Split(NamedTuple):
    """Rows of a data set, each in one part; in rising order.

    Attributes:
        learning: train.
        choosing: choose places and temperatures.
        measuring: are answered once, at the end; empty where other pictures measure.
    """

    learning: NDArray[np.intp]
    choosing: NDArray[np.intp]
    measuring: NDArray[np.intp]


def split(classes: NDArray[np.int64], *, seed: int, measured_elsewhere: bool = False) -> Split:
    """Eight tenths learn, one chooses and one measures; where other pictures measure, nine learn.

    Args:
        classes: of each picture; all the same where nobody says.
        seed: of the draw.
        measured_elsewhere: whether other pictures measure.

    Raises:
        InputError: too few pictures.
    """
    random = np.random.default_rng(seed)
    if len(classes) < _FEWEST_IN_ALL:
        raise InputError(f"found {len(classes)} pictures, expected at least {_FEWEST_IN_ALL}; more teach more")
    tenths = np.empty(len(classes), np.intp)
    for one in np.unique(classes):
        rows = np.flatnonzero(classes == one)
        if len(rows) < FEWEST:
            raise InputError(f"found {len(rows)} pictures of class {one}, expected at least {FEWEST} of each")
        # From a random tenth on, so that the remainders of many classes do not all fall into the same part.
        start = int(random.integers(_TENTHS))
        tenths[random.permutation(rows)] = (np.arange(len(rows)) + start) % _TENTHS
    measuring = tenths == _MEASURING if not measured_elsewhere else np.zeros(len(classes), np.bool_)
    choosing = tenths == _CHOOSING
    return Split(*(np.flatnonzero(part) for part in (~(choosing | measuring), choosing, measuring)))
