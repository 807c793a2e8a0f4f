from __future__ import annotations

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.training.row_files import RowFiles

SHAPES = {"a": (2, 3), "b": (4,)}


def row_of(number: int) -> dict[str, np.ndarray]:
    return {"a": np.full((2, 3), number), "b": np.arange(4) + number}


def test_rows_that_are_whole_are_not_computed_again(tmp_path) -> None:
    computed: list[int] = []

    def counted(number):
        computed.append(number)
        if len(computed) == 150:
            raise KeyboardInterrupt
        return row_of(number)

    with pytest.raises(KeyboardInterrupt):
        RowFiles(tmp_path / "rows", 200, SHAPES).fill(counted)
    again = RowFiles(tmp_path / "rows", 200, SHAPES)
    assert 64 <= again.done < 150
    again.fill(counted)
    assert again.done == 200
    assert len(computed) <= 200 + 64
    for number in range(200):
        assert all((again.arrays[name][number] == values).all() for name, values in row_of(number).items())


def test_progress_tells_of_rows_from_where_it_goes_on(tmp_path) -> None:
    told: list[tuple[int, int]] = []
    RowFiles(tmp_path, 3, SHAPES).fill(row_of, lambda done, whole: told.append((done, whole)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    RowFiles(tmp_path, 3, SHAPES).fill(row_of, lambda done, whole: told.append((done, whole)))
    assert len(told) == 3


def test_numbers_that_are_too_large_become_the_largest(tmp_path) -> None:
    files = RowFiles(tmp_path, 1, {"a": (2,)})
    files.fill(lambda _: {"a": np.array([1e9, -1e9])})
    assert files.arrays["a"].tolist() == [[65504, -65504]]


def test_rows_of_another_shape_are_refused_in_one_line(tmp_path) -> None:
    RowFiles(tmp_path, 64, {"a": (2,)}).fill(lambda _: {"a": np.zeros(2)})
    with pytest.raises(InputError, match="remove it to begin anew"):
        RowFiles(tmp_path, 64, {"a": (3,)})
