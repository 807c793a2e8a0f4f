"""What a kernel's time is said to depend on: its family, and work by arithmetic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgent.latency.traits import traits
from edgent.model.kernels import Body, Kernel


def kernel(op: str, *inputs: tuple[int, ...], weights: tuple[tuple[int, ...], ...] = (), output: tuple[int, ...] = (1,),
           bodies: tuple[Body, ...] = (), **attributes: tuple[int, ...]) -> Kernel:  # fmt: skip
    return Kernel(
        name=op, op=op, inputs=inputs, weights=weights, output=output, distance=0.0, untouched=0.0,
        attributes=attributes, bodies=bodies,
    )  # fmt: skip


@pytest.mark.parametrize("op", ["Gather", "GatherElements", "Slice"])
def test_what_takes_a_part_reads_no_more_than_it_makes(op: str) -> None:
    small, large = (
        traits(kernel(op, weights=((rows, 64), (3,)), output=(3, 64)), 0.0).work for rows in (10, 1_000_000)
    )
    assert small == large == (1.0, 3 * 64, 0.0, 4.0 * 3 * 64, 4.0 * (3 * 64 + 3))


def test_what_sums_up_reads_all_of_it() -> None:
    assert traits(kernel("ReduceSum", (1000, 64), output=(64,)), 0.0).work[1:3] == (64_000.0, 4.0 * 64_000)


@pytest.mark.parametrize("op", ["Conv", "ConvInteger", "QLinearConv"])
def test_a_convolution_of_any_numbers_is_a_convolution(op: str) -> None:
    described = traits(kernel(op, (1, 16, 8, 8), weights=((32, 16, 3, 3), ()), output=(1, 32, 8, 8)), 0.0)
    assert described.family == f"{op} dense"
    assert described.work[1] == 2 * 32 * 8 * 8 * 16 * 9


@pytest.mark.parametrize("op", ["MatMul", "MatMulInteger", "DynamicQuantizeMatMul"])
def test_a_product_of_one_row_is_a_family_of_its_own(op: str) -> None:
    rows = [traits(kernel(op, (1, n, 64), weights=((64, 32),), output=(1, n, 32)), 0.0).family for n in (1, 2)]
    assert rows == [f"{op} of a row", f"{op} by constants"]


def test_what_a_loop_does_itself_grows_with_its_rounds() -> None:
    few, many = (
        traits(kernel("Loop", (1,), bodies=(Body(kernels=(), rounds=rounds),)), 0.0).work[1] for rounds in (3, 300)
    )
    assert (few, many) == (3.0, 300.0)


def test_a_recurrent_layer_applies_all_its_weights_in_each_step() -> None:
    described = [
        traits(
            kernel(
                "LSTM", (steps, 1, 32), weights=((1, 64, 32), (1, 64, 16)), output=(steps, 1, 1, 16), hidden_size=(16,)
            ),
            0.0,
        )
        for steps in (1, 50)
    ]
    assert [one.work[1] for one in described] == [steps * 2.0 * 64 * 48 for steps in (1, 50)]
    assert described[0].form != described[1].form


def test_a_convolution_in_the_plain_layout_reads_each_value_as_often_as_its_filter_covers_it() -> None:
    plain, blocked, pointwise = (
        traits(kernel(op, (1, 16, 8, 8), weights=((32, 16, side, side), ()), output=(1, 32, 8, 8)), 0.0).work[2]
        for op, side in (("FusedConv", 3), ("nchwc.Conv", 3), ("Conv", 1))
    )
    assert blocked == pointwise == 4 * 16 * 8 * 8
    assert plain == 9 * blocked


def test_to_move_numbers_of_8_bits_is_a_quarter_of_the_work() -> None:
    wide = kernel("Pad", (1, 16, 8, 8), output=(1, 16, 10, 10))
    amounts = [traits(one, 0.0).work for one in (wide, replace(wide, narrow=True))]
    assert amounts[0] == (1.0, *(4 * amount for amount in amounts[1][1:]))


@pytest.mark.parametrize("op", ["Conv", "FusedGemm", "LSTM"])
def test_a_kernel_of_unknown_shapes_is_of_no_family_with_those_that_are_described(op: str) -> None:
    known = {"Conv": ((1, 16, 8, 8), ((32, 16, 3, 3),), (1, 32, 8, 8)), "FusedGemm": ((1, 64), ((64, 32),), (1, 32)),
             "LSTM": ((3, 1, 32), ((1, 64, 32), (1, 64, 16)), (3, 1, 1, 16))}  # fmt: skip
    read, weights, output = known[op]
    described = traits(kernel(op, read, weights=weights, output=output), 0.0)
    formless = traits(kernel(op, (), weights=weights, output=()), 0.0)
    assert len(described.form) == len(formless.form) or described.family != formless.family
