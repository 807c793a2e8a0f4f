"""The plain script beside arithmetic, and what a row of the benchmark calls right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import own_data
import own_data_reference as plain
from edgent.engine.loading import load


def row(**changes) -> own_data.Row:
    told = {"model": "m", "way": "cut 3", "pictures": 500, "number": 0.78, "reference": 0.78, "same": 500}
    return own_data.Row(**{**told, **changes})


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, True),
        ({"number": 0.7809}, True),
        ({"number": 0.782}, False),
        ({"same": 499}, True),  # a cut may turn a tie
        ({"way": "file", "same": 499}, False),
    ],
)
def test_a_row_is_right_within_a_tenth_of_a_point_and_files_to_the_last_picture(changes: dict, right: bool) -> None:
    assert row(**changes).right is right


def test_a_model_is_asked_alone_with_the_file_and_at_three_inner_cuts() -> None:
    model = load("b-alexnet")
    asked = own_data.ways(model)
    n = len(model.branches[-1].layers)
    assert list(asked)[:2] == ["alone", "file"]
    assert asked["alone"].device_only and asked["file"].codec == "source"
    inner = [each for name, each in asked.items() if name.startswith("cut")]
    assert all(0 < each.upload_cut < n for each in inner)
    assert 1 <= len(inner) <= 3


def test_true_boxes_are_pixels_of_the_picture(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((50, 100, 3), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("7 0.5 0.5 0.2 0.4\n")
    boxes = plain.true_boxes(tmp_path, [tmp_path / "a.png", tmp_path / "a.png"])
    assert boxes[0] == pytest.approx(np.array([[40, 15, 20, 20, 7]]))


def test_perfect_boxes_have_a_precision_of_one_and_none_of_zero() -> None:
    truth = {0: np.array([[10.0, 10, 40, 20, 3]]), 1: np.array([[5.0, 5, 30, 30, 1]])}
    found = {k: np.insert(rows, 4, 0.9, axis=1) for k, rows in truth.items()}
    assert plain.mean_average_precision(truth, found) == pytest.approx(1.0)
    moved = {k: rows + np.array([500, 0, 0, 0, 0, 0]) for k, rows in found.items()}
    assert plain.mean_average_precision(truth, moved) == pytest.approx(0.0)
