"""Pictures to bytes and back, through Pillow.

How each codec encodes (chosen on CIFAR-10 images, as they are and enlarged to 224 x 224 with noise, on x86-64):

- `png`: compression level 1; level 6 takes up to twice as long for 1-13 % less.
- `webp-lossless`: method 0, effort 0: a tenth of the time of Pillow's default on small pictures.
- `webp-Q`: method 2: the bytes of Pillow's default, 4, within 8 %, in half its time; method 0 needs up to 30 % more.
- `jpeg-Q`: Pillow's 4:2:0, with Huffman tables made for the picture: saves the 300 bytes that matter on small ones.

Decoding accepts JPEG, PNG, WebP, BMP, GIF (of an animation, the first frame) and PPM. Pictures stand upright as their
EXIF says, palettes and greys become RGB, 16 bits become 8, and transparency is dropped, as in the loaders that
networks are trained with. A photograph (JPEG) of more pixels than are wanted is decoded at a half, a quarter or an
eighth of its size, which the format allows without decoding it whole; every other picture of too many is refused.
"""

from __future__ import annotations

import functools
import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.codec.names import CodecError, check_codec, lossy_image
from edgent.codec.pixels import MAX_PIXELS, check_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

_REDUCED = (1, 2, 4, 8)  # a JPEG's blocks of 8 x 8 can be decoded to blocks of 4, 2 or 1

# Only these readers are tried: Pillow has dozens of others, and each is code that untrusted bytes would reach.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM")

# What Pillow's readers let through on damaged files; warnings are raised where the caller made them errors.
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    EOFError,
    MemoryError,
    Warning,
    struct.error,
    zlib.error,
)


_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)  # EXIF: pictures that lie on their side


def picture_size(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width of a picture, upright, as it is before any reduction.

    Raises:
        CodecError: as `decode_pixels`, as far as the header tells.
    """
    with _opened(data, max_pixels) as picture:
        width, height = picture.size
        # Pillow decodes a PNG that has no EXIF ahead of its pixels, to see whether some comes behind: so the bound
        # comes first.
        _bound(picture, max_pixels)
        turned = picture.getexif().get(_ORIENTATION) in _TURNED
    return (width, height) if turned else (height, width)


def decode_pixels(data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decodes a picture.

    Args:
        data: The bytes of a JPEG, PNG, WebP, BMP, GIF or PPM file.
        max_pixels: A JPEG of more is reduced until it has no more; others are refused before any is decoded.

    Returns:
        uint8, shape [height, width, 3], RGB; perhaps read-only.

    Raises:
        CodecError: the data is no such picture, a damaged one, or one that is too large.
    """
    with _opened(data, max_pixels) as picture:
        _bound(picture, max_pixels)
        return _upright_rgb(picture)


@contextmanager
def _opened(data: bytes | bytearray | memoryview, max_pixels: int) -> Iterator[Image]:
    """A picture of which the header has been read; whatever Pillow makes of its bytes is one kind of error."""
    from PIL import Image, UnidentifiedImageError

    try:
        # `open` reads the header only, so that a picture that claims a million by a million pixels is refused before
        # memory is taken for it.
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            yield picture
    except CodecError:
        raise
    except UnidentifiedImageError:
        raise CodecError(f"found {len(data)} bytes that are no picture, expected {', '.join(_FORMATS)}") from None
    # Pillow's own limit may be lower than ours where the program set it; it is the same answer to the user.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CodecError(f"found a picture of more than {max_pixels} pixels: make it smaller") from None
    except _DAMAGE as error:
        detail = " ".join(str(error).split())[:80] or type(error).__name__
        raise CodecError(f"found a damaged picture ({detail})") from None


def encode_image(codec: str, pixels: NDArray[np.uint8]) -> bytes:
    """Encodes pixels with an image codec.

    Args:
        codec: Any image codec but `source`, which is the input's own bytes.
        pixels: uint8, shape [height, width, 3], RGB.

    Raises:
        CodecError: the codec does not encode pixels, the pixels are not as stated, or the format cannot hold as many.
    """
    from PIL import Image

    options = _save_options(codec)
    check_pixels(pixels)
    target = io.BytesIO()
    try:
        Image.fromarray(pixels).save(target, **options)
    # WebP holds 16,383 pixels a side, JPEG 65,535, and Pillow says so in one error or another.
    except (OSError, ValueError, OverflowError, struct.error) as error:
        height, width = pixels.shape[:2]
        raise CodecError(f"found a picture of {width} x {height}, which {codec} does not take ({error})") from None
    return target.getvalue()


@functools.cache  # a process loads them once, and a device asks for that with each request that says what to run
def load_formats() -> None:
    """Has Pillow load its readers and writers; left to the first picture, that takes it tens of milliseconds."""
    # One real encoding and decoding for each format: it also loads the libraries behind Pillow's modules.
    blank = np.zeros((8, 8, 3), np.uint8)
    for codec in ("png", "webp-lossless", "jpeg-90"):
        decode_pixels(encode_image(codec, blank))


def _save_options(codec: str) -> dict[str, Any]:
    if codec == "png":
        return {"format": "PNG", "compress_level": 1}
    if codec == "webp-lossless":
        return {"format": "WEBP", "lossless": True, "quality": 0, "method": 0}
    lossy = lossy_image(codec)
    if lossy is None:
        # Either there is no such codec, or it carries tensors or the source: both are said in their own words.
        check_codec(codec)
        raise CodecError(f"the codec {codec!r} encodes no pixels: use png, webp-lossless, webp-Q or jpeg-Q")
    # What each costs and saves was measured; see the head of this file.
    own = {"method": 2} if lossy.format == "webp" else {"optimize": True}
    return {"format": lossy.format.upper(), "quality": lossy.quality, **own}


def _bound(picture: Image, max_pixels: int) -> None:
    """Makes sure that no more pixels than allowed are decoded: a JPEG is reduced, any other picture refused."""
    width, height = picture.size
    if width * height <= max_pixels:
        return
    # A progressive one keeps all its coefficients in memory, however little of it is decoded.
    reducible = picture.format == "JPEG" and "progressive" not in picture.info and width * height <= MAX_PIXELS
    # The smallest reduction that fits in the bound keeps the most detail; a decoder rounds sides up.
    scale = next((s for s in _REDUCED if math.ceil(width / s) * math.ceil(height / s) <= max_pixels), None)
    if reducible and scale is not None:
        # Pillow takes the largest reduction that leaves both sides at least as long as these: of a strip, none.
        picture.draft(None, (max(1, width // scale), max(1, height // scale)))
    if picture.width * picture.height > max_pixels:
        raise CodecError(
            f"found a picture of {width} x {height}, expected at most {max_pixels} pixels in all: make it smaller"
        )


def _upright_rgb(picture: Image) -> NDArray[np.uint8]:
    from PIL import ImageOps

    # In place: no second copy of a picture that may be 192 MB.
    ImageOps.exif_transpose(picture, in_place=True)
    if picture.mode == "F":
        raise CodecError("found a picture of floating-point values, expected 8 or 16 bits a channel")
    # Pillow's own conversion would clip 16 bits at 255, and nearly every picture would be white.
    if picture.mode.startswith("I"):  # 16 bits of grey
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    picture.info.pop("transparency", None)  # dropped like any other; Pillow would warn about some forms of it
    # Palettes and greys become RGB, and an alpha channel is dropped without blending, as training loaders do.
    # Pillow's conversion would copy what is RGB already.
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
