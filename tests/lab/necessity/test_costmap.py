"""The map of costs, cell by cell: beside arithmetic on candidates that a test makes up."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edgent.lab.necessity.costmap import CostMap, cost_map, seen
from edgent.link import TransferModel
from edgent.planning.candidates import Candidates
from edgent.planning.costs import BranchCosts, Crossing
from edgent.planning.knobs import Kinds, Necessity
from edgent.units import BitsPerSecond, Seconds

LINK = TransferModel(bandwidth=BitsPerSecond(1.0), round_trip=Seconds(0.0))
BANDWIDTHS, DEADLINES = (BitsPerSecond(1e5), BitsPerSecond(1e7)), (Seconds(0.05), Seconds(0.3), Seconds(2.0))
DEVICE, SIZE, EDGE = 0.2, 10_000.0, 0.001


def necessity() -> Necessity:
    """One exit of one layer: 0.2 s on the device, or 10 kB to the edge, which takes a millisecond."""

    def crossing(size: float) -> Crossing:
        plane, nothing = np.full((2, 2), size), np.zeros((2, 2))
        return Crossing(codec="float32", size=plane, encode=nothing, decode=nothing)

    branch = BranchCosts(
        exit=0,
        accuracy=0.8,
        device=np.array([DEVICE]),
        edge=np.array([EDGE]),
        up=(crossing(SIZE),),
        down=(crossing(0.0),),
    )
    return Necessity(Candidates.of([branch]), Kinds(last=frozenset({0})))


def best(bandwidth: float, deadline: float, factor: float = 1.0) -> float:
    """Accuracy in time on a link that does not vary: whichever of the two is in time."""
    over_the_link = EDGE + 8 * SIZE / bandwidth
    return 0.8 if min(DEVICE * factor, over_the_link) <= deadline else 0.0


@pytest.mark.parametrize("factor", [0.1, 1.0, 5.0])
def test_each_cell_has_the_best_of_its_own_bandwidth_and_deadline(factor: float) -> None:
    built = cost_map(necessity(), BANDWIDTHS, DEADLINES, LINK, variation=0.0, device_factor=factor)
    expected = [[best(bandwidth, deadline, factor) for deadline in DEADLINES] for bandwidth in BANDWIDTHS]
    assert built.best.tolist() == pytest.approx(np.array(expected))
    assert len({tuple(row) for row in built.best.tolist()}) > 1 or factor == 0.1, "the cells differ"


def test_a_knob_that_nobody_turns_has_no_plane_and_the_race_costs_nothing_where_nothing_varies() -> None:
    built = cost_map(necessity(), BANDWIDTHS, DEADLINES, LINK, variation=0.0)
    assert set(built.costs) == {"race"}
    assert not built.costs["race"].any()


def test_where_the_link_varies_the_local_branch_saves_what_comes_too_late() -> None:
    # In 0.3 s the device can still answer by itself; a link of 300 kbit/s is about quick enough, and often is not.
    cell = ((BitsPerSecond(3e5),), (Seconds(0.3),))
    slow = cost_map(necessity(), *cell, LINK, variation=0.5, device_factor=1.0)
    assert slow.best[0, 0] == pytest.approx(0.8)
    alone_too_slow = cost_map(necessity(), *cell, LINK, variation=0.5, device_factor=2.0)
    assert 0.0 < alone_too_slow.best[0, 0] < 0.8


def test_a_map_is_read_as_it_was_written_to_a_thousandth_of_a_point() -> None:
    random = np.random.default_rng(0)
    written = CostMap(costs={"cut": random.random((2, 3)), "race": random.random((2, 3))}, best=random.random((2, 3)))
    read = CostMap.from_document(json.loads(json.dumps(written.document())))
    assert read.best == pytest.approx(written.best, abs=5.1e-6)
    assert {knob: plane.tolist() for knob, plane in read.costs.items()} == {
        knob: plane.round(5).tolist() for knob, plane in written.costs.items()
    }


def test_a_cell_is_seen_with_its_own_bandwidth_in_both_directions_and_its_variation() -> None:
    certain = seen(LINK, BitsPerSecond(1e6), 0.0, device_factor=3.0)
    assert (certain.uplink.bandwidth, certain.downlink.bandwidth, certain.device_factor) == (1e6, 1e6, 3.0)
    varying = seen(LINK, BitsPerSecond(1e6), 0.4).bandwidths
    mean = float(varying.up @ varying.weights)
    deviation = float(np.sqrt((varying.up - mean) ** 2 @ varying.weights))
    assert mean == pytest.approx(1e6, rel=0.03)
    assert deviation / mean == pytest.approx(0.4, rel=0.1)
