import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from edgent.codec import MAX_PIXELS, CodecError, fit, fit_decoded, most_pixels, normalise
from edgent.model.metadata import Preprocessing

sides = st.integers(1, 60)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
pictures = hnp.arrays(np.uint8, st.tuples(sides, sides, st.just(3)))
ways = st.sampled_from(("stretch", "crop", "letterbox", "corner", "height"))


def weights(source, target):
    """Triangle filter over all source pixels that a target pixel covers: [target, source]."""
    scale = source / target
    width = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    w = np.maximum(0, 1 - np.abs(np.arange(source)[None] + 0.5 - centres[:, None]) / width)
    return w / w.sum(axis=1, keepdims=True)


def resized(pixels, height, width):
    """Antialiased bilinear resizing, written as two matrix products in double precision."""
    rows, columns = weights(pixels.shape[0], height), weights(pixels.shape[1], width)
    return np.einsum("yh,hwc,xw->yxc", rows, pixels.astype(float), columns, optimize=True)


def noise(height, width):
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def preprocess(size, **options):
    channels = 1 if options.get("color") == "L" else 3
    return Preprocessing(size=size, **{"mean": (0.0,) * channels, "std": (1.0,) * channels, **options})


@given(pictures, sizes, ways)
def test_a_fitted_picture_has_the_models_size(pixels, size, way):
    fitted = fit(pixels, preprocess(size, resize=way))
    assert (fitted.shape, fitted.dtype) == ((*size, 3), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (48, 320), (224, 224), (640, 640)])
def test_a_frame_and_sixteen_pixels_for_each_of_the_model_s_are_always_taken(size):
    most = most_pixels(preprocess(size))
    assert most >= min(MAX_PIXELS, max(4096 * 2160, 16 * size[0] * 16 * size[1]))
    assert most <= MAX_PIXELS


@given(pictures, ways)
def test_a_picture_of_the_models_size_is_returned_itself(pixels, way):
    assert fit(pixels, preprocess(pixels.shape[:2], resize=way)) is pixels


@given(sides, sides, sizes, st.sampled_from(("stretch", "crop")))
def test_a_plain_picture_stays_plain(height, width, size, way):
    pixels = np.full((height, width, 3), (200, 10, 90), np.uint8)
    assert np.array_equal(fit(pixels, preprocess(size, resize=way)), np.full((*size, 3), (200, 10, 90), np.uint8))


@pytest.mark.parametrize("source", [(48, 64), (31, 17), (200, 150), (7, 90)])
@pytest.mark.parametrize("size", [(32, 32), (20, 45)])
def test_stretching_is_antialiased_bilinear(source, size):
    pixels = noise(*source)
    fitted = fit(pixels, preprocess(size))
    assert np.abs(fitted - resized(pixels, *size)).max() <= 1.01  # rounded twice, across and down


@pytest.mark.parametrize("source", [(48, 64), (64, 48), (240, 150), (90, 30), (40, 40)])
@pytest.mark.parametrize("size", [(32, 32), (20, 30), (64, 64)])
def test_cropping_resizes_the_short_side_and_takes_the_centre(source, size):
    pixels = noise(*source)
    scale = max(size[0] / source[0], size[1] / source[1])
    whole = resized(pixels, *(max(s, round(side * scale)) for s, side in zip(size, source, strict=True)))
    top, left = (whole.shape[0] - size[0]) // 2, (whole.shape[1] - size[1]) // 2
    expected = whole[top : top + size[0], left : left + size[1]]
    fitted = fit(pixels, preprocess(size, resize="crop"))
    # At the border of the box pixels outside it have no say; inside nothing differs.
    assert np.abs(fitted - expected)[2:-2, 2:-2].max() <= 1.01


@pytest.mark.parametrize("source", [(48, 64), (64, 48), (240, 150), (3, 90), (40, 40)])
@pytest.mark.parametrize("size", [(32, 32), (20, 30)])
def test_letterboxing_keeps_all_of_the_picture_on_grey(source, size):
    pixels = noise(*source)
    scale = min(size[0] / source[0], size[1] / source[1])
    height, width = (max(1, round(side * scale)) for side in source)
    expected = np.full((*size, 3), 114.0)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    expected[top : top + height, left : left + width] = resized(pixels, height, width)
    assert np.abs(fit(pixels, preprocess(size, resize="letterbox")) - expected).max() <= 1.01


def test_extreme_shapes_take_no_extreme_memory():
    pixels = np.full((30_000, 1, 3), 77, np.uint8)
    for way in ("crop", "letterbox", "stretch"):
        assert fit(pixels, preprocess((224, 224), resize=way)).shape == (224, 224, 3)


@st.composite
def preprocessings(draw, size):
    color = draw(st.sampled_from(("RGB", "BGR", "L")))
    numbers = [st.floats(-2, 2), st.floats(0.05, 300)]
    mean, std = (tuple(draw(number) for _ in range(1 if color == "L" else 3)) for number in numbers)
    layout, scale = (
        draw(st.sampled_from(("NCHW", "NHWC", "CHW", "HWC"))),
        draw(st.sampled_from((1 / 255, 1.0, 2 / 255))),
    )
    return Preprocessing(size=size, color=color, layout=layout, scale=scale, mean=mean, std=std)


def by_the_formula(pixels, pre):
    if pre.color == "L":
        channels = np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]
    else:
        channels = pixels[:, :, ["RGB".index(name) for name in pre.color]]
    value = (channels.astype(np.float64) * pre.scale - np.array(pre.mean)) / np.array(pre.std)
    picture = value if pre.layout.endswith("HWC") else value.transpose(2, 0, 1)
    return picture[None] if pre.layout.startswith("N") else picture


@given(st.data())
def test_normalising_follows_the_formula_in_every_layout_and_colour(data):
    pixels = data.draw(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
    pre = data.draw(preprocessings(pixels.shape[:2]))
    tensor = normalise(pixels, pre)
    expected = by_the_formula(pixels, pre)
    assert (tensor.dtype, tensor.shape) == (np.float32, pre.shape)
    assert tensor.flags.c_contiguous
    magnitude = (255 * pre.scale + max(map(abs, pre.mean))) / min(pre.std)
    assert np.abs(tensor - expected).max() <= 4 * 2.0**-24 * magnitude


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int8", "int32"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_values_are_of_the_type_that_is_wanted_whole_ones_to_the_nearest_within_its_ends(dtype, layout):
    pixels = np.arange(256, dtype=np.uint8).reshape(8, 32, 1).repeat(3, axis=2)
    pre = preprocess((8, 32), layout=layout, dtype=dtype, scale=1.2347, mean=(130.0, 0.0, 20.0))
    expected = by_the_formula(pixels, pre)
    if not dtype.startswith("float"):
        limits = np.iinfo(dtype)
        expected = np.clip(np.round(expected), limits.min, limits.max)
    tensor = normalise(pixels, pre)
    assert (tensor.dtype, tensor.shape) == (np.dtype(dtype), pre.shape)
    np.testing.assert_allclose(tensor.astype(float), expected, rtol=1e-3, atol=1e-3)


def test_pixels_that_go_in_as_they_are_come_out_as_they_were():
    pixels = noise(8, 8)
    assert np.array_equal(normalise(pixels, preprocess((8, 8), layout="HWC", dtype="uint8", scale=1.0)), pixels)


def test_normalising_does_not_touch_the_pixels():
    pixels = noise(8, 8)
    before = pixels.copy()
    pixels.flags.writeable = False
    normalise(pixels, preprocess((8, 8)))
    assert np.array_equal(pixels, before)


def test_normalising_reaches_both_ends_of_the_range():
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    tensor = normalise(pixels, preprocess((1, 1), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)))
    assert tensor.ravel().tolist() == pytest.approx([-1, 128 / 127.5 - 1, 1], abs=1e-7)
    assert math.isclose(tensor[0, 0, 0, 0], -1)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8), np.zeros((0, 8, 3), np.uint8)],
)
@pytest.mark.parametrize("step", [fit, normalise])
def test_what_are_no_pixels_is_refused(step, pixels):
    with pytest.raises(CodecError, match=r"expected uint8 \[height, width, 3\]"):
        step(pixels, preprocess((8, 8)))


def test_pixels_of_another_size_are_not_normalised():
    with pytest.raises(CodecError, match="found pixels of 8 x 9, expected the model's 8 x 8"):
        normalise(np.zeros((9, 8, 3), np.uint8), preprocess((8, 8)))


FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4}  # Pillow's numbers


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("source", [(48, 64), (200, 150), (16, 20)])
def test_a_filter_is_pillows_of_that_name(name, source):
    pixels = noise(*source)
    expected = np.asarray(Image.fromarray(pixels).resize((45, 20), FILTERS[name]))
    assert np.array_equal(fit(pixels, preprocess((20, 45), filter=name)), expected)


@pytest.mark.parametrize("source", [(300, 400), (512, 333), (224, 224), (100, 80)])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_a_crop_fraction_resizes_the_short_side_further_and_takes_the_centre(source, name):
    pixels = noise(*source) // 4 + 96  # far from 0 and 255, at which the order of the passes would matter
    short = min(source)
    height, width = (round(side * 256 / short) for side in source)
    whole = Image.fromarray(pixels).resize((width, height), FILTERS[name])
    left, top = (width - 224) // 2, (height - 224) // 2
    expected = np.asarray(whole.crop((left, top, left + 224, top + 224))).astype(int)
    fitted = fit(pixels, preprocess((224, 224), resize="crop", crop=0.875, filter=name))
    assert np.abs(fitted - expected)[4:-4, 4:-4].max() <= 1


def test_a_picture_of_the_models_size_is_cropped_as_well_unless_it_was_before_it_was_encoded():
    pixels, pre = noise(224, 224), preprocess((224, 224), resize="crop", crop=0.5)
    twice_as_large = Image.fromarray(pixels).resize((448, 448), FILTERS["bilinear"])
    expected = np.asarray(twice_as_large.crop((112, 112, 336, 336))).astype(int)
    assert np.abs(fit(pixels, pre) - expected)[2:-2, 2:-2].max() <= 1
    assert np.array_equal(fit_decoded(pixels, pre, codec="source"), fit(pixels, pre))
    assert fit_decoded(pixels, pre, codec="png") is pixels


def test_in_the_corner_stands_what_a_letterbox_has_in_its_centre():
    pixels = noise(40, 100)
    pre = {"size": (64, 64), "padding": 7}
    cornered, boxed = (fit(pixels, preprocess(**pre, resize=way)) for way in ("corner", "letterbox"))
    assert np.array_equal(cornered[:26], boxed[19:45])
    assert (cornered[26:] == 7).all() and (boxed[:19] == 7).all() and (boxed[45:] == 7).all()


def test_a_line_of_text_keeps_the_models_height_and_is_padded_on_its_right():
    pixels = noise(24, 60)
    fitted = fit(pixels, preprocess((48, 320), resize="height", padding=127))
    assert np.array_equal(fitted[:, :120], np.asarray(Image.fromarray(pixels).resize((120, 48), FILTERS["bilinear"])))
    assert (fitted[:, 120:] == 127).all()


def test_a_line_too_long_is_shrunk_or_refused():
    pixels = noise(24, 200)
    expected = np.asarray(Image.fromarray(pixels).resize((320, 48), FILTERS["bilinear"]))
    assert np.array_equal(fit(pixels, preprocess((48, 320), resize="height")), expected)
    with pytest.raises(CodecError, match="400 wide at the model's height of 48, expected at most 320"):
        fit(pixels, preprocess((48, 320), resize="height", excess="refuse"))


@pytest.mark.parametrize("source", [(320, 420), (426, 320), (237, 350)])
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "lanczos"])
def test_a_cropped_picture_is_to_the_shade_what_resizing_and_then_cropping_gives(source, name):
    pixels = noise(source[1], source[0])
    scale = 224 / 0.875 / min(source)
    size = (round(source[0] * scale), round(source[1] * scale))
    whole = Image.fromarray(pixels).resize(size, Image.Resampling[name.upper()])
    left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
    expected = np.asarray(whole.crop((left, top, left + 224, top + 224)))
    assert np.array_equal(fit(pixels, preprocess((224, 224), resize="crop", crop=0.875, filter=name)), expected)


def test_a_very_long_picture_is_cropped_without_being_resized_whole():
    pixels = np.broadcast_to(np.arange(40000, dtype=np.int64) % 256, (3, 40000)).astype(np.uint8)
    fitted = fit(np.repeat(pixels[:, :, None], 3, axis=2), preprocess((224, 224), resize="crop"))
    assert fitted.shape == (224, 224, 3)
    assert set(np.unique(fitted)) <= set(range(19998 % 256, 20002 % 256 + 1))
