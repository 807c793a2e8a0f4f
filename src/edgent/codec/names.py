"""The codecs by name. The names are a contract: they stand in calibrations, profiles, plans and on the wire.

Tensor codecs carry any boundary, image codecs only the picture at upload cut 0::

    float32          the tensor's own bytes                                     lossless
    float16          half precision                                             lossy
    uint8            one byte per value, one range per tensor                   lossy
    ...+zstd         each of them, compressed by zstd at level 1                as its base
    source           the input's own bytes, as they came                        lossless
    png              PNG                                                        lossless
    webp-lossless    WebP, its fast lossless method                             lossless
    webp-Q, jpeg-Q   WebP or JPEG of quality Q = 1..100                         lossy

Lossless means: no loss beyond what the input already had.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, cast

from edgent.errors import InputError

TENSOR_CODECS = ("float32", "float16", "uint8", "float32+zstd", "float16+zstd", "uint8+zstd")

# Those that are measured and offered unless others are asked for. Five qualities of each format span what is worth
# offering; each one more costs a run over the data for its accuracy, and a block of candidates in every table.
IMAGE_CODECS = (
    "source",
    "png",
    "webp-lossless",
    "webp-25",
    "webp-50",
    "webp-80",
    "webp-90",
    "webp-95",
    "jpeg-25",
    "jpeg-50",
    "jpeg-75",
    "jpeg-90",
    "jpeg-95",
)

ZSTD = "+zstd"

# A list and no property of a codec's name: whoever adds a codec has to decide, for a lossy one that counted as lossless
# would be offered without an accuracy of its own.
_LOSSLESS = frozenset({"float32", "source", "png", "webp-lossless"})
_WITH_QUALITY = re.compile(r"(webp|jpeg)-([1-9][0-9]?|100)")


class CodecError(InputError):
    """Bytes that no codec could have made, a value that a codec cannot carry, or a codec that does not exist."""


class LossyImage(NamedTuple):
    """A lossy image codec: its format, and its quality from 1 to 100."""

    format: Literal["webp", "jpeg"]
    quality: int


def lossy_image(codec: str) -> LossyImage | None:
    """Takes "jpeg-90" apart; None for every other kind of codec."""
    # A number is written in one way only ("jpeg-090" is no codec): names are compared as text everywhere.
    match = _WITH_QUALITY.fullmatch(codec)
    return LossyImage(cast('Literal["webp", "jpeg"]', match[1]), int(match[2])) if match else None


def is_image_codec(codec: str) -> bool:
    """Whether the codec carries pictures.

    Raises:
        CodecError: there is no such codec.
    """
    check_codec(codec)
    return codec not in TENSOR_CODECS


def is_lossless(codec: str) -> bool:
    """Whether an answer behind this codec is the answer without it.

    Raises:
        CodecError: there is no such codec.
    """
    return base_codec(codec) in _LOSSLESS


def base_codec(codec: str) -> str:
    """The codec without lossless compression on top: "uint8+zstd" has the accuracy of "uint8".

    Raises:
        CodecError: there is no such codec.
    """
    check_codec(codec)
    return codec.removesuffix(ZSTD)


def check_codec(codec: str) -> None:
    """Makes sure that a codec exists.

    Raises:
        CodecError: it does not; the message names those that do.
    """
    # The name may come from the network: only its first 60 characters are repeated.
    if codec not in TENSOR_CODECS and codec not in _LOSSLESS and lossy_image(codec) is None:
        raise CodecError(
            f"found the codec {codec[:60]!r}, expected one of {', '.join(TENSOR_CODECS)}, "
            "source, png, webp-lossless, or webp-Q, jpeg-Q with a quality Q of 1..100"
        )


def check_tensor_codec(codec: str) -> None:
    """Makes sure that a codec carries tensors.

    Raises:
        CodecError: it does not exist, or carries pictures only.
    """
    if is_image_codec(codec):
        raise CodecError(f"the codec {codec!r} carries pictures, no tensors: use one of {', '.join(TENSOR_CODECS)}")
