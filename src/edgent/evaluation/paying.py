"""Cuts that can pay: the others need not be measured, for no plan that divides there is ever the best.

Dividing later costs the device more work, so what crosses up at a cut must be smaller than at every cut before it, or
the earlier one is the better. Coming back earlier costs the device more work too, so what crosses down must be smaller
than at every cut after it, the answer included. Bytes as they are tell that well enough: codecs shrink the tensors of
one network by much the same. Input and answer are what they are.

A cut beside these would need an edge that is slower than the device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgent.evaluation.scoring import Crossing
from edgent.model import Branch, Model


def paying(model: Model, crossings: Mapping[Crossing, Sequence[int]]) -> dict[Crossing, Sequence[int]]:
    """Those of some crossings that can pay, for the exits for which they do."""
    of_exit = {branch.exit: _crossings_of(branch) for branch in model.branches}
    kept = {names: [exit for exit in exits if names in of_exit[exit]] for names, exits in crossings.items()}
    return {names: exits for names, exits in kept.items() if exits}


def paying_cuts(branch: Branch) -> list[int]:
    """The inner cuts that can pay, in order."""
    n = len(branch.layers)
    up, down = branch.boundary_bytes()
    # Device first, each cut leaves less to the edge than the one before: it pays only by sending fewer bytes. Edge
    # first the other way round, so that is looked at from the end.
    later = _smaller(up[:, n], range(n))
    earlier = _smaller(down[0, :], range(n, 0, -1))
    return sorted((later | earlier) - {0, n})


def _crossings_of(branch: Branch) -> set[Crossing]:
    n = len(branch.layers)
    cuts = paying_cuts(branch)
    return {tuple(sorted(tensor.name for tensor in branch.boundary(cut, n).up)) for cut in cuts}


def _smaller(sizes: NDArray[np.float64], order: Iterable[int]) -> set[int]:
    """Where fewer bytes cross than at every place before, in that order."""
    kept, least = set(), np.inf
    for cut in order:
        if sizes[cut] < least:
            least = sizes[cut]
            kept.add(cut)
    return kept
