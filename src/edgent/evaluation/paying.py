"""Cuts that can pay: the others need not be measured, for no plan that divides there is ever the best.

Dividing later costs the device more work, so what crosses up at a cut must be smaller than at every cut before it, or
the earlier one is the better. Coming back earlier costs the device more work too, so what crosses down must be smaller
than at every cut after it, the answer included. Bytes as they are tell that well enough: codecs shrink the tensors of
one network by much the same. Input and answer are what they are.

A cut beside these would need an edge that is slower than the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgent.evaluation.scoring import Crossing
from edgent.model import Branch, Model


def paying(model: Model, crossings: Mapping[Crossing, Sequence[int]]) -> dict[Crossing, Sequence[int]]:
    """Those of some crossings that can pay, for the exits for which they do."""
    of_exit = {branch.exit: _of_branch(branch) for branch in model.branches}
    kept = {names: [exit for exit in exits if names in of_exit[exit]] for names, exits in crossings.items()}
    return {names: exits for names, exits in kept.items() if exits}


def _of_branch(branch: Branch) -> set[Crossing]:
    n = len(branch.layers)
    up, down = branch.boundary_bytes()
    names = [tuple(sorted(tensor.name for tensor in branch.boundary(cut, n).up)) for cut in range(n)]
    ahead, back = up[:, n], down[0, :]
    kept = set()
    least = float("inf")
    for cut in range(n):
        if ahead[cut] < least:
            least = ahead[cut]
            kept.add(names[cut])
    least = back[n]
    for cut in range(n - 1, 0, -1):
        if back[cut] < least:
            least = back[cut]
            kept.add(names[cut])
    return kept
