import io
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFile, ImageOps

from edgent.codec import (
    IMAGE_CODECS,
    MAX_PIXELS,
    CodecError,
    decode_pixels,
    encode_image,
    is_lossless,
    load_formats,
    picture_size,
)

ENCODERS = tuple(codec for codec in IMAGE_CODECS if codec != "source")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "PPM")

pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)))


def scene(height=48, width=64):
    """Something with smooth areas and edges, so that lossy codecs have it easy."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    picture = np.stack([x, y, (x + y) / 2], axis=2) * 200
    picture[height // 4 : height // 2, width // 4 : width // 2] = (250, 30, 90)
    return picture.astype(np.uint8)


def saved(picture, form="PNG", **options):
    target = io.BytesIO()
    (Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture).save(target, form, **options)
    return target.getvalue()


def png_that_claims(width, height):
    """A PNG header with a size, and next to nothing behind it."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("codec", [codec for codec in ENCODERS if is_lossless(codec)])
@given(pixels=pictures)
def test_a_lossless_codec_keeps_every_pixel(codec, pixels):
    assert np.array_equal(decode_pixels(encode_image(codec, pixels)), pixels)


@pytest.mark.parametrize("codec", [codec for codec in ENCODERS if not is_lossless(codec)])
@given(pixels=pictures)
def test_a_lossy_codec_keeps_the_size_of_any_picture(codec, pixels):
    assert decode_pixels(encode_image(codec, pixels)).shape == pixels.shape


@pytest.mark.parametrize("codec", [codec for codec in ENCODERS if not is_lossless(codec)])
def test_a_lossy_codec_keeps_the_look_of_a_picture_and_its_colours_in_order(codec):
    difference = decode_pixels(encode_image(codec, scene())).astype(float) - scene()
    assert np.sqrt(np.mean(difference**2)) < 12


@pytest.mark.parametrize("name", ["webp", "jpeg"])
def test_a_lower_quality_takes_fewer_bytes(name):
    sizes = [len(encode_image(f"{name}-{quality}", scene())) for quality in (10, 50, 75, 90, 95)]
    assert sizes == sorted(sizes)


def test_lossless_webp_of_a_picture_is_lossless_webp():
    assert encode_image("webp-lossless", scene())[12:16] == b"VP8L"


@pytest.mark.parametrize(
    ("codec", "form", "options"),
    [
        ("png", "PNG", {"compress_level": 1}),
        ("webp-lossless", "WEBP", {"lossless": True, "method": 0, "quality": 0}),
        ("webp-80", "WEBP", {"quality": 80, "method": 2}),
        ("webp-1", "WEBP", {"quality": 1, "method": 2}),
        ("jpeg-75", "JPEG", {"quality": 75, "optimize": True}),
        ("jpeg-100", "JPEG", {"quality": 100, "optimize": True}),
    ],
)
def test_each_codec_encodes_as_is_written_down(codec, form, options):
    noisy = scene() // 2 + np.random.default_rng(0).integers(0, 99, scene().shape, dtype=np.uint8)
    for picture in (scene(), noisy):
        assert encode_image(codec, picture) == saved(picture, form, **options)


@pytest.mark.parametrize("codec", ["source", "float32", "uint8+zstd"])
def test_a_codec_that_encodes_no_pixels_says_so(codec):
    with pytest.raises(CodecError, match="encodes no pixels"):
        encode_image(codec, scene())


def test_an_unknown_codec_is_refused():
    with pytest.raises(CodecError, match="found the codec 'avif-50'"):
        encode_image("avif-50", scene())


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((1, 4, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_not_encoded(pixels):
    with pytest.raises(CodecError, match=r"expected uint8 \[height, width, 3\]"):
        encode_image("png", pixels)


def test_a_picture_larger_than_the_format_takes_is_refused():
    with pytest.raises(CodecError, match="found a picture of 16384 x 1, which webp-90 does not take"):
        encode_image("webp-90", np.zeros((1, 16384, 3), np.uint8))


@pytest.mark.parametrize("form", FORMATS)
def test_every_accepted_format_decodes(form):
    decoded = decode_pixels(saved(scene(), form))
    assert (decoded.shape, decoded.dtype) == (scene().shape, np.uint8)
    assert np.abs(decoded.astype(int) - scene()).mean() < 12


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_picture_may_come_in_any_kind_of_bytes(kind):
    assert np.array_equal(decode_pixels(kind(saved(scene()))), scene())


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a.swapaxes(0, 1)[::-1, ::-1]),
        (8, lambda a: np.rot90(a, 1)),
        (99, lambda a: a),
    ],
)
def test_a_picture_stands_upright_as_its_exif_says(orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decode_pixels(saved(scene(), exif=exif)), upright(scene()))


@pytest.mark.parametrize("mode", ["L", "1", "LA", "RGBA"])
def test_grey_and_transparent_pictures_become_rgb(mode):
    picture = Image.fromarray(scene()).convert(mode)
    assert np.array_equal(decode_pixels(saved(picture)), np.asarray(picture.convert("RGB")))


def test_transparency_is_dropped_not_blended():
    pixels = np.dstack([scene(), np.zeros(scene().shape[:2], np.uint8)])
    assert np.array_equal(decode_pixels(saved(pixels)), scene())


@pytest.mark.parametrize("transparency", [None, 0, bytes([0, 128, 255])])
def test_a_palette_becomes_its_colours(transparency):
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    options = {} if transparency is None else {"transparency": transparency}
    assert decode_pixels(saved(picture, **options)).tolist() == [[[10, 20, 30], [40, 50, 60]]]


def test_a_cmyk_jpeg_becomes_rgb():
    decoded = decode_pixels(saved(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG"))
    assert decoded.shape == (16, 16, 3)
    assert decoded.min() > 250


def test_sixteen_bits_of_grey_become_eight():
    grey = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    for data in (saved(grey), b"P5 5 1 65535\n" + grey.astype(">u2").tobytes()):
        decoded = decode_pixels(data)
        assert decoded.dtype == np.uint8
        assert decoded.tolist() == [[[v, v, v] for v in (0, 0, 1, 128, 255)]]


def test_a_grey_above_what_a_file_says_is_its_most_is_white():
    assert decode_pixels(b"P5 2 1 300\n" + struct.pack(">HH", 65535, 150)).tolist() == [[[255] * 3, [128] * 3]]
    assert decode_pixels(b"P2 2 1 300\n300 0\n").tolist() == [[[255] * 3, [0] * 3]]


def test_of_an_animation_the_first_frame_is_taken():
    first, second = Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")
    for form in ("GIF", "WEBP"):
        data = saved(first, form, save_all=True, append_images=[second], lossless=True)
        assert decode_pixels(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("data", [b"", b"no picture", b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused_in_one_line(data):
    with pytest.raises(
        CodecError, match=f"^found {len(data)} bytes that are no picture, expected JPEG, PNG"
    ) as refusal:
        decode_pixels(data)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("form", ["TIFF", "TGA", "PCX", "SGI", "ICO"])
def test_a_format_that_is_not_accepted_is_no_picture_though_pillow_knows_it(form):
    with pytest.raises(CodecError, match="bytes that are no picture"):
        decode_pixels(saved(scene(), form))


def test_floating_point_pixels_are_refused():
    with pytest.raises(CodecError, match="floating-point"):
        decode_pixels(b"Pf\n1 1\n-1.0\n" + struct.pack("<f", 0.5))


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_cut_short_is_refused(form):
    data = saved(scene(), form)
    for size in (20, len(data) // 2):
        with pytest.raises(CodecError, match=r"^found"):
            decode_pixels(data[:size])


def test_a_picture_may_have_as_many_pixels_as_8192_by_8192_unless_told_otherwise():
    assert MAX_PIXELS == 8192 * 8192
    with pytest.raises(
        CodecError, match=r"^found a picture of 8193 x 8192, expected at most 67108864 pixels in all: make"
    ):
        decode_pixels(png_that_claims(8193, 8192))


def test_what_pillow_itself_takes_for_a_bomb_is_refused_in_the_same_words(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for side in (12, 100):  # above the bound Pillow warns, above twice that it refuses
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(CodecError, match=r"^found a picture of more than 5 pixels: make it smaller$"):
                decode_pixels(saved(np.zeros((side, side, 3), np.uint8)), max_pixels=5)


def test_what_is_wrong_with_a_damaged_picture_is_told_in_part_and_in_one_line(monkeypatch):
    def fails(picture, in_place):
        raise broken

    monkeypatch.setattr(ImageOps, "exif_transpose", fails)
    for broken, words in (  # noqa: B007 - it is raised above
        (ValueError("broken\n  in " + "x" * 200), "broken in " + "x" * 70),
        (EOFError(), "EOFError"),
        (struct.error("short"), "short"),
    ):
        with pytest.raises(CodecError) as refusal:
            decode_pixels(saved(scene()))
        assert str(refusal.value) == f"found a damaged picture ({words})"


@pytest.mark.parametrize(
    "damage",
    [
        OSError,
        ValueError,
        TypeError,
        SyntaxError,
        IndexError,
        ZeroDivisionError,
        AttributeError,
        RuntimeError,
        EOFError,
        MemoryError,
        UserWarning,
        struct.error,
        zlib.error,
    ],
)
def test_whatever_pillow_s_readers_let_through_is_a_damaged_picture(damage, monkeypatch):
    def fails(picture, in_place):
        raise damage("so")

    monkeypatch.setattr(ImageOps, "exif_transpose", fails)
    with pytest.raises(CodecError, match=r"^found a damaged picture \(so\)$"):
        decode_pixels(saved(scene()))


def test_more_pixels_than_allowed_are_refused_and_as_many_are_not():
    with pytest.raises(CodecError, match="found a picture of 64 x 48, expected at most 3071 pixels"):
        decode_pixels(saved(scene()), max_pixels=64 * 48 - 1)
    assert decode_pixels(saved(scene()), max_pixels=64 * 48).shape == (48, 64, 3)


@pytest.mark.parametrize("form", FORMATS)
def test_the_size_alone_is_bounded_before_any_pixel_is_decoded(form, monkeypatch):
    def decoded(picture):
        raise AssertionError("pixels were decoded")

    data = saved(scene(), form)
    assert picture_size(data, max_pixels=64 * 48) == (48, 64)
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    with pytest.raises(CodecError, match="found a picture of 64 x 48, expected at most 10 pixels"):
        picture_size(data, max_pixels=10)


@pytest.mark.parametrize("side", [10_000, 20_000, 2**31 - 1])
def test_what_pillow_takes_for_a_bomb_has_no_size_but_a_codec_error(side):
    with pytest.raises(CodecError, match=r"^found a picture of"):
        picture_size(png_that_claims(side, side))


@pytest.mark.parametrize(("most", "scale"), [(64 * 48, 1), (64 * 48 - 1, 2), (32 * 24 - 1, 4), (16 * 12 - 1, 8)])
def test_a_photograph_of_too_many_pixels_is_reduced_until_it_has_few_enough(most, scale):
    photograph = saved(scene(), "JPEG")
    pixels = decode_pixels(photograph, max_pixels=most)
    assert pixels.shape == (48 // scale, 64 // scale, 3)
    averaged = decode_pixels(photograph).reshape(48 // scale, scale, 64 // scale, scale, 3).mean((1, 3))
    assert (
        np.abs(pixels - averaged).mean() < 4
    )  # a reduced block is the mean of the whole one's pixels, but for rounding
    assert picture_size(photograph, max_pixels=most) == (48, 64)  # what answers are drawn on


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 3000))
def test_no_photograph_is_decoded_to_more_pixels_than_are_allowed(height, width, most):
    photograph = saved(np.zeros((height, width, 3), np.uint8), "JPEG")
    try:
        pixels = decode_pixels(photograph, max_pixels=most)
    except CodecError:
        assert -(-height // 8) * -(-width // 8) > most or min(height, width) < 8  # a strip is not reduced
    else:
        assert pixels.shape[0] * pixels.shape[1] <= most


def test_a_progressive_photograph_is_refused_for_it_would_be_held_whole():
    target = io.BytesIO()
    Image.fromarray(scene()).save(target, "JPEG", progressive=True)
    with pytest.raises(CodecError, match="expected at most 3071 pixels"):
        decode_pixels(target.getvalue(), max_pixels=64 * 48 - 1)


@pytest.mark.parametrize("side", [8193, 10_000, 20_000, 2**31 - 1])
@pytest.mark.parametrize("action", ["error", "ignore"])
def test_a_picture_that_claims_to_be_huge_is_refused_whatever_becomes_of_warnings(side, action):
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        with pytest.raises(CodecError, match=r"^found a picture of"):
            decode_pixels(png_that_claims(side, side))


@given(st.binary(max_size=300))
@example(b"P5 0 0 255\n")
@example(b"P6 1 1 0\n")
@example(b"GIF89a")
@example(b"RIFF\0\0\0\0WEBPVP8 ")
@example(b"BM" + bytes(60))
def test_random_bytes_raise_nothing_but_a_codec_error(data):
    with pytest.raises(CodecError):
        decode_pixels(data)


@given(
    st.sampled_from(FORMATS), st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 255)), min_size=1, max_size=8)
)
def test_a_damaged_picture_gives_pixels_or_a_codec_error(form, damage):
    data = bytearray(saved(scene(12, 16), form))
    for place, bits in damage:
        data[place % len(data)] ^= bits
    try:
        pixels = decode_pixels(data, max_pixels=2**20)
    except CodecError as error:
        assert "\n" not in str(error)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 3


def test_once_loaded_no_picture_has_to_wait_for_its_format() -> None:
    load_formats()
    program = (
        "from edgent.codec import load_formats; from PIL import Image; load_formats()\n"
        "assert {'PNG', 'JPEG', 'WEBP'} <= Image.SAVE.keys() & Image.OPEN.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_formats_are_loaded_once_however_often_that_is_asked_for(monkeypatch) -> None:
    load_formats()
    monkeypatch.setattr(Image, "SAVE", {})
    load_formats()  # nobody could save anything any more, and nobody tries
