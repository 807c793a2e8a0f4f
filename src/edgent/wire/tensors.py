"""Tensors in the protocol's messages: raw, typed, or encoded by one of our codecs.

A raw tensor has its own datatype and the shape that it really has; text is BYTES: each element in C order as four bytes
of length, little-endian, and that much UTF-8. An encoded one has datatype BYTES, shape [1], the parameter
`edgent_codec` and as content one element of BYTES, the payload. Its real type and shape are those of the segment, which
both sides know; where they do not, it crosses raw.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgent.codec import decode_tensor, encode_tensor
from edgent.engine.feeds import Array, checked
from edgent.engine.text import text_of
from edgent.errors import InputError
from edgent.wire.messages import CODEC, INSTEAD, TRACE, WITHIN, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from edgent.model import Tensor


# The protocol's own form of BYTES, so that other clients of it can send and read text.
_LENGTH = struct.Struct("<I")

# What is not here (bfloat16, float8, types of 4 bits) has no name in the protocol, so no cut may lie at such a tensor.
_DATATYPES = {
    "bool": "BOOL",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}
# Fields for clients that write numbers instead of raw bytes. FP16 has none in the protocol.
_TYPED = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Parcel:
    """A tensor on its way: what it is, how it is encoded (None: raw), the shape it has, and its bytes."""

    tensor: Tensor
    codec: str | None
    shape: tuple[int, ...]
    data: bytes

    def __repr__(self) -> str:
        return f"<Parcel {self.tensor.name!r} {self.codec or 'raw'}: {len(self.data)} B>"


def datatype(tensor: Tensor) -> str:
    """The protocol's name for the tensor's type.

    Raises:
        InputError: it has none.
    """
    name = _DATATYPES.get(tensor.dtype or "")
    if name is None:
        raise InputError(f"tensor {tensor.name!r} of type {tensor.dtype} cannot travel; choose another cut")
    return name


def parcel_of(tensor: Tensor, codec: str | None, array: Array) -> Parcel:
    """An array, encoded where that has a meaning: numbers are, of a shape that the other side knows.

    Raises:
        InputError: its type or shape is not the tensor's, or the codec cannot carry its values.
    """
    # An encoded tensor says nothing of its shape, so the other side must know it. Integers and text are worth something
    # only if they arrive exactly.
    if codec is None or array.dtype.kind != "f" or tensor.shape is None:
        return raw_parcel(tensor, array)
    array = checked(tensor, array)
    return Parcel(tensor=tensor, codec=codec, shape=array.shape, data=encode_tensor(codec, array))


def array_of(parcel: Parcel) -> Array:
    """The array of a parcel, raw or encoded by a tensor codec; perhaps read-only.

    Raises:
        InputError: its bytes are not what the codec, or such a tensor, has.
    """
    if parcel.codec is None:
        return raw_array(parcel)
    if parcel.tensor.shape is None:
        raise InputError(f"tensor {parcel.tensor.name!r} has no known shape: send it raw")
    return decode_tensor(parcel.codec, parcel.data, parcel.shape, parcel.tensor.dtype or "")


def raw_parcel(tensor: Tensor, array: Array) -> Parcel:
    """An array as it is.

    Raises:
        InputError: its type or shape is not the tensor's.
    """
    array = checked(tensor, array)
    return Parcel(tensor=tensor, codec=None, shape=array.shape, data=_bytes_of(tensor, array))


def raw_array(parcel: Parcel) -> Array:
    """The array of a raw parcel (read-only, where it is no text).

    Raises:
        InputError: no array has such a shape, or text that is none.
    """
    try:
        if parcel.tensor.dtype == "string":
            name = parcel.tensor.name
            return text_of(name, read_elements(name, parcel.data), parcel.shape)
        # The array lies in the message's own bytes: a boundary may have megabytes, and is only read. Little-endian by
        # the protocol, whatever the machine.
        array: Array = np.ndarray(parcel.shape, np.dtype(parcel.tensor.dtype or "").newbyteorder("<"), parcel.data)
    except InputError:
        raise
    except ValueError as error:  # as of a size above numpy's, beside one of 0
        raise InputError(f"tensor {parcel.tensor.name!r} has shape {list(parcel.shape)}: {error}") from None
    if array.dtype.kind != "b":
        return array
    return np.not_equal(array.view(np.uint8), 0, out=np.empty(array.shape, np.bool_))  # 2 would be a broken boolean


def write_request(
    name: str,
    version: str,
    inputs: Sequence[Parcel],
    outputs: Sequence[tuple[str, str | None]],
    instead: Collection[str] = (),
    within: float = 0.0,
    trace: str = "",
) -> bytes:
    """A ModelInferRequest.

    Args:
        name: the segment's name.
        version: of the model; empty towards a server without our extension.
        inputs: what goes up.
        outputs: names of the tensors wanted back, each with its codec (None: raw).
        instead: names of segments that would do as well, the best first, if this one cannot be in time.
        within: seconds from its arrival that this time is.
        trace: the context of the request, as a `traceparent`; empty: it is not traced.
    """
    request = ModelInferRequest(model_name=name, model_version=version)
    if instead:
        request.parameters[INSTEAD].string_param = " ".join(instead)
        request.parameters[WITHIN].int64_param = max(1, int(within * 1e6))
    if trace and version:  # another maker's server has no use for it
        request.parameters[TRACE].string_param = trace
    for parcel in inputs:
        _add(request.inputs.add(), request.raw_input_contents, parcel)
    for wanted, codec in outputs:
        # What is wanted raw carries no parameter of ours, so that a server that does not know it can answer.
        output = request.outputs.add(name=wanted)
        if codec:
            output.parameters[CODEC].string_param = codec
    return bytes(request.SerializeToString())


def write_response(name: str, version: str, request: str, outputs: Sequence[Parcel]) -> bytes:
    """A ModelInferResponse."""
    response = ModelInferResponse(model_name=name, model_version=version, id=request)
    for parcel in outputs:
        _add(response.outputs.add(), response.raw_output_contents, parcel)
    return bytes(response.SerializeToString())


def read_inputs(request: Any, expected: Sequence[Tensor]) -> list[Parcel]:
    """The inputs of a ModelInferRequest, in the expected order.

    Raises:
        InputError: a tensor is missing, unknown or twice; its type, shape or size is not what is expected.
    """
    return _read(request.inputs, request.raw_input_contents, expected)


def read_outputs(body: bytes, expected: Sequence[Tensor]) -> list[Parcel]:
    """The outputs of a ModelInferResponse, in the expected order.

    Raises:
        InputError: as `read_inputs`; also a message that is no ModelInferResponse.
    """
    response = parse(ModelInferResponse, body)
    return _read(response.outputs, response.raw_output_contents, expected)


def read_arrays(body: bytes, expected: Sequence[Tensor]) -> dict[str, Array]:
    """The outputs of a ModelInferResponse as arrays, by name.

    Raises:
        InputError: as `read_outputs` and `array_of`.
    """
    return {parcel.tensor.name: array_of(parcel) for parcel in read_outputs(body, expected)}


def answered_by(body: bytes) -> str:
    """What a ModelInferResponse names as computed; empty: what was asked for.

    Raises:
        InputError: it is no such message.
    """
    return str(parse(ModelInferResponse, body).model_name)


def parse(message: Any, body: bytes) -> Any:
    """A message from its bytes.

    Raises:
        InputError: they are not of this message.
    """
    try:
        return message.FromString(body)
    except Exception as error:  # protobuf's DecodeError differs between its implementations
        raise InputError(f"{len(body)} bytes are not a {message.DESCRIPTOR.name}: {error}") from error


def _bytes_of(tensor: Tensor, array: Array) -> bytes:
    if tensor.dtype == "string":
        return write_text(array)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _add(entry: Any, contents: Any, parcel: Parcel) -> None:
    entry.name = parcel.tensor.name
    if parcel.codec is None:
        entry.datatype = datatype(parcel.tensor)
        entry.shape.extend(parcel.shape)
        contents.append(parcel.data)
        return
    # To anybody who does not know the codec this is a valid tensor of one element, and passes.
    entry.datatype = "BYTES"
    entry.shape.append(1)
    entry.parameters[CODEC].string_param = parcel.codec
    contents.append(write_elements([parcel.data]))


def _read(entries: Any, contents: Any, expected: Sequence[Tensor]) -> list[Parcel]:
    names = [entry.name for entry in entries]
    wanted = [tensor.name for tensor in expected]
    # Sorted lists and not sets: a name that comes twice must not pass for one.
    if sorted(names) != sorted(wanted):
        raise InputError(f"found the tensors {', '.join(names) or 'none'}; expected {', '.join(wanted)}")
    # The protocol has raw contents for all tensors of a message or for none; they belong together by position.
    if contents and len(contents) != len(entries):
        raise InputError(f"found {len(contents)} raw contents for {len(entries)} tensors; expected one each")
    position = {name: index for index, name in enumerate(names)}
    parcels = []
    for tensor in expected:
        index = position[tensor.name]
        parcels.append(_read_one(entries[index], contents[index] if contents else None, tensor))
    return parcels


def _read_one(entry: Any, raw: bytes | None, tensor: Tensor) -> Parcel:
    codec = entry.parameters[CODEC].string_param if CODEC in entry.parameters else None
    if codec:
        return Parcel(tensor=tensor, codec=codec, shape=tensor.shape or (), data=_payload(entry, raw, tensor))
    # A raw tensor is taken at its word only where that agrees with the segment: the engine would otherwise read its
    # bytes as other numbers.
    if entry.datatype != datatype(tensor):
        raise InputError(f"tensor {tensor.name!r} has datatype {entry.datatype!r}, expected {datatype(tensor)}")
    shape = tuple(entry.shape)
    # Two negative sizes have a positive product, which the check of the size would let pass.
    if any(size < 0 for size in shape) or (tensor.shape is not None and shape != tensor.shape):
        expected = "sizes of 0 or more" if tensor.shape is None else list(tensor.shape)
        raise InputError(f"tensor {tensor.name!r} has shape {list(shape)}, expected {expected}")
    data = raw if raw is not None else _typed(entry, tensor)
    _check_size(tensor, shape, data)
    return Parcel(tensor=tensor, codec=None, shape=shape, data=data)


def _check_size(tensor: Tensor, shape: Sequence[int], data: bytes) -> None:
    # Before an array is made, so that a shape which states more than has come allocates nothing. Python's integers do
    # not overflow, where numpy's product would.
    count = math.prod(shape)
    if tensor.dtype == "string":
        if (stated := len(read_elements(tensor.name, data))) != count:
            raise InputError(f"tensor {tensor.name!r} has {stated} elements of text, expected {count}")
    elif len(data) != (size := count * np.dtype(tensor.dtype or "").itemsize):
        raise InputError(f"tensor {tensor.name!r} has {len(data)} bytes, expected {size}")


def _payload(entry: Any, raw: bytes | None, tensor: Tensor) -> bytes:
    if entry.datatype != "BYTES" or list(entry.shape) != [1]:
        raise InputError(
            f"encoded tensor {tensor.name!r} has datatype {entry.datatype!r} and shape {list(entry.shape)}, "
            "expected BYTES and [1]"
        )
    # A foreign client may put the payload into the typed field: it is the same element without its length.
    elements = list(entry.contents.bytes_contents) if raw is None else read_elements(tensor.name, raw)
    if len(elements) != 1:
        raise InputError(f"encoded tensor {tensor.name!r} has {len(elements)} elements, expected 1")
    return bytes(elements[0])


def _typed(entry: Any, tensor: Tensor) -> bytes:
    if tensor.dtype == "string":
        return write_elements(entry.contents.bytes_contents)
    field = _TYPED.get(entry.datatype)
    if field is None:
        raise InputError(f"tensor {tensor.name!r} of datatype {entry.datatype} must come as raw contents")
    values = list(getattr(entry.contents, field))  # of Python's numbers: numpy would cut off those of an array
    try:
        return np.array(values, dtype=np.dtype(tensor.dtype).newbyteorder("<")).tobytes()
    except (OverflowError, ValueError) as error:
        raise InputError(f"tensor {tensor.name!r}: {error}") from error


def write_text(array: Array) -> bytes:
    """The bytes of a tensor of text."""
    return write_elements(element.encode() for element in array.ravel().tolist())


def write_elements(elements: Iterable[bytes]) -> bytes:
    """Elements of BYTES, one behind the other."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def read_elements(name: str, data: bytes) -> list[bytes]:
    """The elements of BYTES.

    Raises:
        InputError: a length that is more than what follows, or cut short.
    """
    elements: list[bytes] = []
    at = 0
    while at < len(data):
        begins = at + _LENGTH.size
        (length,) = _LENGTH.unpack_from(data, at) if begins <= len(data) else (0,)
        at = begins + length
        # Checked before the slice, which would silently be cut short. The stated length is only compared: it allocates
        # nothing.
        if at > len(data):
            left = max(0, len(data) - begins)
            raise InputError(f"element {len(elements)} of {name!r} states {length} bytes, but {left} follow")
        elements.append(data[begins:at])
    return elements
