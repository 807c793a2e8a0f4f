"""Bounds on the size of a model, checked by arithmetic before anything of that size is made.

A file of a kilobyte can describe a model of any size: functions that call each other double with each call, and a
sparse constant, or a shape, is a few numbers. Whoever made them first and looked at them then would be out of memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import onnx

from edgent.errors import ModelError
from edgent.model.values import Tensor
from edgent.units import format_bytes

MOST_TENSOR_BYTES = 2**31
"""Of one tensor that a request computes. The engine makes it whole, and often several of its kind."""

MOST_NODES = 200_000
"""In a graph whose functions have been put in the places where they are called."""

_WIDEST = 8  # bytes of a number

_Key = tuple[str, str, str]


def check_functions(path: Path, proto: onnx.ModelProto) -> None:
    """Counts what the functions of a file become, without putting them in place: forty can become 2^40 nodes.

    Raises:
        ModelError: too many nodes, or a function that calls itself.
    """
    if not proto.functions:
        return
    bodies = {(f.domain, f.name, f.overload): f.node for f in proto.functions}
    sizes: dict[_Key, int] = {}
    # Callees first, so that each function's size is one addition over sizes that are known.
    for key in _callees_first(path, bodies):
        sizes[key] = _size(bodies[key], sizes)
    if (total := _size(proto.graph.node, sizes)) > MOST_NODES:
        raise ModelError(f"{path}: its functions make {total:,} nodes, more than {MOST_NODES:,}; refused")


def check_sparse(path: Path, proto: onnx.ModelProto) -> None:
    """Looks at what sparse constants become when they are written out: eight bytes can stand for terabytes.

    Raises:
        ModelError: one larger than `MOST_TENSOR_BYTES`.
    """
    for tensor in proto.graph.sparse_initializer:
        # Negative sizes are refused later; here only how much memory they could stand for.
        if math.prod(map(abs, tensor.dims)) * _WIDEST > MOST_TENSOR_BYTES:
            raise ModelError(f"{path}: sparse constant {tensor.values.name!r} has {list(tensor.dims)} numbers; refused")


def check_sizes(tensors: Iterable[Tensor]) -> None:
    """Checks the sizes of what a request computes.

    Raises:
        ModelError: a tensor larger than `MOST_TENSOR_BYTES`, or with a negative size.
    """
    for tensor in tensors:
        if min(tensor.shape or (0,)) < 0:
            raise ModelError(f"tensor {tensor.name!r} has shape {list(tensor.shape or ())}; sizes are 0 or more")
        if (size := tensor.nbytes or 0) > MOST_TENSOR_BYTES:
            raise ModelError(
                f"tensor {tensor.name!r} of shape {list(tensor.shape or ())} takes {format_bytes(size)}, "
                f"more than {format_bytes(MOST_TENSOR_BYTES)}; give the model smaller dimensions"
            )


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes of a graph, and those of the bodies inside it."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from all_nodes(body.node)


def _size(nodes: Iterable[onnx.NodeProto], sizes: Mapping[_Key, int]) -> int:
    return sum(sizes.get(_callee(node), 1) for node in all_nodes(nodes))


def _callee(node: onnx.NodeProto) -> _Key:
    return node.domain, node.op_type, node.overload


def _callees_first(path: Path, bodies: Mapping[_Key, Iterable[onnx.NodeProto]]) -> Iterator[_Key]:
    """The functions in an order in which each comes after all that it calls."""
    calls = {key: {_callee(node) for node in all_nodes(body)} & bodies.keys() for key, body in bodies.items()}
    try:
        yield from TopologicalSorter(calls).static_order()
    except CycleError as error:
        name = error.args[1][0][1]
        raise ModelError(f"{path}: function {name!r} calls itself, directly or by way of others; refused") from error
