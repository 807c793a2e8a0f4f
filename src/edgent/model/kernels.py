"""The kernels that an engine makes of a graph: what it really runs, with the shapes they work on.

Fusing and choosing layouts is the engine's own business, so it is asked: it writes down the graph it would run, which
takes no timing. That file has no shapes; but nodes and tensors keep the names of what they replace, those in
the bodies of If, Loop and Scan too: kernels inside a kernel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import onnx

from edgent.model.bodies import Shape, rounds
from edgent.model.memory import VIEWS, Memory
from edgent.model.shapes import MOVES_ONLY, bodies, output_shapes

# ONNX Runtime appends the first to the name of a node that it replaces by one in its blocked layout, the second where
# it changes a node's layout or precision.
_REPLACED = re.compile(r"(_nchwc|_token_\d+)+$")
# And puts this before the name of a node that it makes of several.
_FUSED = "fused "
_ONNX = ("", "ai.onnx")  # names of ONNX's own domain
_EIGHT_BIT = re.compile(r"QuantizeLinear$|QLinear|QGemm$")
_HANDS_ON = MOVES_ONLY - {"Cast"} | {"MaxPool", "DepthToSpace", "SpaceToDepth", "Resize"} | VIEWS
_EXPONENTIAL = {b"Sigmoid", b"Tanh"}
_BLOCKED = "nchwc"  # in the domain of operators in the engine's own layout
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
        narrow: whether the numbers that it makes take 8 bits each, and not 32.
        sized: whether all shapes are known; where the data decide, an output counts as large as what is read.
        bodies: what runs inside: one of the bodies of an If, the only one of a Loop or a Scan.
    """

    name: str
    op: str
    inputs: tuple[Shape, ...]
    weights: tuple[Shape, ...]
    output: Shape
    distance: float
    untouched: float
    attributes: Mapping[str, tuple[int, ...]]
    narrow: bool = False
    sized: bool = True
    bodies: tuple[Body, ...] = ()

    @property
    def events(self) -> float:
        """Kernels that run with it, itself included, as a profiler notes them: of an If those of a middling body."""
        # A body that runs an unknown number of times counts once; of an If only one body runs, so their mean is taken.
        inside = [(body.rounds or 1) * sum(kernel.events for kernel in body.kernels) for body in self.bodies]
        return 1 + sum(inside) / max(1, len(inside))


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A graph inside a kernel.

    Attributes:
        kernels: of it, in its order.
        rounds: how often it runs for each run of the kernel; None where only the data decide.
    """

    kernels: tuple[Kernel, ...]
    rounds: int | None


RUN = Kernel(
    name="run", op="run", inputs=(), weights=(), output=(), distance=0.0, untouched=0.0,
    attributes={},
)  # fmt: skip
"""What a run takes beside its kernels: being called, looking at what is given, handing over what it made."""


def kernels(path: Path, shapes: Mapping[str, Shape | None]) -> tuple[Kernel, ...]:
    """The kernels of an optimised graph, in its order.

    Args:
        path: the file that the engine wrote.
        shapes: of the tensors of the graph it was made of, whose nodes were called like their outputs (`named`).
    """
    # The file is read without its weights: only shapes matter.
    model = onnx.load(path, load_external_data=False)
    opset = next((one.version for one in model.opset_import if one.domain in _ONNX), 1)
    unsized = frozenset(name for name, shape in shapes.items() if shape is None)
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    return _Walk(model.graph, opset, known, unsized, {}).kernels()


class _Walk:
    """Goes through a graph node by node, for the engine's own tensors have no shapes in the file.

    Args:
        graph: the whole one, or a body.
        opset: the version of ONNX's operators.
        known: shapes; those that are worked out are added.
        unsized: tensors whose shapes only the data decide.
        around: the constants of the graphs around this one, which a body sees too.
    """

    def __init__(
        self,
        graph: onnx.GraphProto,
        opset: int,
        known: dict[str, Shape],
        unsized: frozenset[str],
        around: Mapping[str, onnx.TensorProto],
    ) -> None:
        self._nodes, self._opset, self._known, self._unsized = graph.node, opset, known, unsized
        self._constants = {**around, **{tensor.name: tensor for tensor in graph.initializer}}
        self._narrow: set[str] = set()
        self._stream, self._memory = _Stream(), Memory(graph)

    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels of the graph, in its order."""
        in_one_run = [self._kernel(node) for node in self._nodes]
        # In steady state a run follows a run: what was touched "never" within one run was touched in the one before.
        most = self._stream.passed
        return tuple(
            replace(one, distance=min(one.distance, most), untouched=min(one.untouched, most)) for one in in_one_run
        )

    def _kernel(self, node: onnx.NodeProto) -> Kernel:
        inputs = [name for name in node.input if name]
        read = [name for name in inputs if name not in self._constants]
        computed = tuple(self._known.get(name, ()) for name in read)
        weights = tuple(tuple(self._constants[name].dims) for name in inputs if name in self._constants)
        sized = self._sizes(node, read)
        output = _output(node, self._known, computed)
        # A tensor of known shape keeps it; only new tensors take the shape that was worked out.
        self._known.update({name: self._known.get(name, output) for name in node.output if name})
        kernel = Kernel(
            name=node.name,
            op=_operator(node),
            inputs=computed,
            weights=weights,
            output=output,
            distance=self._stream.since(read),
            untouched=self._stream.passed - self._memory.written_at(node, read, _numbers(node, output)),
            attributes=dict(filter(None, map(_attribute, node.attribute))),
            narrow=self._narrows(node, read),
            sized=sized,
            bodies=tuple(map(partial(self._body, node), bodies(node))),
        )
        # Constants are read and outputs written: both push older data out of the caches.
        self._stream.add(node, read, sum(map(math.prod, weights)) + math.prod(output))
        self._memory.passed(node, read, self._stream.passed)
        return kernel

    def _narrows(self, node: onnx.NodeProto, read: Sequence[str]) -> bool:
        """Whether a node makes numbers of 8 bits: it quantises, computes in 8 bits, or hands on what it reads."""
        hands_on = node.op_type in _HANDS_ON and bool(read) and read[0] in self._narrow
        narrow = hands_on or _EIGHT_BIT.match(node.op_type) is not None
        if narrow:
            self._narrow.update(node.output)
        return narrow

    def _sizes(self, node: onnx.NodeProto, read: Sequence[str]) -> bool:
        """Works out the shapes of what a node makes, where nobody knows them yet; whether they depend on no data."""
        if not self._unsized.isdisjoint(read):
            self._unsized |= set(node.output)
        elif _BLOCKED not in node.domain and not self._known.keys() >= {name for name in node.output if name}:
            # The inference over the graph that the engine was given knows less: what is constant it has computed since.
            # Constants in the engine's own layout are padded, and so would be what follows from them.
            worked_out = output_shapes(node, self._opset, self._known, self._constants)
            self._known.update({name: worked_out[name] for name in worked_out.keys() - self._known.keys()})
            self._unsized -= {*worked_out}
        return self._unsized.isdisjoint(node.output)

    def _body(self, node: onnx.NodeProto, graph: onnx.GraphProto) -> Body:
        return Body(
            kernels=_Walk(graph, self._opset, self._known, self._unsized, self._constants).kernels(),
            rounds=rounds(node, self._known, self._constants),
        )


class _Stream:
    """The numbers that pass through the caches during a run, and where in that stream each tensor was made.

    Time is counted in numbers and not in seconds: what pushes a tensor out of a cache is what came after it, whatever
    the machine's speed and the size of its caches.
    """

    def __init__(self) -> None:
        self.passed = 0.0
        self._made_at: dict[str, float] = {}

    def since(self, names: Sequence[str]) -> float:
        """How many passed since the oldest of some tensors was made; an input of the graph is older than the run."""
        # The oldest of them decides: a kernel can finish no earlier than its slowest input arrives.
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
    # `ReorderOutput` is the kernel that leaves this layout, so what it makes is of the usual one again.
    if _BLOCKED in node.domain and node.op_type != "ReorderOutput" and len(output) == 4:
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
