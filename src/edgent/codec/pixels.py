"""From pixels of any size to a network's input tensor: `fit`, then `normalise`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec.names import CodecError

if TYPE_CHECKING:
    from edgent.model.metadata import PictureType, Preprocessing

Region = tuple[float, float, float, float]
"""Left, top, right and bottom of what a model sees of a picture, in the picture's pixels."""

MAX_PIXELS = 64 * 2**20
"""The largest number of pixels that any picture may have; its RGB bytes are three times that."""

_MOST_WASTED = 8  # times the pixels of the model's size
# Times the model's pixels that a picture may have: 16 along each side, of which averaging leaves one. Smaller models
# see a frame of 4K all the same, as cameras and screens give it.
_MOST_NEEDED = 256
_FRAME = 4096 * 2160

# ITU-R 601-2 luma in 16-bit fixed point: Pillow's convert("L"), bit for bit.
_LUMA = np.array([19595, 38470, 7471], dtype=np.uint32)
_LUMA_HALF = np.uint32(1 << 15)


def most_pixels(preprocessing: Preprocessing) -> int:
    """Pixels that a picture for a model may have: many times what it sees, and no more than memory should be taken for.

    A few kilobytes may claim to be a picture of any size; what they are decoded to is bounded by this, on both sides.
    """
    rows, columns = preprocessing.size
    return min(MAX_PIXELS, max(_FRAME, _MOST_NEEDED * rows * columns))


def check_pixels(pixels: NDArray[np.uint8]) -> None:
    """Makes sure that pixels are uint8 of shape [height, width, 3], with at least one pixel.

    Raises:
        CodecError: what was found instead.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise CodecError(
            f"found pixels of type {pixels.dtype} and shape {list(pixels.shape)}, expected uint8 [height, width, 3]"
        )


def fit(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Brings a picture to the model's size; one that has it is returned as it is.

    - stretch: height and width each to the model's.
    - crop: the short side to the model's divided by the fraction `crop`, then the centre.
    - letterbox: all of the picture, centred, the rest grey (`padding`).
    - corner: likewise, but in the upper left corner.
    - height: the height to the model's and the width with it; the rest on the right is grey. What is too wide then is
      shrunk to the model's width (PaddleOCR's recognisers), or refused.

    A target pixel is made of all pixels that it covers, by one of Pillow's antialiasing filters.

    Args:
        pixels: uint8, shape [height, width, 3], RGB.
        preprocessing: The model's size and way of resizing.

    Returns:
        uint8, shape [*preprocessing.size, 3], RGB; perhaps read-only.

    Raises:
        CodecError: the pixels have another type or shape, or are more than the model takes.
    """
    check_pixels(pixels)
    # A picture of the right size would be copied for nothing. With a crop below 1 it is no such picture: its border is
    # to be cut off, and the rest enlarged.
    if pixels.shape[:2] == tuple(preprocessing.size) and preprocessing.crop == 1:
        return pixels
    if preprocessing.resize == "stretch":
        return _resized(pixels, preprocessing.size, preprocessing.filter)
    return _centre(pixels, preprocessing) if preprocessing.resize == "crop" else _on_grey(pixels, preprocessing)


def fit_decoded(pixels: NDArray[np.uint8], preprocessing: Preprocessing, *, codec: str) -> NDArray[np.uint8]:
    """Brings what came by an image codec to the model's size, unless that was done before it was encoded.

    Only a file as it came, the codec `source`, never was.

    Raises:
        CodecError: as `fit`.
    """
    # Fitting twice would not be the same as once: a crop would cut the border off a second time.
    was_fitted = codec != "source" and pixels.shape[:2] == tuple(preprocessing.size)
    return pixels if was_fitted else fit(pixels, preprocessing)


def visible_region(size: tuple[int, ...], preprocessing: Preprocessing) -> Region:
    """What of a picture lies on the model's input when it was fitted; beyond the picture where grey surrounds it.

    Args:
        size: the picture's height and width.
        preprocessing: the model's size and way of resizing.

    Raises:
        CodecError: as `fit`.
    """
    height, width = size
    if preprocessing.resize == "stretch":
        return 0, 0, width, height
    if preprocessing.resize == "crop":
        return _part(height, width, preprocessing)
    (rows, columns), (down, across) = preprocessing.size, _inner(height, width, preprocessing)
    top, left = _corner(down, across, preprocessing)
    # From the canvas back to the picture: x and y are its pixels for each pixel of the canvas. Not the same number, as
    # both sides were rounded to whole pixels.
    x, y = width / across, height / down
    return -left * x, -top * y, (columns - left) * x, (rows - top) * y


def normalise(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[Any]:
    """Turns pixels of the model's size into its input: value = (pixel * scale - mean) / std.

    Computed as one multiplication and one addition with factors made in double precision: equal to the formula within
    a few units of float32's last place. Grey is Pillow's (ITU-R 601-2 luma); mean and std are in the model's order of
    channels.

    Args:
        pixels: uint8, shape [*preprocessing.size, 3], RGB.
        preprocessing: Colour order, layout, type, scale, mean and std.

    Returns:
        Of the type `preprocessing.dtype` and the shape `preprocessing.shape`.

    Raises:
        CodecError: the pixels are not of that size and type.
    """
    check_pixels(pixels)
    if pixels.shape[:2] != tuple(preprocessing.size):
        (height, width), (rows, columns) = pixels.shape[:2], preprocessing.size
        raise CodecError(f"found pixels of {width} x {height}, expected the model's {columns} x {rows}: fit them first")
    channels = _channels(pixels, preprocessing.color)
    std = np.asarray(preprocessing.std)
    # (pixel * scale - mean) / std = pixel * (scale / std) + (-mean / std): two passes over the pixels in place of
    # three, and no division.
    gain = preprocessing.scale / std
    offset = -np.asarray(preprocessing.mean) / std
    if preprocessing.channels_first:
        # While the pixels are bytes, transposing moves a quarter of what it would as float32.
        planes = np.ascontiguousarray(channels.transpose(2, 0, 1))
        values = _affine(planes, gain[:, None, None], offset[:, None, None])
        return _typed(values.reshape(preprocessing.shape), preprocessing.dtype)
    height, width, count = channels.shape  # whole rows at a time: numpy is slow along axes as short as a pixel
    rows_of_values = channels.reshape(height, width * count)
    values = _affine(rows_of_values, np.tile(gain, width), np.tile(offset, width))
    return _typed(values.reshape(preprocessing.shape), preprocessing.dtype)


def _typed(values: NDArray[np.float32], dtype: PictureType) -> NDArray[Any]:
    """The values in the type that the model takes; float32 as they are."""
    if (kind := np.dtype(dtype)).kind == "f":
        return values.astype(kind, copy=False)
    limits = np.iinfo(kind)
    return np.clip(np.rint(values), limits.min, limits.max).astype(kind)


def _affine(values: NDArray[np.uint8], gain: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float32]:
    # In place, in float32: double precision would double the memory traffic, which is what this takes its time for.
    result = values.astype(np.float32)
    result *= gain.astype(np.float32)
    result += offset.astype(np.float32)
    return result


def _channels(pixels: NDArray[np.uint8], color: str) -> NDArray[np.uint8]:
    if color == "L":
        # uint32 holds 255 * 65536 with room; adding the half before the shift rounds as Pillow does.
        grey = (pixels @ _LUMA + _LUMA_HALF) >> np.uint32(16)
        return grey.astype(np.uint8)[:, :, None]
    # A view with a negative stride: nothing is copied before the transposition or the conversion reads it.
    return pixels[:, :, ::-1] if color == "BGR" else pixels


def _resized(
    pixels: NDArray[np.uint8], size: tuple[int, int], name: str, box: Region | None = None
) -> NDArray[np.uint8]:
    from PIL import Image

    height, width = size
    # Pillow's filters widen when they shrink a picture, so they average all pixels that are covered; a plain
    # four-point interpolation would skip most of them, and networks are not trained on such aliasing.
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling[name.upper()], box=box))


def _centre(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The centre of the picture, resized until its short side is the model's or longer.

    Resized whole and then cut, as in the programs that networks are measured with: Pillow rounds between its two
    passes, and chooses their order by what it is given, so that a part resized by itself may differ by several shades.
    A picture so long that this would be a waste is resized in part.
    """
    (height, width), (rows, columns) = pixels.shape[:2], preprocessing.size
    down, across, top, left = _resized_whole(height, width, preprocessing)
    if across * down <= _MOST_WASTED * rows * columns:
        whole = _resized(pixels, (down, across), preprocessing.filter)
        return np.ascontiguousarray(whole[top : top + rows, left : left + columns])
    return _resized(pixels, preprocessing.size, preprocessing.filter, visible_region((height, width), preprocessing))


def _resized_whole(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    """Height and width of the whole picture when its short side fits, and top and left of its centre there."""
    rows, columns = preprocessing.size
    # The larger of both scales: the short side then fits the model exactly, and the long one sticks out.
    scale = max(rows / height, columns / width) / preprocessing.crop
    across, down = max(columns, round(width * scale)), max(rows, round(height * scale))
    return down, across, (down - rows) // 2, (across - columns) // 2


def _part(height: int, width: int, preprocessing: Preprocessing) -> Region:
    """The part of the picture that becomes the centre."""
    rows, columns = preprocessing.size
    down, across, top, left = _resized_whole(height, width, preprocessing)
    # `min` guards against rounding: a box beyond the picture is refused by Pillow.
    right, bottom = min(width, (left + columns) * width / across), min(height, (top + rows) * height / down)
    return left * width / across, top * height / down, right, bottom


def _on_grey(pixels: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """All of the picture, its sides in proportion, on a grey canvas of the model's size."""
    rows, columns = preprocessing.size
    inner = _inner(pixels.shape[0], pixels.shape[1], preprocessing)
    top, left = _corner(*inner, preprocessing)
    canvas = np.full((rows, columns, 3), preprocessing.padding, dtype=np.uint8)
    canvas[top : top + inner[0], left : left + inner[1]] = _resized(pixels, inner, preprocessing.filter)
    return canvas


def _corner(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Top and left of the resized picture on the canvas."""
    # Where the padding is odd, the larger part lies below and on the right, as in the loaders of the YOLO family.
    rows, columns = preprocessing.size
    return ((rows - height) // 2, (columns - width) // 2) if preprocessing.resize == "letterbox" else (0, 0)


def _inner(height: int, width: int, preprocessing: Preprocessing) -> tuple[int, int]:
    """Height and width of the picture on the canvas."""
    rows, columns = preprocessing.size
    if preprocessing.resize == "height":
        wanted = max(1, round(width * rows / height))
        if wanted > columns and preprocessing.excess == "refuse":
            raise CodecError(
                f"found a picture of {width} x {height}, {wanted} wide at the model's height of {rows}, "
                f"expected at most {columns}: cut it up, or give the model a larger width"
            )
        return rows, min(columns, wanted)
    # The smaller of both scales: the whole picture fits, and the rest is padding. A picture of 1 x 10,000 pixels would
    # otherwise shrink to a height of 0.
    scale = min(rows / height, columns / width)
    return max(1, round(height * scale)), max(1, round(width * scale))
