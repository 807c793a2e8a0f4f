"""Algorithm 1 is the general planner, restricted to what the paper considers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgent.link import TransferModel
from edgent.planning import Candidates, Conditions, Planner
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.paper.algorithm1 import ChainBranch, algorithm1, edge_first_latencies
from edgent.units import BitsPerSecond, Seconds


def chains(random: np.random.Generator) -> list[ChainBranch]:
    return [
        ChainBranch(
            exit=exit,
            device=random.exponential(0.02, n).tolist(),
            edge=random.exponential(0.01, n).tolist(),
            input_size=float(random.integers(1, 20_000)),
            output_sizes=random.integers(1, 20_000, n).astype(float).tolist(),
        )
        for exit, n in enumerate(random.integers(1, 8, int(random.integers(1, 6))).tolist())
    ]


def as_costs(chain: ChainBranch) -> BranchCosts:
    n = len(chain.device)
    shape = (n + 1, n + 1)
    up, down = np.full(shape, chain.input_size), np.zeros(shape)
    down[:, 1:n] = np.array(chain.output_sizes[:-1])  # the answer's bytes are not counted
    free = np.zeros(shape)

    def raw(size: np.ndarray) -> Crossing:
        return Crossing(codec="float32", size=size, encode=free, decode=free)

    return BranchCosts(
        exit=chain.exit,
        accuracy=0.5 + chain.exit / 100,
        device=np.array(chain.device),
        edge=np.array(chain.edge),
        up=(raw(up),),
        down=(raw(down),),
    )


def test_it_equals_the_planner_where_that_is_restricted_alike() -> None:
    partitions = 0
    for seed in range(1000):
        random = np.random.default_rng(seed)
        some = chains(random)
        bandwidth = BitsPerSecond(float(10 ** random.uniform(4.5, 8)))
        deadline = Seconds(float(10 ** random.uniform(-2, 0.5)))
        expected = algorithm1(some, bandwidth, deadline)
        link = TransferModel.paper(bandwidth)
        table = Candidates.of([as_costs(chain) for chain in some]).restricted(direction="edge-first")
        plan = Planner(table).plan(Conditions(uplink=link, downlink=link), deadline, tolerance=0)
        assert plan.meets_deadline == (expected is not None)
        if expected is not None:
            partitions += 1
            n = len(some[expected.exit].device)
            cuts = (n, n) if expected.point == 1 else (0, expected.point - 1)
            assert plan.configuration.exit == expected.exit, f"seed {seed}"
            assert (plan.configuration.upload_cut, plan.configuration.download_cut) == cuts, f"seed {seed}"
            assert plan.stages.total == pytest.approx(expected.latency, rel=1e-9)
    assert partitions > 300


def test_both_extremes_are_ordinary_points() -> None:
    chain = chains(np.random.default_rng(0))[0]
    latencies = edge_first_latencies(chain, BitsPerSecond(1e6))
    assert len(latencies) == len(chain.device) + 1
    assert latencies[0] == pytest.approx(sum(chain.device))
    assert latencies[-1] == pytest.approx(sum(chain.edge) + chain.input_size * 8 / 1e6)


def test_an_early_exit_is_tried_and_no_plan_is_an_answer() -> None:
    slow = ChainBranch(exit=1, device=[1.0], edge=[1.0], input_size=1, output_sizes=[1])
    quick = ChainBranch(exit=0, device=[0.01], edge=[1.0], input_size=1, output_sizes=[1])
    assert algorithm1([quick, slow], BitsPerSecond(1e6), Seconds(0.1)) == (0, 1, 0.01)
    assert algorithm1([quick, slow], BitsPerSecond(1e6), Seconds(0.001)) is None


def test_the_best_point_is_tested_not_the_last() -> None:
    chain = ChainBranch(exit=0, device=[0.01, 0.2], edge=[0.2, 0.01], input_size=10, output_sizes=[1, 1])
    partition = algorithm1([chain], BitsPerSecond(1e6), Seconds(math.inf))
    assert partition is not None
    assert partition.latency == min(edge_first_latencies(chain, BitsPerSecond(1e6)))
