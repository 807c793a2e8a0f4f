"""A long branch with few cuts: of n layers there are n^2 / 2 pairs of cuts, more than can be priced.

Neighbouring layers are taken together, so that what is left is a branch as any other, whose cuts are some of the long
one's. What crosses at a pair of them, and whether the branch can be shared there, is the same in both. So pricing needs
no second way for long branches, and a plan for the coarse branch is one for the long branch, with its cuts renamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgent.model.values import Branch, Layer

MOST_LAYERS = 700
"""A branch of up to so many layers is priced at every pair of its cuts."""


def chosen_cuts(branch: Branch, shares: NDArray[np.float64], most: int = MOST_LAYERS) -> tuple[int, ...]:
    """The cuts of a branch that are worth pricing, 0 and n among them; all where there are few.

    The layers fall into windows of equal shares of the work. In each the cut that sends the fewest bytes is kept: any
    other one sends no fewer, and moves no more than its window's work from one machine to the other.

    Args:
        branch: of n layers.
        shares: of each layer in the work; shape (n,), they add up to 1.
        most: layers that the branch may have with these cuts.
    """
    n = len(branch.layers)
    if n <= most:
        return tuple(range(n + 1))
    # A pair of cuts costs its bytes and what each machine computes. Keeping a neighbour of the best cut changes the
    # work by a window's at most, and the bytes not at all: so the loss is bounded by 1 / `inner` of the work.
    bytes_up, _ = branch.cut_bytes()
    # Cuts through fused tensors, or of unknown size, are kept only where their window has no other.
    cost = np.where(branch.clean_cuts & ~np.isnan(bytes_up), bytes_up, np.inf)[1:n]
    inner = most - 1
    # Equal shares of the work, not of the layers: a window is at most what a neighbouring cut can gain or lose. The sum
    # of shares may exceed 1 by rounding, which `minimum` keeps in the last window.
    windows = np.minimum((np.cumsum(shares)[: n - 1] * inner).astype(int), inner - 1)
    # Only windows in which a layer ends have a cut to keep: a layer longer than a window leaves the next ones empty.
    starts = np.flatnonzero(np.diff(windows, prepend=-1))
    kept = [start + int(np.argmin(cost[start:stop])) for start, stop in pairwise([*starts, n - 1])]
    # `cost` begins at cut 1; 0 and n, everything on one machine, are always among the cuts.
    return (0, *(1 + cut for cut in kept), n)


def coarse(branch: Branch, cuts: Sequence[int]) -> Branch:
    """The branch whose layers are what lies between some cuts of another one.

    Args:
        branch: the other one.
        cuts: rising, from 0 to its number of layers.
    """
    return replace(branch, layers=tuple(_together(branch.layers[start:stop]) for start, stop in pairwise(cuts)))


def _together(layers: Sequence[Layer]) -> Layer:
    # Tensors made and read inside vanish; those read from outside, and all that are made, remain, for a later layer may
    # read any of them.
    outputs = dict.fromkeys(name for layer in layers for name in layer.outputs)
    read = dict.fromkeys(name for layer in layers for name in layer.inputs)
    return replace(
        layers[-1],
        nodes=tuple(node for layer in layers for node in layer.nodes),
        inputs=tuple(name for name in read if name not in outputs),
        outputs=tuple(outputs),
        own=tuple(name for layer in layers for name in layer.own),
    )
