"""A constant's bytes as engines lay them out, whatever its type and wherever the file keeps it.

A file holds numbers in one of six fields (one of raw bytes, five of numbers that may be wider than the type), or in
another file. The bytes are the same: little-endian, and types of 4 and 2 bits share bytes, the first number in the
lowest bits. They are taken from the fields directly, since NumPy has no form of its own for half of the types.

Text has no such bytes. Here each text stands behind its length, so that equal texts give equal bytes; it can lie in no
other file, so it stays in the graph.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from edgent.errors import ModelError
from edgent.model.files import external

SMALL = 1024
"""Bytes of a constant that stays in the graph, where shape inference reads it."""

_MOST_IN_A_FILE = 2_000_000_000  # protobuf refuses messages from 2 GiB on


class _Form(NamedTuple):
    """How a type is stored: bits of a number in raw bytes, the field of numbers, and the type that these shrink to."""

    bits: int
    field: str
    dtype: str


# ONNX stores small types in `int32_data`, one number for each field entry, and unsigned 32 bits in `uint64_data`; half
# precision stands there as its bit pattern. Complex numbers are pairs. See the comments in onnx.proto.
_KINDS = onnx.TensorProto
_BYTES = _Form(8, "int32_data", "u1")
_TWO_BYTES = _Form(16, "int32_data", "<u2")
_FORMS: dict[int, _Form] = {
    _KINDS.FLOAT: _Form(32, "float_data", "<f4"),
    _KINDS.DOUBLE: _Form(64, "double_data", "<f8"),
    _KINDS.COMPLEX64: _Form(64, "float_data", "<f4"),
    _KINDS.COMPLEX128: _Form(128, "double_data", "<f8"),
    _KINDS.INT64: _Form(64, "int64_data", "<i8"),
    _KINDS.UINT64: _Form(64, "uint64_data", "<u8"),
    _KINDS.INT32: _Form(32, "int32_data", "<i4"),
    _KINDS.UINT32: _Form(32, "uint64_data", "<u4"),
    **dict.fromkeys((_KINDS.INT16, _KINDS.UINT16, _KINDS.FLOAT16, _KINDS.BFLOAT16), _TWO_BYTES),
    **dict.fromkeys((_KINDS.INT8, _KINDS.UINT8, _KINDS.BOOL), _BYTES),
    **dict.fromkeys((_KINDS.FLOAT8E4M3FN, _KINDS.FLOAT8E4M3FNUZ), _BYTES),
    **dict.fromkeys((_KINDS.FLOAT8E5M2, _KINDS.FLOAT8E5M2FNUZ, _KINDS.FLOAT8E8M0), _BYTES),
    **dict.fromkeys((_KINDS.INT4, _KINDS.UINT4, _KINDS.FLOAT4E2M1), _Form(4, "int32_data", "u1")),
    **dict.fromkeys((_KINDS.INT2, _KINDS.UINT2), _Form(2, "int32_data", "u1")),
}
_FIELDS = {"float_data": "f4", "double_data": "f8", "int32_data": "i4", "int64_data": "i8", "uint64_data": "u8"}

_ATTRIBUTES = onnx.AttributeProto
_GRAPHS = {_ATTRIBUTES.GRAPH, _ATTRIBUTES.GRAPHS}
_TENSORS = {_ATTRIBUTES.TENSOR, _ATTRIBUTES.TENSORS, _ATTRIBUTES.SPARSE_TENSOR, _ATTRIBUTES.SPARSE_TENSORS}
HOLDERS = _GRAPHS | _TENSORS


def nbytes(tensor: onnx.TensorProto) -> int:
    """Bytes of a constant that is no text.

    Raises:
        ModelError: a type that no engine lays out, or a negative dimension.
    """
    form = _FORMS.get(tensor.data_type)
    dims: list[int] = list(tensor.dims)
    if form is None or any(dim < 0 for dim in dims):
        raise ModelError(
            f"constant {tensor.name!r} of type {tensor.data_type} and shape {tuple(dims)} has no bytes; "
            "expected numbers of a type of ONNX, and dimensions of 0 or more"
        )
    # Rounded up to whole bytes: three numbers of 4 bits take two.
    bits: int = math.prod(dims) * form.bits
    return -(-bits // 8)


def is_text(tensor: onnx.TensorProto) -> bool:
    """Whether a constant holds texts."""
    return bool(tensor.data_type == onnx.TensorProto.STRING)


def is_small(tensor: onnx.TensorProto) -> bool:
    """Whether a constant belongs into the graph: text, or few bytes."""
    return is_text(tensor) or nbytes(tensor) <= SMALL


def pieces(tensor: onnx.TensorProto, source: Path) -> Iterator[bytes]:
    """The bytes of a constant, in order, at most a mebibyte at a time where they come from another file.

    Args:
        tensor: of a file that `read` has checked.
        source: the folder of that file.

    Raises:
        ModelError: fewer or more numbers than its shape has, or another file that cannot be read.
    """
    if external.is_external(tensor):
        yield from external.read(tensor, source, nbytes(tensor))
        return
    if is_text(tensor):
        expected, values = math.prod(tensor.dims), _texts(tensor)
        count, data = len(values), b"".join(values)
    else:
        expected, data = nbytes(tensor), _numbers(tensor)
        count = len(data)
    # Checked here once, for whatever the source is: a shape that does not fit its bytes makes an engine read beyond
    # them.
    if count != expected:
        raise ModelError(f"constant {tensor.name!r} has no {tuple(tensor.dims)} values; export the model again")
    yield data


def inline(tensor: onnx.TensorProto, source: Path) -> onnx.TensorProto:
    """The same constant with its bytes inside."""
    if is_text(tensor):
        return tensor
    raw = b"".join(pieces(tensor, source))
    return onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type, raw_data=raw)


def inline_all(model: onnx.ModelProto, source: Path) -> None:
    """Brings the bytes that lie in other files into a model, so that it is one file; changes it in place.

    Args:
        model: of a file that `read` has checked.
        source: the folder of that file.

    Raises:
        ModelError: as `pieces`; also more bytes than one file can have.
    """
    outside = [tensor for tensor in all_tensors(model) if external.is_external(tensor)]
    if (size := sum(map(nbytes, outside))) > _MOST_IN_A_FILE:
        raise ModelError(f"found {size:,} bytes of weights in other files, expected at most {_MOST_IN_A_FILE:,} here")
    for tensor in outside:
        tensor.CopyFrom(inline(tensor, source))


def dense(sparse: onnx.SparseTensorProto, source: Path, most: int = 2**31) -> onnx.TensorProto:
    """A sparse constant with all its zeros: engines make it so as well.

    Args:
        sparse: values, and their places: positions in the whole, or one number for each dimension.
        source: the folder of the file.
        most: bytes that it may take; a few hundred bytes can ask for any amount.

    Raises:
        ModelError: places outside its shape, numbers of less than a byte, or more bytes than that.
    """
    tensor = onnx.TensorProto(name=sparse.values.name, dims=sparse.dims, data_type=sparse.values.data_type)
    # The size is known from the shape, before any memory is taken.
    size = nbytes(tensor)
    item = _FORMS[tensor.data_type].bits // 8
    if not item or size > most:
        raise ModelError(
            f"sparse constant {tensor.name!r} takes {size:,} bytes; expected whole bytes, {most:,} at the most"
        )
    values = np.frombuffer(b"".join(pieces(sparse.values, source)), np.uint8).reshape(-1, item)
    places = _positions(sparse, source)
    if places.shape != values.shape[:1] or not ((places >= 0) & (places < size // item)).all():
        raise ModelError(
            f"sparse constant {tensor.name!r} has values outside its shape {tuple(tensor.dims)}; export it again"
        )
    # As bytes and not as numbers: numpy has no bfloat16 and no float8, and here nothing is computed.
    cells = np.zeros((size // item, item), np.uint8)
    cells[places] = values
    tensor.raw_data = cells.tobytes()
    return tensor


def all_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every constant of a model: of the main graph, of bodies and of functions; of a sparse one values and places."""
    yield from of_graph(model.graph)
    for function in model.functions:
        yield from of_nodes(function.node)


def of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every constant of a graph and of the bodies in it."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from of_nodes(graph.node)


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs inside a node: of If, Loop and Scan."""
    for attribute in node.attribute:
        if attribute.type in _GRAPHS:
            yield from graphs_of(attribute)


def graphs_of(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    """The graphs that an attribute holds."""
    return [attribute.g] if attribute.type == _ATTRIBUTES.GRAPH else list(attribute.graphs)


def tensors_of(attribute: onnx.AttributeProto) -> list[onnx.TensorProto]:
    """The constants that an attribute holds, but for sparse ones."""
    return [attribute.t] if attribute.type == _ATTRIBUTES.TENSOR else list(attribute.tensors)


def sparse_of(attribute: onnx.AttributeProto) -> list[onnx.SparseTensorProto]:
    """The sparse constants that an attribute holds."""
    one = attribute.type == _ATTRIBUTES.SPARSE_TENSOR
    return [attribute.sparse_tensor] if one else list(attribute.sparse_tensors)


def of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    """Every constant in the attributes and bodies of nodes."""
    for node in nodes:
        for attribute in node.attribute:
            if attribute.type not in HOLDERS:
                continue  # a number or a text, as most are
            yield from tensors_of(attribute)
            for sparse in sparse_of(attribute):
                yield from (sparse.values, sparse.indices)
            for body in graphs_of(attribute):
                yield from of_graph(body)


def _texts(tensor: onnx.TensorProto) -> list[bytes]:
    # The length first, or ("ab", "c") and ("a", "bc") would have one hash.
    return [len(text).to_bytes(8, "little") + text for text in tensor.string_data]


def _numbers(tensor: onnx.TensorProto) -> bytes:
    if tensor.HasField("raw_data"):
        return bytes(tensor.raw_data)
    form = _FORMS[tensor.data_type]
    # Numbers in wider fields shrink to their own type; the bits that are cut off are sign or zeros.
    return np.array(getattr(tensor, form.field), dtype=_FIELDS[form.field]).astype(form.dtype).tobytes()


def _positions(sparse: onnx.SparseTensorProto, source: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Where in the flat whole each value stands; -1 for a place outside the shape."""
    if sparse.indices.data_type != onnx.TensorProto.INT64:
        raise ModelError(
            f"sparse constant {sparse.values.name!r} has places of another type than int64; export it again"
        )
    places = np.frombuffer(b"".join(pieces(sparse.indices, source)), "<i8").reshape(tuple(sparse.indices.dims))
    # One dimension: positions in the flat tensor already.
    if places.ndim != 2:
        return places.astype(np.int64)
    shape = np.array(sparse.dims, dtype=np.int64)
    if places.shape[1:] != shape.shape or not ((places >= 0) & (places < shape)).all():
        return np.full(len(places), -1, dtype=np.int64)
    # Row-major strides, counted in numbers: the product of the dimensions behind each.
    return places @ np.cumprod([1, *shape[:0:-1]], dtype=np.int64)[::-1]
