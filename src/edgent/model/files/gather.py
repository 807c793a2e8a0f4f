"""Constants of every kind become initialisers of the main graph, so that all else knows one kind only.

A file may keep a constant as an initialiser, as a Constant node (in one of eight attributes), sparse, or inside the
body of an If, Loop or Scan, and the bytes of each in another file. Afterwards:

- a Constant node of the main graph is an initialiser of its output's name, and a sparse constant has its zeros;
- a large constant of a body is an initialiser of the main graph under a name that nothing else has: in a body it may
  have hidden another value of its name;
- bytes in other files are left for large initialisers of the main graph alone; all others have theirs inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import onnx
from onnx import helper

from edgent.model.files.constants import bodies, dense, inline, is_small, of_nodes
from edgent.model.files.external import is_external

_TYPED = {
    "value_float": onnx.TensorProto.FLOAT,
    "value_floats": onnx.TensorProto.FLOAT,
    "value_int": onnx.TensorProto.INT64,
    "value_ints": onnx.TensorProto.INT64,
    "value_string": onnx.TensorProto.STRING,
    "value_strings": onnx.TensorProto.STRING,
}


def gather(graph: onnx.GraphProto, source: Path) -> None:
    """Brings the constants of a graph into one form; changes the graph in place.

    Args:
        graph: the main graph of a checked model without functions.
        source: the folder of its file.

    Raises:
        ModelError: a constant whose bytes do not fit its shape, or a sparse one that is too large.
    """
    _take_sparse(graph, source)
    _take_constant_nodes(graph, source)
    names = _fresh_names(graph)
    for node in graph.node:
        for body in bodies(node):
            _lift(body, graph, source, names)
    # Small constants are read by shape inference, and those in attributes by engines: neither follows other files.
    for tensor in (*filter(is_small, graph.initializer), *of_nodes(graph.node)):
        if is_external(tensor):
            tensor.CopyFrom(inline(tensor, source))


def _take_sparse(graph: onnx.GraphProto, source: Path) -> None:
    graph.initializer.extend(dense(sparse, source) for sparse in graph.sparse_initializer)
    del graph.sparse_initializer[:]


def _take_constant_nodes(graph: onnx.GraphProto, source: Path) -> None:
    others = []
    for node in graph.node:
        if _is_constant(node):
            graph.initializer.append(_tensor(node, source))
        else:
            others.append(node)
    # Rewritten only where something changed: copying a graph's nodes takes time in large models.
    if len(others) < len(graph.node):
        del graph.node[:]
        graph.node.extend(others)


def _lift(body: onnx.GraphProto, main: onnx.GraphProto, source: Path, names: Iterator[str]) -> None:
    """Moves the large constants of a body, and of the bodies in it, to the main graph."""
    _take_sparse(body, source)
    # Inner bodies first: what they hand over passes their own names by, and this body's renaming then reaches into
    # them.
    for node in body.node:
        for inner in bodies(node):
            _lift(inner, main, source, names)
    # Small ones stay in the body, where inference reads them; large ones must not be copied with every segment.
    large = [tensor for tensor in body.initializer if not is_small(tensor)]
    nodes = []
    for node in body.node:
        tensor = _tensor(node, source) if _is_constant(node) else None
        if tensor is None or is_small(tensor):
            nodes.append(node)
        else:
            large.append(tensor)
    if large:
        _hand_over(body, nodes, large, main, names)


def _hand_over(
    body: onnx.GraphProto,
    nodes: list[onnx.NodeProto],
    large: list[onnx.TensorProto],
    main: onnx.GraphProto,
    names: Iterator[str],
) -> None:
    """Leaves a body these nodes, which read these constants of the main graph from now on."""
    fresh = dict(zip((tensor.name for tensor in large), names, strict=False))
    for tensor in large:
        main.initializer.add().CopyFrom(tensor)
        main.initializer[-1].name = fresh[tensor.name]
    small = [tensor for tensor in body.initializer if tensor.name not in fresh]
    del body.initializer[:], body.node[:]
    body.initializer.extend(small)
    body.node.extend(nodes)
    _rename(body, fresh)
    for output in body.output:
        if output.name in fresh:  # an engine takes no value from outside for a body's answer as it is
            handed, output.name = fresh[output.name], next(names)
            body.node.append(helper.make_node("Identity", [handed], [output.name]))


def _rename(body: onnx.GraphProto, fresh: Mapping[str, str]) -> None:
    """Lets a body, and those in it that have nothing else of that name, read values under other names."""
    for node in body.node:
        node.input[:] = [fresh.get(name, name) for name in node.input]
        for inner in bodies(node):
            # A name defined again inside hides the outer one: there it means something else, and must not be renamed.
            own = {value.name for value in (*inner.input, *inner.initializer)}
            own.update(name for one in inner.node for name in one.output)
            _rename(inner, {name: other for name, other in fresh.items() if name not in own})


def _is_constant(node: onnx.NodeProto) -> bool:
    return node.op_type == "Constant" and node.domain in ("", "ai.onnx")


def _tensor(node: onnx.NodeProto, source: Path) -> onnx.TensorProto:
    """The value of a Constant node, under the name of its output."""
    # A Constant has exactly one of its eight value attributes; ONNX's checker has seen to it.
    (attribute,) = node.attribute
    value = helper.get_attribute_value(attribute)
    tensor = onnx.TensorProto()
    if attribute.name == "value":
        tensor.CopyFrom(value)
    elif attribute.name == "sparse_value":
        tensor.CopyFrom(dense(value, source))
    else:
        plural = attribute.name.endswith("s")
        values = list(value) if plural else [value]
        tensor.CopyFrom(helper.make_tensor("", _TYPED[attribute.name], [len(values)] if plural else [], values))
    tensor.name = node.output[0]
    return tensor


def _fresh_names(graph: onnx.GraphProto) -> Iterator[str]:
    """Names that nothing in a graph or in its bodies has."""
    used: set[str] | None = None
    for number in count():
        # Collected at the first use: most models have no constant in a body, and need no name.
        used = used if used is not None else set(_names(graph))
        if (name := f"constant/{number}") not in used:
            yield name


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    for value in (*graph.input, *graph.output, *graph.initializer):
        yield value.name
    for node in graph.node:
        yield from (*node.input, *node.output)
        for body in bodies(node):
            yield from _names(body)
