"""A latency model from whole models, of a machine whose law is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.latency.whole import WholeLatency, fit_whole, work
from edgent.model.costs import LayerCost

Costs = tuple[LayerCost, ...]

OVERHEAD = 2e-3


def conv(channels: int, side: int, kernel: int = 3) -> LayerCost:
    pixels, weights = side * side, channels * channels * kernel * kernel
    return LayerCost(
        kind="Conv",
        flops=2.0 * weights * pixels,
        bytes_in=4 * channels * pixels,
        bytes_out=4 * channels * pixels,
        bytes_weights=4 * weights,
        paper=(),
    )


def pool(channels: int, side: int, kind: str = "AveragePool") -> LayerCost:
    size = channels * side * side
    return LayerCost(kind=kind, flops=9.0 * size, bytes_in=4 * size, bytes_out=4 * size, bytes_weights=0, paper=())


def seconds(costs: Costs) -> float:
    """The machine's law: rates that differ by kind."""
    per_byte = {"Conv": 4e-10, "AveragePool": 2e-9}
    moved = sum(per_byte[cost.kind] * work(cost).moved for cost in costs)
    return OVERHEAD + sum(2e-10 * float(cost.flops or 0) for cost in costs if cost.kind == "Conv") + moved


def drawn(random: np.random.Generator) -> Costs:
    layers = []
    for _ in range(random.integers(4, 20)):
        channels, side = int(random.choice([16, 32, 64])), int(random.choice([8, 16, 32]))
        layers.append(
            conv(channels, side, int(random.choice([1, 3]))) if random.random() < 0.7 else pool(channels, side)
        )
    return tuple(layers)


def timed(count: int, seed: int, noise: float = 0.02) -> tuple[list[Costs], list[float]]:
    random = np.random.default_rng(seed)
    models = [drawn(random) for _ in range(count)]
    return models, [seconds(costs) * math.exp(noise * random.standard_normal()) for costs in models]


def errors(model: WholeLatency, seed: int = 99) -> np.ndarray:
    return np.array([model.predict(costs).seconds / seconds(costs) - 1 for costs in timed(200, seed)[0]])


@pytest.fixture(scope="module")
def fitted() -> WholeLatency:
    return fit_whole(*timed(150, 0))


def test_models_never_timed_are_predicted(fitted: WholeLatency) -> None:
    assert np.median(np.abs(errors(fitted))) < 0.02
    assert fitted.error < 0.04  # which the noise is part of


def test_a_few_timings_give_a_model_already() -> None:
    assert np.median(np.abs(errors(fit_whole(*timed(12, 3))))) < 0.1


def test_no_rate_is_negative_whatever_the_times() -> None:
    models, times = timed(40, 5, noise=1.0)
    found = fit_whole(models, times)
    rates = [found.common, *found.kinds.values()]
    assert found.overhead >= 0
    assert all(min(r.per_layer, r.per_flop, r.per_byte, r.per_unfolded) >= 0 for r in rates)


def test_one_timing_in_ten_that_was_throttled_hardly_moves_the_fit() -> None:
    models, times = timed(200, 6)
    throttled = [1.4 * found if k % 10 == 0 else found for k, found in enumerate(times)]
    assert abs(float(np.median(errors(fit_whole(models, throttled))))) < 0.02


def test_intervals_hold_nine_of_ten_measurements(fitted: WholeLatency) -> None:
    models, times = timed(500, 7)
    expected = [fitted.predict(costs) for costs in models]
    inside = [found.low <= truth <= found.high for found, truth in zip(expected, times, strict=True)]
    assert 0.82 <= np.mean(inside) <= 0.97


def test_layers_and_overhead_sum_to_the_model(fitted: WholeLatency) -> None:
    costs = timed(1, 8)[0][0]
    whole = fitted.overhead + sum(fitted.layer(cost) for cost in costs)
    assert fitted.predict(costs).seconds == pytest.approx(whole)


def test_a_kind_never_met_takes_the_common_rates(fitted: WholeLatency) -> None:
    strange = pool(32, 16, kind="Mystery")
    assert fitted.layer(strange) == pytest.approx(fitted.common.seconds(work(strange)))
    assert fitted.layer(strange) > 0


def test_the_unit_of_time_does_not_matter() -> None:
    models, times = timed(60, 9)
    slow = fit_whole(models, [1000 * found for found in times])
    fast = fit_whole(models, times)
    for costs in models[:10]:
        assert slow.predict(costs).seconds == pytest.approx(1000 * fast.predict(costs).seconds, rel=1e-3)


def test_the_unfolded_input_of_a_convolution_is_counted_as_often_as_its_kernel_covers_it() -> None:
    assert work(conv(16, 8)).unfolded == pytest.approx(4 * 9 * 16 * 8 * 8)
    assert work(pool(16, 8)).unfolded == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_a_time_that_is_none_is_refused(bad: float) -> None:
    models, times = timed(20, 1)
    with pytest.raises(InputError, match="positive, finite"):
        fit_whole(models, [bad, *times[1:]])


def test_too_few_models_or_times_are_refused() -> None:
    models, times = timed(20, 1)
    with pytest.raises(InputError, match="10 or more"):
        fit_whole(models[:9], times[:9])
    with pytest.raises(InputError, match="a time for each"):
        fit_whole(models, times[:-1])


def test_unknown_shapes_are_refused() -> None:
    models, times = timed(20, 1)
    with pytest.raises(InputError, match="unknown shapes"):
        fit_whole([(replace(models[0][0], flops=None),), *models[1:]], times)
