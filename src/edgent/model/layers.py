"""From a folded graph to layers and branches: what a cut counts.

A cut is a number, so every machine must count the same layers in the same order: that of the file, which is part of the
model's digest. A node that only changes a tensor's shape, or that makes a constant, is no layer: a cut behind it would
send the same bytes as the cut before it. It joins the first layer that reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from edgent.model.metadata import ExitInfo
from edgent.model.quantised import constants_of, fused_tensors
from edgent.model.shapes import subgraph_reads
from edgent.model.values import Branch, Layer, Tensor

# They change a tensor's shape and nothing else, so each belongs to the layer that reads it.
SHAPE_ONLY = {"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}


def branches_of(
    graph: onnx.GraphProto, exits: Sequence[ExitInfo], inputs: tuple[Tensor, ...], tensors: dict[str, Tensor]
) -> tuple[Branch, ...]:
    """The branches of a folded graph, one for each exit.

    Args:
        graph: Its nodes in an order in which each comes after those that it reads.
        exits: What each answers with; the earliest first.
        inputs: What a request brings.
        tensors: All of the graph, by name.
    """
    # Constants and fused tensors are the graph's and not a branch's: found once, however many exits there are.
    constants, fused = constants_of(graph), fused_tensors(graph, tensors)
    layers = [_layers(graph, entry.outputs, constants) for entry in exits]
    return tuple(
        Branch(
            exit=number,
            name=entry.name,
            layers=own,
            inputs=_read(inputs, own, entry.outputs),
            outputs=tuple(tensors[name] for name in entry.outputs),
            accuracy=entry.accuracy,
            tensors=tensors,
            fused=fused,
        )
        for number, (entry, own) in enumerate(zip(exits, layers, strict=True))
    )


def _read(inputs: tuple[Tensor, ...], layers: Sequence[Layer], outputs: Sequence[str]) -> tuple[Tensor, ...]:
    """The inputs that a branch reads; all of them where it reads none, for a request has to bring something."""
    read = {name for layer in layers for name in layer.inputs}.union(outputs)
    return tuple(tensor for tensor in inputs if tensor.name in read) or inputs


def _layers(graph: onnx.GraphProto, outputs: tuple[str, ...], constants: set[str]) -> tuple[Layer, ...]:
    """The layers of one branch in the file's order."""
    indices = _ancestors(graph, outputs)
    # The first reader of each tensor: going backwards, an earlier node overwrites what a later one wrote.
    reader: dict[str, int] = {}
    for index in reversed(indices):
        reader.update(dict.fromkeys(subgraph_reads(graph.node[index]), index))
    members: dict[int, list[int]] = {}
    home: dict[int, int] = {}
    # Backwards, so that a node's reader has found its layer before the node asks for it.
    for index in reversed(indices):
        node = graph.node[index]
        joins = node.op_type in SHAPE_ONLY or node.output[0] in constants
        next_reader = reader.get(node.output[0]) if joins else None
        # A node that joins goes where its reader went, so a chain of them ends in one layer. One that nobody reads is
        # the branch's answer, and a layer by itself.
        home[index] = index if next_reader is None else home[next_reader]
        members.setdefault(home[index], []).append(index)
    return tuple(_layer(graph, tuple(sorted(members[index])), constants) for index in sorted(members))


def _layer(graph: onnx.GraphProto, nodes: tuple[int, ...], constants: set[str]) -> Layer:
    # The last node is the one that the others joined: it gives the layer its name and its kind.
    own = graph.node[nodes[-1]]
    # What joined nodes make is an output too: a later layer, or another exit, may read it.
    outputs = [name for index in nodes for name in graph.node[index].output if name and name not in constants]
    reads = dict.fromkeys(name for index in nodes for name in subgraph_reads(graph.node[index]))
    return Layer(
        name=own.name or outputs[-1],
        op=own.op_type,
        nodes=nodes,
        inputs=tuple(name for name in reads if name not in constants and name not in outputs),
        outputs=tuple(outputs),
        own=tuple(name for name in own.output if name),
    )


def _ancestors(graph: onnx.GraphProto, outputs: tuple[str, ...]) -> list[int]:
    """Positions of the nodes that some outputs depend on: another exit's nodes are no layers of this branch."""
    wanted = set(outputs)
    needed = []
    # The nodes stand in topological order, so one pass from the end meets each after all that read it.
    for index in range(len(graph.node) - 1, -1, -1):
        node = graph.node[index]
        if wanted.intersection(node.output):
            wanted.update(subgraph_reads(node))
            needed.append(index)
    return needed[::-1]
