"""Mean average precision, as COCO defines it, by pycocotools; and as it would be on other draws of the pictures.

T.-Y. Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014. The library matches boxes and gives the
number. Its interval needs the number of hundreds of other draws of the pictures, so what comes after the matching is
computed here again, from the library's own matches: precision over recall, its envelope, its mean at 101 recalls.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgent.errors import MissingExtraError
from edgent.evaluation.data.examples import TrueBoxes
from edgent.evaluation.measures.boxes import Detections
from edgent.evaluation.measures.measure import Floats, Measure

_RECALLS = np.linspace(0, 1, 101)
_EVERY_SIZE = [0.0, 1e10]  # square pixels
_MOST_BOXES = 100  # of a picture and class, the surest
_KEPT_RUNS = 4


class AnsweredBoxes(NamedTuple):
    """The boxes of one answer, and the picture's row."""

    row: int
    boxes: Detections


class _Matches(NamedTuple):
    """The boxes of one class in all pictures, surest first.

    Attributes:
        picture: the place of each box's picture, shape (n,).
        hit: whether it is a true box at each threshold of overlap, shape (10, n).
        true: true boxes in each picture.
    """

    picture: NDArray[np.intp]
    hit: NDArray[np.bool_]
    true: Floats


class MeanAveragePrecision(Measure[AnsweredBoxes]):
    """The mean over classes, and over overlaps of 0.50, 0.55 ... 0.95, of average precision.

    Args:
        truth: what stands in each picture.

    Raises:
        MissingExtraError: pycocotools is not installed.
    """

    metric = "mAP 50:95"
    draws = 200

    def __init__(self, truth: Sequence[TrueBoxes]) -> None:
        self.truth = truth
        self._runs: dict[int, tuple[Sequence[AnsweredBoxes], Any]] = {}
        _library()

    def judge(self, answer: Detections, row: int) -> AnsweredBoxes:
        """See `Measure`. Boxes that end before they begin are none."""
        return AnsweredBoxes(row, answer[(answer[:, 2:4] >= answer[:, :2]).all(axis=1)])

    def number(self, verdicts: Sequence[AnsweredBoxes]) -> float:
        """See `Measure`."""
        return _mean(self._run(verdicts).eval["precision"])

    def others(self) -> Mapping[str, Callable[[Sequence[AnsweredBoxes]], float]]:
        """See `Measure`."""
        return {"mAP 50": lambda verdicts: _mean(self._run(verdicts).eval["precision"][:1])}

    def numbers(self, verdicts: Sequence[AnsweredBoxes], weights: Floats) -> Floats:
        """See `Measure`."""
        # Boxes are matched picture by picture, so other draws of the pictures have the same matches: each picture's
        # count as often as it was drawn. Only the curve over all pictures has to be computed anew.
        classes = [_resampled(matches, weights) for matches in _matches(self._run(verdicts))]
        with np.errstate(invalid="ignore"):
            numbers: Floats = np.nan_to_num(_nanmean(np.stack(classes)))
        return numbers

    def _run(self, verdicts: Sequence[AnsweredBoxes]) -> Any:
        """The library's evaluation of some answers; the last ones are kept, for each is asked for several numbers."""
        # By identity, for verdicts are long lists that nobody changes. The list itself is kept with its run, or a new
        # list could get the identity of one that is gone.
        kept = self._runs.get(id(verdicts))
        if kept is None:
            while len(self._runs) >= _KEPT_RUNS:
                self._runs.pop(next(iter(self._runs)))
            kept = self._runs[id(verdicts)] = (verdicts, self._evaluated(verdicts))
        return kept[1]

    def _evaluated(self, verdicts: Sequence[AnsweredBoxes]) -> Any:
        annotations, evaluation = _library()
        truth = [_annotation(verdict.row, box, kind) for verdict in verdicts for box, kind in self._true(verdict.row)]
        boxes = [_annotation(f.row, box[:4], int(box[5]), float(box[4])) for f in verdicts for box in f.boxes]
        # Classes that stand in no picture have no recall, and so no part in the mean, as with COCO's own tool.
        kinds = sorted({entry["category_id"] for entry in truth})
        with contextlib.redirect_stdout(io.StringIO()):  # it tells of its progress there
            run = evaluation(*(_filled(annotations(), verdicts, kinds, entry) for entry in (truth, boxes)), "bbox")
            # COCO's tool also counts small, middling and large boxes by themselves, which nobody asks for here.
            run.params.areaRng, run.params.areaRngLbl = [_EVERY_SIZE], ["all"]
            run.params.maxDets = [_MOST_BOXES]
            run.evaluate()
            run.accumulate()
        return run

    def _true(self, row: int) -> list[tuple[Floats, int]]:
        truth = self.truth[row]
        return list(zip(truth.corners, truth.classes.tolist(), strict=True))


def _library() -> tuple[Any, Any]:
    """What holds annotations, and what evaluates them."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise MissingExtraError("mean average precision", "evaluate") from error
    return COCO, COCOeval


def _annotation(row: int, corners: Floats, kind: int, score: float | None = None) -> dict[str, Any]:
    x, y, x2, y2 = (float(value) for value in corners)
    box = [x, y, x2 - x, y2 - y]
    scored = {} if score is None else {"score": score}
    return {"image_id": row, "category_id": kind, "bbox": box, "area": box[2] * box[3], "iscrowd": 0, **scored}


def _filled(
    empty: Any, verdicts: Sequence[AnsweredBoxes], kinds: Sequence[int], annotations: list[dict[str, Any]]
) -> Any:
    empty.dataset = {
        "images": [{"id": verdict.row} for verdict in verdicts],
        "categories": [{"id": kind} for kind in kinds],
        # From 1: the library takes a match with the id 0 for no match.
        "annotations": [{**annotation, "id": number} for number, annotation in enumerate(annotations, start=1)],
    }
    empty.createIndex()
    return empty


def _mean(precision: Floats) -> float:
    """Of what the library computed; it writes -1 for classes that stand in no picture."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else 0.0


def _matches(run: Any) -> list[_Matches]:
    """What the library matched, class by class; its list has all pictures of the first class, then of the second."""
    pictures = len(run.params.imgIds)
    rows = [run.evalImgs[start : start + pictures] for start in range(0, len(run.evalImgs), pictures)]
    return [_of_class(row, len(run.params.iouThrs)) for row in rows]


def _of_class(pictures: Sequence[Mapping[str, Any] | None], thresholds: int) -> _Matches:
    there = [(place, run) for place, run in enumerate(pictures) if run is not None]
    true = np.zeros(len(pictures))
    for place, run in there:
        true[place] = len(run["gtIds"])
    scores = np.concatenate([*(run["dtScores"] for _, run in there), []])
    # Surest first over all pictures: precision over recall is what one sees when the threshold on the score falls.
    # Stable, as in the library, so that equal scores come in the order of the pictures.
    order = np.argsort(-scores, kind="stable")
    picture = np.repeat([place for place, _ in there], [len(run["dtIds"]) for _, run in there]).astype(np.intp)
    hits = np.concatenate([*(run["dtMatches"] > 0 for _, run in there), np.empty((thresholds, 0), bool)], axis=1)
    return _Matches(picture[order], hits[:, order].astype(bool), true)


def _resampled(matches: _Matches, weights: Floats) -> Floats:
    """Average precision of a class on each draw, the mean of all thresholds; nan where the class was not drawn."""
    true = weights @ matches.true
    numbers = np.full(len(weights), np.nan)
    # A box counts as often as its picture was drawn; 0 takes it out of the curve.
    drawn = weights[:, matches.picture]
    for draw in np.flatnonzero(true > 0):
        hits = np.cumsum(drawn[draw] * matches.hit, axis=1)
        boxes = np.cumsum(drawn[draw])
        precision = hits / np.maximum(boxes, np.finfo(float).eps)
        # The envelope: at each recall the best precision that this recall or a higher one has. Without it a few wrong
        # boxes in front would count against all that come behind them.
        envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        numbers[draw] = np.mean([_at_recalls(*curve) for curve in zip(hits / true[draw], envelope, strict=True)])
    return numbers


def _at_recalls(recall: Floats, precision: Floats) -> float:
    # At each of the 101 recalls the precision where that recall is first reached; one that never is has precision 0.
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(precision, 0.0)[places].mean())


def _nanmean(numbers: Floats) -> Floats:
    known = ~np.isnan(numbers)
    means: Floats = np.where(known, numbers, 0.0).sum(axis=0) / known.sum(axis=0)
    return means
