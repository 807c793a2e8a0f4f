"""A profiler's events are booked exactly once, through fusions, and scaled to the whole."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.model.costs import layer_costs
from edgent.profiling.model_profiler import book, profile


def test_every_node_is_booked_once() -> None:
    model = load("b-alexnet")
    branch = model.branches[0]
    random = np.random.default_rng(0)
    times = {f"node{k}": float(seconds) for k, seconds in enumerate(random.exponential(1.0, 40))}
    layers = {
        name: tuple(sorted(set(random.integers(0, len(branch.layers), int(random.integers(0, 4))).tolist())))
        for name in list(times)[:35]  # the others stand for no layer
    }
    booking = book(times, layers, layer_costs(model, branch))
    assert booking.layers.sum() + booking.unassigned == pytest.approx(sum(times.values()))
    assert booking.unassigned >= sum(list(times.values())[35:])
    assert (booking.layers >= 0).all()


def test_the_layers_of_a_profile_add_up_to_the_whole() -> None:
    model = load("b-alexnet")
    made = profile(model, Engine(), budget=0.0)
    for branch in model.branches:
        times = made.branch(branch.exit)
        assert len(times.layers) == len(branch.layers)
        assert math.fsum(times.layers) == pytest.approx(times.whole.median)
        assert times.whole.samples >= 3
    heavy = dict(zip([layer.name for layer in model.branches[4].layers], made.branch(4).layers, strict=True))
    assert heavy["conv2"] > heavy["relu6"]
