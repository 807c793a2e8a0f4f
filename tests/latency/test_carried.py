"""A latency model carried over to another machine, whose law is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from edgent.errors import InputError
from edgent.latency.carried import carried_over, carried_over_whole
from edgent.latency.family import References, Sample
from edgent.latency.kernel_model import KernelModel, fit, predict_kernels
from edgent.latency.traits import Traits
from edgent.latency.whole import WholeLatency, fit_whole
from edgent.model.costs import LayerCost

FACTORS = {"conv": 6.0, "pool": 9.0, "add": 7.0}  # of the other machine
Costs = tuple[LayerCost, ...]


def kernel(random: np.random.Generator, family: str) -> Traits:
    channels, pixels = (float(np.exp(random.uniform(*np.log(span)))) for span in ((4, 256), (16, 4000)))
    work = (1.0, 18 * channels**2 * pixels, 4 * channels * pixels, 4 * channels * pixels, 36 * channels**2)
    return Traits(family=family, work=work, form=(math.log(channels), math.log(pixels)))


def law(one: Traits) -> float:
    channels = math.exp(one.form[0])
    return 3e-6 + one.work[1] / (6e10 * channels / (channels + 20)) + one.work[4] / 1e10


def specimens(count: int, seed: int, *, other: bool, families: tuple[str, ...] = tuple(FACTORS)) -> list[list[Sample]]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        kernels = [kernel(random, family) for family in families for _ in range(2)]
        factors = [(FACTORS.get(one.family, 7.0) if other else 1.0) * law(one) for one in kernels]
        noise = np.exp(0.02 * random.standard_normal(len(kernels)))
        made.append([Sample(*parts, References(0.0, 0.0)) for parts in zip(kernels, factors * noise, strict=True)])
    return made


@pytest.fixture(scope="module")
def known() -> KernelModel:
    return fit(specimens(30, 0, other=False))


@pytest.mark.parametrize("family", FACTORS)
def test_a_handful_of_kernels_gives_each_family_its_factor(known: KernelModel, family: str) -> None:
    found = carried_over(known, specimens(6, 1, other=True))
    unseen = [kernel(np.random.default_rng(seed), family) for seed in range(500, 560)]
    ratios = predict_kernels(found.families, unseen)[0] / [FACTORS[family] * law(one) for one in unseen]
    assert np.median(np.abs(ratios - 1)) < 0.05


def test_a_family_that_was_not_timed_takes_the_common_factor(known: KernelModel) -> None:
    found = carried_over(known, specimens(6, 2, other=True, families=("conv", "pool")))
    shift = found.families["add"].shift - known.families["add"].shift
    assert 6.0 < math.exp(shift) < 9.0
    assert found.families["add"].spread > known.families["add"].spread


def test_what_was_timed_by_itself_is_judged_on_specimens_left_out(known: KernelModel) -> None:
    found = carried_over(known, specimens(8, 3, other=True)).validation
    assert found.specimen.count == 8
    assert found.kernel.count == 48
    assert found.specimen.median_ape < 0.1


def test_a_single_specimen_is_enough_and_its_interval_holds_how_far_the_machines_differ(known: KernelModel) -> None:
    (specimen,) = specimens(1, 3, other=True)
    found = carried_over(known, [specimen])
    shift = np.median([found.families[s.traits.family].shift - known.families[s.traits.family].shift for s in specimen])
    assert 3.0 < math.exp(shift) < 15.0
    assert found.validation.together > known.validation.together


def test_families_that_the_first_machine_never_met_are_no_evidence(known: KernelModel) -> None:
    strange = [
        [sample._replace(traits=replace(sample.traits, family="new"))] for [sample, *_] in specimens(9, 4, other=True)
    ]
    mixed = carried_over(known, specimens(6, 1, other=True) + strange)
    for name, family in carried_over(known, specimens(6, 1, other=True)).families.items():
        assert mixed.families[name].shift == pytest.approx(family.shift)
    with pytest.raises(InputError, match="longer budget"):
        carried_over(known, strange)


def test_the_references_are_scaled_along(known: KernelModel) -> None:
    found = carried_over(known, specimens(6, 1, other=True))
    assert 6.0 < found.flops.per_flop / known.flops.per_flop < 9.0
    assert found.paper.lines.keys() == known.paper.lines.keys()


def layer(kind: str, size: float) -> LayerCost:
    return LayerCost(kind=kind, flops=9e3 * size, bytes_in=4000, bytes_out=int(size), bytes_weights=0, paper=())


def whole_law(costs: Costs, factors: dict[str, float]) -> float:
    rates = {"Conv": 1e-9, "Pool": 3e-9}
    return 1e-3 + sum(factors[cost.kind] * rates[cost.kind] * float(cost.flops or 0) for cost in costs)


def networks(count: int, seed: int) -> list[Costs]:
    random = np.random.default_rng(seed)
    kinds = [random.choice(["Conv", "Pool"], size=random.integers(3, 12)) for _ in range(count)]
    return [tuple(layer(str(kind), float(random.uniform(50, 4000))) for kind in found) for found in kinds]


def timed(models: list[Costs], factors: dict[str, float]) -> list[float]:
    noise = np.random.default_rng(1).standard_normal(len(models))
    return [whole_law(costs, factors) * math.exp(0.01 * one) for costs, one in zip(models, noise, strict=True)]


@pytest.fixture(scope="module")
def first() -> WholeLatency:
    models = networks(100, 0)
    return fit_whole(models, timed(models, {"Conv": 1.0, "Pool": 1.0}))


@pytest.mark.parametrize("count", [3, 6, 12])
def test_a_handful_of_whole_models_gives_the_other_machine(first: WholeLatency, count: int) -> None:
    factors = {"Conv": 5.0, "Pool": 6.0}
    models = networks(count, 5)
    found = carried_over_whole(first, models, timed(models, factors))
    errors = [found.predict(costs).seconds / whole_law(costs, factors) - 1 for costs in networks(100, 6)]
    assert np.median(np.abs(errors)) < 0.06
    assert found.models == count


def test_too_few_whole_models_and_times_that_are_none_are_refused(first: WholeLatency) -> None:
    models = networks(4, 5)
    with pytest.raises(InputError, match="3 or more"):
        carried_over_whole(first, models[:2], [1.0, 1.0])
    with pytest.raises(InputError, match="positive, finite"):
        carried_over_whole(first, models, [1.0, math.nan, 1.0, 1.0])
