"""Tensors in the protocol's messages: what goes in comes out, and what lies is refused in one line."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgent.codec import encode_tensor
from edgent.engine.feeds import checked
from edgent.errors import InputError
from edgent.model.values import Tensor
from edgent.wire import messages as m
from edgent.wire.tensors import (
    Parcel,
    array_of,
    datatype,
    parcel_of,
    raw_array,
    raw_parcel,
    read_inputs,
    read_outputs,
    write_request,
    write_response,
)

# Datatype, name of its field for typed contents (None: none), as the protocol's text has them.
PROTOCOL = {
    "bool": ("BOOL", "bool_contents"),
    "int8": ("INT8", "int_contents"),
    "int16": ("INT16", "int_contents"),
    "int32": ("INT32", "int_contents"),
    "int64": ("INT64", "int64_contents"),
    "uint8": ("UINT8", "uint_contents"),
    "uint16": ("UINT16", "uint_contents"),
    "uint32": ("UINT32", "uint_contents"),
    "uint64": ("UINT64", "uint64_contents"),
    "float16": ("FP16", None),
    "float32": ("FP32", "fp32_contents"),
    "float64": ("FP64", "fp64_contents"),
}
MATRIX = Tensor(name="t", dtype="float32", shape=(2, 3))
ANY = Tensor(name="t", dtype="float32", shape=None)
TEXT = Tensor(name="t", dtype="string", shape=(2,))
ANY_TEXT = Tensor(name="t", dtype="string", shape=None)


def entry(datatype, shape, raw=None, codec=None, **contents):
    request = m.ModelInferRequest()
    one = request.inputs.add(name="t", datatype=datatype, shape=shape)
    if codec is not None:
        one.parameters[m.CODEC].string_param = codec
    if raw is not None:
        request.raw_input_contents.append(raw)
    for field, values in contents.items():
        getattr(one.contents, field).extend(values)
    return request


def read(tensor, *told, **more):
    (parcel,) = read_inputs(entry(*told, **more), [tensor])
    return parcel


def refused(tensor, *told, **more) -> str:
    with pytest.raises(InputError) as caught:
        array_of(read(tensor, *told, **more))
    assert "\n" not in str(caught.value)
    assert "'t'" in str(caught.value)
    return str(caught.value)


def there(tensor, array, codec=None):
    """What arrives of an array, up and down."""
    parcel = parcel_of(tensor, codec, array)
    request = m.ModelInferRequest.FromString(write_request("n", "v", [parcel], []))
    (up,) = read_inputs(request, [tensor])
    (down,) = read_outputs(write_response("n", "v", "7", [parcel]), [tensor])
    assert up == down
    return array_of(up)


@pytest.mark.parametrize("name", PROTOCOL)
def test_numbers_of_each_type_arrive_as_they_are_raw_and_typed(name):
    word, field = PROTOCOL[name]
    array = np.array([[0, 1, 1], [1, 0, 100]]).astype(name)
    tensor = Tensor(name="t", dtype=name, shape=(2, 3))
    assert datatype(tensor) == word
    found = there(tensor, array)
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    if field is None:
        assert "must come as raw contents" in refused(tensor, word, [2, 3])
    else:
        typed = raw_array(read(tensor, word, [2, 3], **{field: array.ravel().tolist()}))
        assert np.array_equal(typed, array)


@pytest.mark.parametrize("name", ["bfloat16", "int4", "float8_e4m3fn", None])
def test_what_has_no_datatype_is_told_by_name_and_type(name):
    with pytest.raises(InputError, match=f"'t' of type {name} cannot travel"):
        datatype(Tensor(name="t", dtype=name, shape=(2,)))


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), max_size=4), st.sampled_from(["float32", "int64", "bool"]), st.booleans())
def test_an_array_of_any_shape_arrives_with_its_shape(shape, name, known):
    array = (np.arange(np.prod(shape, dtype=int)) % 3).reshape(shape).astype(name)
    found = there(Tensor(name="t", dtype=name, shape=tuple(shape) if known else None), array)
    assert found.shape == array.shape
    assert np.array_equal(found, array)


@settings(max_examples=60)
@given(st.lists(st.text(max_size=5), max_size=6), st.booleans())
def test_text_arrives_with_its_shape(texts, flat):
    array = np.empty(len(texts), dtype=object)
    array[:] = texts
    array = array if flat else array.reshape(1, -1, 1)
    found = there(ANY_TEXT, array)
    assert found.dtype == object
    assert found.shape == array.shape
    assert found.ravel().tolist() == texts
    assert all(type(element) is str for element in found.flat)


def test_text_is_written_as_the_protocol_says():
    parcel = raw_parcel(TEXT, np.array(["é", ""]))
    assert parcel.data == b"\x02\x00\x00\x00\xc3\xa9" + b"\x00\x00\x00\x00"
    assert (parcel.shape, parcel.codec) == ((2,), None)
    assert raw_array(read(TEXT, "BYTES", [2], bytes_contents=[b"\xc3\xa9", b""])).tolist() == ["é", ""]


def test_text_and_codec_are_told_apart_by_the_parameter():
    payload = encode_tensor("float16", np.zeros((2, 3), np.float32))
    raw = struct.pack("<I", len(payload)) + payload
    assert read(MATRIX, "BYTES", [1], raw=raw, codec="float16").data == payload
    assert "datatype 'BYTES', expected FP32" in refused(MATRIX, "BYTES", [1], raw=raw)
    one = Tensor(name="t", dtype="string", shape=(1,))
    assert read(one, "BYTES", [1], raw=b"\x01\x00\x00\x00x").codec is None
    with pytest.raises(InputError, match="'string'"):
        array_of(read(one, "BYTES", [1], raw=raw, codec="uint8"))


LYING = {
    "one length too large": (b"\x02\x00\x00\x00a", "states 2 bytes, but 1 follow"),
    "a length of four gigabytes": (b"\xff\xff\xff\xffab", "states 4294967295 bytes, but 2 follow"),
    "the second length too large": (b"\x01\x00\x00\x00a\x09\x00\x00\x00b", "element 1 of 't' states 9 bytes, but 1"),
    "a length cut short": (b"\x01\x00\x00\x00a\x01\x00\x00", "but 0 follow"),
    "one element too few": (b"\x01\x00\x00\x00a", "has 1 elements of text, expected 2"),
    "one too many": (3 * b"\x00\x00\x00\x00", "has 3 elements of text, expected 2"),
    "bytes behind the last": (2 * b"\x01\x00\x00\x00a" + b"x", "element 2 of 't' states 0 bytes, but 0 follow"),
    "none": (b"", "has 0 elements of text, expected 2"),
    "no UTF-8": (b"\x01\x00\x00\x00\xff\x00\x00\x00\x00", "no UTF-8"),
}


@pytest.mark.parametrize("kind", LYING)
def test_text_whose_lengths_lie_is_refused(kind):
    data, words = LYING[kind]
    assert words in refused(TEXT, "BYTES", [2], raw=data)


@pytest.mark.parametrize("kind", [one for one in LYING if "length" in one or "bytes" in one])
def test_payloads_whose_lengths_lie_are_refused(kind):
    refused(MATRIX, "BYTES", [1], raw=LYING[kind][0], codec="float16")


def test_a_payload_is_exactly_one_element():
    assert "has 0 elements" in refused(MATRIX, "BYTES", [1], raw=b"", codec="uint8")
    assert "has 2 elements" in refused(MATRIX, "BYTES", [1], raw=bytes(8), codec="uint8")
    assert "has 2 elements" in refused(MATRIX, "BYTES", [1], codec="uint8", bytes_contents=[b"", b""])
    assert "expected BYTES and [1]" in refused(MATRIX, "BYTES", [2], raw=bytes(4), codec="uint8")
    assert "expected BYTES and [1]" in refused(MATRIX, "FP32", [1], raw=bytes(4), codec="uint8")
    data = encode_tensor("uint8", np.ones((2, 3), np.float32))
    assert read(MATRIX, "BYTES", [1], codec="uint8", bytes_contents=[data]) == Parcel(
        tensor=MATRIX, codec="uint8", shape=(2, 3), data=data
    )


@pytest.mark.parametrize(
    ("tensor", "shape", "size", "words"),
    [
        (MATRIX, [3, 2], 24, "has shape [3, 2], expected [2, 3]"),
        (MATRIX, [2, 3], 23, "has 23 bytes, expected 24"),
        (MATRIX, [2, 3], 25, "has 25 bytes, expected 24"),
        (MATRIX, [6], 24, "expected [2, 3]"),
        (ANY, [-1, 3], 12, "has shape [-1, 3], expected sizes of 0 or more"),
        (ANY, [-1, -3], 12, "expected sizes of 0 or more"),
        (ANY, [2**62, 4], 0, f"has 0 bytes, expected {2**66}"),
        (ANY, [2**63 - 1, 2**63 - 1], 4, f"has 4 bytes, expected {4 * (2**63 - 1) ** 2}"),
        (ANY, [0, 2**62, 2**62], 0, "has shape [0,"),
        (ANY, [1] * 100, 4, "has shape [1, 1"),
        (ANY, [], 8, "has 8 bytes, expected 4"),
        (ANY_TEXT, [2**62, 4], 0, f"has 0 elements of text, expected {2**64}"),
        (ANY_TEXT, [0, 2**62, 2**62], 0, "has shape [0,"),
        (ANY_TEXT, [-1], 0, "sizes of 0 or more"),
        (TEXT, [1, 2], 8, "expected [2]"),
    ],
)
def test_shapes_and_sizes_that_do_not_fit_are_refused_before_anything_is_allocated(tensor, shape, size, words):
    assert words in refused(tensor, datatype(tensor), shape, raw=bytes(size))


def test_typed_numbers_that_the_type_cannot_hold_are_refused():
    tensor = Tensor(name="t", dtype="int8", shape=(2,))
    refused(tensor, "INT8", [2], int_contents=[1, 300])
    assert "has 1 bytes, expected 2" in refused(tensor, "INT8", [2], int_contents=[1])


def test_a_codec_needs_a_shape_that_both_sides_know():
    assert "no known shape: send it raw" in refused(ANY, "BYTES", [1], raw=bytes(4), codec="uint8")
    array = np.float32([1, 2.5])
    parcel = parcel_of(ANY, "uint8", array)
    assert (parcel.codec, parcel.shape, parcel.data) == (None, (2,), array.tobytes())


def test_a_codec_encodes_floating_numbers_only():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    parcel = parcel_of(MATRIX, "float16", array)
    assert (parcel.codec, parcel.shape, len(parcel.data)) == ("float16", (2, 3), 12)
    assert np.array_equal(there(MATRIX, array, "float16"), array)
    for name in ("int64", "bool", "string"):
        other = array.astype(str if name == "string" else name)
        assert parcel_of(Tensor(name="t", dtype=name, shape=(2, 3)), "uint8", other).codec is None
    with pytest.raises(InputError, match="shape"):
        parcel_of(MATRIX, "float16", array.T)


def test_truth_values_that_are_no_bit_become_one():
    tensor = Tensor(name="t", dtype="bool", shape=(3,))
    assert raw_array(read(tensor, "BOOL", [3], raw=b"\x00\x01\x02")).view(np.uint8).tolist() == [0, 1, 1]


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32", "float16"])
def test_a_number_without_dimensions_stays_an_array(dtype):
    tensor = Tensor(name="t", dtype=dtype, shape=())
    array = raw_array(raw_parcel(tensor, np.array(1, dtype)))
    assert isinstance(array, np.ndarray) and (array.shape, array.dtype) == ((), np.dtype(dtype)) and array == 1


def test_byte_order_and_strides_of_the_sender_do_not_show():
    array = np.arange(6, dtype=">f4").reshape(3, 2).T
    assert np.array_equal(there(MATRIX, array), array.astype("<f4"))
    assert checked(MATRIX, array).dtype.isnative
    assert raw_parcel(MATRIX, array).data == np.ascontiguousarray(array, "<f4").tobytes()


@pytest.mark.parametrize(
    ("tensor", "array", "words"),
    [
        (MATRIX, np.zeros((2, 3)), "type float64, expected float32"),
        (MATRIX, np.zeros((3, 2), np.float32), r"shape \[3, 2\], expected \[2, 3\]"),
        (MATRIX, np.zeros((2, 3), object), "type object, expected float32"),
        (TEXT, np.zeros(2), "type float64, expected string"),
        (TEXT, np.array(["a", 1], dtype=object), "element of type int, expected text"),
        (TEXT, np.array(["a", "\udc00"], dtype=object), "no UTF-8"),
        (TEXT, np.array([b"a", b"\xff"]), "no UTF-8"),
        (TEXT, np.array(["a", "b", "c"]), "shape"),
    ],
)
def test_an_array_that_is_not_the_tensors_is_refused(tensor, array, words):
    with pytest.raises(InputError, match=words):
        raw_parcel(tensor, array)


def test_text_in_each_of_numpys_forms_is_the_same():
    forms = [np.array(["a", "é"]), np.array([b"a", "é".encode()]), np.array([b"a", "é"], dtype=object)]
    forms.append(np.array(["a", "é"], dtype=np.dtypes.StringDType()))
    for form in forms:
        array = checked(TEXT, form)
        assert array.dtype == object
        assert array.tolist() == ["a", "é"]


def test_tensors_come_in_the_expected_order_whatever_the_order_of_the_message():
    a, b = (Tensor(name=name, dtype="int8", shape=(1,)) for name in "ab")
    parcels = [Parcel(tensor=t, codec=None, shape=(1,), data=bytes([k])) for k, t in enumerate((b, a))]
    assert [p.data for p in read_outputs(write_response("", "", "", parcels), [a, b])] == [b"\x01", b"\x00"]


def test_missing_unknown_and_repeated_tensors_and_contents_are_refused():
    a, b = (Tensor(name=name, dtype="int8", shape=(1,)) for name in "ab")
    parcel = {t.name: Parcel(tensor=t, codec=None, shape=(1,), data=b"\x00") for t in (a, b)}
    for sent in ("", "a", "aab", "aa"):
        with pytest.raises(InputError, match="expected a, b"):
            read_outputs(write_response("", "", "", [parcel[name] for name in sent]), [a, b])
    message = m.ModelInferRequest.FromString(write_request("", "", list(parcel.values()), []))
    message.raw_input_contents.append(b"")
    with pytest.raises(InputError, match="found 3 raw contents for 2 tensors"):
        read_inputs(message, [a, b])
    with pytest.raises(InputError, match="3 bytes are not a ModelInferResponse"):
        read_outputs(b"\xff\xff\xff", [a])


def test_a_request_names_what_is_wanted_and_in_which_codec():
    told = write_request("net.x0.u1.d2", "0123", [], [("a", "uint8"), ("b", None)])
    request = m.ModelInferRequest.FromString(told)
    assert (request.model_name, request.model_version) == ("net.x0.u1.d2", "0123")
    assert [output.name for output in request.outputs] == ["a", "b"]
    assert request.outputs[0].parameters[m.CODEC].string_param == "uint8"
    assert m.CODEC not in request.outputs[1].parameters
    response = m.ModelInferResponse.FromString(write_response("n", "v", "7", []))
    assert (response.model_name, response.model_version, response.id) == ("n", "v", "7")


def test_a_parcel_says_what_it_is():
    assert repr(raw_parcel(TEXT, np.array(["a", "b"]))) == "<Parcel 't' raw: 10 B>"
    assert repr(parcel_of(MATRIX, "float16", np.zeros((2, 3), np.float32))) == "<Parcel 't' float16: 12 B>"
