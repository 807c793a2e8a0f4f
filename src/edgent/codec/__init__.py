"""How small: tensors and pictures to bytes and back, and what that costs in bytes and accuracy."""

from edgent.codec.calibration import MEASURES, Calibration, CodecAccuracy, EncodedSize, ExitAccuracy, MeasureName
from edgent.codec.image import decode_pixels, encode_image, load_formats, picture_size
from edgent.codec.names import (
    IMAGE_CODECS,
    TENSOR_CODECS,
    CodecError,
    base_codec,
    check_codec,
    is_image_codec,
    is_lossless,
)
from edgent.codec.pixels import MAX_PIXELS, Region, fit, fit_decoded, most_pixels, normalise, visible_region
from edgent.codec.tensor import decode_tensor, encode_tensor, encoded_size, round_trip

__all__ = [
    "IMAGE_CODECS",
    "MAX_PIXELS",
    "MEASURES",
    "TENSOR_CODECS",
    "Calibration",
    "CodecAccuracy",
    "CodecError",
    "EncodedSize",
    "ExitAccuracy",
    "MeasureName",
    "Region",
    "base_codec",
    "check_codec",
    "decode_pixels",
    "decode_tensor",
    "encode_image",
    "encode_tensor",
    "encoded_size",
    "fit",
    "fit_decoded",
    "is_image_codec",
    "is_lossless",
    "load_formats",
    "most_pixels",
    "normalise",
    "picture_size",
    "round_trip",
    "visible_region",
]
