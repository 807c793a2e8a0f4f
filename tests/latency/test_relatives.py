"""Guesses for families never met: whose prices they take, and that their spread is what such guesses have."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.latency.family import Family
from edgent.latency.relatives import guess
from edgent.latency.traits import Traits

WORK = (1.0, 1e8, 4e5, 4e5, 0.0)


def family(per_call: float, per_flop: float) -> Family:
    rates = np.array([per_call, per_flop, 0.0, 0.0, 0.0])
    return Family(
        usual=np.array(WORK), rates=rates, shift=0.0, centre=np.zeros(1), width=np.ones(1), follows=np.zeros(2),
        spread=0.3, process=None,
    )  # fmt: skip


def kernel(name: str, flops: float = 1e8) -> Traits:
    return Traits(family=name, work=(1.0, flops, 4e5, 4e5, 0.0), form=(1.0,))


@pytest.mark.parametrize(
    ("unknown", "relative"),
    [
        ("nchwc.Conv grouped", "Conv grouped"),
        ("QLinearConv 1x1", "nchwc.Conv 1x1"),
        ("MatMul by constants", "Gemm by constants"),
        ("ConvInteger dense", "nchwc.Conv dense"),
        ("MatMulIntegerToFloat of a row", "FusedMatMul of a row"),
        ("DynamicQuantizeLSTM", "LSTM"),
        ("QuickGelu", "Gelu"),
    ],
)
def test_a_guess_takes_the_prices_of_the_nearest_relative(unknown: str, relative: str) -> None:
    strangers = {name: family(1e-6, 1e-9) for name in ("Tanh", "LRN", "Softmax", "Concat")}
    known = {**strangers, relative: family(2e-6, 1e-11)}
    # A name alone makes no relative: nothing is taken off but layout, fusion and precision.
    expected = 1e-6 + 1e8 * 1e-9 if relative == "Gelu" else 2e-6 + 1e8 * 1e-11
    assert guess(known, unknown, [kernel(unknown)])[0] == pytest.approx([expected])


def test_a_tiny_kernel_is_guessed_at_a_usual_call_even_if_one_family_is_very_dear() -> None:
    known = {name: family(2e-7, 1e-11) for name in ("Tanh", "Relu", "Add")} | {"LRN": family(1e-3, 1e-9)}
    assert guess(known, "If", [kernel("If", 0.0)])[0] == pytest.approx([2e-7])


def test_the_spread_is_what_leaving_one_family_out_shows() -> None:
    alike = {f"op{k}": family(0.0, 1e-11) for k in range(20)}
    mixed = {f"op{k}": family(0.0, 1e-11 * math.exp(k % 5)) for k in range(20)}
    narrow, wide = (guess(known, "new", [kernel("new")])[1][0, 0] ** 0.5 for known in (alike, mixed))
    assert narrow == pytest.approx(0.3)
    # Errors of up to two in the logarithm: the interval must reach as far as nine in ten of them.
    assert wide * 1.645 == pytest.approx(2.0, abs=0.2)


def test_few_families_say_little_about_guesses() -> None:
    assert guess({"Add": family(1e-6, 1e-11)}, "new", [kernel("new")])[1][0, 0] >= 1.0


def test_all_kernels_of_one_unknown_family_are_off_together() -> None:
    covariance = guess({"Add": family(1e-6, 1e-11)}, "new", [kernel("new"), kernel("new", 1e6)])[1]
    assert covariance[0, 1] == covariance[0, 0] == covariance[1, 1]
