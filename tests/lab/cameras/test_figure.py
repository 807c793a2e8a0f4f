from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgent.engine.loading import load
from edgent.errors import InputError
from edgent.lab.cameras.figure import FIGURE, result
from edgent.lab.cameras.measured import examples_of, links_of, measure_basis, tallies_of
from edgent.lab.cameras.parameters import CAMERAS, CARRIED, POOLED, SEEDS, Traffic
from edgent.lab.cameras.plans import CASCADE, JPEG, ORACLE, OURS, RACED, SMALL, methods_of
from edgent.lab.cameras.twentieth import drawn_streets
from edgent.lab.reproduction.figure import Lab
from edgent.lab.reproduction.parts import Parts
from lab.cameras import made
from lab.figures import made as figures_made

LIVE = {"cameras": 10, "method": OURS, "live": 0.9, "live_low": 0.8, "live_high": 0.95, "virtual": 0.91,
        "carrier": 0.5, "overran": 0.01}  # fmt: skip


def kept_methods(basis):
    methods = methods_of(basis.facts, basis.machines, 0.3)
    return {name: methods[name] for name in (OURS, SMALL, JPEG, RACED, CASCADE)}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return figures_made.lab(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def tallies(lab):
    basis = made.basis()
    return {
        cameras: [
            tallies_of(lab, basis, kept_methods(basis), made.street(cameras=cameras, seconds=1.0, seed=seed))
            for seed in (0, 1)
        ]
        for cameras in POOLED
    }


@pytest.fixture(scope="module")
def came_to(tallies):
    return result(made.basis(), tallies, Traffic(), "made up", [LIVE])


def table(came_to, title):
    return next(table for table in came_to.tables if table.title.startswith(title))


def test_the_goal_is_the_big_network_s_own_accuracy_less_a_point(came_to):
    assert "Goal: 89.0%" in came_to.notes[0]  # 9 of 10, less 1


def test_who_knows_all_answers_carries_all_that_were_tried(came_to):
    rows = {row["method"]: row for row in table(came_to, "Cameras on").document()["rows"]}
    assert rows[ORACLE]["cameras"] is None  # no end was found


def test_accuracy_in_time_is_over_all_requests_of_all_seeds(came_to, tallies):
    rows = {row["method"]: row for row in table(came_to, "Accuracy in time").document()["rows"]}
    for name in (OURS, SMALL, ORACLE):
        of_ten = [tally[name] for tally in tallies[10]]
        share = sum(sum(tally.right) for tally in of_ten) / sum(sum(tally.came) for tally in of_ten)
        assert rows[name]["cameras_10"] == pytest.approx(share)


def test_the_best_stands_first_and_the_clairvoyant_apart(came_to):
    names = [row[0] for row in table(came_to, "Cameras on one edge core").rows]
    assert names[-1] == ORACLE
    assert names.index(OURS) < names.index(JPEG)


def test_live_streets_stand_beside_the_same_ones_in_virtual_time(came_to):
    assert table(came_to, "A twentieth").texts()[0][:3] == ["10", OURS, "90.0%"]


def test_all_of_it_is_json(came_to):
    json.dumps(came_to.document(), allow_nan=False)


def test_what_is_kept_is_not_simulated_again(lab, tallies):
    basis = made.basis()
    before = lab.parts.computed
    again = tallies_of(lab, basis, kept_methods(basis), made.street(cameras=10, seconds=1.0))
    assert again == tallies[10][0] and lab.parts.computed == before


def test_without_networks_or_pictures_it_says_what_is_missing(lab):
    with pytest.raises(InputError, match="--model SMALL"):
        FIGURE.run(lab)
    with pytest.raises(InputError, match="--data DIR"):
        examples_of(replace(lab, model="a.onnx+b.onnx"))


def test_a_seed_has_links_of_its_own(lab):
    first, words = links_of(lab, 2)
    assert [link.name for link in first] == ["generated-0", "generated-1"] and "seed 0" in words
    assert links_of(replace(lab, seed=1), 1)[0][0].name == "generated-1"


def test_a_twentieth_is_drawn_of_the_streets_that_a_core_can_carry():
    drawn = drawn_streets(0)
    assert len(drawn) == len(CAMERAS) * SEEDS // 20
    assert all(cameras <= CARRIED for cameras, _ in drawn)
    assert drawn == drawn_streets(0)


def test_a_network_in_one_file_has_no_part_that_only_the_edge_holds(tmp_path):
    lab = Lab(parts=Parts(tmp_path, {}), seed=0, traces=None, progress=lambda *_: None, edge_only=True)
    with pytest.raises(InputError, match=r"b-alexnet: expected two files, as SMALL\.onnx\+BIG\.onnx"):
        measure_basis(lab, load("b-alexnet"), made.basis().examples)
