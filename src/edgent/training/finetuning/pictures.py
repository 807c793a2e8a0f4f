"""Pictures for fine-tuning: decoded once, kept as one array, and seen a little differently in every epoch."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from edgent.codec import CodecError, decode_pixels
from edgent.engine.input_files import read_picture
from edgent.errors import InputError
from edgent.evaluation.data.examples import Listing

__all__ = ["MEAN", "STD", "LabelledPixels", "normalised", "read_pictures", "views"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, per colour, of values in 0..1: what the published weights expect."""

ROOM = 1.3
"""Pictures are kept so much larger than the network sees parts of them, so that a part still has its details."""

_BRIGHTNESS, _COLOUR = 0.3, 0.15


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LabelledPixels:
    """Pictures of one size.

    Attributes:
        pixels: shape [pictures, size, size, 3].
        labels: shape [pictures].
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_pictures(listing: Listing, size: int) -> LabelledPixels:
    """Decode a data set, each picture stretched to a square.

    Raises:
        InputError: one cannot be decoded, or nobody said what it shows.
    """
    pixels = np.empty((len(listing.files), size, size, 3), np.uint8)
    labels = np.empty(len(listing.files), np.int64)
    for row, file in enumerate(listing.files):
        if not isinstance(file.truth, int):
            raise InputError(f"{file.path}: nobody says what it shows; expected a class for every picture")
        pixels[row], labels[row] = _square(file.path, size), file.truth
    return LabelledPixels(pixels, labels)


def _square(path: Path, size: int) -> NDArray[np.uint8]:
    try:
        picture = Image.fromarray(decode_pixels(read_picture(path)))
    except CodecError as error:
        raise InputError(f"{path}: {error}; remove it or mend it") from error
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))


def normalised(pixels: NDArray[np.uint8]) -> Tensor:
    """Floating-point pictures, shape [batch, 3, size, size], in the memory order in which convolutions are fastest.

    Args:
        pixels: shape [batch, size, size, 3].
    """
    x = torch.from_numpy(np.ascontiguousarray(pixels)).float().div_(255)
    return ((x - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)


def views(
    pictures: LabelledPixels, batch: int, size: int, smallest: float, random: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every picture once, shuffled: a part of it, stretched a little, mirrored or not, in another light.

    The last, incomplete batch is left out.

    Args:
        pictures: larger than what is seen of them.
        batch: pictures in one step.
        size: height and width of what is seen.
        smallest: least share of the area that is seen.
        random: where the parts and lights come from.
    """
    order = random.permutation(len(pictures.labels))
    for start in range(0, len(order) - batch + 1, batch):
        chosen = order[start : start + batch]
        seen = _crops(normalised(pictures.pixels[chosen]), size, smallest, random)
        yield _lit(seen, random), torch.from_numpy(pictures.labels[chosen])


def _crops(x: Tensor, size: int, smallest: float, random: np.random.Generator) -> Tensor:
    count = len(x)
    area = random.uniform(smallest, 1, count)
    ratio = np.exp(random.uniform(-1, 1, count) * np.log(4 / 3))
    extent = np.minimum(np.sqrt(area * np.stack([ratio, 1 / ratio])), 1)  # width and height, as shares
    centre = random.uniform(-1, 1, (2, count)) * (1 - extent)
    mirrored = np.where(random.random(count) < 0.5, -1.0, 1.0)
    # An affine map in coordinates of -1..1 does crop, stretch and mirror at once.
    maps = np.zeros((count, 2, 3), np.float32)
    maps[:, 0, 0], maps[:, 1, 1] = extent[0] * mirrored, extent[1]
    maps[:, 0, 2], maps[:, 1, 2] = centre
    grid = functional.affine_grid(torch.from_numpy(maps), [count, 3, size, size], align_corners=False)
    seen = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return seen.contiguous(memory_format=torch.channels_last)


def _lit(x: Tensor, random: np.random.Generator) -> Tensor:
    """The same pictures, brighter or darker, with more or less contrast, and in a light of another colour."""
    count = len(x)
    contrast = random.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS, (count, 1, 1, 1))
    light = random.uniform(-_BRIGHTNESS, _BRIGHTNESS, (count, 1, 1, 1)) + random.normal(0, _COLOUR, (count, 3, 1, 1))
    return x * torch.from_numpy(contrast).float() + torch.from_numpy(light).float()
