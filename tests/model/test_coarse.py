"""A long branch with few cuts is the long branch at these cuts: the same tensors cross, and the same is refused."""

from __future__ import annotations

from itertools import combinations_with_replacement, pairwise

import numpy as np
import onnx
import pytest
from onnx import helper

from edgent.engine.loading import load
from edgent.model import Model
from edgent.model.coarse import MOST_LAYERS, chosen_cuts, coarse
from graphs import GRAPHS, saved

WIDE, NARROW = 64, 4


def chain(widths: list[int]) -> onnx.ModelProto:
    """A layer for each width, which is that of what it makes."""
    names = ["x", *(f"t{i}" for i in range(len(widths) - 1)), "y"]
    nodes = [
        helper.make_node("Expand" if to > at else "ReduceMax", [a, "wide" if to > at else "axes"], [b])
        if to != at
        else helper.make_node("Tanh", [a], [b])
        for (a, b), (at, to) in zip(pairwise(names), pairwise([widths[0], *widths]), strict=True)
    ]
    constants = [helper.make_tensor("wide", 7, [1], [WIDE]), helper.make_tensor("axes", 7, [1], [0])]
    ends = [helper.make_tensor_value_info(name, 1, [width]) for name, width in (("x", widths[0]), ("y", widths[-1]))]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.fixture(params=sorted(GRAPHS))
def model(request, model_file) -> Model:
    return load(saved(GRAPHS[request.param](), model_file))


@pytest.mark.parametrize("seed", range(3))
def test_what_crosses_at_a_pair_of_its_cuts_is_what_crosses_there_in_the_long_one(model, seed):
    random = np.random.default_rng(seed)
    for branch in model.branches:
        n = len(branch.layers)
        cuts = [0, *np.flatnonzero(random.random(n - 1) < 0.4) + 1, n]
        short = coarse(branch, cuts)
        assert len(short.layers) == len(cuts) - 1
        for (i, upload), (j, download) in combinations_with_replacement(enumerate(cuts), 2):
            assert short.boundary(i, j) == branch.boundary(upload, download)
            assert bool(short.obstacle(i, j)) == bool(branch.obstacle(upload, download))
        at = np.ix_(cuts, cuts)
        for mine, theirs in zip(short.boundary_bytes(), branch.boundary_bytes(), strict=True):
            np.testing.assert_array_equal(mine, theirs[at])
        assert (np.triu(short.divisible) == np.triu(branch.divisible[at])).all()


def test_all_cuts_of_a_branch_of_few_layers_are_worth_it(model):
    for branch in model.branches:
        n = len(branch.layers)
        assert n < MOST_LAYERS
        assert chosen_cuts(branch, np.full(n, 1 / n)) == tuple(range(n + 1))


@pytest.mark.parametrize("most", [2, 7, 20])
def test_of_many_cuts_those_are_kept_that_send_least_and_there_are_no_more_than_asked(model_file, most):
    widths = [WIDE] * 60
    waists = (9, 31, 50)
    for waist in waists:
        widths[waist] = 1
    branch = load(saved(chain(widths), model_file)).branches[0]
    n = len(branch.layers)
    cuts = chosen_cuts(branch, np.full(n, 1 / n), most)
    assert cuts[0] == 0 and cuts[-1] == n and len(cuts) <= most + 1
    assert list(cuts) == sorted(set(cuts))
    narrow = {cut for cut in range(1, n) if branch.boundary(cut, n).up[0].nbytes == NARROW}
    assert len(narrow) == 3
    assert narrow & set(cuts) if most == 2 else narrow <= set(cuts)


def test_layers_that_take_no_time_or_all_of_it_leave_enough_cuts_and_no_empty_layer(model_file):
    branch = load(saved(chain([WIDE] * 40), model_file)).branches[0]
    for shares in (np.eye(40)[0], np.eye(40)[39], np.full(40, 1 / 40), np.linspace(0, 1, 40) / 20):
        cuts = chosen_cuts(branch, shares, 10)
        assert 3 <= len(cuts) <= 11 and all(a < b for a, b in pairwise(cuts)) and cuts[-1] == 40


def test_a_cut_that_nothing_can_be_handed_over_at_is_kept_only_where_there_is_no_other(model_file):
    nodes, name = [], "x"
    for i in range(30):  # at every third cut a tensor of a type that cannot travel, and of half the bytes
        kind = 16 if i % 3 == 0 else 1
        nodes.append(helper.make_node("Cast", [name], [f"t{i}"], to=kind))
        name = f"t{i}"
    nodes.append(helper.make_node("Cast", [name], ["y"], to=1))
    ends = [helper.make_tensor_value_info(name, 1, [8]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "casts", ends[:1], ends[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    branch = load(saved(proto, model_file)).branches[0]
    n = len(branch.layers)
    cuts = chosen_cuts(branch, np.full(n, 1 / n), 10)
    assert len(cuts) > 8
    assert not [cut for cut in cuts if branch.obstacle(cut, n)]
