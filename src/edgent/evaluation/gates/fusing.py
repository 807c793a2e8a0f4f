"""Gates of detectors: nothing is accepted, and the boxes of both exits are fused where that is better.

How sure a detector is of a picture has no single number, so the edge is asked about every one; what the device has
found stands until it answers. The weight of the device's boxes is taken from a few, by cross-fitting: each fold's
pictures are judged by the weight that is best on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edgent.codec.names import is_lossless
from edgent.engine.engine import Engine
from edgent.errors import InputError
from edgent.evaluation.calibration_files import members_of
from edgent.evaluation.judging import judgement_of
from edgent.evaluation.measures.boxes import Detections
from edgent.evaluation.measures.measure import Measure
from edgent.evaluation.reading import reader_of
from edgent.evaluation.scoring import Scorer
from edgent.model import Model
from edgent.model.tasks.fusion import fused
from edgent.planning.gates import LATER_ALONE, Gate

if TYPE_CHECKING:
    from edgent.evaluation.data.examples import Examples

_WEIGHTS = (0.25, 0.5, 1.0, 2.0)  # of the first one's scores, beside 1 of the last one's
_FOLDS = 5


class BoxOpinions(NamedTuple):
    """The boxes that all exits see in some pictures, in the pictures' pixels.

    Attributes:
        by_exit: of each exit, one array for each picture.
        coded: the same of the last exit behind each lossy codec of pictures.
        measure: judges them beside what stands in the pictures.
    """

    by_exit: dict[int, Sequence[Detections]]
    coded: dict[str, Sequence[Detections]]
    measure: Measure[object]

    @property
    def last(self) -> int:
        """The most accurate exit's number."""
        return max(self.by_exit)


def boxes_of(model: Model, examples: Examples, engine: Engine, lossy: Sequence[str]) -> BoxOpinions:
    """Runs every exit on every picture, and the last one behind each codec as well.

    Raises:
        InputError: pictures without boxes: nothing says then whether two detectors see more than one.
    """
    if any(truth is None for truth in examples.truths):
        raise InputError(f"{examples.name}: found pictures without labels, expected the boxes that stand in each")
    last = max(branch.exit for branch in model.branches)
    by_exit: dict[int, Sequence[Detections]] = {}
    coded: dict[str, Sequence[Detections]] = {}
    for member in members_of(model):
        scorer = Scorer(member.member, engine, examples, reader_of(member.member, examples))
        numbers = [member.exit(branch.exit) for branch in member.member.branches]
        by_exit |= dict(zip(numbers, scorer.score().verdicts, strict=True))
        if last in numbers:
            coded = {codec: scorer.score(codec).verdicts[numbers.index(last)] for codec in lossy}
            measure = judgement_of(member.member, examples, engine).measure
    return BoxOpinions(by_exit, coded, measure)


def gate_of_boxes(opinions: BoxOpinions, exit: int, codec: str, seed: int = 0) -> Gate:
    """What one exit's boxes add to those of the last one.

    Args:
        opinions: of all exits.
        exit: the one that answers first.
        codec: by which pictures come to the last one.
        seed: of the folds.
    """
    measure, early = opinions.measure, opinions.by_exit[exit]
    later = opinions.by_exit[opinions.last] if is_lossless(codec) else opinions.coded[codec]
    by_weight = {weight: _judged(measure, _fused(early, later, weight)) for weight in _WEIGHTS}
    alone = _judged(measure, later)
    both = _cross_fitted(measure, by_weight, seed)
    gain = measure.change(alone, both)
    combines = gain.low > 0
    weight = _best(measure, by_weight, range(len(early)))
    number, first = measure.number(alone), measure.number(_judged(measure, early))
    last = measure.number(both) if combines else number
    return Gate(
        exit=exit,
        later=opinions.last,
        codec=codec,
        confidence=None,
        accepted=0.0,
        lost=0.0,
        accuracy=last,
        ungated=last,
        alone=number,
        standing=first,
        asked=last,
        weights=(weight, 1.0) if combines else LATER_ALONE,
        gain=gain,
        samples=len(early),
    )


def _fused(early: Sequence[Detections], later: Sequence[Detections], weight: float) -> list[Detections]:
    return [fused(pair, (weight, 1.0)) for pair in zip(early, later, strict=True)]


def _judged(measure: Measure[object], boxes: Sequence[Detections]) -> list[object]:
    return [measure.judge(one, row) for row, one in enumerate(boxes)]


def _best(measure: Measure[object], by_weight: dict[float, list[object]], rows: Sequence[int]) -> float:
    """The weight that is best on some pictures."""
    return max(by_weight, key=lambda weight: measure.number([by_weight[weight][row] for row in rows]))


def _cross_fitted(measure: Measure[object], by_weight: dict[float, list[object]], seed: int) -> list[object]:
    """The verdict on each picture, by the weight that is best on the other folds."""
    count = len(by_weight[_WEIGHTS[0]])
    fold = np.random.default_rng(seed).permutation(count) % _FOLDS
    best = [_best(measure, by_weight, np.flatnonzero(fold != number).tolist()) for number in range(_FOLDS)]
    return [by_weight[best[fold[row]]][row] for row in range(count)]
