"""Boxes beside boxes, beside arithmetic; average precision beside pycocotools called by hand."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgent.evaluation.data.examples import TrueBoxes
from edgent.evaluation.measures.average_precision import MeanAveragePrecision
from edgent.evaluation.measures.boxes import SameBoxes, overlaps


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, float).reshape(-1, 6)


A, B = (0, 0, 10, 10, 0.9, 1), (20, 20, 30, 30, 0.8, 2)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ([A, B], [A, B], 1.0),
        ([A], [A, B], 2 / 3),
        ([], [], 1.0),
        ([A], [], 0.0),
        ([(0, 0, 10, 10, 0.9, 7)], [A], 0.0),  # another class
        ([(0, 0, 10, 6, 0.9, 1)], [A], 1.0),  # 0.6 of it
        ([(0, 0, 10, 4, 0.9, 1)], [A], 0.0),
        ([A, A], [A], 2 / 3),  # each box once
        ([(*A[:4], 0.2, 1)], [], 1.0),  # too unsure to be shown
    ],
)
def test_f1_counts_boxes_that_mean_the_same(mine: list, theirs: list, expected: float) -> None:
    assert SameBoxes([boxes(*theirs)]).judge(boxes(*mine), 0) == pytest.approx(expected)


def test_overlap_is_intersection_over_union() -> None:
    assert overlaps(boxes(A), boxes((5, 5, 15, 15, 1, 1), B)) == pytest.approx(np.array([[25 / 175, 0.0]]))


def scene(seed: int, pictures: int = 30) -> tuple[list[TrueBoxes], list[np.ndarray]]:
    """True boxes, and answers that move, miss and invent some."""
    random = np.random.default_rng(seed)
    truth, answers = [], []
    for _ in range(pictures):
        count = int(random.integers(0, 6))
        corner = random.uniform(0, 200, (count, 2))
        corners = np.concatenate([corner, corner + random.uniform(10, 80, (count, 2))], axis=1)
        classes = random.integers(0, 4, count)
        truth.append(TrueBoxes(corners=corners, classes=classes))
        told = np.concatenate([corners + random.normal(0, 4, (count, 4)), random.random((count, 1))], axis=1)
        told = np.concatenate([told, np.where(random.random(count) < 0.8, classes, 3)[:, None]], axis=1)
        stray = np.concatenate([[50, 50, 90, 90], random.random(1), random.integers(0, 5, 1)])[None]
        answers.append(np.concatenate([told[random.random(count) < 0.9], stray]))
    return truth, answers


def by_hand(truth: list[TrueBoxes], answers: list[np.ndarray]) -> tuple[float, float]:
    right = COCO()
    annotations = []
    for row, truths in enumerate(truth):
        for (x, y, x2, y2), kind in zip(truths.corners.tolist(), truths.classes.tolist(), strict=True):
            box = [x, y, x2 - x, y2 - y]
            one = {"id": len(annotations) + 1, "image_id": row, "category_id": kind, "bbox": box, "iscrowd": 0}
            annotations.append(one | {"area": box[2] * box[3]})
    kinds = [{"id": kind} for kind in range(5)]
    right.dataset = {
        "images": [{"id": row} for row in range(len(truth))],
        "categories": kinds,
        "annotations": annotations,
    }
    told = [[row, x, y, x2 - x, y2 - y, s, k] for row, rows in enumerate(answers) for x, y, x2, y2, s, k in rows]
    with contextlib.redirect_stdout(io.StringIO()):
        right.createIndex()
        evaluation = COCOeval(right, right.loadRes(np.array(told)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_is_that_of_the_library_and_ones_own_steps_after_its_matching_are_its(seed: int) -> None:
    truth, answers = scene(seed)
    measure = MeanAveragePrecision(truth)
    verdicts = [measure.judge(answer, row) for row, answer in enumerate(answers)]
    expected, at_half = by_hand(truth, answers)
    assert measure.number(verdicts) == pytest.approx(expected, abs=1e-9)
    assert measure.others()["mAP 50"](verdicts) == pytest.approx(at_half, abs=1e-9)
    assert measure.numbers(verdicts, np.ones((1, len(verdicts)))) == pytest.approx([expected], abs=1e-9)


def test_drawing_only_some_pictures_is_measuring_only_these() -> None:
    truth, answers = scene(7)
    measure = MeanAveragePrecision(truth)
    verdicts = [measure.judge(answer, row) for row, answer in enumerate(answers)]
    weights = np.zeros((1, len(verdicts)))
    weights[0, :12] = 1
    expected, _ = by_hand(truth[:12], answers[:12])
    assert measure.numbers(verdicts, weights) == pytest.approx([expected], abs=1e-9)


def test_its_interval_holds_the_number_and_perfect_answers_are_told_from_poor_ones() -> None:
    truth, answers = scene(3, pictures=60)
    measure = MeanAveragePrecision(truth)
    poor = [measure.judge(answer, row) for row, answer in enumerate(answers)]
    perfect = [
        measure.judge(np.column_stack([truths.corners, np.ones(len(truths.classes)), truths.classes]), row)
        for row, truths in enumerate(truth)
    ]
    low, high = measure.interval(poor)
    assert low < measure.number(poor) < high
    assert measure.number(perfect) == pytest.approx(1.0)
    assert measure.change(poor, perfect).low > 0
    same = measure.change(poor, poor)
    assert same.low <= 0 <= same.high


def test_boxes_that_end_before_they_begin_are_none() -> None:
    measure = MeanAveragePrecision(scene(0)[0])
    assert len(measure.judge(boxes(A, (9, 9, 3, 3, 0.9, 1)), 0).boxes) == 1
