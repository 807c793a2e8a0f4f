"""Batches of images: shuffled, flipped and shifted while training, in order while evaluating."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["MEAN", "STD", "augmented", "in_order"]

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
"""Mean and standard deviation of CIFAR-10's training images, per colour, of values in 0..1."""


def normalised(pixels: NDArray[np.uint8]) -> Tensor:
    """Floating-point images of shape [batch, 3, 32, 32], in the memory order in which convolutions are fastest.

    Args:
        pixels: shape [batch, 32, 32, 3].
    """
    scale = np.float32(1 / 255) / np.array(STD, np.float32)
    shift = np.array(MEAN, np.float32) / np.array(STD, np.float32)
    return torch.from_numpy(np.asarray(pixels * scale - shift, dtype=np.float32)).permute(0, 3, 1, 2)


def in_order(pixels: NDArray[np.uint8], labels: NDArray[np.int64], batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Every image once, as it is."""
    for start in range(0, len(pixels), batch):
        part = slice(start, start + batch)
        yield normalised(pixels[part]), torch.from_numpy(labels[part])


def augmented(
    pixels: NDArray[np.uint8], labels: NDArray[np.int64], batch: int, shift: int, random: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every image once, shuffled, each mirrored or not and moved by up to ``shift`` pixels in both directions.

    The last, incomplete batch is left out: statistics of a small batch would disturb batch normalisation.
    What moves in from outside has the colour of the border.
    """
    size = pixels.shape[1]
    along = np.arange(size)
    order = random.permutation(len(pixels))
    for start in range(0, len(order) - batch + 1, batch):
        chosen = order[start : start + batch]
        down, right = random.integers(-shift, shift + 1, (2, batch, 1))
        rows = np.clip(along + down, 0, size - 1)
        columns = np.clip(along + right, 0, size - 1)
        mirrored = random.random((batch, 1)) < 0.5
        columns = np.where(mirrored, columns[:, ::-1], columns)
        moved = pixels[chosen[:, None, None], rows[:, :, None], columns[:, None, :]]
        yield normalised(moved), torch.from_numpy(labels[chosen])
