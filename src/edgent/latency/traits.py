"""What the time of a kernel depends on: its family, the work that it does, and the form of that work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgent.model.kernels import Kernel
from edgent.model.memory import VIEWS

_FLOAT = 4
# The effect of age is a logarithm between two plateaus: in a core's own cache age does not matter, and beyond the
# largest shared cache nothing is left of it.
_CACHED, FORGOTTEN = 1e5, 4.8e7  # bytes: so few are always at hand; after so many nothing is any more
CONVOLUTIONS = {"Conv", "FusedConv", "nchwc.Conv", "QLinearConv", "ConvInteger"}
_UNFOLDING = {"Conv", "FusedConv"}  # the engine's own layout needs none
PRODUCTS = {
    "Gemm", "FusedGemm", "MatMul", "FusedMatMul", "QGemm", "QLinearMatMul", "MatMulInteger", "DynamicQuantizeMatMul",
    "MatMulIntegerToFloat",
}  # fmt: skip
_TAKES_PARTS = {"Gather", "GatherElements", "GatherND", "Slice"}  # they read as much as they make, of however much
RECURRENT = {"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"}
USUAL_ROUNDS = 10  # of a loop, where only the data tell how many
_MOST_FIRST = 4  # channels of an image; a convolution reads so few in another layout than the rest

_Age = tuple[float, float, float]  # logarithms: of its constants, of its inputs, of the memory it writes to
_AGES = 3
WORK = ("call", "flops", "bytes in", "bytes out", "bytes of weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """A kernel as a latency model sees it.

    Attributes:
        family: kernels that share one implementation, and so one fit.
        work: one call, floating point operations, bytes read, bytes made, bytes of constants: what time is linear in.
        form: logarithms of sizes, and small numbers: what efficiency depends on.
        convolution: channels read, filters, side of the filter and stride, for a convolution.
    """

    family: str
    work: tuple[float, ...]
    form: tuple[float, ...]
    convolution: tuple[float, float, float, float] | None = None

    @property
    def shape(self) -> tuple[object, ...]:
        """What is equal for two kernels of one kind and size, whatever ran before them: all but the ages."""
        return (self.family, self.work, self.form[:-_AGES])


def footprint(kernels: Sequence[Kernel]) -> float:
    """Bytes that one run of a graph touches: its constants, and all tensors that it makes."""
    shapes = (shape for kernel in kernels for shape in (*kernel.weights, kernel.output))
    return _FLOAT * float(sum(map(math.prod, shapes)))


def traits(kernel: Kernel, touched: float) -> Traits:
    """Describes a kernel.

    Args:
        kernel: from the engine's optimised graph.
        touched: bytes that are read and made from one run of this kernel to its next: whether its constants are still
            in the caches depends on it.
    """
    # Age is how many bytes passed through the caches since a tensor was last touched: its constants since the last run,
    # its inputs since they were made, its output's memory since it was last used.
    age = (
        _aged(touched) if kernel.weights else 0.0,
        _aged(_FLOAT * kernel.distance) if kernel.inputs else 0.0,
        _aged(_FLOAT * kernel.untouched),
    )
    weights = _largest(kernel)
    if kernel.op in CONVOLUTIONS and len(weights) in (3, 4) and len(kernel.output) == len(weights):
        return _convolution(kernel, age)
    if kernel.op in PRODUCTS and kernel.inputs and kernel.output:
        return _product(kernel, age)
    if kernel.op in RECURRENT and kernel.weights and len(kernel.inputs[0]) == 3:
        return _recurrent(kernel, age)
    return _other(kernel, age)


def _convolution(kernel: Kernel, age: _Age) -> Traits:
    # ONNX lays convolution weights out as [filters, channels / groups, height, width], without a height in one
    # dimension.
    maps, depth, *sides = _largest(kernel)
    height, width = (1, *sides)[-2:]
    groups = _first(kernel, "group")
    rows, columns = (1, *kernel.output[2:])[-2:]
    elements = float(maps * rows * columns)
    # A multiplication and an addition for each weight and each position of the output.
    flops = 2.0 * elements * depth * height * width
    # More than one input: the addition of a residual connection was fused in, and reads another map.
    fused = len(kernel.inputs) - 1
    work = _work(kernel, flops, elements * _FLOAT)
    if kernel.op in _UNFOLDING and height * width > 1:
        # Each value is copied as often as the filter covers it, and read from there by a product.
        call, flops, _, written, constants = work
        work = (call, flops, _FLOAT * float(depth * groups * height * width * rows * columns), written, constants)
    # Sizes enter as logarithms, for efficiency changes by factors of a size. `_filled` are not logarithms: they are the
    # steps of vectorised kernels, which work on blocks of 64 or 16 filters and 6 columns and pay for a whole block
    # always.
    form = (
        _log(depth), _log(maps / groups), _log(groups), _log(rows), _log(columns), _log(height * width),
        abs(_log(height / width)), _log(_first(kernel, "strides")), float(fused),
        *_activated(kernel), _filled(maps, 64), _filled(maps, 16), _filled(columns, 6), *age,
    )  # fmt: skip
    # The runtime has different implementations for these; within one, time is a smooth function of the form.
    kind = _convolution_kind(maps, depth, groups, height * width)
    paper = (float(depth * groups), float(maps), math.sqrt(height * width), float(_first(kernel, "strides")))
    return Traits(family=f"{_unfused(kernel)} {kind}", work=work, form=form, convolution=paper)


def _convolution_kind(maps: int, depth: int, groups: int, area: int) -> str:
    if groups > 1:
        return "depthwise" if depth == 1 and groups == maps else "grouped" if area > 1 else "grouped 1x1"
    if depth <= _MOST_FIRST:
        return "of an image"
    return "1x1" if area == 1 else "dense"


def _product(kernel: Kernel, age: _Age) -> Traits:
    left = (*kernel.inputs, *kernel.weights)[0]
    # The length of the dot products: the last axis of the left factor, or the one before if it is transposed.
    inner = left[-2 if _first(kernel, "transA", 0) else -1] if len(left) > 1 else left[0]
    wide = kernel.output[-1]
    rows = kernel.output[-2] if len(kernel.output) > 1 else 1
    many = math.prod(kernel.output) // (rows * wide)
    by_constants = len(_largest(kernel)) > 1
    if by_constants:  # one product, however many rows the tokens come in
        rows, many = rows * many, 1
    kind = ("of a row" if rows == 1 else "by constants") if by_constants else "of tensors"
    work = _work(kernel, 2.0 * math.prod(kernel.output) * inner, _FLOAT * math.prod(kernel.output))
    form = (_log(rows), _log(wide), _log(inner), _log(many), *_activated(kernel), *age)
    return Traits(family=f"{_unfused(kernel)} {kind}", work=work, form=form)


def _recurrent(kernel: Kernel, age: _Age) -> Traits:
    steps, batch, features = kernel.inputs[0]
    hidden = _first(kernel, "hidden_size")
    # All weights are applied in each step of the sequence, a multiplication and an addition each.
    operations = 2.0 * steps * batch * sum(map(math.prod, kernel.weights))
    work = _work(kernel, operations, _FLOAT * math.prod(kernel.output))
    # Steps wait for each other: many small ones are far from the speed of one large product.
    form = (_log(steps), _log(batch), _log(hidden), _log(features), *age)
    return Traits(family=kernel.op, work=work, form=form)


def _other(kernel: Kernel, age: _Age) -> Traits:
    # Pooling reads a window for each result, local response normalisation `size` channels, and everything else one
    # value.
    area = math.prod(kernel.attributes.get("kernel_shape", (1,)))
    reach = _first(kernel, "size")
    elements = math.prod(kernel.output)
    most = elements if kernel.op in _TAKES_PARTS else math.inf
    sizes = [min(math.prod(shape), most) for shape in (*kernel.inputs, *kernel.weights)] or [1]
    # An upper bound on operations, good enough as a unit: the rates of each family are fitted to it.
    operations = float(max(*sizes, elements) * area * reach)
    if kernel.bodies:
        # The bodies' kernels are priced by themselves; what the node itself does grows with the rounds.
        operations = float(sum(body.rounds or USUAL_ROUNDS for body in kernel.bodies))
    call, *amounts = _work(kernel, operations, elements * _FLOAT, most)
    # To move numbers of 8 bits is a quarter of the work; what computes in them is a family of its own anyway.
    work = (call, *(amount / _FLOAT if kernel.narrow else amount for amount in amounts))
    form = (
        _log(max(sizes)), _log(elements), _log(kernel.output[-1] if kernel.output else 1), _log(_inner(kernel)),
        _log(kernel.output[1] if len(kernel.output) == 4 else 1),
        _log(max(sizes) / max(1, min(sizes))), float(len(kernel.inputs)), _log(area * reach),
        _log(_first(kernel, "strides")), *age,
    )  # fmt: skip
    return Traits(family=_family(kernel), work=work, form=form)


def _family(kernel: Kernel) -> str:
    # Views share one family, for none of them moves a byte: they differ only in the cost of the call.
    if kernel.op in VIEWS:
        return "view"
    # One that nobody knows the shapes of has another form than its like, so that it cannot be of one family with them.
    formless = kernel.op in CONVOLUTIONS | PRODUCTS | RECURRENT
    return f"{_unfused(kernel)} of unknown form" if formless else kernel.op


def _largest(kernel: Kernel) -> tuple[int, ...]:
    """The shape of its weights: a quantised kernel has scales and zero points among its constants, before them."""
    return max(kernel.weights, key=math.prod, default=())


def _unfused(kernel: Kernel) -> str:
    """The operator without a fused activation, which is no implementation of its own but a part of the form."""
    return kernel.op.removeprefix("Fused")


def _activated(kernel: Kernel) -> tuple[float, float]:
    """Whether an activation is fused in (0 or 1), and whether that one takes long itself, as exponentials do."""
    kind = _first(kernel, "activation", 0)
    return float(kind > 0), float(kind > 1)


def _aged(passed: float) -> float:
    # log(x + c) is flat below c and logarithmic above: the plateau of what is always in the cache.
    return math.log(min(passed, FORGOTTEN) + _CACHED)


def _inner(kernel: Kernel) -> int:
    """Elements that are copied in one run: those after the joined axis, or after the last axis that moves."""
    order = kernel.attributes.get("perm")
    if order is not None:
        # Axes at the end that a transposition leaves in place are copied in one run; the fewer there are, the slower.
        kept = next((k for k, axis in enumerate(reversed(order)) if axis != len(order) - 1 - k), len(order))
        return math.prod(kernel.output[len(kernel.output) - kept :])
    axis = kernel.attributes.get("axis", (-1,))[0]
    return math.prod(kernel.output[axis % len(kernel.output) :]) if kernel.output else 1


def _work(kernel: Kernel, flops: float, written: float, most: float = math.inf) -> tuple[float, ...]:
    """Work of a kernel that reads at most so many numbers of each tensor."""
    read, constants = (
        _FLOAT * float(sum(min(math.prod(shape), most) for shape in shapes))
        for shapes in (kernel.inputs, kernel.weights)
    )
    return (1.0, flops, read, written, constants)


def _filled(count: int, block: int) -> float:
    """The share of whole blocks that is used: vectorised kernels compute `block` filters or columns at a time."""
    return count / (block * math.ceil(count / block))


def _first(kernel: Kernel, name: str, default: int = 1) -> int:
    return kernel.attributes.get(name, (default,))[0]


def _log(size: float) -> float:
    return math.log(max(size, 1e-9))
