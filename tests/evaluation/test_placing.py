"""What `fit` did to a picture is undone: a spot is where it was, a mask covers what it covered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.codec import fit
from edgent.evaluation.placing import boxes_in_picture, mask_in_picture
from edgent.model import Preprocessing
from edgent.model.tasks.results import NOT_SEEN

WAYS = ("stretch", "letterbox", "corner", "crop")
sides = st.integers(60, 200)


@given(st.sampled_from(WAYS), sides, sides, st.sampled_from([1.0, 0.8]))
def test_a_bright_spot_of_the_input_is_placed_where_it_is_in_the_picture(way, height, width, kept) -> None:
    form = Preprocessing(size=(96, 128), resize=way, crop=kept if way == "crop" else 1.0)
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    pixels[y - 6 : y + 6, x - 6 : x + 6] = 255
    fitted = fit(pixels, form)[:, :, 0].astype(float)
    fitted[fitted == form.padding] = 0
    rows, columns = np.mgrid[0:96, 0:128] + 0.5
    centre = [(columns * fitted).sum() / fitted.sum(), (rows * fitted).sum() / fitted.sum()]
    boxes = boxes_in_picture(np.array([[*centre, *centre, 0.9, 1]]), form, (height, width))
    assert boxes[0, :2] == pytest.approx([x, y], abs=1.5)
    assert boxes[0, 4:] == pytest.approx([0.9, 1])


def test_boxes_end_at_the_pictures_edges() -> None:
    form = Preprocessing(size=(100, 100), resize="letterbox")
    boxes = boxes_in_picture(np.array([[-5.0, 0, 200, 100, 1, 0]]), form, (50, 100))
    assert boxes[0, :4].tolist() == [0, 0, 100, 50]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [96, 24])  # as large as the input, and a quarter of it
def test_a_mask_covers_the_half_that_it_covered(way: str, count: int) -> None:
    form = Preprocessing(size=(96, 96), resize=way)
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, 45:] = 200
    mask = (fit(pixels, form)[:: 96 // count, :: 96 // count, 0] == 200).astype(np.uint8)
    placed = mask_in_picture(mask, form, (60, 90))
    assert placed.shape == (60, 90)
    cut_off = np.zeros(90, bool)
    cut_off[:15] = cut_off[75:] = way == "crop"  # of 90 columns the 60 in the middle
    assert ((placed == NOT_SEEN) == cut_off).all()
    assert (placed == (pixels[:, :, 0] == 200))[:, ~cut_off].mean() > 0.93
