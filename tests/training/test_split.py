from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgent.errors import InputError
from edgent.training.split import split


@given(st.lists(st.integers(10, 60), min_size=5, max_size=8), st.integers(0, 99), st.booleans())
def test_each_picture_is_in_one_part_and_each_class_is_divided_alike(counts, seed, elsewhere) -> None:
    classes = np.repeat(np.arange(len(counts)), counts)
    parts = split(classes, seed=seed, measured_elsewhere=elsewhere)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(classes)))
    assert all((np.diff(part) > 0).all() for part in parts)
    for one, count in enumerate(counts):
        for part in (parts.choosing, *(() if elsewhere else (parts.measuring,))):
            assert abs((classes[part] == one).sum() - count / 10) <= 1
    assert elsewhere == (len(parts.measuring) == 0)


def test_the_same_seed_gives_the_same_parts_and_another_one_others() -> None:
    classes = np.zeros(100, np.int64)
    first, again, other = (split(classes, seed=seed) for seed in (1, 1, 2))
    assert first.measuring.tolist() == again.measuring.tolist() != other.measuring.tolist()


def test_too_few_pictures_are_refused_in_all_and_of_a_class() -> None:
    with pytest.raises(InputError, match="found 49 pictures, expected at least 50"):
        split(np.zeros(49, np.int64), seed=0)
    with pytest.raises(InputError, match="found 9 pictures of class 1, expected at least 10 of each"):
        split(np.repeat([0, 1], [60, 9]), seed=0)
