"""Tensors in the protocol's messages: raw, typed, or encoded by one of our codecs.

A raw tensor has its own datatype and shape. An encoded one has datatype BYTES, shape [1], the parameter `edgent_codec`
and as content one element of BYTES: four bytes of length, little-endian, then the payload. Its real type and shape are
those of the segment, which both sides know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgent.errors import InputError
from edgent.runtime.messages import CODEC, ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from edgent.model import Tensor

Array = NDArray[Any]

RAW = "float32"  # what the planner calls "as it is"

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
}
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
    """A tensor on its way: what it is, how it is encoded (None: raw), and its bytes."""

    tensor: Tensor
    codec: str | None
    data: bytes

    def __repr__(self) -> str:
        return f"<Parcel {self.tensor.name!r} {self.codec or 'raw'}: {len(self.data)} B>"


def datatype(tensor: Tensor) -> str:
    """The protocol's name for the tensor's type.

    Raises:
        InputError: it has none.
    """
    found = _DATATYPES.get(tensor.dtype or "")
    if found is None:
        raise InputError(f"tensor {tensor.name!r} of type {tensor.dtype} cannot travel; choose another cut")
    return found


def raw_parcel(tensor: Tensor, array: Array) -> Parcel:
    """An array as it is.

    Raises:
        InputError: its type or shape is not the tensor's.
    """
    check_array(tensor, array)
    return Parcel(tensor=tensor, codec=None, data=np.ascontiguousarray(array).tobytes())


def raw_array(parcel: Parcel, shape: Sequence[int]) -> Array:
    """The array of a raw parcel (read-only)."""
    return np.frombuffer(parcel.data, dtype=np.dtype(parcel.tensor.dtype or "")).reshape(tuple(shape))


def check_array(tensor: Tensor, array: Array) -> None:
    """Raises InputError where type or shape is not what the model takes."""
    if array.dtype.name != tensor.dtype:
        raise InputError(f"tensor {tensor.name!r} has type {array.dtype.name}, expected {tensor.dtype}")
    if tensor.shape is not None and array.shape != tensor.shape:
        raise InputError(f"tensor {tensor.name!r} has shape {list(array.shape)}, expected {list(tensor.shape)}")


def in_native_order(array: Array) -> Array:
    """The same numbers in this machine's byte order: engines take the bytes as they lie, and so does the wire."""
    swapped = isinstance(array, np.ndarray) and not array.dtype.isnative
    return array.astype(array.dtype.newbyteorder("=")) if swapped else array


def write_request(
    name: str, version: str, inputs: Sequence[Parcel], outputs: Sequence[tuple[str, str | None]]
) -> bytes:
    """A ModelInferRequest.

    Args:
        name: the segment's name.
        version: of the model; empty towards a server without our extension.
        inputs: what goes up.
        outputs: names of the tensors wanted back, each with its codec (None: raw).
    """
    request = ModelInferRequest(model_name=name, model_version=version)
    for parcel in inputs:
        _add(request.inputs.add(), request.raw_input_contents, parcel, parcel.tensor.shape or ())
    for wanted, codec in outputs:
        output = request.outputs.add(name=wanted)
        if codec:
            output.parameters[CODEC].string_param = codec
    return bytes(request.SerializeToString())


def write_response(name: str, version: str, request: str, outputs: Sequence[tuple[Parcel, Sequence[int]]]) -> bytes:
    """A ModelInferResponse; each output comes with the shape it really has."""
    response = ModelInferResponse(model_name=name, model_version=version, id=request)
    for parcel, shape in outputs:
        _add(response.outputs.add(), response.raw_output_contents, parcel, shape)
    return bytes(response.SerializeToString())


def read_inputs(request: Any, expected: Sequence[Tensor]) -> list[tuple[Parcel, tuple[int, ...]]]:
    """The inputs of a ModelInferRequest, in the expected order, each with its shape.

    Raises:
        InputError: a tensor is missing, unknown or twice; its type, shape or size is not what is expected.
    """
    return _read(request.inputs, request.raw_input_contents, expected)


def read_outputs(body: bytes, expected: Sequence[Tensor]) -> list[tuple[Parcel, tuple[int, ...]]]:
    """The outputs of a ModelInferResponse, in the expected order, each with its shape.

    Raises:
        InputError: as `read_inputs`; also a message that is no ModelInferResponse.
    """
    response = parse(ModelInferResponse, body)
    return _read(response.outputs, response.raw_output_contents, expected)


def parse(message: Any, body: bytes) -> Any:
    """A message from its bytes.

    Raises:
        InputError: they are not of this message.
    """
    try:
        return message.FromString(body)
    except Exception as error:  # protobuf's DecodeError differs between its implementations
        raise InputError(f"{len(body)} bytes are not a {message.DESCRIPTOR.name}: {error}") from error


def _add(entry: Any, contents: Any, parcel: Parcel, shape: Sequence[int]) -> None:
    entry.name = parcel.tensor.name
    if parcel.codec is None:
        entry.datatype = datatype(parcel.tensor)
        entry.shape.extend(shape)
        contents.append(parcel.data)
        return
    entry.datatype = "BYTES"
    entry.shape.append(1)
    entry.parameters[CODEC].string_param = parcel.codec
    contents.append(len(parcel.data).to_bytes(4, "little") + parcel.data)


def _read(entries: Any, contents: Any, expected: Sequence[Tensor]) -> list[tuple[Parcel, tuple[int, ...]]]:
    names = [entry.name for entry in entries]
    wanted = [tensor.name for tensor in expected]
    if sorted(names) != sorted(wanted):
        raise InputError(f"found the tensors {', '.join(names) or 'none'}; expected {', '.join(wanted)}")
    if contents and len(contents) != len(entries):
        raise InputError(f"found {len(contents)} raw contents for {len(entries)} tensors; expected one each")
    position = {name: index for index, name in enumerate(names)}
    found = []
    for tensor in expected:
        index = position[tensor.name]
        found.append(_read_one(entries[index], contents[index] if contents else None, tensor))
    return found


def _read_one(entry: Any, raw: bytes | None, tensor: Tensor) -> tuple[Parcel, tuple[int, ...]]:
    codec = entry.parameters[CODEC].string_param if CODEC in entry.parameters else None
    if codec:
        return Parcel(tensor=tensor, codec=codec, data=_payload(entry, raw, tensor)), tensor.shape or ()
    if entry.datatype != datatype(tensor):
        raise InputError(f"tensor {tensor.name!r} has datatype {entry.datatype!r}, expected {datatype(tensor)}")
    shape = tuple(entry.shape)
    if any(size < 0 for size in shape) or (tensor.shape is not None and shape != tensor.shape):
        expected = "sizes of 0 or more" if tensor.shape is None else list(tensor.shape)
        raise InputError(f"tensor {tensor.name!r} has shape {list(shape)}, expected {expected}")
    data = raw if raw is not None else _typed(entry, tensor)
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(tensor.dtype or "").itemsize
    if len(data) != size:
        raise InputError(f"tensor {tensor.name!r} has {len(data)} bytes, expected {size}")
    return Parcel(tensor=tensor, codec=None, data=data), shape


def _payload(entry: Any, raw: bytes | None, tensor: Tensor) -> bytes:
    if entry.datatype != "BYTES" or list(entry.shape) != [1]:
        raise InputError(
            f"encoded tensor {tensor.name!r} has datatype {entry.datatype!r} and shape {list(entry.shape)}, "
            "expected BYTES and [1]"
        )
    if raw is None:
        elements = entry.contents.bytes_contents
        if len(elements) != 1:
            raise InputError(f"encoded tensor {tensor.name!r} has {len(elements)} elements, expected 1")
        return bytes(elements[0])
    stated = int.from_bytes(raw[:4], "little")
    if len(raw) < 4 or stated != len(raw) - 4:
        raise InputError(f"encoded tensor {tensor.name!r} states {stated} bytes, but {len(raw) - 4} follow")
    return raw[4:]


def _typed(entry: Any, tensor: Tensor) -> bytes:
    field = _TYPED.get(entry.datatype)
    if field is None:
        raise InputError(f"tensor {tensor.name!r} of datatype {entry.datatype} must come as raw contents")
    values = getattr(entry.contents, field)
    try:
        return np.array(values, dtype=tensor.dtype).tobytes()
    except (OverflowError, ValueError) as error:
        raise InputError(f"tensor {tensor.name!r}: {error}") from error
