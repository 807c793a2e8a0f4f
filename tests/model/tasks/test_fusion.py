"""Weighted boxes fusion beside the authors' own program, whose answers are recorded here, and by arithmetic.

Recorded from `weighted_boxes_fusion` of ensemble-boxes 1.0.9 (iou_thr=0.55).
"""

from __future__ import annotations

import numpy as np
import pytest

from edgent.model.tasks.fusion import fused, overlaps

RECORDED = [
    (
        (1, 1),
        [
            [
                [0.337, 0.513, 0.568, 0.738, 0.847, 0.0],
                [0.429, 0.13, 0.653, 0.343, 0.239, 1.0],
                [0.155, 0.53, 0.355, 0.739, 0.341, 0.0],
                [0.006, 0.489, 0.241, 0.699, 0.892, 1.0],
                [0.132, 0.156, 0.35, 0.356, 0.559, 1.0],
            ],
            [
                [0.453, 0.175, 0.682, 0.405, 0.294, 1.0],
                [0.195, 0.5, 0.427, 0.734, 0.705, 0.0],
                [0.005, 0.504, 0.212, 0.726, 0.37, 1.0],
                [0.474, 0.294, 0.686, 0.515, 0.887, 0.0],
                [0.18, 0.18, 0.385, 0.429, 0.696, 1.0],
            ],
        ],
        [
            [0.00571, 0.4934, 0.2325, 0.70692, 0.631, 1.0],
            [0.474, 0.294, 0.686, 0.515, 0.4435, 0.0],
            [0.337, 0.513, 0.568, 0.738, 0.4235, 0.0],
            [0.195, 0.5, 0.427, 0.734, 0.3525, 0.0],
            [0.18, 0.18, 0.385, 0.429, 0.348, 1.0],
            [0.132, 0.156, 0.35, 0.356, 0.2795, 1.0],
            [0.155, 0.53, 0.355, 0.739, 0.1705, 0.0],
            [0.453, 0.175, 0.682, 0.405, 0.147, 1.0],
            [0.429, 0.13, 0.653, 0.343, 0.1195, 1.0],
        ],
    ),
    (
        (0.5, 1),
        [
            [
                [0.092, 0.5, 0.314, 0.726, 0.236, 0.0],
                [0.588, 0.542, 0.832, 0.759, 0.94, 1.0],
                [0.353, 0.061, 0.583, 0.296, 0.105, 0.0],
                [0.122, 0.523, 0.34, 0.749, 0.778, 1.0],
                [0.291, 0.102, 0.529, 0.348, 0.829, 0.0],
            ],
            [
                [0.077, 0.467, 0.29, 0.715, 0.89, 0.0],
                [0.544, 0.55, 0.767, 0.799, 0.47, 1.0],
                [0.073, 0.574, 0.299, 0.8, 0.93, 1.0],
                [0.296, 0.123, 0.541, 0.361, 0.162, 0.0],
                [0.514, 0.401, 0.743, 0.622, 0.487, 1.0],
            ],
        ],
        [
            [0.07876, 0.47086, 0.29281, 0.71629, 0.672, 0.0],
            [0.073, 0.574, 0.299, 0.8, 0.62, 1.0],
            [0.29241, 0.1079, 0.53237, 0.35165, 0.38433, 0.0],
            [0.514, 0.401, 0.743, 0.622, 0.32467, 1.0],
            [0.588, 0.542, 0.832, 0.759, 0.31333, 1.0],
            [0.544, 0.55, 0.767, 0.799, 0.31333, 1.0],
            [0.122, 0.523, 0.34, 0.749, 0.25933, 1.0],
            [0.353, 0.061, 0.583, 0.296, 0.035, 0.0],
        ],
    ),
    (
        (2, 1),
        [
            [
                [0.283, 0.566, 0.486, 0.787, 0.89, 0.0],
                [0.365, 0.548, 0.603, 0.788, 0.571, 1.0],
                [0.214, 0.238, 0.451, 0.444, 0.924, 0.0],
                [0.123, 0.015, 0.369, 0.255, 0.142, 1.0],
            ],
            [
                [0.3, 0.543, 0.529, 0.745, 0.877, 0.0],
                [0.17, 0.503, 0.41, 0.751, 0.817, 1.0],
                [0.403, 0.441, 0.646, 0.644, 0.216, 0.0],
                [0.393, 0.6, 0.61, 0.815, 0.79, 1.0],
                [0.218, 0.23, 0.424, 0.461, 0.894, 0.0],
                [0.152, 0.005, 0.392, 0.221, 0.278, 1.0],
            ],
        ],
        [
            [0.2153, 0.23539, 0.4422, 0.44954, 0.914, 0.0],
            [0.28861, 0.55841, 0.50019, 0.77314, 0.88567, 0.0],
            [0.37645, 0.56926, 0.60586, 0.79904, 0.644, 1.0],
            [0.17, 0.503, 0.41, 0.751, 0.27233, 1.0],
            [0.13735, 0.01005, 0.38038, 0.23818, 0.18733, 1.0],
            [0.403, 0.441, 0.646, 0.644, 0.072, 0.0],
        ],
    ),
]


@pytest.mark.parametrize(("weights", "members", "expected"), RECORDED)
def test_it_is_what_the_authors_program_gives(weights, members, expected) -> None:
    rows = fused([np.array(boxes) for boxes in members], weights)
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    assert len(rows) < sum(map(len, members))


def test_two_boxes_of_one_thing_are_their_mean_by_score() -> None:
    (row,) = fused([np.array([[0, 0, 10, 10, 0.9, 3]]), np.array([[1, 0, 11, 10, 0.3, 3]])], (1, 1)).tolist()
    assert row == pytest.approx([0.25, 0, 10.25, 10, 0.6, 3])


def test_a_box_that_one_of_two_has_found_loses_half_of_its_score() -> None:
    (row,) = fused([np.array([[0, 0, 10, 10, 0.8, 3]]), np.empty((0, 6))], (1, 1)).tolist()
    assert row == pytest.approx([0, 0, 10, 10, 0.4, 3])


def test_boxes_of_two_classes_are_two_things() -> None:
    rows = fused([np.array([[0, 0, 10, 10, 0.8, 3]]), np.array([[0, 0, 10, 10, 0.9, 4]])], (1, 1))
    assert rows[:, 5].tolist() == [4, 3]


def test_only_the_ratio_of_weights_matters() -> None:
    members = [np.array(boxes) for boxes in RECORDED[1][1]]
    np.testing.assert_allclose(fused(members, (0.5, 1.0)), fused(members, (3.0, 6.0)))


def test_without_boxes_there_is_nothing() -> None:
    assert fused([np.empty((0, 6)), np.empty((0, 6))], (1, 1)).shape == (0, 6)


def test_overlaps_by_counting_pixels() -> None:
    rng = np.random.default_rng(0)
    boxes = rng.integers(0, 10, (6, 4)).astype(float)
    boxes[:, 2:] = boxes[:, :2] + rng.integers(1, 10, (6, 2))
    grid = np.array([[(x, y) for x in range(20)] for y in range(20)]).reshape(-1, 2)
    inside = [set(map(tuple, grid[((grid >= box[:2]) & (grid < box[2:])).all(axis=1)])) for box in boxes]
    expected = [[len(one & other) / len(one | other) for other in inside] for one in inside]
    np.testing.assert_allclose(overlaps(boxes, boxes), expected)
