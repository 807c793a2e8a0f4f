"""Branches of thousands of layers: a bounded table, whose every row is a division of the long branch, at its price."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.latency import Profile
from edgent.latency.profile import Timing
from edgent.link import TransferModel
from edgent.model import Model
from edgent.model.coarse import MOST_LAYERS
from edgent.planning.candidates import Candidates
from edgent.planning.conditions import Conditions
from edgent.planning.planner import Planner
from edgent.units import BitsPerSecond, Seconds
from graphs import saved
from shared_fixtures import make_profile

RATE = 4e4  # bits a second: 0.2 s for what crosses at most cuts, 1 ms for the waist, headers apart


def chain(layers: int, waist: int) -> onnx.ModelProto:
    """Activations of 256 numbers, but for one that has a single one."""
    names = ["x", *(f"t{i}" for i in range(1, layers)), "y"]
    nodes = [helper.make_node("Tanh", [a], [b]) for a, b in pairwise(names)]
    nodes[waist - 1] = helper.make_node("ReduceMax", [names[waist - 1], "axes"], [names[waist]])
    nodes[waist] = helper.make_node("Expand", [names[waist], "wide"], [names[waist + 1]])
    constants = [helper.make_tensor("wide", 7, [1], [256]), helper.make_tensor("axes", 7, [1], [0])]
    ends = [helper.make_tensor_value_info(name, 1, [256]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def timed(model: Model, seed: int, scale: float) -> Profile:
    """A machine on which every layer takes a time of its own."""
    measured = make_profile(model)
    layers = np.random.default_rng(seed).exponential(scale, len(model.branches[0].layers))
    whole = Timing(median=float(layers.sum()), spread=0.0, samples=1)
    return replace(measured, branches=(replace(measured.branches[0], whole=whole, layers=tuple(layers.tolist())),))


@pytest.fixture(params=[MOST_LAYERS, MOST_LAYERS + 1, 3000])
def model(request, model_file: Path) -> Model:
    return load(saved(chain(request.param, waist=request.param // 3), model_file))


def test_the_table_of_a_long_branch_is_bounded_and_that_of_a_shorter_one_has_every_pair_of_cuts(model):
    table = Candidates.build(model, make_profile(model), make_profile(model))
    n = len(model.branches[0].layers)
    pairs = set(zip(table.upload_cut.tolist(), table.download_cut.tolist(), strict=True))
    every = MOST_LAYERS * (MOST_LAYERS + 1) // 2 + 1  # and the device alone
    assert len(pairs) == len(table) == every if n <= MOST_LAYERS else len(table) <= every
    assert {(n, n), (0, n), (n // 3, n), (0, n // 3)} <= pairs  # alone, whole on the edge, and at the waist
    assert set(table.layers.tolist()) == {n}


def test_every_row_costs_what_its_division_of_the_long_branch_costs(model):
    device, edge = timed(model, 1, 1e-3), timed(model, 2, 1e-4)
    table = Candidates.build(model, device, edge, source="array")
    slow, fast = (np.array(one.branches[0].layers) for one in (device, edge))
    branch = model.branches[0]
    n = len(branch.layers)
    for row in np.random.default_rng(3).choice(len(table), 30, replace=False):
        u, d = int(table.upload_cut[row]), int(table.download_cut[row])
        crossing = branch.boundary(u, d)
        assert table.head[row] == pytest.approx(slow[:u].sum())
        assert table.middle[row] == pytest.approx(fast[u:d].sum())
        assert table.suffix[row] == pytest.approx(0 if u == n else slow[d:].sum())
        assert table.bytes_up[row] == (0 if u == d else sum(tensor.nbytes for tensor in crossing.up))
        assert table.bytes_down[row] == (0 if u == d else sum(tensor.nbytes for tensor in crossing.down))


def test_the_plan_for_a_long_branch_is_the_best_division_at_all_its_cuts_or_hardly_slower(model):
    device, edge = timed(model, 1, 1e-3), timed(model, 2, 1e-4)
    link = TransferModel(bandwidth=BitsPerSecond(RATE), round_trip=Seconds(0.0))
    conditions = Conditions(uplink=link, downlink=link)
    plan = Planner(Candidates.build(model, device, edge, source="array")).plan(conditions, Seconds(60.0))
    slow, fast = (np.concatenate([[0], np.cumsum(one.branches[0].layers)]) for one in (device, edge))
    n = len(model.branches[0].layers)
    size = np.full(n + 1, 256 * 4.0)
    size[n // 3] = 4.0
    totals = slow[:, None] + (fast[None, :] - fast[:, None]) + (slow[-1] - slow)[None, :]
    totals += link.uplink(size)[:, None] + link.downlink(size)[None, :]
    best = min(totals[np.triu_indices(n + 1, 1)].min(), slow[-1])
    assert plan.stages.total == pytest.approx(best, rel=1e-9 if n <= MOST_LAYERS else 0.01)


@pytest.mark.parametrize("short", ["device", "edge", "both"])
def test_a_profile_of_fewer_layers_than_the_branch_has_is_refused_in_one_line(model, short):
    whole = make_profile(model)
    branch = whole.branches[0]
    n = len(branch.layers)
    fewer = replace(branch, layers=(branch.whole.median / (n - 1),) * (n - 1))
    device, edge = (
        replace(whole, branches=(fewer,)) if short in (side, "both") else whole for side in ("device", "edge")
    )
    with pytest.raises(InputError, match=rf"found {n - 1} layers of exit 0, expected {n}: measure it again"):
        Candidates.build(model, device, edge)
