"""If, Loop and Scan around next to nothing: what is timed is what the node itself takes, and each of its rounds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import onnx
from onnx import TensorProto, helper

from edgent.model.builder import Builder
from edgent.model.specimens.draw import Draw


def controlled(draw: Draw, builder: Builder, x: str) -> str:
    """One number goes through control flow, and is added to all the others."""
    number = builder.reshape(builder.corner(x), 1)
    kind = draw.pick("If", "Loop", "Scan")
    if kind == "If":
        y = _chosen(builder, number)
    else:
        rounds = round(draw.between(1, 100))
        y = _looped(builder, number, rounds) if kind == "Loop" else _scanned(builder, number, rounds)
    return builder.like("Add", x, y)


def _chosen(builder: Builder, number: str) -> str:
    positive = builder.like("Greater", number, builder.constant((1,)))
    # Bodies see the tensors around them, so those of an If take no inputs.
    branches = {
        f"{name}_branch": _body([], [helper.make_node(op, [number], [f"{number}_{name}"])], [f"{number}_{name}"])
        for name, op in (("then", "Relu"), ("else", "Tanh"))
    }
    return builder.node("If", [positive], (1,), **branches)


def _looped(builder: Builder, number: str, rounds: int) -> str:
    reads = [f"{number}_{name}" for name in ("round", "goes_on", "given")]
    writes = [f"{number}_{name}" for name in ("goes_on_still", "made")]
    nodes = [helper.make_node("Identity", [reads[1]], [writes[0]]), helper.make_node("Relu", [reads[2]], [writes[1]])]
    types: dict[str, int] = {reads[0]: TensorProto.INT64, reads[1]: TensorProto.BOOL, writes[0]: TensorProto.BOOL}
    return builder.node("Loop", [builder.integers(rounds), "", number], (1,), body=_body(reads, nodes, writes, types))


def _scanned(builder: Builder, number: str, rounds: int) -> str:
    reads, writes = ([f"{number}_{name}" for name in names] for names in (("state", "given"), ("next", "made")))
    nodes = [helper.make_node("Add", reads, [writes[0]]), helper.make_node("Relu", [reads[1]], [writes[1]])]
    scanned = builder.constant((rounds, 1))
    name = builder.node("Scan", [number, scanned], (1,), body=_body(reads, nodes, writes), num_scan_inputs=1)
    builder.also(name, (rounds, 1))
    return name


def _body(
    reads: list[str], nodes: list[onnx.NodeProto], writes: list[str], types: Mapping[str, int] = MappingProxyType({})
) -> onnx.GraphProto:
    """A body whose tensors have one number each, but those of other types, which are scalars."""

    def value(name: str) -> onnx.ValueInfoProto:
        of_one_number = name not in types
        return helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), [1] if of_one_number else [])

    return helper.make_graph(nodes, "body", [value(name) for name in reads], [value(name) for name in writes])
