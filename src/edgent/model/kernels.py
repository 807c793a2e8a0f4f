"""The kernels that an engine makes of a graph: what it really runs, with the shapes they work on.

Fusing and choosing layouts is the engine's own business, so it is asked: it writes down the graph it would run, which
takes no timing. That file has no shapes; but nodes and tensors keep the names of what they replace.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from edgent.model.memory import VIEWS, Memory

Shape = tuple[int, ...]

# ONNX Runtime appends the first to the name of a node that it replaces by one in its blocked layout, the second where
# it changes a node's layout or precision.
_REPLACED = re.compile(r"(_nchwc|_token_\d+)+$")
# And puts this before the name of a node that it makes of several.
_FUSED = "fused "
_EXPONENTIAL = {b"Sigmoid", b"Tanh"}
_CHANNEL_BLOCK = 16  # with AVX-512; 8 with AVX2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """One node of the optimised graph.

    Attributes:
        name: the node's name.
        op: its operator, with the domain before it unless that is ONNX's own: "nchwc.Conv".
        inputs: shapes of the tensors that are computed.
        weights: shapes of the constants.
        output: shape of the first tensor made.
        distance: numbers that were made, or read as constants, since the oldest of its inputs was made; for an input of
            the graph, those of a whole run. What lies long ago is in no cache any more.
        untouched: the same since the memory that it writes to was last touched.
        attributes: the whole-number ones; and of a fused activation 1, or 2 where it computes exponentials.
    """

    name: str
    op: str
    inputs: tuple[Shape, ...]
    weights: tuple[Shape, ...]
    output: Shape
    distance: float
    untouched: float
    attributes: Mapping[str, tuple[int, ...]]


def kernels(path: Path, shapes: Mapping[str, Shape | None]) -> tuple[Kernel, ...]:
    """The kernels of an optimised graph, in its order.

    Args:
        path: the file that the engine wrote.
        shapes: of the tensors of the graph it was made of, whose nodes were called like their outputs (`named`).
    """
    graph = onnx.load(path, load_external_data=False).graph
    # The file is read without its weights: only shapes matter.
    constants = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    stream, memory = _Stream(), Memory(graph)
    fused = []
    for node in graph.node:
        inputs = [name for name in node.input if name]
        read = [name for name in inputs if name not in constants]
        computed = tuple(known.get(name, ()) for name in read)
        weights = tuple(constants[name] for name in inputs if name in constants)
        # Shapes are carried forward node by node, for the engine's own tensors have none in the file.
        output = _output(node, known, computed)
        # A tensor of known shape keeps it; only new tensors take the shape that was worked out.
        known.update(dict.fromkeys(node.output, output) | {n: known[n] for n in node.output if n in known})
        fused.append(
            Kernel(
                name=node.name,
                op=_operator(node),
                inputs=computed,
                weights=weights,
                output=output,
                distance=stream.since(read),
                untouched=stream.passed - memory.written_at(node, read, _numbers(node, output)),
                attributes=dict(filter(None, map(_attribute, node.attribute))),
            )
        )
        # Constants are read and outputs written: both push older data out of the caches.
        stream.add(node, read, sum(map(math.prod, weights)) + math.prod(output))
        memory.passed(node, read, stream.passed)
    # In steady state a run follows a run: what is "never" within one run was touched in the one before.
    return tuple(
        replace(one, distance=min(one.distance, stream.passed), untouched=min(one.untouched, stream.passed))
        for one in fused
    )


class _Stream:
    """The numbers that pass through the caches during a run, and where in that stream each tensor was made."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._made_at: dict[str, float] = {}

    def since(self, names: Sequence[str]) -> float:
        """How many passed since the oldest of some tensors was made; what is given is older than the run."""
        return max((self.passed - self._made_at.get(name, -math.inf) for name in names), default=0.0)

    def add(self, node: onnx.NodeProto, read: Sequence[str], numbers: int) -> None:
        """A node has run. A view is as old as what it shows, and moves nothing."""
        view = node.op_type in VIEWS and read
        made_at = self._made_at.get(read[0], -math.inf) if view else self.passed
        self._made_at |= dict.fromkeys(node.output, made_at)
        self.passed += 0 if view else numbers


def _output(node: onnx.NodeProto, known: Mapping[str, Shape], computed: tuple[Shape, ...]) -> Shape:
    """The shape by the tensor's name, else by the node's, else that of what is read: a change of layout."""
    # An engine's tensor has no shape in the file, but it, or its node, is named after the one that it replaces.
    for name in (*node.output, node.name.removeprefix(_FUSED), _REPLACED.sub("", node.name)):
        if name in known:
            return known[name]
    return max(computed, key=len, default=())


def _numbers(node: onnx.NodeProto, output: Shape) -> int:
    """How many the output takes in memory: the engine's own layout has its channels in whole blocks."""
    if "nchwc" in node.domain and node.op_type != "ReorderOutput" and len(output) == 4:
        # The blocked layout pads the channels to whole blocks: 3 channels take the memory of 16.
        return math.prod((output[0], -(-output[1] // _CHANNEL_BLOCK) * _CHANNEL_BLOCK, *output[2:]))
    return math.prod(output)


def _operator(node: onnx.NodeProto) -> str:
    domain = node.domain.rsplit(".", 1)[-1]
    # The engine's own domain stays in the name: its kernels in another layout are other implementations, so other
    # families.
    return node.op_type if domain in ("", "onnx", "ai", "microsoft") else f"{domain}.{node.op_type}"


def _attribute(attribute: onnx.AttributeProto) -> tuple[str, tuple[int, ...]] | None:
    match attribute.type:
        case onnx.AttributeProto.INT:
            return attribute.name, (attribute.i,)
        case onnx.AttributeProto.INTS:
            return attribute.name, tuple(attribute.ints)
        case onnx.AttributeProto.STRING if attribute.name == "activation":
            # An exponential that is fused in takes time of its own, a Relu hardly any: 2 and 1 keep them apart.
            return attribute.name, (2 if attribute.s in _EXPONENTIAL else 1,)
        case _:
            return None
