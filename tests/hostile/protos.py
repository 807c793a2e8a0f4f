"""What hostile files are written with: tiny graphs, and protobuf by hand where the libraries refuse to write it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

WIDTH = 8
Write = Callable[[Path], Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A file that means harm, or is broken.

    Attributes:
        kind: what it stands for.
        name: of the file, unique.
        write: writes it, and what it needs, into an empty folder, and returns what to open.
    """

    kind: str
    name: str
    write: Write


def hostile(kind: str, name: str, content: bytes | ModelProto | Callable[[], bytes | ModelProto]) -> Hostile:
    """A file of one piece; what is costly to build is built when it is written."""

    def write(folder: Path) -> Path:
        data = content() if callable(content) else content
        file = folder / f"{name}.onnx"
        file.write_bytes(data if isinstance(data, bytes) else data.SerializeToString())
        return file

    return Hostile(kind=kind, name=name, write=write)


def node(op: str, reads: str, makes: str = "y", **attributes: object) -> NodeProto:
    """A node; names are separated by spaces, and `-` is the empty name."""
    names = [["" if name == "-" else name for name in side.split()] for side in (reads, makes)]
    return helper.make_node(op, *names, **attributes)


def value(
    name: str, shape: Sequence[int | str] | None = (1, WIDTH), kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    """A tensor of a graph."""
    return helper.make_tensor_value_info(name, kind, shape)


def whole(name: str, *numbers: int, scalar: bool = False) -> TensorProto:
    """A constant of whole numbers."""
    array = np.array(numbers, dtype=np.int64)
    return numpy_helper.from_array(array[0] if scalar else array, name)


def real(name: str, *numbers: float) -> TensorProto:
    """A constant of floating point numbers."""
    return numpy_helper.from_array(np.array(numbers, dtype=np.float32), name)


def graph(
    nodes: Sequence[NodeProto],
    constants: Sequence[TensorProto] = (),
    *,
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
    outputs: Sequence[onnx.ValueInfoProto] | None = None,
) -> GraphProto:
    """A graph from x, 1 x 8 floats, to y."""
    ends = [value("x")] if inputs is None else inputs, [value("y", None)] if outputs is None else outputs
    return helper.make_graph(list(nodes), "g", *ends, list(constants))


def model(
    nodes: Sequence[NodeProto],
    constants: Sequence[TensorProto] = (),
    *,
    inputs: Sequence[onnx.ValueInfoProto] | None = None,
    outputs: Sequence[onnx.ValueInfoProto] | None = None,
    opset: int = 20,
    functions: Sequence[FunctionProto] = (),
) -> ModelProto:
    """A file of one graph."""
    made = graph(nodes, constants, inputs=inputs, outputs=outputs)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("f", 1)]
    return helper.make_model(made, opset_imports=imports, ir_version=9, functions=list(functions))


def body(
    nodes: Sequence[NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: Sequence[TensorProto] = (),
) -> GraphProto:
    """The body of an If, a Loop or a Scan."""
    return helper.make_graph(list(nodes), "body", list(inputs), list(outputs), list(constants))


def honest() -> ModelProto:
    """A small network that is fine, to break."""
    random = np.random.default_rng(0)
    weights = {"w": random.standard_normal((8, 8)), "v": random.standard_normal((8, 4))}
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    nodes = [node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b v", "c"), node("Softmax", "c")]
    made = model(nodes, constants)
    made.metadata_props.add(key="edgent", value='{"version": 1, "labels": ["a", "b", "c", "d"]}')
    made.graph.value_info.append(value("b"))
    return made


def changed(change: Callable[[ModelProto], object]) -> ModelProto:
    """The honest network, with one thing wrong."""
    made = honest()
    change(made)
    return made


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, payload: bytes) -> bytes:
    """A field of a length and bytes."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def in_file(graph_bytes: bytes) -> bytes:
    """A file around the bytes of a graph."""
    opset = field(8, field(1, b"") + bytes([2 << 3, 20]))
    return bytes([1 << 3, 9]) + field(7, graph_bytes) + opset


def nested_ifs(depth: int) -> bytes:
    """If in If in If, written from the inside out, for no library writes more than a hundred levels."""
    inside = graph([node("Identity", "x")], inputs=[]).SerializeToString()
    for _ in range(depth):
        then, other = (
            field(5, field(1, name) + field(6, inside if name == b"then_branch" else _leaf()) + _GRAPH)
            for name in (b"then_branch", b"else_branch")
        )
        inside = field(1, field(1, b"c") + field(2, b"y") + field(4, b"If") + then + other) + _ends(x=False)
    return in_file(inside + field(5, _truth().SerializeToString()) + field(11, value("x").SerializeToString()))


_GRAPH = varint(20 << 3) + varint(AttributeProto.GRAPH)


def _leaf() -> bytes:
    return graph([node("Identity", "x")], inputs=[]).SerializeToString()


def _ends(*, x: bool) -> bytes:
    return (
        field(2, b"g")
        + field(12, value("y", None).SerializeToString())
        + (field(11, value("x").SerializeToString()) if x else b"")
    )


def _truth() -> TensorProto:
    return numpy_helper.from_array(np.array(True), "c")
