"""Which layers a node of an engine's optimised graph stands for.

Engines fuse and replace nodes, but the tensors that survive keep their names. So a node that makes an original tensor
stands for the layers between that tensor and the originals it reads. Kernels in a layout of their own make new tensors;
ONNX Runtime names them after the tensor they replace (`relu1_nchwc`) and may fuse an addition and an activation that
follow without changing that name. Every other node that makes only new tensors (changes of layout, casts) belongs to
whoever reads what it makes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import onnx

from edgent.model.model import Segment
from edgent.model.values import Branch

_SUFFIX = "_nchwc"

# What a kernel may take over from the layers after it while it keeps its name.
_TAKEN_OVER = {"Add", "Clip", "Dropout", "HardSigmoid", "Identity", "LeakyRelu", "Relu", "Sigmoid", "Sum", "Tanh"}


def named(segment: Segment) -> Segment:
    """The segment with each node called like the first tensor it makes: a unique name, which engines hand on."""
    # Exporters leave names empty or give one twice; each tensor has one name and one maker.
    proto = onnx.ModelProto.FromString(segment.proto)
    for node in proto.graph.node:
        node.name = _first(node.output)
    return replace(segment, proto=proto.SerializeToString())


def node_layers(path: Path, branch: Branch) -> dict[str, tuple[int, ...]]:
    """Layers of a branch by name of the optimised node that stands for them.

    Args:
        path: the optimised graph, as the engine wrote it.
        branch: the branch whose whole segment, `named`, it was made of.

    Returns:
        Node name to positions of layers, rising; empty for a node that could be tied to none. Several nodes may stand
        for one layer. A layer that no node stands for is not run.
    """
    graph = onnx.load(path, load_external_data=False).graph
    walk = _Walk(branch, graph)
    layers = {node.name: walk.visit(node) for node in graph.node}
    _give_to_readers(graph, layers)
    return layers


class _Walk:
    """Visits the optimised nodes in their order, and remembers which layers are booked already.

    Each layer's time is measured once, so each layer that ran must be booked to a node, and none to two nodes that do
    different work: a cut between the two would count the work twice, or not at all.
    """

    def __init__(self, branch: Branch, graph: onnx.GraphProto) -> None:
        self.layers = branch.layers
        self.made_by = {name: position for position, layer in enumerate(branch.layers) for name in layer.outputs}
        self.originals = {tensor.name for tensor in branch.inputs} | self.made_by.keys()
        self.end_of = {name: position for position, layer in enumerate(branch.layers) for name in layer.own}
        # A layer in which some node ends is that node's, whatever an earlier node might take over.
        self.claimed = {position for node in graph.node for position in self.ends(node)}
        # Layers that an earlier node stands for: each layer is booked to the node that first reaches it.
        self.covered: set[int] = set()
        self.stands_for: dict[str, set[str]] = {}  # a new tensor to the originals it replaces or is made of

    def ends(self, node: onnx.NodeProto) -> list[int]:
        """The layers that end in this node; none for a part of a layer."""
        # A node in the engine's own layout makes no original tensor; its name tells which one it replaces.
        names = [name for name in node.output if name in self.originals] or [node.name.removesuffix(_SUFFIX)]
        return sorted({self.end_of[name] for name in names if name in self.end_of})

    def visit(self, node: onnx.NodeProto) -> tuple[int, ...]:
        """The layers it stands for; empty if that is for its readers to say."""
        ends = self.ends(node)
        reads = self._originals(node.input)
        new = self._behind(ends, reads)
        # Only nodes in another layout keep their name while they take over what follows.
        if ends and not any(name in self.made_by for name in node.output):
            new |= self._taken_over(ends, reads)
        self.covered |= new
        outputs = {name for position in {*ends, *new} for name in self.layers[position].outputs}
        for name in node.output:
            self.stands_for[name] = {name} if name in self.originals else outputs or reads
        return tuple(sorted(new)) or tuple(ends)  # a change of layout back: of the layer whose tensor it makes

    def _originals(self, names: Iterable[str]) -> set[str]:
        """The original tensors behind some tensors of the engine's."""
        originals: set[str] = set()
        for name in names:
            originals |= self.stands_for.get(name, {name} if name in self.originals else set())
        return originals

    def _behind(self, ends: list[int], reads: set[str]) -> set[int]:
        """The layers at the ends, and those between them and what is read, that no earlier node stands for."""
        stack, layers = list(ends), set()
        # Backwards from the ends to what is read: what lies between has been fused into this node.
        while stack:
            position = stack.pop()
            if position in self.covered or position in layers or reads.intersection(self.layers[position].own):
                continue
            layers.add(position)
            stack += [self.made_by[name] for name in self.layers[position].inputs if name in self.made_by]
        return layers

    def _taken_over(self, ends: list[int], reads: set[str]) -> set[int]:
        """The layers after the ends that no node claims, and that need nothing else than this node has."""
        available = reads.union(*(self.layers[position].outputs for position in ends))
        fresh = available - reads
        # What is fused grows along the layers: an activation after an addition after this node is taken over as well.
        layers = set()
        for position in range(max(ends) + 1, len(self.layers)):
            layer = self.layers[position]
            # Fused are only layers that need nothing beyond what this node reads or makes: any other input would be an
            # edge of the graph from outside, which the node would list.
            free = position not in self.claimed and position not in self.covered and layer.op in _TAKEN_OVER
            if free and fresh.intersection(layer.inputs) and available.issuperset(layer.inputs):
                layers.add(position)
                fresh.update(layer.outputs)
                available.update(layer.outputs)
        return layers


def _give_to_readers(graph: onnx.GraphProto, layers: dict[str, tuple[int, ...]]) -> None:
    """Nodes tied to no layer take those of the first reader downstream, else of their last producer."""
    readers: dict[str, list[str]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node.name)
    maker = {name: node.name for node in graph.node for name in node.output}
    # A change of layout ahead of a kernel is that kernel's cost: it would vanish together with the kernel.
    for node in reversed(graph.node):
        ways = (layers[reader] for name in node.output for reader in readers.get(name, ()))
        layers[node.name] = layers[node.name] or next(filter(None, ways), ())
    # Nodes at the end that nobody reads belong to what they come from.
    for node in graph.node:
        ways = (layers[maker[name]] for name in reversed(node.input) if name in maker)
        layers[node.name] = layers[node.name] or next(filter(None, ways), ())


def _first(names: Iterable[str]) -> str:
    return next(name for name in names if name)
