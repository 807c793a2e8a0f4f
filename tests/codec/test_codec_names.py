import subprocess
import sys

import pytest

from edgent.codec import (
    IMAGE_CODECS,
    TENSOR_CODECS,
    CodecError,
    base_codec,
    check_codec,
    is_image_codec,
    is_lossless,
)
from edgent.codec.names import check_tensor_codec, lossy_image
from edgent.errors import InputError

UNKNOWN = [
    "",
    "float64",
    "uint8+gzip",
    "+zstd",
    "png+zstd",
    "webp",
    "webp-",
    "webp-0",
    "webp-101",
    "jpeg-090",
    "JPEG-90",
]


@pytest.mark.parametrize("codec", UNKNOWN)
def test_an_unknown_codec_is_refused_in_one_line_that_names_the_known_ones(codec):
    with pytest.raises(InputError) as refusal:
        check_codec(codec)
    assert isinstance(refusal.value, CodecError)
    assert "\n" not in str(refusal.value)
    assert all(known in str(refusal.value) for known in TENSOR_CODECS)


def test_an_unknown_codec_is_told_in_part_where_its_name_is_long():
    with pytest.raises(CodecError) as refusal:
        check_codec("x" * 1000)
    assert str(refusal.value) == (
        f"found the codec '{60 * 'x'}', expected one of float32, float16, uint8, float32+zstd, float16+zstd, "
        "uint8+zstd, source, png, webp-lossless, or webp-Q, jpeg-Q with a quality Q of 1..100"
    )


def test_a_codec_of_pictures_is_no_codec_of_tensors():
    with pytest.raises(
        CodecError, match=r"^the codec 'png' carries pictures, no tensors: use one of float32, float16, "
    ):
        check_tensor_codec("png")
    for codec in TENSOR_CODECS:
        check_tensor_codec(codec)


@pytest.mark.parametrize(
    ("codec", "parts"),
    [("webp-1", ("webp", 1)), ("jpeg-90", ("jpeg", 90)), ("jpeg-100", ("jpeg", 100)), ("png", None), ("uint8", None)],
)
def test_a_lossy_image_codec_is_taken_apart(codec, parts):
    assert lossy_image(codec) == parts


@pytest.mark.parametrize("question", [is_image_codec, is_lossless, base_codec])
def test_every_question_about_an_unknown_codec_is_refused(question):
    with pytest.raises(CodecError, match="float12"):
        question("float12")


def test_all_listed_codecs_exist_and_carry_what_their_list_says():
    assert not any(is_image_codec(codec) for codec in TENSOR_CODECS)
    assert all(is_image_codec(codec) for codec in IMAGE_CODECS)


@pytest.mark.parametrize("codec", ["webp-1", "webp-100", "jpeg-1", "jpeg-33", "jpeg-100"])
def test_every_quality_from_1_to_100_is_a_codec(codec):
    assert is_image_codec(codec)
    assert not is_lossless(codec)


def test_the_lossless_codecs_are_these():
    lossless = {codec for codec in (*TENSOR_CODECS, *IMAGE_CODECS) if is_lossless(codec)}
    assert lossless == {"float32", "float32+zstd", "source", "png", "webp-lossless"}


def test_compression_on_top_does_not_change_the_base():
    assert base_codec("uint8+zstd") == "uint8"
    assert base_codec("webp-90") == "webp-90"


def test_tensors_are_encoded_without_importing_pillow():
    program = (
        "import sys, numpy as np, edgent.codec as c; "
        "c.decode_tensor('uint8+zstd', c.encode_tensor('uint8+zstd', np.ones(9, 'f4')), (9,), 'float32'); "
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
