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
    given = [f"{number}_{name}" for name in ("round", "goes_on", "given")]
    asked = [f"{number}_{name}" for name in ("goes_on_still", "made")]
    nodes = [helper.make_node("Identity", [given[1]], [asked[0]]), helper.make_node("Relu", [given[2]], [asked[1]])]
    types: dict[str, int] = {given[0]: TensorProto.INT64, given[1]: TensorProto.BOOL, asked[0]: TensorProto.BOOL}
    return builder.node("Loop", [builder.integers(rounds), "", number], (1,), body=_body(given, nodes, asked, types))


def _scanned(builder: Builder, number: str, rounds: int) -> str:
    given, asked = ([f"{number}_{name}" for name in names] for names in (("state", "given"), ("next", "made")))
    nodes = [helper.make_node("Add", given, [asked[0]]), helper.make_node("Relu", [given[1]], [asked[1]])]
    scanned = builder.constant((rounds, 1))
    name = builder.node("Scan", [number, scanned], (1,), body=_body(given, nodes, asked), num_scan_inputs=1)
    builder.also(name, (rounds, 1))
    return name


def _body(
    given: list[str], nodes: list[onnx.NodeProto], asked: list[str], types: Mapping[str, int] = MappingProxyType({})
) -> onnx.GraphProto:
    """A body whose tensors have one number each, but those of other types, which are scalars."""

    def value(name: str) -> onnx.ValueInfoProto:
        of_one_number = name not in types
        return helper.make_tensor_value_info(name, types.get(name, TensorProto.FLOAT), [1] if of_one_number else [])

    return helper.make_graph(nodes, "body", [value(name) for name in given], [value(name) for name in asked])
