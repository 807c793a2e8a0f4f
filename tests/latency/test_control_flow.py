"""What kernels with bodies take, by arithmetic: a Loop so many times its body, an If one of its bodies."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from edgent.latency.control_flow import gathered, with_inner
from edgent.model.kernels import Body, Kernel

NINETY = 1.645


def kernel(name: str, *bodies: Body, sized: bool = True, op: str = "Foo") -> Kernel:
    return Kernel(
        name=name, op=op, inputs=((1,),), weights=(), output=(1,), distance=1.0, untouched=1.0, attributes={},
        sized=sized, bodies=bodies,
    )  # fmt: skip


def body(*names: str, rounds: int | None = 1) -> Body:
    return Body(kernels=tuple(kernel(name) for name in names), rounds=rounds)


def taken(kernels: list[Kernel], times: dict[str, float], spread: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of each kernel, and the deviations of their logarithms, where all inner ones have one error."""
    seconds = np.array([times[one.name] for one in with_inner(kernels)])
    whole, covariance = gathered(kernels, seconds, np.full((len(seconds),) * 2, spread**2))
    return whole, np.sqrt(np.diag(covariance))


def test_a_kernel_without_bodies_takes_its_own_time() -> None:
    whole, deviation = taken([kernel("a"), kernel("b")], {"a": 1.0, "b": 2.0}, spread=0.3)
    assert whole.tolist() == [1.0, 2.0] and deviation == pytest.approx(0.3)


def test_a_loop_takes_its_body_as_often_as_it_goes_round() -> None:
    loop = kernel("loop", body("a", "b", rounds=8))
    whole, deviation = taken([loop, kernel("c")], {"loop": 0.5, "a": 1.0, "b": 2.0, "c": 7.0}, spread=0.2)
    assert whole == pytest.approx([0.5 + 8 * 3.0, 7.0]) and deviation == pytest.approx(0.2)


def test_loops_in_loops_multiply() -> None:
    inner = Body(kernels=(kernel("inner", body("a", rounds=5)),), rounds=3)
    assert taken([kernel("outer", inner)], {"outer": 0.0, "inner": 0.1, "a": 1.0})[0] == pytest.approx([3 * 5.1])


def test_the_interval_of_an_if_reaches_the_cheapest_and_the_dearest_body() -> None:
    chosen = kernel("if", body("cheap"), body("dear"), op="If")
    whole, deviation = taken([chosen], {"if": 1.0, "cheap": 1.0, "dear": 17.0})
    low, high = (float(whole[0]) * math.exp(sign * NINETY * float(deviation[0])) for sign in (-1, 1))
    assert (low, high) == pytest.approx((2.0, 18.0))


def test_an_if_of_equal_bodies_is_no_more_doubtful_than_they_are() -> None:
    chosen = kernel("if", body("a"), body("b"), op="If")
    whole, deviation = taken([chosen], {"if": 0.0, "a": 3.0, "b": 3.0}, spread=0.1)
    assert whole == pytest.approx([3.0]) and deviation == pytest.approx(0.1)


def test_an_empty_body_costs_no_more_than_its_node() -> None:
    whole, deviation = taken([kernel("if", body(), body("a"), op="If")], {"if": 1.0, "a": 3.0})
    assert whole == pytest.approx([2.0]) and math.exp(NINETY * float(deviation[0])) == pytest.approx(2.0)


def test_where_only_the_data_tell_how_often_a_loop_goes_round_the_interval_says_so() -> None:
    known, unknown = (kernel("loop", body("a", rounds=rounds)) for rounds in (10, None))
    times = {"loop": 1e-6, "a": 1.0}
    (sure,), (certain,) = taken([known], times)
    (guess,), (doubt,) = taken([unknown], times)
    assert guess == pytest.approx(sure) and certain == 0
    # From one round to a hundred.
    assert math.exp(NINETY * doubt) == pytest.approx(10.0, rel=0.01)


def test_the_interval_of_a_kernel_of_unknown_size_reaches_from_a_call_to_all_there_is() -> None:
    whole, deviation = taken([kernel("a", sized=False), kernel("cheapest")], {"a": 4.0, "cheapest": 0.01})
    low, high = (float(whole[0]) * math.exp(sign * NINETY * float(deviation[0])) for sign in (-1, 1))
    assert (low, high) == pytest.approx((0.01, 4.0))
    assert deviation[1] == 0


def test_a_kernel_of_unknown_size_is_doubtful_as_far_as_it_counts() -> None:
    inside = (kernel("a", sized=False), kernel("b"))
    (alone,), (beside,) = (
        taken([kernel("loop", Body(kernels=inside, rounds=1))], {"loop": 0.1, "a": 1.0, "b": seconds})[1]
        for seconds in (0.1, 10.0)
    )
    assert beside < alone / 10 and alone > 0.3


def test_what_the_data_decide_goes_one_way_for_all_kernels() -> None:
    kernels = (kernel("a", sized=False), kernel("b", sized=False), kernel("cheapest"))
    times = {"a": 4.0, "b": 4.0, "cheapest": 0.01}
    _, one_by_one = taken(list(kernels), times)
    _, (together,) = taken([kernel("loop", Body(kernels=kernels, rounds=1))], {"loop": 0.01} | times)
    assert together == pytest.approx(one_by_one[0], rel=0.1)


def test_work_that_takes_nothing_takes_nothing_still() -> None:
    whole, deviation = taken([kernel("if", body("a"), body(), op="If")], {"if": 0.0, "a": 0.0})
    assert whole.tolist() == [0.0] and deviation.tolist() == [0.0]


def test_more_rounds_never_take_less() -> None:
    times = {"loop": 0.3, "a": 1.0}
    counts = [taken([kernel("loop", body("a", rounds=rounds))], times)[0][0] for rounds in range(5)]
    assert all(fewer < more for fewer, more in pairwise(counts))
