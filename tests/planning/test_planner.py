"""The planner against brute force, the frontier against everything, the paper's algorithm against both."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from edgent.codec import Calibration, CodecAccuracy
from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.latency.profile import CodecTime
from edgent.link import TransferModel
from edgent.planning import Candidates, Conditions, Configuration, Planner
from edgent.planning.costs import BranchCosts
from edgent.planning.planner import choose, plan, plan_of
from edgent.units import BitsPerSecond, Seconds
from lab.figures.made import host
from planning.by_loops import handling
from planning.strategies import branches

CASES = 1000


class Priced(NamedTuple):
    configuration: Configuration
    accuracy: float
    latency: float
    size: float


def conditions(random: np.random.Generator) -> Conditions:
    def direction() -> TransferModel:
        bandwidth = BitsPerSecond(float(10 ** random.uniform(4.5, 8)))
        return TransferModel(bandwidth=bandwidth, round_trip=Seconds(float(random.uniform(0, 0.05))))

    return Conditions(
        uplink=direction(),
        downlink=direction(),
        queue=Seconds(float(random.exponential(0.003))),
        device_factor=float(random.uniform(0.5, 2)),
        edge_factor=float(random.uniform(0.5, 2)),
        backlog=Seconds(max(0.0, float(random.normal(0.0, 0.05)))),
        handling=handling(random.spawn(1)[0]),  # so that what else is drawn stays as it was
    )


def waiting(now: Conditions, device: float) -> float:
    """For other work on the device, which only short work need not do."""
    return now.backlog if now.device_factor * device > 0.003 else 0.0


def everything(costs: tuple[BranchCosts, ...], now: Conditions) -> Iterator[Priced]:
    """Every configuration, by loops and sums of its own."""
    for branch in costs:
        n = branch.layers
        alone = branch.prepare + sum(branch.device)
        always = now.handling.prepare + now.handling.head
        own = now.device_factor * alone + waiting(now, alone) + always
        known = math.nan if branch.accuracy is None else branch.accuracy
        yield Priced(Configuration(exit=branch.exit, upload_cut=n, download_cut=n), known, own, 0.0)
        for u in range(n):
            for d in range(u + 1, n + 1):
                for up in branch.up:
                    for down in branch.down:
                        lossy = [c.accuracy[u, d] for c in (up, down) if c.accuracy is not None]
                        if len(lossy) > 1 or any(map(math.isnan, lossy)):
                            continue
                        device = up.prepare[u, d] + sum(branch.device[:u]) + up.encode[u, d]
                        device += down.decode[u, d] + sum(branch.device[d:])
                        edge = up.decode[u, d] + sum(branch.edge[u:d]) + down.encode[u, d]
                        link = now.uplink.uplink(float(up.size[u, d])) + now.downlink.downlink(float(down.size[u, d]))
                        latency = now.device_factor * device + now.edge_factor * edge + now.queue + link
                        latency += waiting(now, device) + now.handling.total
                        plan = Configuration(
                            exit=branch.exit, upload_cut=u, download_cut=d, codec=up.codec, download_codec=down.codec
                        )
                        yield Priced(plan, lossy[0] if lossy else known, latency, up.size[u, d] + down.size[u, d])


def brute_force(all_priced: list[Priced], deadline: float, tolerance: float) -> Priced:
    in_time = [one for one in all_priced if one.latency <= deadline]
    if not in_time:
        return min(all_priced, key=lambda one: (one.latency, one.size))
    best = max(one.accuracy for one in in_time)
    return min((one for one in in_time if one.accuracy >= best - tolerance), key=lambda one: (one.latency, one.size))


def test_the_plan_equals_brute_force_on_random_cases() -> None:
    for seed in range(CASES):
        random = np.random.default_rng(seed)
        costs, now = branches(random), conditions(random)
        deadline = Seconds(float(10 ** random.uniform(-2.5, 0.5)))
        expected = brute_force(list(everything(costs, now)), deadline, 0.002)
        plan = Planner(Candidates.of(costs)).plan(now, deadline)
        assert plan.configuration == expected.configuration, f"seed {seed}"
        assert plan.stages.total == pytest.approx(expected.latency, rel=1e-9)
        assert plan.accuracy == expected.accuracy
        assert plan.meets_deadline == (expected.latency <= deadline)


def test_with_a_margin_the_plan_is_the_best_of_the_shorter_deadline_where_anything_meets_that() -> None:
    kept = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        costs, now = branches(random), conditions(random)
        deadline = float(10 ** random.uniform(-2.5, 0.5))
        everyone = list(everything(costs, now))
        shorter = deadline - 0.2 * deadline
        fits = any(one.latency <= shorter for one in everyone)
        expected = brute_force(everyone, shorter if fits else deadline, 0.002)
        plan = Planner(Candidates.of(costs)).plan(now, Seconds(deadline), margin=Seconds(0.2 * deadline))
        assert plan.configuration == expected.configuration, f"seed {seed}"
        assert plan.meets_deadline == (expected.latency <= deadline)
        kept += expected.configuration != brute_force(everyone, deadline, 0.002).configuration
    assert kept >= 10, "the margin decided nothing"


def test_unknown_accuracies_rank_by_exit_and_print_none() -> None:
    random = np.random.default_rng(1)
    costs = branches(random, known=False)
    plan = Planner(Candidates.of(costs)).plan(conditions(random), Seconds(math.inf))
    assert plan.configuration.exit == len(costs) - 1
    assert plan.accuracy is None


def test_no_candidate_outside_the_frontier_wins_under_any_conditions() -> None:
    for seed in range(200):
        random = np.random.default_rng(seed)
        table = Candidates.of(branches(random))
        planner = Planner(table)
        for _ in range(5):
            now, deadline = conditions(random), Seconds(float(10 ** random.uniform(-2.5, 0.5)))
            latency = now.latency(table)
            plan = planner.plan(now, deadline)
            merit = table.merit[latency <= deadline].max(initial=-1)
            if merit < 0:
                assert plan.stages.total == pytest.approx(latency.min())
            else:
                pool = (latency <= deadline) & (table.merit >= merit - 0.002 - 1e-9)
                assert plan.stages.total == pytest.approx(latency[pool].min())


def test_more_bandwidth_never_raises_the_best_latency() -> None:
    random = np.random.default_rng(3)
    planner = Planner(Candidates.of(branches(random)))
    best = math.inf
    for bandwidth in np.geomspace(1e4, 1e9, 40):
        link = TransferModel(bandwidth=BitsPerSecond(float(bandwidth)))
        total = planner.plan(Conditions(uplink=link, downlink=link), Seconds(1e-9)).stages.total
        assert total <= best
        best = total


def test_a_longer_deadline_never_lowers_accuracy_beyond_the_tolerance() -> None:
    random = np.random.default_rng(4)
    planner, now = Planner(Candidates.of(branches(random))), conditions(random)
    plans = [planner.plan(now, Seconds(float(t))) for t in np.geomspace(1e-3, 10, 60)]
    accuracies = [plan.accuracy or 0.0 for plan in plans if plan.meets_deadline]
    assert all(later >= sooner - 0.002 for sooner, later in itertools.pairwise(accuracies))


def alone(*latencies: float, accuracies: tuple[float | None, ...]) -> Candidates:
    """Candidates of the device alone, one for each exit."""
    return Candidates.of(
        [
            BranchCosts(exit=exit, accuracy=known, device=np.array([seconds]), edge=np.array([seconds]), prepare=0.0)
            for exit, (seconds, known) in enumerate(zip(latencies, accuracies, strict=True))
        ]
    )


@pytest.mark.parametrize(
    ("deadline", "tolerance", "margin", "exit"),
    [
        (0.3, 0.0, 0.0, 2),  # to the very end of the deadline
        (0.2999, 0.0, 0.0, 1),
        (0.3, 0.002, 0.0, 1),  # 0.798 counts as 0.8
        (0.3, 0.0019, 0.0, 2),
        (0.4, 0.0, 0.0999, 2),
        (0.4, 0.0, 0.1001, 1),  # a tenth of a second and a bit is kept free
        (0.1, 0.0, 0.05, 0),  # unless nothing leaves that free
        (0.05, 0.0, 0.0, 0),  # nothing is in time: the fastest
        (math.inf, 0.0, 0.0, 2),
    ],
)
def test_the_most_accurate_in_time_is_chosen_and_of_equal_ones_the_fastest(
    deadline: float, tolerance: float, margin: float, exit: int
) -> None:
    table = alone(0.1, 0.2, 0.3, accuracies=(0.5, 0.798, 0.8))
    latency = np.array([0.1, 0.2, 0.3])
    assert choose(table, latency, Seconds(deadline), tolerance, Seconds(margin)) == exit
    plan = Planner(table).plan(free(), Seconds(deadline), tolerance, Seconds(margin))
    assert (plan.configuration.exit, plan.meets_deadline) == (exit, plan.stages.total <= deadline)


def free(bandwidth: float = 1e6) -> Conditions:
    link = TransferModel(bandwidth=BitsPerSecond(bandwidth))
    return Conditions(uplink=link, downlink=link)


def test_within_the_tolerance_is_the_planner_s_own_unless_another_is_given() -> None:
    planner = Planner(alone(0.1, 0.2, accuracies=(0.798, 0.8)))
    assert planner.plan(free(), Seconds(1.0)).configuration.exit == 0
    assert planner.plan(free(), Seconds(1.0), 0.001).configuration.exit == 1
    tight = Planner(alone(0.1, 0.2, accuracies=(0.797, 0.8)))
    assert tight.plan(free(), Seconds(0.2)).configuration.exit == 1  # and no part of the deadline is kept free


def test_of_candidates_as_fast_the_more_accurate_is_chosen_though_both_are_good_enough() -> None:
    table = alone(0.1, 0.1, accuracies=(0.799, 0.8))
    assert choose(table, np.array([0.1, 0.1]), Seconds(1.0), 0.002) == 1
    assert choose(table, np.array([0.1, 0.1]), Seconds(0.01), 0.002) == 1


@pytest.mark.parametrize(
    ("deadline", "tolerance"), [(math.nan, 0.0), (1.0, -0.001), (1.0, math.inf), (1.0, math.nan), (math.nan, math.nan)]
)
def test_what_is_no_deadline_or_tolerance_is_refused(deadline: float, tolerance: float) -> None:
    with pytest.raises(InputError, match=f"^deadline {deadline}, tolerance {tolerance}: expected numbers, the toler"):
        Planner(alone(0.1, accuracies=(0.5,))).plan(free(), Seconds(deadline), tolerance)


def test_without_candidates_there_is_no_planner() -> None:
    table = alone(0.1, accuracies=(0.5,))
    with pytest.raises(
        InputError, match=r"^no candidate is left to plan with: allow more exits, codecs or directions$"
    ):
        Planner(table.keep(np.array([], dtype=int)))


def test_its_repr_says_what_it_plans_with() -> None:
    table = alone(0.1, 0.2, accuracies=(0.5, 0.4))
    assert repr(Planner(table)) == f"<Planner on a frontier of {table.keep(np.array([0]))!r}>"


def test_a_plan_says_what_its_candidate_demands() -> None:
    random = np.random.default_rng(8)
    table, now = Candidates.of(branches(random)), conditions(random)
    for row in random.choice(len(table), 20):
        plan = plan_of(table, int(row), now, meets_deadline=True, chance=0.25)
        own = table.configurations[row]
        assert (plan.configuration, plan.accuracy, plan.layers) == (own, table.accuracy[row], table.layers[row])
        assert (plan.bytes_up, plan.bytes_down) == (table.bytes_up[row], table.bytes_down[row])
        assert (plan.meets_deadline, plan.chance) == (True, 0.25)
        assert plan.stages.total == pytest.approx(now.latency(table)[row])
        assert not plan_of(table, int(row), now, meets_deadline=False).meets_deadline
    assert plan_of(table, 0, now, meets_deadline=True).chance is None


def test_the_function_plans_for_a_model_two_machines_and_a_link() -> None:
    """Times by arithmetic: raw tensors, a device of 5 ms a layer, an edge that takes no time worth speaking of."""
    model = load("b-alexnet")
    device, edge = host(model, 0.005), host(model, 1e-9)
    known = {"uplink": TransferModel(bandwidth=BitsPerSecond(8e6), round_trip=Seconds(0.01))}
    known["downlink"] = replace(known["uplink"], bandwidth=BitsPerSecond(2e6))
    chosen = plan(
        model,
        device,
        edge,
        bandwidth=BitsPerSecond(8e6),
        downlink=BitsPerSecond(2e6),
        round_trip=Seconds(0.01),
        deadline=Seconds(0.1),
    )
    assert (chosen.configuration.upload_cut, chosen.configuration.codec) == (0, "float32")
    assert chosen.bytes_up == 4 * 3 * 32 * 32
    assert chosen.stages.uplink == pytest.approx(known["uplink"].uplink(chosen.bytes_up))
    assert chosen.stages.downlink == pytest.approx(known["downlink"].downlink(chosen.bytes_down))
    assert chosen.meets_deadline
    alike = plan(model, device, edge, bandwidth=BitsPerSecond(8e6), deadline=Seconds(0.1))
    there = TransferModel(bandwidth=BitsPerSecond(8e6))
    assert alike.stages.uplink == pytest.approx(there.uplink(alike.bytes_up))
    assert chosen.stages.uplink + chosen.stages.downlink == pytest.approx(
        8 * 1.046 * (chosen.bytes_up + 175) / 8e6 + 8 * 1.046 * (chosen.bytes_down + 165) / 2e6 + 0.01 + 0.002, rel=0.02
    )
    assert alike.stages.downlink == pytest.approx(there.downlink(alike.bytes_down))
    slow = plan(model, device, edge, bandwidth=BitsPerSecond(1e4), deadline=Seconds(0.03))
    assert slow.configuration.device_only and not slow.meets_deadline


def test_the_function_offers_a_codec_only_with_a_calibration() -> None:
    model = load("b-alexnet")
    ends = host(model, 0.05), host(model, 1e-9)
    link = {"bandwidth": BitsPerSecond(2e5), "deadline": Seconds(1.0)}
    assert str(plan(model, *ends, **link).configuration) == str(Configuration(exit=4, upload_cut=0, download_cut=22))
    coded = (CodecTime(codec="uint8", encode_base=0.0, encode_per_byte=0.0, decode_base=0.0, decode_per_byte=0.0),)
    ends = replace(ends[0], codecs=coded), replace(ends[1], codecs=coded)
    tensors, exit = (model.inputs[0].name,), len(model.branches) - 1
    accuracy = model.branch(exit).accuracy
    known = Calibration(
        model=model.name,
        digest=model.digest,
        data="made up",
        accuracies=(CodecAccuracy(exit=exit, tensors=tensors, codec="uint8", accuracy=accuracy, samples=100),),
    )
    assert plan(model, *ends, **link, calibration=known).configuration.codec == "uint8"
    with pytest.raises(InputError):
        plan(model, *ends, **link, calibration=replace(known, digest="0b" * 32))


def test_directions_are_restrictions_of_the_same_table() -> None:
    table = Candidates.of(branches(np.random.default_rng(5)))
    assert (
        table.restricted(direction="device-first").download_cut == table.restricted(direction="device-first").layers
    ).all()
    edge_first = table.restricted(direction="edge-first")
    assert ((edge_first.upload_cut == 0) | (edge_first.upload_cut == edge_first.download_cut)).all()


def test_the_same_cut_twice_is_only_the_device_alone() -> None:
    table = Candidates.of(branches(np.random.default_rng(6)))
    same = table.upload_cut == table.download_cut
    assert (table.upload_cut[same] == table.layers[same]).all()


@pytest.mark.parametrize("wanted", [{"exits": [9]}, {"codecs": ["uint8", "zip"]}, {"direction": "up"}])
def test_a_restriction_to_what_is_not_there_is_refused(wanted: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Candidates.of(branches(np.random.default_rng(7))).restricted(**wanted)
