"""Where a network could answer earlier: tensors that a layer makes and all that follows is made of.

An exit reads one tensor. Where several cross a cut (a skip beside a block), the one that is read would be only a part
of what is known by then; so a place is a cut that one map of features crosses alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgent.errors import InputError
from edgent.model import Branch, Model
from edgent.model.costs import layer_costs

_BINS = 20  # of the operations: in each the smallest map is the place
_FIRST, _LAST = 0.05, 0.95  # of the operations; before, nothing is known yet, and behind nothing can be saved


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitPlace:
    """A map of features from which an exit can answer.

    Attributes:
        tensor: its name.
        shape: channels, height, width.
        operations: of the network up to there.
        share: of the whole network's.
    """

    tensor: str
    shape: tuple[int, int, int]
    operations: float
    share: float

    def __repr__(self) -> str:
        return f"<ExitPlace {self.tensor!r} {'x'.join(map(str, self.shape))} at {self.share:.0%} of the operations>"


def operations_of(model: Model) -> float:
    """Operations of a network with one exit; what nobody can count takes none."""
    return math.fsum(_counts(model, model.branches[-1]))


def places_of(model: Model) -> tuple[ExitPlace, ...]:
    """The places of a network, the earliest first.

    Args:
        model: with one exit.

    Raises:
        InputError: it has none.
    """
    bins: dict[int, ExitPlace] = {}
    for place in _maps(model):
        number = int(place.share * _BINS)
        # Of maps that cost about the same, the smallest is the block's own output: what is wider lies inside a block.
        if number not in bins or math.prod(place.shape) < math.prod(bins[number].shape):
            bins[number] = place
    if not bins:
        raise InputError(
            f"{model.name} has no place for an exit: expected a map of features, float32 [1, channels, height, width], "
            "that all that follows is made of, as in convolutional networks; transformers have none"
        )
    return tuple(bins[number] for number in sorted(bins))


def _maps(model: Model) -> Iterator[ExitPlace]:
    branch = model.branches[-1]
    done, whole = 0.0, operations_of(model)
    operations = _running(_counts(model, branch))
    for cut, crossing in enumerate(branch.uploads()):
        done = operations[cut] / whole if whole else 0.0
        if len(crossing) != 1 or not _FIRST <= done <= _LAST or not branch.clean_cuts[cut]:
            continue
        (tensor,) = crossing.values()
        shape = tensor.shape
        if tensor.dtype == "float32" and shape is not None and len(shape) == 4 and shape[0] == 1 and min(shape) > 0:
            yield ExitPlace(tensor=tensor.name, shape=shape[1:], operations=operations[cut], share=done)


def _counts(model: Model, branch: Branch) -> list[float]:
    return [cost.flops or 0.0 for cost in layer_costs(model, branch)]


def _running(counts: Sequence[float]) -> list[float]:
    """Sums up to each cut."""
    sums = [0.0]
    for count in counts:
        sums.append(sums[-1] + count)
    return sums
