from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

import pytest

from edgent.device.device import Device
from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.lab.boards.emulation import emulated_profile, find_device
from edgent.lab.boards.hidden import HiddenDevice, hidden_device, hidden_table, profiled
from edgent.latency import Profile
from edgent.latency.profile import BranchProfile, CodecTime, Timing
from edgent.model import Model
from edgent.testing import ManualClock
from edgent.units import Seconds, format_duration

PI_4 = find_device("pi-4")


@pytest.fixture(scope="module")
def model() -> Model:
    return load("b-alexnet")


@pytest.fixture(scope="module")
def host(model: Model) -> Profile:
    """A host on which every layer takes a millisecond: what differs on the device is the hidden factor."""

    def branch(exit: int, layers: int) -> BranchProfile:
        whole = Timing(median=layers * 1e-3, spread=0.1, samples=9)
        return BranchProfile(exit=exit, whole=whole, layers=(1e-3,) * layers, unassigned=0)

    timing = Timing(median=1e-3, spread=0.1, samples=9)
    codec = CodecTime(codec="float32", encode_base=1e-5, encode_per_byte=1e-9, decode_base=1e-5, decode_per_byte=1e-9)
    return Profile(
        model=model.name,
        digest=model.digest,
        machine="host",
        engine="onnxruntime 1",
        threads=1,
        branches=tuple(branch(one.exit, len(one.layers)) for one in model.branches),
        codecs=(codec,),
        decode_source=timing,
        fit=timing,
        normalise=timing,
    )


def factors(model: Model, table: Profile) -> dict[str, set[float]]:
    """By layer type: how many times slower than the board's usual factor."""
    by_type: dict[str, set[float]] = {}
    for branch in model.branches:
        for layer, seconds in zip(branch.layers, table.branch(branch.exit).layers, strict=True):
            by_type.setdefault(layer.op, set()).add(round(seconds / 1e-3 / 7.2, 9))
    return by_type


def test_each_layer_type_has_one_factor_of_its_own_in_all_branches(model: Model, host: Profile) -> None:
    by_type = factors(model, hidden_table(host, model, PI_4, seed=3))
    assert all(len(of_type) == 1 for of_type in by_type.values())
    assert len(set.union(*by_type.values())) == len(by_type) > 3


def test_hidden_factors_spread_as_the_public_table_says(model: Model, host: Profile) -> None:
    logs = [
        math.log(*of_type)
        for seed in range(150)
        for of_type in factors(model, hidden_table(host, model, PI_4, seed)).values()
    ]
    assert statistics.median(logs) == pytest.approx(0, abs=0.03)
    assert statistics.pstdev(logs) == pytest.approx(PI_4.spread, rel=0.1)


def test_the_same_seed_is_the_same_device_and_another_is_another(model: Model, host: Profile) -> None:
    first, again, other = (hidden_device(host, model, PI_4, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.table != other.table


def test_profiling_finds_the_hidden_table_but_for_its_noise_and_not_the_boards(model: Model, host: Profile) -> None:
    device = hidden_device(host, model, PI_4, seed=5)
    board = emulated_profile(host, PI_4)
    last = -1
    truth, by_type, naive = (one.branches[last].layers for one in (device.table, device.profile, board))
    assert by_type == pytest.approx(truth, rel=0.03)
    assert by_type != truth
    assert naive != pytest.approx(truth, rel=0.05)


def test_a_profile_stays_consistent_whatever_its_noise(model: Model, host: Profile) -> None:
    noisy = profiled(hidden_table(host, model, PI_4, 1), seed=1, jitter=0.5)
    assert Profile.from_json(noisy.to_json()) == noisy


def test_a_hidden_device_says_that_it_is_emulated_and_how_far_it_may_be_off(model: Model, host: Profile) -> None:
    device = hidden_device(host, model, PI_4, seed=5)
    words = str(device)
    assert format_duration(device.table.branches[-1].whole.median) in words  # no longer what the description says
    assert "(emulated)" in words and "range 4.4-11.2" in words and "seed 5" in words and "spread 0.19" in words


def test_an_emulated_profile_hides_nothing_more(model: Model, host: Profile) -> None:
    with pytest.raises(InputError, match="already stands"):
        hidden_device(emulated_profile(host, PI_4), model, PI_4, seed=1)


@pytest.fixture(scope="module")
def slow(model: Model, host: Profile) -> HiddenDevice:
    return hidden_device(host, model, PI_4, seed=1)


@pytest.fixture
def device(model: Model, host: Profile, slow: HiddenDevice) -> Iterator[tuple[Device, HiddenDevice]]:
    clock = ManualClock()
    emulated = Device(
        model,
        deadline=Seconds(30.0),
        device_profile=slow.profile,
        host_profile=slow.table,
        edge_profile=host,
        pace=slow.pace(clock=clock),
        clock=clock,
    )
    with emulated:
        yield emulated, slow


def test_an_answer_takes_what_the_hidden_table_says(model: Model, device: tuple[Device, HiddenDevice]) -> None:
    import numpy as np

    emulated, slow = device
    feeds = random_feeds(model.inputs, np.random.default_rng(0))
    record = emulated.infer(next(iter(feeds.values()))).record
    truth = slow.table.branches[-1].whole.median
    assert record.total == pytest.approx(truth, rel=0.05)  # the jitter's standard deviation is 0.01
    assert record.plan is not None
    assert record.plan.stages.total == pytest.approx(slow.profile.branches[-1].whole.median, rel=0.01)
