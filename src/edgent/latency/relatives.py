"""Guesses for families of kernels that a sweep never met, by their relatives, with the spread that such guesses have.

An engine has many implementations of few operators: a grouped convolution in the engine's own layout is nearer to one
in the plain layout than to a sum. So an unknown family takes the prices of the families that share most words of its
name, operator first. How far such guesses are off is learned from the families that are known: each is guessed by the
others and compared with what it takes, which is leave-one-out over families.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from edgent.latency.family import Family
from edgent.latency.gaussian import NINETY, Array
from edgent.latency.traits import CONVOLUTIONS, PRODUCTS, Traits

_FEWEST = 3  # relatives of which a median is no accident
_LEAST_SPREAD = 0.3  # of the logarithm: even sisters differ by a third
_UNLEARNED, _LEARNED = 1.0, 8  # spread at least, where fewer families than that are known
_SAME_FORM, _SAME_OPERATOR, _SAME_KIND = 3, 2, 1
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


def _priced(families: Mapping[str, Family], name: str, work: Array) -> Array:
    """The median of what the nearest relatives would take for the work, shape (m,)."""
    nearness = {other: _nearness(name, other) for other in families}
    # As near as the third nearest: one relative alone may be the odd one of its kind, unless it does the same work.
    nearest = sorted(nearness.values(), reverse=True)
    least = nearest[0] if nearest[0] == _SAME_FORM else nearest[:_FEWEST][-1]
    prices = [f.rates * math.exp(f.shift) for other, f in families.items() if nearness[other] >= least]
    seconds: Array = np.median(work @ np.stack(prices).T, axis=1)
    return seconds


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
    if operator in CONVOLUTIONS:
        return "convolution"
    return "product" if operator in PRODUCTS else "other"


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
