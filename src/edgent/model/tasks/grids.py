"""Grids of cells over a picture: where the boxes of a detector are counted from that does not decode them itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GRIDS = (8, 16, 32), (8, 16, 32, 64)  # sides of the cells in pixels: of YOLOX's usual networks, and of its P6


def strides_of(rows: int, size: tuple[int, int]) -> tuple[int, ...] | None:
    """The sides of the cells of grids that have so many cells in all; None where none of the usual ones have.

    Args:
        rows: how many.
        size: height and width of the picture.
    """
    counts = {sum(height * width for height, width in _shapes(strides, size)): strides for strides in _GRIDS}
    return counts.get(rows)


def cells(strides: tuple[int, ...], size: tuple[int, int]) -> NDArray[np.float32]:
    """Column, row and side of every cell, row by row, grid by grid: [n, 3]."""
    parts = []
    for stride, (height, width) in zip(strides, _shapes(strides, size), strict=True):
        row, column = np.mgrid[:height, :width].reshape(2, -1)
        parts.append(np.stack([column, row, np.full_like(row, stride)], axis=1))
    return np.concatenate(parts).astype(np.float32)


def _shapes(strides: tuple[int, ...], size: tuple[int, int]) -> list[tuple[int, int]]:
    return [(size[0] // stride, size[1] // stride) for stride in strides]
