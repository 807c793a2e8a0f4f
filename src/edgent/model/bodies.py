"""What is inside the nodes of control flow: If runs one of its bodies, Loop and Scan theirs again and again."""

from __future__ import annotations

import math
from collections.abc import Mapping

import onnx
from onnx import numpy_helper, shape_inference

from edgent.model.model import Segment
from edgent.model.shapes import all_nodes, bodies, tensor_of

Shape = tuple[int, ...]


def shapes_inside(segment: Segment) -> dict[str, Shape | None]:
    """Shapes of the tensors in the bodies of a graph, by name; None where only the data decide."""
    proto = onnx.ModelProto.FromString(segment.proto)
    if not any(True for node in proto.graph.node for _ in bodies(node)):
        return {}
    inferred = shape_inference.infer_shapes(proto, data_prop=True)
    # A Loop may change the shapes that it carries from one round to the next, so inference forgets them. Nearly all
    # keep those that they begin with, and a first round has these always.
    if _keep_what_is_carried(inferred.graph):
        inferred = shape_inference.infer_shapes(inferred, data_prop=True)
    shapes: dict[str, Shape | None] = {}
    for node in all_nodes(inferred.graph):
        for body in bodies(node):
            _add(shapes, body)
    return shapes


def rounds(node: onnx.NodeProto, shapes: Mapping[str, Shape], constants: Mapping[str, onnx.TensorProto]) -> int | None:
    """How often a run of a node runs its body; None where only the data decide.

    Args:
        node: with bodies.
        shapes: of the tensors around it, as far as they are known.
        constants: those around it.
    """
    if node.op_type == "If":
        return 1
    if node.op_type == "Loop":
        # The count is an upper bound, for the condition may end a Loop before. It is the best guess that shapes give.
        most = constants.get(node.input[0])
        # Weights that lie in another file are no counts.
        return None if most is None or most.external_data else int(numpy_helper.to_array(most).ravel()[0])
    # The last inputs of a Scan are scanned along their first axis, unless it says which.
    numbers = {attribute.name: attribute for attribute in node.attribute}
    name = node.input[-numbers["num_scan_inputs"].i]
    scanned = tuple(constants[name].dims) if name in constants else shapes.get(name)
    axes = list(numbers["scan_input_axes"].ints) if "scan_input_axes" in numbers else [0]
    return scanned[axes[0]] if scanned else None


def _keep_what_is_carried(graph: onnx.GraphProto) -> bool:
    """Declares what the bodies of Loops take to be as what the Loops are given; whether there was anything to do."""
    around = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}
    changed = False
    for node in graph.node:
        for body in bodies(node):
            if node.op_type == "Loop":
                # A Loop takes a count and a condition, its body the number of the round and the condition.
                for name, inside in zip(node.input[2:], list(body.input)[2:], strict=False):
                    if name in around and tensor_of(inside).shape is None and tensor_of(around[name]).shape is not None:
                        inside.type.CopyFrom(around[name].type)
                        changed = True
            changed |= _keep_what_is_carried(body)
    return changed


def _add(shapes: dict[str, Shape | None], body: onnx.GraphProto) -> None:
    for value in (*body.input, *body.value_info, *body.output):
        shape, other = tensor_of(value).shape, shapes.get(value.name)
        # Two branches of an If may use one name; the larger tensor stands for both, for time is what is asked for.
        if other is None or (shape is not None and math.prod(shape) > math.prod(other)):
            shapes[value.name] = shape
