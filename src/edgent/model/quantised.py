"""Which tensors of a quantised network no cut may cross, if the pieces shall answer as the whole does.

An engine turns `DequantizeLinear -> operator -> QuantizeLinear` into one kernel that computes in whole numbers. Divided
between the two, both halves compute in floating numbers, and round otherwise: 0.035 relative, and other labels. So what
may cross is the quantised tensor itself, which is exact and a quarter of the bytes. What may not is *fused*::

    q1 -> DequantizeLinear -> a -> Conv -> b -> Relu -> c -> QuantizeLinear -> q2
    ^^ may cross              `----- fused: between the two -----'              ^^ may cross

and besides that

- what comes out of `DequantizeLinear`, also behind operators that only move values: the engine dequantises as late as
  it can, so a kernel may begin behind them even where no `QuantizeLinear` follows;
- what a `Relu` or `Clip` hands to a `QuantizeLinear`, which takes its place;
- `q1` and `q2` where nothing but such operators lies between them and they differ in scale or zero point: the engine
  makes one pair of the two, with a scale of its own.

A floating tensor that only leads to a `QuantizeLinear`, or comes out of a kernel for good, may cross as any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from edgent.model.shapes import subgraph_reads
from edgent.model.values import Tensor

_QUANTISE, _DEQUANTISE = "QuantizeLinear", "DequantizeLinear"

# The engine moves a pair past these: they move, pick or clip values, so it makes no difference whether they see
# quantised numbers or floating ones.
_MOVING = {
    "Clip", "DepthToSpace", "Expand", "Flatten", "Identity", "MaxPool", "Relu", "Reshape", "Slice", "SpaceToDepth",
    "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip

_CLIPPING = {"Clip", "Relu"}

# What stands between a stored weight and its operator.
_OF_WEIGHTS = {_QUANTISE, _DEQUANTISE, "Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def constants_of(graph: GraphProto) -> set[str]:
    """Names of the constants, and of what is made of them alone: a quantised weight is stored small on purpose.

    They belong to both sides of a cut. An answer is none of them, wherever it comes from.
    """
    constants = {tensor.name for tensor in graph.initializer}
    answers = {value.name for value in graph.output}
    # In the graph's order, so that a constant made of constants counts for those behind it. An optional input that is
    # left out has the empty name, and keeps nothing from being constant.
    for node in graph.node:
        if node.op_type in _OF_WEIGHTS and constants.issuperset(filter(None, node.input)):
            constants.update(name for name in node.output if name not in answers)
    return constants


def fused_tensors(graph: GraphProto, tensors: Mapping[str, Tensor]) -> frozenset[str]:
    """Names of the tensors that a division must not cut through.

    Args:
        graph: a folded graph.
        tensors: by name; one of unknown type counts as a floating one.
    """
    # Most networks are not quantised: none of the walks below is made for them.
    if not any(node.op_type == _DEQUANTISE for node in graph.node):
        return frozenset()
    constants = constants_of(graph)
    nodes = [node for node in graph.node if not constants.issuperset(node.output)]
    # Fused is what lies between a dequantisation and a quantisation, on a path from one to the other: both walks reach
    # it.
    behind, ahead = _behind(nodes, tensors), _ahead(nodes)
    return (
        frozenset((behind & ahead) | _moved(nodes, {tensor.name: tensor for tensor in graph.initializer})) - constants
    )


def _behind(nodes: list[NodeProto], tensors: Mapping[str, Tensor]) -> set[str]:
    """The floating tensors behind a `DequantizeLinear`."""
    behind: set[str] = set()
    for node in nodes:
        # In topological order one pass suffices. A `QuantizeLinear` ends the walk: behind it values are whole numbers
        # again.
        if node.op_type == _DEQUANTISE or (node.op_type != _QUANTISE and not behind.isdisjoint(subgraph_reads(node))):
            behind.update(name for name in node.output if _is_floating(tensors.get(name)))
    return behind


def _ahead(nodes: list[NodeProto]) -> set[str]:
    """The tensors ahead of a `QuantizeLinear`."""
    ahead: set[str] = set()
    # The mirror of `_behind`: from the end backwards, and a `DequantizeLinear` ends the walk. Only the first input of a
    # `QuantizeLinear` is quantised; the others are its scale and zero point.
    for node in reversed(nodes):
        if node.op_type == _QUANTISE:
            ahead.add(node.input[0])
        elif node.op_type != _DEQUANTISE and not ahead.isdisjoint(node.output):
            ahead.update(subgraph_reads(node))
    return ahead


def _moved(nodes: list[NodeProto], constants: Mapping[str, TensorProto]) -> set[str]:
    """Dequantised tensors, as they are or moved; clipped ones that are quantised; and pairs that become one."""
    source: dict[str, NodeProto] = {}  # by tensor: the `DequantizeLinear` that its values come from
    fused: set[str] = set()
    clipped = {node.output[0] for node in nodes if node.op_type in _CLIPPING}
    for node in nodes:
        # The quantisation's own range clips as the Relu does, so the engine drops the Relu and quantises what is before
        # it.
        if node.op_type == _QUANTISE:
            fused.update(clipped.intersection(node.input[:1]))
        if node.op_type == _DEQUANTISE:
            source[node.output[0]] = node
        elif node.input and (first := source.get(node.input[0])) is not None:
            if node.op_type in _MOVING:
                # A transposition or pooling moves values without computing: the engine may dequantise after it instead
                # of before.
                source[node.output[0]] = first
            # Dequantised and quantised again with another scale: the engine replaces both by one pair with a scale of
            # its own.
            elif node.op_type == _QUANTISE and _scale(first, constants) != _scale(node, constants):
                fused.update((first.input[0], node.output[0]))
    return fused.union(source)


def _scale(node: NodeProto, constants: Mapping[str, TensorProto]) -> list[object]:
    """Scale and zero point, to be compared: by value where they are stored in the graph."""
    # Exporters store the same scale under many names, so equal names would say too little.
    return [_value(name, constants.get(name)) for name in node.input[1:]]


def _value(name: str, constant: TensorProto | None) -> object:
    # Weights in another file are large, never a scale; compared by name.
    if constant is None or constant.data_location == TensorProto.EXTERNAL:
        return name
    array = np.asarray(numpy_helper.to_array(constant))
    return array.dtype.name, array.shape, array.tobytes()


def _is_floating(tensor: Tensor | None) -> bool:
    # Unknown counts as floating: then a cut is refused that would have been right, rather than one allowed that is
    # wrong.
    return tensor is None or tensor.dtype is None or "float" in tensor.dtype


def with_whole_pairs(
    nodes: list[NodeProto], graph: GraphProto, tensors: Mapping[str, Tensor], inputs: set[str], asked: Collection[str]
) -> list[NodeProto]:
    """The nodes of a part, with a whole pair at each end that is a quantised tensor of int8.

    Where an engine computes int8 as uint8, it changes a `QuantizeLinear` and the `DequantizeLinear` behind it together.
    A part that holds but one of the two would stay with int8 there, and there is no kernel from one to the other. So a
    part that is given such a tensor computes the floating one and quantises that, and one that is asked for it computes
    it from the dequantised one. No value changes.
    """
    stored = {tensor.name: tensor for tensor in graph.initializer}
    before, after = [], []
    for node in graph.node:
        name, inner = node.output[0], f"{node.output[0]}/paired"
        if name not in inputs.union(asked) or not _is_pair_of_int8(node, graph, tensors, stored):
            continue
        # Inside the part the tensor gets another name, so that input and output of the part keep the one that plans
        # know.
        nodes = [_renamed(one, name, inner) for one in nodes]
        if name in inputs:
            before += _dequantised(node, name, f"{inner}/floating")
            before.append(_renamed(_renamed(node, node.input[0], f"{inner}/floating"), name, inner))
        else:
            after += _quantised(node, inner, name)
    return [*before, *nodes, *after]


def _is_pair_of_int8(
    node: NodeProto, graph: GraphProto, tensors: Mapping[str, Tensor], stored: Mapping[str, TensorProto]
) -> bool:
    """Whether a node quantises to int8, by one stored number, for a single `DequantizeLinear` with a single reader.

    Where there are several, the engine leaves int8 as it is.
    """
    # A scale or zero point that is computed would have to cross as well; stored ones are on both sides.
    if node.op_type != _QUANTISE or tensors[node.output[0]].dtype != "int8" or not stored.keys() >= set(node.input[1:]):
        return False
    scale, readers = stored[node.input[1]], _readers(node.output[0], graph)
    if scale.data_type != TensorProto.FLOAT or np.prod(scale.dims) != 1:
        return False
    return [one.op_type for one in readers] == [_DEQUANTISE] and len(_readers(readers[0].output[0], graph)) == 1


def _readers(name: str, graph: GraphProto) -> list[NodeProto]:
    """The nodes that read a tensor, each as often as it does; a graph that answers with it counts as none."""
    return [node for node in graph.node for read in node.input if read == name]


def _dequantised(node: NodeProto, name: str, output: str) -> list[NodeProto]:
    """What `DequantizeLinear` makes, without it: behind it the engine would leave out the `QuantizeLinear`."""
    # x = (q - zero) * scale, spelt with Cast, Sub and Mul: the engine recognises `DequantizeLinear`, not these.
    scale, *zero = node.input[1:]
    nodes = [helper.make_node("Cast", [name], [f"{output}/cast"], to=TensorProto.FLOAT)]
    if zero:
        nodes.append(helper.make_node("Cast", zero, [f"{output}/zero"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Sub", [f"{output}/cast", f"{output}/zero"], [f"{output}/from zero"]))
    return [*nodes, helper.make_node("Mul", [nodes[-1].output[0], scale], [output])]


def _quantised(node: NodeProto, name: str, output: str) -> list[NodeProto]:
    """What `QuantizeLinear` makes of a tensor that was quantised alike, without it."""
    # q = floor(x / scale + 0.5) + zero. x is a whole multiple of the scale (it was dequantised by the same), so adding
    # a half before Floor absorbs the rounding of the division, and ties do not occur.
    scale, *zero = node.input[1:]
    half = numpy_helper.from_array(np.array(0.5, dtype=np.float32))
    nodes = [
        helper.make_node("Constant", [], [f"{output}/half"], value=half),
        helper.make_node(_DEQUANTISE, [name, *node.input[1:]], [f"{output}/floating"], domain=node.domain),
        helper.make_node("Div", [f"{output}/floating", scale], [f"{output}/steps"]),
        helper.make_node("Add", [f"{output}/steps", f"{output}/half"], [f"{output}/above"]),
        helper.make_node("Floor", [f"{output}/above"], [f"{output}/from zero"]),
    ]
    if zero:
        nodes.append(helper.make_node("Cast", zero, [f"{output}/zero"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Add", [f"{output}/from zero", f"{output}/zero"], [f"{output}/whole"]))
    return [*nodes, helper.make_node("Cast", [nodes[-1].output[0]], [output], to=TensorProto.INT8)]


def _renamed(node: NodeProto, name: str, now: str) -> NodeProto:
    if name not in (*node.input, *node.output):
        return node
    renamed = NodeProto()
    renamed.CopyFrom(node)
    for names in (renamed.input, renamed.output):
        names[:] = [now if known == name else known for known in names]
    return renamed
