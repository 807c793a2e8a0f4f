"""What the constants computed at loading may cost: known before anything is computed.

A file of a hundred bytes can ask for any amount of memory and time. So each node's cost is told from the shapes that it
reads and makes; what goes beyond the bounds is refused, since an engine would compute it when a session is made.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import onnx

from edgent.errors import ModelError
from edgent.model.flops import Shape, flops
from edgent.model.values import Tensor

MOST_BYTES = 2**30
"""At a time, beside twice what the file brings itself (a cast of half-precision weights doubles them)."""

MOST_OPERATIONS = 10**11
"""Of all nodes: some ten seconds on a slow machine."""

# How much they make depends on the numbers that they read, but not more than each of them with its position.
_AS_MANY_AS_READ = {"Compress", "NonMaxSuppression", "NonZero", "Unique"}

# They read each number once for every other, at the most.
_QUADRATIC = {
    "Attention", "CausalConvWithState", "Det", "GRU", "LinearAttention", "LSTM", "MaxRoiPool", "NonMaxSuppression",
    "RNN", "RoiAlign", "TfIdfVectorizer",
}  # fmt: skip

_UNROLLED = {"Conv", "ConvInteger", "ConvTranspose", "DeformConv", "QLinearConv"}  # to products of matrices, in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a node of constants costs.

    Attributes:
        outputs: bytes of its outputs, by name.
        scratch: bytes that it needs while it computes.
        operations: at the most.
    """

    outputs: dict[str, int]
    scratch: int
    operations: float


def cost_of(node: onnx.NodeProto, read: Sequence[Tensor], written: Sequence[Tensor]) -> Cost | None:
    """What a node of ONNX's own domain costs; None where what it reads or makes has no known size."""
    inputs = [tensor.shape for tensor in read if tensor.nbytes is not None and tensor.shape is not None]
    sizes = {tensor.name: _size(node, tensor, inputs) for tensor in written}
    known = {name: size for name, size in sizes.items() if size is not None}
    # An unknown size could be any: such a node is not folded.
    if len(inputs) < len(read) or len(known) < len(sizes):
        return None
    work = _operations(node, inputs, [tensor.shape or () for tensor in written])
    return Cost(outputs=known, scratch=_scratch(node, inputs, work), operations=work)


def check(nodes: Sequence[tuple[onnx.NodeProto, Cost]], kept: Collection[str], *, held: int, most: int) -> None:
    """Checks whether constants can be afforded.

    Args:
        nodes: in the order in which they are computed, each with its cost.
        kept: names whose numbers are kept; the others are given back behind their last reader.
        held: bytes of the constants computed before.
        most: bytes allowed at a time.

    Raises:
        ModelError: they cannot; names the node at which it ends.
    """
    # The index of the last node that reads or makes each name: behind it the memory is given back.
    last = {name: index for index, (node, _) in enumerate(nodes) for name in (*node.output, *node.input)}
    passing = {name: size for _, cost in nodes for name, size in cost.outputs.items() if name not in kept}
    work = 0.0
    # A simulation of the run: memory in use rises with each output, falls behind each last reader, and is compared at
    # its highest, with the scratch memory of the node at work. A sum of all outputs would refuse long chains of small
    # steps, of which only two are ever held.
    for index, (node, cost) in enumerate(nodes):
        held += sum(cost.outputs.values())
        work += cost.operations
        if held + cost.scratch > most:
            raise _refusal(node, f"{held + cost.scratch:,} bytes", f"{most:,}")
        if work > MOST_OPERATIONS:
            raise _refusal(node, f"{work:.1e} operations", f"{MOST_OPERATIONS:.0e}")
        ended = {name for name in (*node.input, *node.output) if last[name] == index}
        held -= sum(passing.get(name, 0) for name in ended)


def _refusal(node: onnx.NodeProto, amount: str, most: str) -> ModelError:
    return ModelError(
        f"the constants of this model take {amount} up to node {node.name or node.output[0]!r} ({node.op_type}), "
        f"more than {most}; refused"
    )


def _size(node: onnx.NodeProto, tensor: Tensor, inputs: Sequence[Shape]) -> int | None:
    if node.op_type in _AS_MANY_AS_READ and inputs:
        # Indices are int64, one for each axis, and one more for the value itself.
        return 8 * (len(inputs[0]) + 1) * sum(map(math.prod, inputs))
    return tensor.nbytes


def _operations(node: onnx.NodeProto, inputs: list[Shape], outputs: list[Shape]) -> float:
    # Even a node that computes nothing reads and writes.
    moved = float(sum(map(math.prod, (*inputs, *outputs))))
    if node.op_type in _QUADRATIC:
        return moved**2 * _samples(node) ** 2
    return max(moved, flops(node, inputs, outputs[0] if outputs else ()))


def _samples(node: onnx.NodeProto) -> float:
    """How many samples RoiAlign takes in each direction of a bin; 1 for all other operators."""
    return max([1.0, *(float(attribute.i) for attribute in node.attribute if attribute.name == "sampling_ratio")])


def _scratch(node: onnx.NodeProto, inputs: Sequence[Shape], operations: float) -> int:
    # Over more than two inputs the engine makes intermediate products; unrolled convolutions copy their input once for
    # each value that the kernel covers. A number for each operation bounds both.
    many = node.op_type == "Einsum" and len(inputs) > 2  # two are a product of matrices
    return int(8 * operations) if many or node.op_type in _UNROLLED else 0
