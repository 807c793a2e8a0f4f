"""What makes a kernel quick or slow: its family, the work it does, and the shape of that work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgent.model.kernels import Kernel
from edgent.model.memory import VIEWS

_FLOAT = 4
_CACHED, FORGOTTEN = 1e5, 4.8e7  # bytes: so few are always at hand; after so many nothing is any more
_CONVOLUTIONS = {"Conv", "FusedConv", "nchwc.Conv"}
_PRODUCTS = {"Gemm", "FusedGemm", "MatMul", "FusedMatMul"}
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
        """What two kernels have in common that are the same layer, wherever it stands."""
        return (self.family, self.work, self.form[:-_AGES])


def footprint(kernels: Sequence[Kernel]) -> float:
    """Bytes of the constants of a graph, and of all that a run of it makes."""
    shapes = (shape for kernel in kernels for shape in (*kernel.weights, kernel.output))
    return _FLOAT * float(sum(map(math.prod, shapes)))


def traits(kernel: Kernel, touched: float) -> Traits:
    """Describes a kernel.

    Args:
        kernel: from the engine's optimised graph.
        touched: bytes that are read and made from one run of this kernel to its next: whether its constants are still
            in the caches depends on it.
    """
    age = (
        _aged(touched) if kernel.weights else 0.0,
        _aged(_FLOAT * kernel.distance) if kernel.inputs else 0.0,
        _aged(_FLOAT * kernel.untouched),
    )
    if kernel.op in _CONVOLUTIONS and kernel.weights and len(kernel.weights[0]) == 4 and len(kernel.output) == 4:
        return _convolution(kernel, age)
    if kernel.op in _PRODUCTS and kernel.inputs and kernel.output:
        return _product(kernel, age)
    return _other(kernel, age)


def _convolution(kernel: Kernel, age: _Age) -> Traits:
    maps, depth, height, width = kernel.weights[0]
    groups = _first(kernel, "group")
    rows, columns = kernel.output[2:]
    made = float(maps * rows * columns)
    flops = 2.0 * made * depth * height * width
    fused = len(kernel.inputs) - 1
    work = _work(kernel, flops, made * _FLOAT)
    form = (
        _log(depth), _log(maps / groups), _log(groups), _log(rows), _log(columns), _log(height * width),
        abs(_log(height / width)), _log(_first(kernel, "strides")), float(fused),
        *_activated(kernel), _filled(maps, 64), _filled(maps, 16), _filled(columns, 6), *age,
    )  # fmt: skip
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
    inner = left[-2 if _first(kernel, "transA", 0) else -1] if len(left) > 1 else left[0]
    wide = kernel.output[-1]
    rows = kernel.output[-2] if len(kernel.output) > 1 else 1
    many = math.prod(kernel.output) // (rows * wide)
    by_constants = bool(kernel.weights) and len(kernel.weights[0]) > 1
    if by_constants:  # one product, however many rows the tokens come in
        rows, many = rows * many, 1
    kind = ("of a row" if rows == 1 else "by constants") if by_constants else "of tensors"
    work = _work(kernel, 2.0 * math.prod(kernel.output) * inner, _FLOAT * math.prod(kernel.output))
    form = (_log(rows), _log(wide), _log(inner), _log(many), *_activated(kernel), *age)
    return Traits(family=f"{_unfused(kernel)} {kind}", work=work, form=form)


def _other(kernel: Kernel, age: _Age) -> Traits:
    area = math.prod(kernel.attributes.get("kernel_shape", (1,)))
    reach = _first(kernel, "size")
    sizes = [math.prod(shape) for shape in (*kernel.inputs, *kernel.weights)] or [1]
    made = math.prod(kernel.output)
    work = _work(kernel, float(max(*sizes, made) * area * reach), made * _FLOAT)
    form = (
        _log(max(sizes)), _log(made), _log(kernel.output[-1] if kernel.output else 1), _log(_inner(kernel)),
        _log(kernel.output[1] if len(kernel.output) == 4 else 1),
        _log(max(sizes) / max(1, min(sizes))), float(len(kernel.inputs)), _log(area * reach),
        _log(_first(kernel, "strides")), *age,
    )  # fmt: skip
    return Traits(family="view" if kernel.op in VIEWS else kernel.op, work=work, form=form)


def _unfused(kernel: Kernel) -> str:
    """An activation is no other implementation, but a part of the form."""
    return kernel.op.removeprefix("Fused")


def _activated(kernel: Kernel) -> tuple[float, float]:
    """Whether an activation is fused in; and whether it takes long itself, as exponentials do and a Relu does not."""
    kind = _first(kernel, "activation", 0)
    return float(kind > 0), float(kind > 1)


def _aged(passed: float) -> float:
    return math.log(min(passed, FORGOTTEN) + _CACHED)


def _inner(kernel: Kernel) -> int:
    """Elements that stay together: after the axis that is joined, or behind the last one that moves."""
    order = kernel.attributes.get("perm")
    if order is not None:
        kept = next((k for k, axis in enumerate(reversed(order)) if axis != len(order) - 1 - k), len(order))
        return math.prod(kernel.output[len(kernel.output) - kept :])
    axis = kernel.attributes.get("axis", (-1,))[0]
    return math.prod(kernel.output[axis % len(kernel.output) :]) if kernel.output else 1


def _work(kernel: Kernel, flops: float, made: float) -> tuple[float, ...]:
    read, constants = (_FLOAT * float(sum(map(math.prod, shapes))) for shapes in (kernel.inputs, kernel.weights))
    return (1.0, flops, read, made, constants)


def _filled(count: int, block: int) -> float:
    """The share of whole blocks that is used: vector kernels work on so many filters, or columns, at a time."""
    return count / (block * math.ceil(count / block))


def _first(kernel: Kernel, name: str, default: int = 1) -> int:
    return kernel.attributes.get(name, (default,))[0]


def _log(size: float) -> float:
    return math.log(max(size, 1e-9))
