from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.training.exits.views import view_of


def numbered(height: int, width: int) -> np.ndarray:
    """A picture whose pixels tell where they stood."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows * 0], axis=2).astype(np.uint8)


def test_the_first_view_is_the_picture_and_the_second_its_mirror_image() -> None:
    picture = numbered(6, 9)
    rng = np.random.default_rng(0)
    assert (view_of(picture, 0, rng) == picture).all()
    assert (view_of(picture, 1, rng) == np.fliplr(picture)).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(2, 7), st.integers(0, 99))
def test_every_other_view_is_a_rectangle_of_it_and_every_second_one_is_mirrored(height, width, number, seed) -> None:
    part = view_of(numbered(height, width), number, np.random.default_rng(seed))
    rows, columns = part[:, 0, 0].astype(int), part[0, :, 1].astype(int)
    assert (np.diff(rows) == 1).all()
    assert (np.diff(columns) == (-1 if number % 2 else 1)).all()
    assert (part[:, :, 0] == rows[:, None]).all()
    assert (part[:, :, 1] == columns).all()


def test_parts_have_a_third_of_the_area_or_more_and_are_not_all_the_same() -> None:
    rng, picture = np.random.default_rng(0), numbered(100, 100)
    areas = [view_of(picture, 2, rng).size / picture.size for _ in range(200)]
    assert 0.33 < min(areas) < 0.5
    assert max(areas) > 0.8


@pytest.mark.parametrize("number", range(6))
def test_the_same_seed_gives_the_same_view(number) -> None:
    picture = numbered(40, 30)
    one, other = (view_of(picture, number, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, other)
