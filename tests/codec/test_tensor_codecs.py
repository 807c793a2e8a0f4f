import contextlib
import math
import struct
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgent.codec import TENSOR_CODECS, CodecError, decode_tensor, encode_tensor, encoded_size, round_trip

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FLOATS = ("float16", "float32", "float64")
OTHERS = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "complex64")

shapes = hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9)
codecs = st.sampled_from(TENSOR_CODECS)


def floats(dtype, bound=None):
    bits = np.dtype(dtype).itemsize * 8
    width = {"width": bits, "allow_subnormal": True}
    if bound is None:
        return st.floats(**width, allow_nan=True)
    return st.floats(-bound, bound, **width)


def finite_tensors(dtype="float32", bound=2.0**100):
    return hnp.arrays(dtype, shapes, elements=floats(dtype, bound))


def there_and_back(codec, array):
    return decode_tensor(codec, encode_tensor(codec, array), array.shape, array.dtype.name)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@given(st.sampled_from(FLOATS).flatmap(lambda d: hnp.arrays(d, shapes, elements=floats(d))))
def test_float32_and_its_compression_keep_every_bit_even_nan(array):
    assert same_bits(there_and_back("float32", array), array)
    assert same_bits(there_and_back("float32+zstd", array), array)


@given(codecs, st.sampled_from(OTHERS).flatmap(lambda dtype: hnp.arrays(dtype, shapes)))
def test_tensors_that_are_not_floating_are_always_sent_raw(codec, array):
    assert encode_tensor(codec, array) == array.tobytes()
    assert same_bits(there_and_back(codec, array), array)


@given(hnp.arrays("float32", shapes, elements=floats("float32", 65504)))
def test_float16_is_off_by_half_a_unit_in_its_last_place(array):
    arrived = there_and_back("float16", array)
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    exponent = np.frexp(array.astype(np.float64))[1]  # |x| < 2**exponent: 11 bits, the last at 2**-24 or above
    assert np.all(np.abs(arrived.astype(np.float64) - array) <= 0.5 * 2.0 ** np.maximum(exponent - 11, -24))


@given(hnp.arrays("float32", shapes, elements=floats("float32")))
def test_float16_saturates_and_keeps_what_is_not_finite(array):
    arrived = there_and_back("float16", array)
    assert np.array_equal(np.isnan(arrived), np.isnan(array))
    assert np.array_equal(np.isinf(arrived), np.isinf(array))
    finite = np.isfinite(array)
    beyond = finite & (np.abs(array) > 65504)
    assert np.array_equal(arrived[beyond], np.copysign(np.float32(65504), array[beyond]))
    assert np.all(np.signbit(arrived[finite]) == np.signbit(array[finite]))


@given(st.sampled_from(FLOATS).flatmap(lambda d: finite_tensors(d, bound=60000.0 if d == "float16" else 2.0**100)))
def test_uint8_is_off_by_half_a_step_at_most(array):
    arrived = there_and_back("uint8", array)
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    if array.size:
        exact = array.astype(np.float64)
        step = (exact.max() - exact.min()) / 255
        rounding = np.abs(exact).max() * max(np.finfo(array.dtype).eps, 2.0**-22)
        bound = step * (0.5 + 1e-4) + rounding + 3e-36
        assert np.all(np.abs(arrived.astype(np.float64) - exact) <= bound)


@given(finite_tensors())
def test_uint8_never_leaves_the_range_and_keeps_its_lower_end(array):
    arrived = there_and_back("uint8", array)
    if array.size:
        assert arrived.min() == array.min()
        assert arrived.max() <= array.max() + np.abs(array).max() * 2.0**-22


@given(shapes, floats("float32", 2.0**100))
def test_uint8_keeps_a_constant_tensor_exactly(shape, value):
    array = np.full(shape, value, np.float32)
    assert np.array_equal(there_and_back("uint8", array), array)


def test_uint8_follows_its_definition():
    array = np.array([[-1.0, 0.0], [2.0, 4.1]], np.float32)
    step = np.float32((np.float64(array[1, 1]) + 1) / 255)
    assert encode_tensor("uint8", array) == struct.pack("<ff", -1.0, step) + bytes([0, 50, 150, 255])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38, -1e38])
@pytest.mark.parametrize("count", [1, 5, 1000])
def test_uint8_refuses_what_no_range_holds(bad, count):
    array = np.ones(count, np.float32)
    array[count // 2] = bad
    with pytest.raises(CodecError, match="NaN, infinity or a magnitude above"):
        encode_tensor("uint8", array)


def test_uint8_refuses_doubles_beyond_float32():
    with pytest.raises(CodecError, match="infinity"):
        encode_tensor("uint8+zstd", np.array([0.0, 1e300]))


@given(codecs, finite_tensors("float32", bound=1e6))
def test_the_memory_order_of_a_tensor_does_not_matter(codec, array):
    for strange in (
        np.asfortranarray(array),
        array.astype(">f4"),
        np.repeat(array, 2, axis=-1)[..., ::2] if array.ndim else array,
    ):
        assert encode_tensor(codec, strange) == encode_tensor(codec, array)


@given(codecs, st.sampled_from(("float16", "float32", "float64", "int64", "bool")), shapes)
def test_the_encoded_size_is_known_beforehand_except_under_zstd(codec, dtype, shape):
    size = encoded_size(codec, shape, dtype)
    actual = len(encode_tensor(codec, np.zeros(shape, dtype)))
    assert size == (None if codec.endswith("+zstd") and dtype.startswith("float") else actual)


@given(codecs, finite_tensors("float32", bound=1e6))
def test_compression_adds_at_most_its_frame(codec, array):
    if codec.endswith("+zstd"):
        assert len(encode_tensor(codec, array)) <= len(encode_tensor(codec.removesuffix("+zstd"), array)) + 32


@given(codecs, st.sampled_from((*FLOATS, "int32", "bool")), shapes, st.binary(max_size=200))
def test_any_bytes_decode_to_the_tensor_asked_for_or_raise_a_codec_error(codec, dtype, shape, data):
    try:
        array = decode_tensor(codec, data, shape, dtype)
    except CodecError as error:
        assert "\n" not in str(error)
    else:
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype))


@given(st.sampled_from(FLOATS), st.binary(min_size=14, max_size=14))
def test_any_range_with_its_bytes_gives_finite_values_or_a_codec_error(dtype, data):
    try:
        array = decode_tensor("uint8", data, (6,), dtype)
    except CodecError as error:
        assert "found a range" in str(error)
    else:
        assert np.isfinite(array).all()


@given(codecs, finite_tensors("float32", bound=1e6), st.data())
def test_a_damaged_payload_raises_nothing_but_a_codec_error(codec, array, data):
    payload = bytearray(encode_tensor(codec, array))
    if payload:
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CodecError):
        decode_tensor(codec, payload, array.shape, "float32")


@pytest.mark.parametrize("codec", TENSOR_CODECS)
@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
def test_a_payload_of_another_size_is_refused(codec, change):
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    with pytest.raises(CodecError, match=r"^found .*(expected|cut short|followed by more)"):
        decode_tensor(codec, change(encode_tensor(codec, array)), array.shape, "float32")


def test_a_wrong_size_is_named_with_the_expected_one():
    with pytest.raises(
        CodecError, match=r"found 7 bytes, expected 48 for 'float32' of shape \[3, 4\] and type float32"
    ):
        decode_tensor("float32", bytes(7), (3, 4), "float32")


def test_a_zstd_bomb_takes_no_more_memory_than_the_tensor_needs():
    bomb = zstd.compress(bytes(256 * 2**20), level=1)
    assert len(bomb) < 32 * 2**10
    tracemalloc.start()
    try:
        with pytest.raises(CodecError, match="more than the expected 4096 bytes"):
            decode_tensor("float32+zstd", bomb, (1024,), "float32")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def stream_of(window_log):
    """4096 zeros, without their size in the header, for who remembers so much of what came before."""
    options = {zstd.CompressionParameter.window_log: window_log, zstd.CompressionParameter.compression_level: 1}
    compressor = zstd.ZstdCompressor(options=options)
    return compressor.compress(bytes(4096), compressor.FLUSH_BLOCK) + compressor.flush()


@pytest.mark.parametrize("window_log", [24, 27])
def test_a_zstd_frame_that_asks_for_a_huge_window_is_refused(window_log):
    with pytest.raises(CodecError, match=r"^found no zstd data \(.+\)$"):
        decode_tensor("float32+zstd", stream_of(window_log), (1024,), "float32")


def test_a_zstd_frame_may_ask_for_a_window_of_8_mib():
    assert not decode_tensor("float32+zstd", stream_of(23), (1024,), "float32").any()


def test_compression_is_zstd_s_own_of_the_payload_at_level_1():
    array = np.random.default_rng(0).integers(0, 50, 5000).astype(np.float32)
    for base in ("float32", "float16", "uint8"):
        assert encode_tensor(f"{base}+zstd", array) == zstd.compress(encode_tensor(base, array), level=1)


@pytest.mark.parametrize("more", [1, 2, 1000])
def test_one_byte_more_than_the_tensor_has_is_too_much_also_when_compressed(more):
    with pytest.raises(CodecError, match=r"^found zstd data of more than the expected 8 bytes$"):
        decode_tensor("float32+zstd", zstd.compress(bytes(8 + more)), (2,), "float32")


def test_damage_at_the_end_of_compressed_data_is_told_apart():
    frame = encode_tensor("float32+zstd", np.ones(8, np.float32))
    with pytest.raises(CodecError, match=r"^found zstd data that is cut short$"):
        decode_tensor("float32+zstd", frame[:-1], (8,), "float32")
    with pytest.raises(CodecError, match=r"^found zstd data that is followed by more$"):
        decode_tensor("float32+zstd", frame + b"0", (8,), "float32")


def test_uint8_carries_magnitudes_up_to_a_quarter_of_float32_s_largest_and_none_above():
    largest = np.float32(np.finfo(np.float32).max / 4)
    for array in (np.array([-largest, largest]), np.array([0, largest]), np.array([-largest, 0])):
        arrived = there_and_back("uint8", array.astype(np.float32))
        assert np.allclose(arrived, array, rtol=0.01)
        with pytest.raises(
            CodecError, match=r"^found NaN, infinity or a magnitude above 8e37, which uint8 cannot carry"
        ):
            encode_tensor("uint8", (array * np.float32(1.0001)).astype(np.float32))


@pytest.mark.parametrize(
    ("dtype", "lowest", "step", "fits"),
    [
        ("float16", 65519.0, 0.0, True),
        ("float16", 65520.0, 0.0, False),
        ("float16", -65519.0, 0.0, True),
        ("float16", 0.0, 65518.0 / 255, True),
        ("float16", 0.0, 65530.0 / 255, False),
        ("float32", 1.7e38, 0.0, True),
        ("float32", 1.71e38, 0.0, False),
        ("float64", -1.71e38, 0.0, False),
        ("float64", 0.0, -1e-9, False),
        ("float32", 0.0, math.nan, False),
        ("float32", math.nan, 0.0, False),
    ],
)
def test_a_range_that_came_must_fit_the_type(dtype, lowest, step, fits):
    payload = struct.pack("<ff", lowest, step) + bytes([0, 255])
    if fits:
        assert np.isfinite(decode_tensor("uint8", payload, (2,), dtype)).all()
    else:
        with pytest.raises(
            CodecError, match=rf"^found a range from .* in steps of .*, expected one that {dtype} holds$"
        ):
            decode_tensor("uint8", payload, (2,), dtype)


def test_a_range_too_small_for_steps_is_sent_as_its_lower_end():
    tiny = float(np.finfo(np.float32).tiny)
    for span, step in ((255 * tiny, tiny), (254 * tiny, 0.0)):
        payload = encode_tensor("uint8", np.array([0, span], np.float32))
        assert struct.unpack_from("<ff", payload) == (0.0, step)
        assert payload[8:] == bytes([0, 255 if step else 0])


def test_the_step_is_the_largest_of_which_255_stay_within_the_range():
    for span in np.random.default_rng(0).uniform(0.1, 10, 200).astype(np.float32):
        _, step = struct.unpack_from("<ff", encode_tensor("uint8", np.array([0, span], np.float32)))
        above = float(np.nextafter(np.float32(step), np.float32(1)))
        assert 255 * step <= float(span) < 255 * above  # exact in doubles


def test_an_empty_tensor_has_an_empty_range():
    assert encode_tensor("uint8", np.zeros(0, np.float32)) == bytes(8)


def test_a_type_that_is_none_is_named_with_what_would_be_one():
    with pytest.raises(
        CodecError, match=r"^found the tensor type 'bfloat17', expected one of numpy's: float32, int64,"
    ):
        decode_tensor("float32", b"", (1,), "bfloat17")
    with pytest.raises(CodecError, match=r"^found a tensor of type datetime64: only booleans and numbers can cross$"):
        encode_tensor("float32", np.zeros(2, "M8"))


@pytest.mark.skipif(np.dtype("longdouble").itemsize <= 8, reason="numpy has no longer floats here")
def test_longer_floats_than_doubles_do_not_cross_and_complex_doubles_do():
    with pytest.raises(CodecError, match="only booleans and numbers"):
        encode_tensor("float32", np.zeros(2, "longdouble"))
    with pytest.raises(CodecError, match="only booleans and numbers"):
        encode_tensor("float32", np.zeros(2, "clongdouble"))
    pair = np.array([1 + 2j, 3 - 4j])
    assert same_bits(there_and_back("uint8+zstd", pair), pair)


@pytest.mark.parametrize(("codec", "dtype"), [("float32", "float32"), ("float32", "int64"), ("float16", "float16")])
def test_what_came_is_not_copied_where_it_is_already_the_tensor(codec, dtype):
    data = encode_tensor(codec, np.arange(6).astype(dtype))
    assert np.shares_memory(decode_tensor(codec, data, (2, 3), dtype), np.frombuffer(data, np.uint8))


def test_a_batch_of_a_codec_that_loses_nothing_is_itself():
    batch = np.ones((2, 3), np.float32)
    assert round_trip("float32", batch) is batch and round_trip("float32+zstd", batch) is batch
    assert round_trip("float16", batch) is not batch


def test_a_second_zstd_frame_is_refused():
    frame = encode_tensor("float32+zstd", np.ones(8, np.float32))
    with pytest.raises(CodecError, match="followed by more"):
        decode_tensor("float32+zstd", frame + frame, (8,), "float32")


@pytest.mark.parametrize("codec", ["png", "source", "webp-90"])
def test_a_picture_codec_carries_no_tensors(codec):
    for refused in (
        lambda: encode_tensor(codec, np.zeros(3)),
        lambda: decode_tensor(codec, b"", (0,), "float32"),
        lambda: encoded_size(codec, (0,), "float32"),
        lambda: round_trip(codec, np.zeros((3, 1))),
    ):
        with pytest.raises(CodecError, match="carries pictures, no tensors"):
            refused()


@pytest.mark.parametrize("dtype", ["U4", "S4", "O", "M8[s]", "f4,i4"])
def test_only_booleans_and_numbers_can_cross(dtype):
    with pytest.raises(CodecError, match="only booleans and numbers"):
        encode_tensor("float32", np.zeros(2, dtype))


@pytest.mark.parametrize("dtype", ["float", "bfloat17", "object", "str", ""])
def test_a_type_that_is_none_is_refused_when_decoding(dtype):
    with pytest.raises(CodecError):
        decode_tensor("float32", b"", (1,), dtype)


def test_a_decoded_boolean_is_true_or_false_whatever_byte_came():
    assert decode_tensor("float32", b"\0\1\2\xff", (4,), "bool").view(np.uint8).tolist() == [0, 1, 1, 1]


@given(
    codecs,
    st.sampled_from(FLOATS).flatmap(
        lambda d: hnp.arrays(
            d, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6), elements=floats(d, 60000.0)
        )
    ),
)
def test_a_batch_arrives_as_its_samples_would_one_by_one(codec, batch):
    arrived = round_trip(codec, batch)
    assert (arrived.shape, arrived.dtype) == (batch.shape, batch.dtype)
    for sample, got in zip(batch, arrived, strict=True):
        assert same_bits(np.asarray(got), there_and_back(codec, sample[None])[0])


def test_a_sample_in_a_batch_has_its_own_range():
    batch = np.array([[0, 1, 255], [0, 1000, 255000]], np.float32)
    assert np.allclose(round_trip("uint8", batch), batch, rtol=1e-5)


def test_integers_of_a_batch_are_left_alone():
    batch = np.arange(6).reshape(2, 3)
    assert round_trip("uint8+zstd", batch) is batch


def test_a_single_number_is_no_batch():
    with pytest.raises(CodecError, match="axis 0"):
        round_trip("uint8", np.array(1.0, np.float32))
