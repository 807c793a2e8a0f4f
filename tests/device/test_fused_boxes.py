"""A detector's first answer and the edge's: seen in two forms, they meet in the picture's own pixels."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from edgent.device.gating import combined
from edgent.model import Metadata, Preprocessing
from edgent.model.tasks.fusion import fused
from edgent.planning.gates import LATER_ALONE, Gate

WIDTH, HEIGHT = 200, 100
GATE = Gate(
    exit=0,
    later=1,
    codec="source",
    confidence=None,
    accepted=0.0,
    lost=0.0,
    accuracy=0.4,
    ungated=0.4,
    alone=0.3,
    standing=0.2,
    asked=0.4,
    weights=(0.5, 1.0),
    gain=(0.05, 0.15),
    samples=128,
)
METADATA = {
    0: Metadata(task="detection", preprocessing=Preprocessing(size=(50, 50), resize="stretch")),
    1: Metadata(task="detection", preprocessing=Preprocessing(size=(100, 100), resize="letterbox")),
}


@pytest.fixture(scope="module")
def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT)).save(data, "PNG")
    return data.getvalue()


def stretched(boxes: np.ndarray) -> np.ndarray:
    """Boxes of the picture on an input of 50 x 50."""
    return np.column_stack([boxes[:, :4] * [0.25, 0.5, 0.25, 0.5], boxes[:, 4:]]).astype(np.float32)


def framed(boxes: np.ndarray) -> np.ndarray:
    """Boxes of the picture in the middle of an input of 100 x 100: half as large, 25 rows of grey above it."""
    return np.column_stack([boxes[:, :4] * 0.5 + [0, 25, 0, 25], boxes[:, 4:]]).astype(np.float32)


def test_boxes_are_fused_in_the_pictures_pixels_and_given_on_the_edges_input(picture) -> None:
    ours = np.array([[20, 20, 80, 60, 0.8, 1], [120, 10, 180, 90, 0.4, 2]], float)
    theirs = np.array([[24, 22, 84, 60, 0.9, 1]], float)
    first, last = {"small": stretched(ours)}, {"boxes": framed(theirs), "other": np.zeros(1)}
    both = combined(GATE, first, last, METADATA, picture)
    np.testing.assert_allclose(both["boxes"], framed(fused([ours, theirs], (0.5, 1.0))), rtol=1e-4, atol=1e-3)
    assert both["boxes"].dtype == np.float32
    assert both["other"] is last["other"]


def test_a_row_that_says_that_numbers_were_none_is_no_box(picture) -> None:
    flag = np.array([[0, 0, 0, 0, np.nan, 0]], np.float32)
    theirs = framed(np.array([[24, 22, 84, 60, 0.9, 1]], float))
    both = combined(GATE, {"small": flag}, {"boxes": theirs}, METADATA, picture)
    assert np.isfinite(both["boxes"]).all()
    assert len(both["boxes"]) == 1


def test_a_detector_is_never_sure() -> None:
    assert not GATE.accepts(np.zeros((3, 6), np.float32))
    assert not replace(GATE, weights=LATER_ALONE).combines
