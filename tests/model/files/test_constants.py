"""Bytes of constants, against NumPy, ml_dtypes and arithmetic."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from constant_kinds import KINDS, a_body_in_a_body, matrix
from edgent.errors import ModelError
from edgent.model.files.constants import (
    SMALL,
    all_tensors,
    dense,
    inline,
    inline_all,
    is_small,
    is_text,
    nbytes,
    pieces,
)

NOWHERE = Path("/nowhere")

NUMPY = {
    TensorProto.FLOAT: np.float32, TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16,
    TensorProto.INT8: np.int8, TensorProto.UINT8: np.uint8, TensorProto.INT16: np.int16, TensorProto.UINT16: np.uint16,
    TensorProto.INT32: np.int32, TensorProto.UINT32: np.uint32, TensorProto.INT64: np.int64,
    TensorProto.UINT64: np.uint64, TensorProto.BOOL: np.bool_, TensorProto.COMPLEX64: np.complex64,
    TensorProto.COMPLEX128: np.complex128, TensorProto.BFLOAT16: ml_dtypes.bfloat16,
    TensorProto.FLOAT8E4M3FN: ml_dtypes.float8_e4m3fn, TensorProto.FLOAT8E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    TensorProto.FLOAT8E5M2: ml_dtypes.float8_e5m2, TensorProto.FLOAT8E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
}  # fmt: skip

PACKED = {
    TensorProto.INT4: (4, -8), TensorProto.UINT4: (4, 0), TensorProto.FLOAT4E2M1: (4, None),
    TensorProto.INT2: (2, -2), TensorProto.UINT2: (2, 0),
}  # fmt: skip


def content(tensor: onnx.TensorProto) -> bytes:
    return b"".join(pieces(tensor, NOWHERE))


@pytest.mark.parametrize("kind", NUMPY)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3)])
def test_numbers_are_laid_out_as_numpy_does_it(kind: int, shape: tuple[int, ...]) -> None:
    wide = np.random.default_rng(0).integers(0, 2, shape) if kind == TensorProto.BOOL else _wide(shape)
    array = np.asarray(wide).astype(NUMPY[kind])
    tensor = helper.make_tensor("t", kind, shape, np.asarray(wide).ravel().astype(NUMPY[kind]).tolist())
    assert not tensor.HasField("raw_data")
    assert content(tensor) == array.tobytes()
    assert nbytes(tensor) == array.nbytes


def _wide(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 100, shape).astype(np.float64)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TensorProto.INT8, -128), (TensorProto.INT16, -(2**15)), (TensorProto.INT32, -(2**31)),
        (TensorProto.INT64, -(2**63)), (TensorProto.UINT8, 255), (TensorProto.UINT16, 2**16 - 1),
        (TensorProto.UINT32, 2**32 - 1), (TensorProto.UINT64, 2**64 - 1),
    ],
)  # fmt: skip
def test_the_ends_of_each_range_keep_their_bits(kind: int, value: int) -> None:
    assert content(helper.make_tensor("t", kind, [2], [value, 1])) == np.array([value, 1], NUMPY[kind]).tobytes()


def test_floats_that_are_no_numbers_keep_theirs() -> None:
    values = [float("nan"), float("inf"), -0.0]
    assert content(helper.make_tensor("t", TensorProto.FLOAT, [3], values)) == np.array(values, np.float32).tobytes()


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 7, 8, 9])
def test_numbers_of_a_part_of_a_byte_share_bytes_first_number_lowest(kind: int, length: int) -> None:
    bits, _ = PACKED[kind]
    codes = [(3 * k + 1) % 2**bits for k in range(length)]
    expected = bytearray(-(-length * bits // 8))
    for k, code in enumerate(codes):
        expected[k * bits // 8] |= code << (k * bits % 8)
    raw = onnx.TensorProto(name="t", data_type=kind, dims=[length], raw_data=bytes(expected))
    assert content(raw) == bytes(expected) and nbytes(raw) == len(expected)
    typed = onnx.TensorProto(name="t", data_type=kind, dims=[length], int32_data=list(expected))
    assert content(typed) == bytes(expected)


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4, TensorProto.INT2, TensorProto.UINT2])
def test_what_onnx_packs_is_what_is_read(kind: int) -> None:
    bits, least = PACKED[kind]
    values = [least + k % 2**bits for k in range(11)]
    array = numpy_helper.to_array(inline(helper.make_tensor("t", kind, [11], values), NOWHERE))
    assert array.astype(np.int64).tolist() == values


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_texts_have_equal_bytes_only_if_they_are_equal(one: list[bytes], other: list[bytes]) -> None:
    first, second = (onnx.TensorProto(data_type=TensorProto.STRING, dims=[len(t)], string_data=t) for t in (one, other))
    assert (content(first) == content(second)) == (one == other)


@pytest.mark.parametrize(
    "tensor",
    [
        onnx.TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[2], raw_data=bytes(7)),
        onnx.TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[2], raw_data=bytes(9)),
        onnx.TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[2], float_data=[1.0]),
        onnx.TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[2], int32_data=[1, 2]),
        onnx.TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[2]),
        onnx.TensorProto(name="t", data_type=TensorProto.INT4, dims=[3], raw_data=bytes(1)),
        onnx.TensorProto(name="t", data_type=TensorProto.INT4, dims=[3], raw_data=bytes(3)),
        onnx.TensorProto(name="t", data_type=TensorProto.STRING, dims=[2], string_data=[b"a"]),
        onnx.TensorProto(name="t", data_type=TensorProto.STRING, dims=[1], raw_data=b"a"),
        onnx.TensorProto(name="t", data_type=TensorProto.FLOAT, dims=[2**40, 2**40]),
    ],
)
def test_values_that_are_not_those_of_the_shape_are_refused(tensor: onnx.TensorProto) -> None:
    with pytest.raises(ModelError, match=r"'t' has no .* values"):
        content(tensor)


@pytest.mark.parametrize(("kind", "dims"), [(0, [1]), (99, [1]), (TensorProto.STRING, [1]), (TensorProto.FLOAT, [-1])])
def test_what_has_no_bytes_is_refused(kind: int, dims: list[int]) -> None:
    with pytest.raises(ModelError, match=rf"'t' of type {kind} and shape .* has no bytes"):
        nbytes(onnx.TensorProto(name="t", data_type=kind, dims=dims))


@pytest.mark.parametrize(("size", "small"), [(SMALL, True), (SMALL + 1, False), (0, True)])
def test_small_is_up_to_a_kibibyte(size: int, small: bool) -> None:
    assert is_small(onnx.TensorProto(data_type=TensorProto.UINT8, dims=[size])) == small
    assert is_small(onnx.TensorProto(data_type=TensorProto.UINT4, dims=[2 * size])) == small


def test_text_is_small_however_long_it_is() -> None:
    tensor = helper.make_tensor("t", TensorProto.STRING, [1], [b"x" * 5000])
    assert is_small(tensor) and is_text(tensor) and not is_text(matrix("m"))


def test_inline_keeps_name_type_shape_and_numbers() -> None:
    tensor = helper.make_tensor("t", TensorProto.INT64, [2, 2], [1, 2, 3, 4])
    read = inline(tensor, NOWHERE)
    assert (read.name, read.data_type, list(read.dims)) == ("t", TensorProto.INT64, [2, 2])
    np.testing.assert_array_equal(numpy_helper.to_array(read), [[1, 2], [3, 4]])
    text = helper.make_tensor("t", TensorProto.STRING, [1], [b"a"])
    assert inline(text, NOWHERE) == text


def _sparse(values: np.ndarray, places: object, dims: list[int]) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(
        values=numpy_helper.from_array(values, "s"),
        indices=numpy_helper.from_array(np.asarray(places, dtype=np.int64), "places"),
        dims=dims,
    )


@given(st.data())
def test_a_sparse_constant_has_its_values_at_its_places_and_zeros_elsewhere(data: st.DataObject) -> None:
    dims = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    kind = data.draw(st.sampled_from([np.float32, np.float64, np.int8, np.int64, np.complex64]))
    flat = data.draw(st.sets(st.integers(0, int(np.prod(dims)) - 1)).map(sorted))
    values = np.arange(1, len(flat) + 1).astype(kind)
    expected = np.zeros(dims, kind)
    expected.flat[flat] = values
    coordinates = np.array(np.unravel_index(np.array(flat, int), dims)).T.reshape(len(flat), len(dims))
    for places in (flat, coordinates):
        read = dense(_sparse(values, places, dims), NOWHERE)
        np.testing.assert_array_equal(numpy_helper.to_array(read), expected)
        assert read.name == "s"


@pytest.mark.parametrize(
    ("places", "dims"),
    [
        ([0, 6], [2, 3]), ([-1, 0], [2, 3]), ([0, 2**62], [2, 3]), (0, [2, 3]), ([[[0]], [[1]]], [2, 3]),
        ([0], [2, 3]), ([0, 1, 2], [2, 3]), ([[0, 0], [0, 3]], [2, 3]),
        ([[0, 0], [2, 0]], [2, 3]), ([[0, 0], [0, -1]], [2, 3]), ([[0], [1]], [2, 3]), ([[0, 0, 0], [0, 0, 1]], [2, 3]),
    ],
)  # fmt: skip
def test_places_outside_are_refused(places: object, dims: list[int]) -> None:
    with pytest.raises(ModelError, match=r"'s' has values outside its shape \(2, 3\)"):
        dense(_sparse(np.ones(2, np.float32), places, dims), NOWHERE)


def test_places_of_another_type_are_refused() -> None:
    sparse = _sparse(np.ones(2, np.float32), [0, 1], [2, 3])
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([0, 1], np.int32), "places"))
    with pytest.raises(ModelError, match="another type than int64"):
        dense(sparse, NOWHERE)


def test_the_last_place_is_inside() -> None:
    for places in ([5], [[1, 2]]):
        read = numpy_helper.to_array(dense(_sparse(np.ones(1, np.float32), places, [2, 3]), NOWHERE))
        assert read.tolist() == [[0, 0, 0], [0, 0, 1]]


def test_a_sparse_constant_is_bounded_before_it_is_made() -> None:
    one = _sparse(np.ones(1, np.float32), [0], [2**20, 2**20])
    with pytest.raises(ModelError, match=r"takes 4,398,046,511,104 bytes; expected whole bytes, 2,147,483,648"):
        dense(one, NOWHERE)
    with pytest.raises(ModelError, match="24 bytes"):
        dense(_sparse(np.ones(1, np.float32), [0], [2, 3]), NOWHERE, most=23)
    assert dense(_sparse(np.ones(1, np.float32), [0], [2, 3]), NOWHERE, most=24).raw_data


def test_a_sparse_constant_of_half_bytes_is_refused() -> None:
    sparse = _sparse(np.ones(1, np.float32), [0], [2])
    sparse.values.CopyFrom(helper.make_tensor("s", TensorProto.INT4, [1], [1]))
    with pytest.raises(ModelError, match="expected whole bytes"):
        dense(sparse, NOWHERE)


@pytest.mark.parametrize("kind", KINDS)
def test_the_walk_meets_every_tensor_of_a_file(kind: str) -> None:
    """Against a search of all messages inside the model, whatever they are called."""
    proto = KINDS[kind]()
    read = sorted(tensor.SerializeToString() for tensor in all_tensors(proto))
    assert read == sorted(tensor.SerializeToString() for tensor in _messages(proto, onnx.TensorProto))


def test_the_walk_meets_tensors_in_lists_and_functions() -> None:
    attribute = helper.make_attribute("a", [matrix("m", 1), matrix("n", 2)])
    sparse = helper.make_attribute("b", [_sparse(np.ones(1, np.float32), [0], [2])])
    graphs = helper.make_attribute("c", [a_body_in_a_body().graph])
    inside = onnx.NodeProto(op_type="N", attribute=[attribute, sparse, graphs])
    proto = onnx.ModelProto()
    proto.functions.append(onnx.FunctionProto(name="F", node=[inside]))
    read = sorted(tensor.SerializeToString() for tensor in all_tensors(proto))
    assert read == sorted(tensor.SerializeToString() for tensor in _messages(proto, onnx.TensorProto))
    assert len(read) == 4 + len(list(all_tensors(a_body_in_a_body())))


def _messages(message: object, kind: type) -> list[onnx.TensorProto]:
    read = [message] if isinstance(message, kind) else []
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        if field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else [value]:
                read += _messages(inner, kind)
    return read


def test_more_weights_than_one_file_can_have_are_not_taken_in() -> None:
    graph = onnx.GraphProto(name="large")
    for name in ("a", "b"):
        tensor = graph.initializer.add(name=name, data_type=TensorProto.FLOAT, dims=[300_000_000])
        tensor.data_location = TensorProto.EXTERNAL
    with pytest.raises(ModelError, match="found 2,400,000,000 bytes of weights in other files"):
        inline_all(onnx.ModelProto(graph=graph), NOWHERE)
