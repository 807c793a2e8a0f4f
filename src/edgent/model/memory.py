"""Where an engine puts the tensors of a run: how long the memory that a kernel writes to has lain untouched.

Memory is planned ahead: an element-wise kernel writes over an input that nobody needs any more; any other takes the
memory given back last that is large enough. In a deep network of equal layers that is still in the caches; a kernel
that comes first to a piece of memory waits for it, up to three times as long as it computes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import onnx

VIEWS = {"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}  # they move nothing
_IN_PLACE = {
    "Add", "BatchNormalization", "Clip", "Div", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mul",
    "QuickGelu", "Relu", "Sigmoid", "Softmax", "Sub", "Sum", "Tanh",
}  # fmt: skip


@dataclass(slots=True)
class _Block:
    """A piece of memory: numbers it holds, how many reads of it are still to come, and when it was last touched."""

    numbers: int
    reads: int
    touched_at: float


class Memory:
    """The memory of one run, followed node by node. Times are counts of numbers that have passed through the caches."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._asked = {tensor.name for tensor in graph.output}
        self._reads = Counter(name for node in graph.node for name in set(node.input))
        self._blocks: dict[str, _Block] = {}
        self._free: list[_Block] = []

    def written_at(self, node: onnx.NodeProto, read: Sequence[str], numbers: int) -> float:
        """When the memory that a node writes to was last touched; minus infinity for what is new to the run.

        Args:
            node: runs now.
            read: the computed tensors that it reads.
            numbers: that it makes.
        """
        # Counted down before a place is sought: the last reader of a tensor may write over it.
        inputs = [self._blocks[name] for name in dict.fromkeys(read) if name in self._blocks]
        for block in inputs:
            block.reads -= 1
        block = self._view(node, inputs) or self._place(node, inputs, numbers)
        touched_at = block.touched_at
        # A view shares the block of what it shows, and its readers become readers of that block.
        for name in filter(None, node.output):
            self._blocks[name] = block
            block.reads += self._reads[name] + (name in self._asked)
        return touched_at

    def passed(self, node: onnx.NodeProto, read: Sequence[str], now: float) -> None:
        """A node has run: what it read and made was touched now, and what nobody reads any more is given back."""
        for name in {*read, *node.output} & self._blocks.keys():
            block = self._blocks[name]
            block.touched_at = now
            # By identity, for equal blocks are different pieces of memory.
            if block.reads <= 0 and not any(block is free for free in self._free):
                self._free.append(block)

    @staticmethod
    def _view(node: onnx.NodeProto, inputs: Sequence[_Block]) -> _Block | None:
        return inputs[0] if node.op_type in VIEWS and inputs else None

    def _place(self, node: onnx.NodeProto, inputs: Sequence[_Block], numbers: int) -> _Block:
        # Memory that no kernel of this run has touched before is the oldest of all.
        fresh = _Block(numbers, 0, -math.inf)
        if not self._asked.isdisjoint(node.output):  # whoever asked gets it, in memory of its own
            return fresh
        # Only over an input of the same size that has no other reader: otherwise somebody would read the result
        # instead.
        if node.op_type in _IN_PLACE:
            for block in inputs:
                if block.reads <= 0 and block.numbers == numbers:
                    return block
        fitting = [block for block in self._free if block.numbers >= numbers]
        if not fitting:
            return fresh
        # The last one given back is the likeliest to be in the caches still; one of the very size leaves no rest.
        fitted = next((block for block in reversed(fitting) if block.numbers == numbers), fitting[-1])
        self._free.remove(fitted)
        # What is left of a larger block stays free, and as old as it was.
        if fitted.numbers > numbers:
            self._free.append(_Block(fitted.numbers - numbers, 0, fitted.touched_at))
        return _Block(numbers, 0, fitted.touched_at)
