"""Which layers a node of an engine's optimised graph stands for.

Engines fuse and replace nodes, but the tensors that survive keep their names. So a node that makes an original tensor
stands for the layers between that tensor and the originals it reads. Nodes that make only new tensors (layout changes,
casts, kernels in a layout of their own) are named by ONNX Runtime after the tensor they replace (`relu1_nchwc`), or
else belong to whoever reads what they make.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx

from edgent.model.model import SHAPE_ONLY
from edgent.model.values import Branch

_SUFFIX = "_nchwc"


def node_layers(path: Path, branch: Branch) -> dict[str, tuple[int, ...]]:
    """Layers of a branch by name of the optimised node that stands for them; each layer at most once.

    Args:
        path: the optimised graph, as the engine wrote it.
        branch: the branch it was made of.

    Returns:
        Node name to positions of layers; an empty tuple for a node that could be tied to none.
    """
    graph = onnx.load(path, load_external_data=False).graph
    made_by = {name: position for position, layer in enumerate(branch.layers) for name in layer.outputs}
    covered: set[int] = set()
    found: dict[str, tuple[int, ...]] = {}
    for node in graph.node:
        # a shape-only node is a part of the layer that reads it, not the end of one
        ends = [] if node.op_type in SHAPE_ONLY else [made_by[name] for name in _originals(node, made_by)]
        new = tuple(sorted(set().union(*(_behind(branch, end, made_by, covered) for end in ends))))
        covered.update(new)
        found[node.name] = new
    _give_to_readers(graph, found)
    return found


def _originals(node: onnx.NodeProto, made_by: Mapping[str, int]) -> list[str]:
    names = [name for name in node.output if name in made_by]
    replaced = node.name.removesuffix(_SUFFIX)
    return names or ([replaced] if replaced != node.name and replaced in made_by else [])


def _behind(branch: Branch, end: int, made_by: Mapping[str, int], covered: set[int]) -> set[int]:
    """The layer at `end` and those before it that no earlier node stands for."""
    stack, found = [end], set()
    while stack:
        position = stack.pop()
        if position in covered or position in found:
            continue
        found.add(position)
        stack += [made_by[name] for name in branch.layers[position].inputs if name in made_by]
    return found


def _give_to_readers(graph: onnx.GraphProto, found: dict[str, tuple[int, ...]]) -> None:
    """Nodes tied to no layer take those of the first reader downstream, else of their producer."""
    reader = {name: node.name for node in reversed(graph.node) for name in node.input}
    maker = {name: node.name for node in graph.node for name in node.output}
    for node in reversed(graph.node):
        if not found[node.name]:
            found[node.name] = next((found[reader[name]] for name in node.output if name in reader), ())
    for node in graph.node:
        if not found[node.name]:
            found[node.name] = next((found[maker[name]] for name in node.input if name in maker), ())
