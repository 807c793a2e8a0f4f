"""Guesses for families of kernels that a sweep never met, by their relatives, with the spread that such guesses have.

An engine has many implementations of few operators: a grouped convolution in the engine's own layout is nearer to one
in the plain layout than to a sum. So an unknown family takes the prices of the families that share most words of its
name, operator first. How far such guesses are off is learned from the families that are known: each is guessed by the
others and compared with what it takes, which is leave-one-out over families.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import numpy as np

from edgent.latency.family import Family
from edgent.latency.gaussian import NINETY, Array
from edgent.latency.traits import CONVOLUTIONS, PRODUCTS, RECURRENT, Traits

_FEWEST = 3  # relatives of which a median is no accident
_LEAST_SPREAD = 0.3  # of the logarithm: even sisters differ by a third
_UNLEARNED, _LEARNED = 1.0, 8  # spread at least, where fewer families than that are known
_SAME_FORM, _SAME_OPERATOR, _SAME_KIND = 3, 2, 1
_KINDS = {
    "convolution": CONVOLUTIONS,
    "product": PRODUCTS,
    "recurrent": RECURRENT,
    "control flow": {"If", "Loop", "Scan"},
    # One value made of one value, or of two.
    "element-wise": {
        "Abs", "Add", "And", "Cast", "Ceil", "Clip", "DequantizeLinear", "Div", "Elu", "Equal", "Erf", "Exp",
        "FastGelu", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "IsInf", "IsNaN",
        "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow",
        "QLinearAdd", "QLinearMul", "QLinearSigmoid", "QuantizeLinear", "QuickGelu", "Reciprocal", "Relu", "Round",
        "Selu", "Sigmoid", "Sign", "Sin", "Cos", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "Where",
        "BiasGelu", "Mish",
    },
    # Values are moved and none is computed.
    "moving": {
        "Concat", "ConstantOfShape", "DepthToSpace", "Expand", "Gather", "GatherElements", "GatherND", "OneHot", "Pad",
        "ReorderInput", "ReorderOutput", "Resize", "ScatterElements", "ScatterND", "Slice", "SpaceToDepth", "Split",
        "Tile", "Transpose", "Trilu", "Upsample",
    },
    # Many values come to one, or to many that depend on all of them.
    "reducing": {
        "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "CumSum", "DynamicQuantizeLinear", "GlobalAveragePool",
        "GlobalMaxPool", "InstanceNormalization", "LRN", "LayerNormalization", "LogSoftmax", "LpNormalization",
        "MaxPool", "QLinearGlobalAveragePool", "QLinearAveragePool", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin",
        "ReduceProd", "ReduceSum", "SimplifiedLayerNormalization", "SkipLayerNormalization", "Softmax",
    },
}  # fmt: skip
# What names of implementations have around that of the operator; a QuantizeLinear is an operator itself.
_AROUND = re.compile(r"^(DynamicQuantize(?!Linear)|QLinear|Fused|Q(?=[A-Z]))+|Integer(ToFloat)?$")


def guess(families: Mapping[str, Family], name: str, kernels: Sequence[Traits]) -> tuple[Array, Array]:
    """Seconds of kernels of an unknown family, and the covariance of their logarithms: they share one error.

    Args:
        families: those that are known, at least one.
        name: the unknown family's.
        kernels: of that family.
    """
    # All kernels of the family share the error of the guess, hence a full covariance and not a diagonal one.
    work = np.array([kernel.work for kernel in kernels])
    return _priced(families, name, work), np.full((len(kernels),) * 2, _spread(families) ** 2)


def nearest_relatives(name: str, others: Iterable[str]) -> list[str]:
    """Those families that are as near as the third nearest, or of one operator on work of one form."""
    nearness = {other: _nearness(name, other) for other in others}
    # One relative alone may be the odd one of its kind, unless it does the same work.
    nearest = sorted(nearness.values(), reverse=True)[:_FEWEST]
    least = nearest[0] if nearest and nearest[0] == _SAME_FORM else min(nearest, default=0)
    return [other for other in nearness if nearness[other] >= least]


def _priced(families: Mapping[str, Family], name: str, work: Array) -> Array:
    """The median of what the nearest relatives would take for the work, shape (m,)."""
    near = (families[other] for other in nearest_relatives(name, families))
    prices = [family.rates * math.exp(family.shift) for family in near]
    seconds: Array = np.median(work @ np.stack(prices).T, axis=1)
    return seconds


@cache
def _nearness(name: str, other: str) -> int:
    """3 for one operator on work of one form, 2 for one operator, 1 for one kind of work, 0 for strangers."""
    (operator, form), (operator_of_other, form_of_other) = _parts(name), _parts(other)
    if operator == operator_of_other:
        return _SAME_FORM if form == form_of_other else _SAME_OPERATOR
    return _SAME_KIND if _kind(operator) == _kind(operator_of_other) else 0


def _parts(family: str) -> tuple[str, str]:
    """The operator without its layout, fusion and precision; and the form of its work."""
    implementation, _, form = family.partition(" ")
    operator = _AROUND.sub("", implementation.rsplit(".", 1)[-1])
    # A Gemm is a MatMul with a sum fused in. Products of integers lost their ending above, and are products still.
    return ("Gemm" if operator in PRODUCTS else operator), form


def _kind(operator: str) -> str:
    return next((kind for kind, operators in _KINDS.items() if operator in operators), "other")


def _spread(families: Mapping[str, Family]) -> float:
    """Standard deviation of the logarithm of guesses, learned by leaving one known family out at a time."""
    # The guess is judged at each family's usual work; a family that is guessed well there may still be guessed badly
    # for an unusual size, which the least spread is for.
    errors = []
    for name, family in families.items():
        others = {other: known for other, known in families.items() if other != name}
        if others:
            taken = float(family.usual @ family.rates) * math.exp(family.shift)
            errors.append(math.log(float(_priced(others, name, family.usual[None, :])[0]) / taken))
    # The 0.9 quantile and not the root of the mean square: few families are far off, and 90 % is what is promised.
    wide = float(np.quantile(np.abs(errors), 0.9)) / NINETY if errors else 0.0
    return max(_LEAST_SPREAD if len(errors) >= _LEARNED else _UNLEARNED, wide)
