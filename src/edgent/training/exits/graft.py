"""Trained twigs put onto a network's own file: what is there stays as it is, and new outputs come behind the old ones.

The file is the original one and not the graph as it is folded here: so all that other programs read of it is still
there. A new reader of a tensor may still change what an engine makes of the old nodes, for it may no longer join a node
with its reader; that is why `is_unchanged` compares the old answer of both files bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgent.engine.feeds import Feeds
from edgent.engine.onnxruntime import Original
from edgent.errors import ModelError
from edgent.files import write_whole
from edgent.model.configuration.document import write_key
from edgent.model.configuration.sources import find
from edgent.model.files.bundle import opset_of
from edgent.model.files.read import read, read_whole
from edgent.training.exits.places import ExitPlace
from edgent.training.exits.twigs import TwigForm, TwigWeights

_FIRST_OPSET = 7  # of the linear layer as it is written here


class Twig(NamedTuple):
    """An exit to be: where it reads, its layers, and their weights."""

    place: ExitPlace
    form: TwigForm
    weights: TwigWeights


def grafted(path: Path, twigs: Sequence[Twig]) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """A model's file with twigs, and the names of their outputs.

    Args:
        path: of the original file.
        twigs: in the order of their exits.

    Raises:
        ModelError: the file cannot be read, is of too old an opset, or does not have a place under its name.
    """
    proto = read_whole(path)
    if opset_of(proto) < _FIRST_OPSET:
        raise ModelError(f"{path}: found opset {opset_of(proto)}, expected {_FIRST_OPSET} or more: convert it first")
    known = {name for node in proto.graph.node for name in node.output}
    for twig in twigs:
        if twig.place.tensor not in known:
            raise ModelError(f"{path}: {twig.place.tensor!r} is made inside a function; export the model without any")
    proto.ir_version = max(proto.ir_version, 4)  # the first in which a constant need not be an input too
    names = tuple(_unused(proto.graph, f"exit{number}") for number in range(len(twigs)))
    for name, twig in zip(names, twigs, strict=True):
        _append(proto.graph, name, twig)
    return proto, names


def write_grafted(path: Path, twigs: Sequence[Twig], target: Path) -> None:
    """Writes a model's file with twigs, all of its configuration inside; nothing is said yet of what exits are worth.

    Args:
        path: of the original file.
        twigs: in the order of their exits.
        target: the file to write.

    Raises:
        ModelError: as `grafted`.
    """
    proto, names = grafted(path, twigs)
    stated = find(path, read(path))
    last = stated.document.get("exits") or [{"name": "last", "outputs": [v.name for v in read(path).graph.output]}]
    exits = [*({"name": name, "outputs": [name]} for name in names), *last]
    write_key(proto, {**stated.document, "exits": exits}, stated.post_graph)
    write_whole(target, proto.SerializeToString())


def is_unchanged(original: Path, grafted: Path, feeds: Sequence[Feeds]) -> bool:
    """Whether all outputs of a file are bit for bit the same in another one, in plain ONNX Runtime."""
    before, after = Original(original), Original(grafted)
    return all(_are_same(before.run(one), after.run(one)) for one in feeds)


def _are_same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return all(np.asarray(after[name]).tobytes() == np.asarray(value).tobytes() for name, value in before.items())


def _unused(graph: onnx.GraphProto, name: str) -> str:
    """A name that no tensor has, and that none begins with as a folder."""
    tensors = {value for node in graph.node for value in (*node.input, *node.output)}
    while any(tensor == name or tensor.startswith(f"{name}/") for tensor in tensors):
        name = f"{name}_"
    return name


def _append(graph: onnx.GraphProto, name: str, twig: Twig) -> None:
    nodes = _Nodes(graph, name)
    x = twig.place.tensor
    if twig.form.pool > 1:
        x = nodes.add("AveragePool", "mean", x, kernel_shape=[twig.form.pool] * 2, strides=[twig.form.pool] * 2)
    *layers, linear = twig.weights.layers
    for number, (layer, weights) in enumerate(zip(twig.form.convolutions, layers, strict=True)):
        shape: dict[str, Any] = {"kernel_shape": [layer.kernel] * 2, "strides": [layer.stride] * 2}
        x = nodes.add("Conv", f"conv{number}", x, weights, pads=[layer.kernel // 2] * 4, **shape)
        x = nodes.add("Relu", f"relu{number}", x)
    x = nodes.add("Flatten", "flatten", nodes.add("GlobalAveragePool", "pool", x), axis=1)
    scores = None if twig.form.is_share else name
    x = nodes.add("Gemm", "linear", x, linear, output=scores, transB=1)
    if twig.form.is_share:
        nodes.add("Softmax", "softmax", x, output=name, axis=1)
    graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [_batch(graph), twig.form.outputs]))


def _batch(graph: onnx.GraphProto) -> int | str | None:
    """The first dimension of the first input, as the file has it."""
    constants = {tensor.name for tensor in graph.initializer}
    dims = next(value for value in graph.input if value.name not in constants).type.tensor_type.shape.dim
    if not dims or not dims[0].HasField("value"):
        return None
    return str(dims[0].dim_param) if dims[0].HasField("dim_param") else int(dims[0].dim_value)


class _Nodes:
    """Appends nodes of one twig; each call returns the name of what the node makes."""

    def __init__(self, graph: onnx.GraphProto, prefix: str) -> None:
        self.graph, self.prefix = graph, prefix

    def add(
        self,
        kind: str,
        name: str,
        x: str,
        weights: tuple[Any, Any] | None = None,
        output: str | None = None,
        **attributes: Any,
    ) -> str:
        name = f"{self.prefix}/{name}"
        inputs = [x]
        for array, what in zip(weights or (), ("weight", "bias"), strict=False):
            inputs.append(f"{name}/{what}")
            self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), inputs[-1]))
        output = output or name
        self.graph.node.append(helper.make_node(kind, inputs, [output], name=name, **attributes))
        return output
