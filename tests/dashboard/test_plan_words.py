"""A plan in words and in parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.playing import SPLIT
from edgent.dashboard.plan_words import in_words, plan_document
from edgent.planning.plan import Configuration, Plan, Stages
from networks.policies import gate


def configured(**changes) -> Plan:
    return replace(SPLIT, configuration=replace(SPLIT.configuration, **changes))


ALONE = replace(
    SPLIT,
    configuration=Configuration(exit=2, upload_cut=9, download_cut=9),
    stages=Stages(prepare=0.002, head=0.05),
    layers=9,
    bytes_up=0.0,
    bytes_down=0.0,
)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (ALONE, "This device runs all 9 layers, to exit 2, and asks nobody."),
        (
            SPLIT,
            "Layers 1 to 4 run here; what they make goes to the edge as uint8, 20 kB. "
            "The edge runs layers 5 to 22, to exit 5.",
        ),
        (
            configured(upload_cut=0, codec="jpeg-90"),
            "The input goes to the edge as jpeg-90, 20 kB. The edge runs all 22 layers, to exit 5.",
        ),
        (
            configured(upload_cut=1, download_cut=2),
            "Layer 1 runs here; what it makes goes to the edge as uint8, 20 kB. The edge runs layer 2. "
            "The rest runs here again, to exit 5.",
        ),
        (
            replace(SPLIT, bytes_up=None, bytes_down=None, layers=None),
            "Layers 1 to 4 run here; what they make goes to the edge as uint8. "
            "The edge runs layers 5 to 22, to exit 5.",
        ),
    ],
)
def test_a_plan_says_what_runs_where(plan, words):
    assert in_words(plan) == words


def test_a_trial_and_a_gate_are_said():
    assert in_words(replace(SPLIT, gate=gate(exit=1, later=5))).startswith("Exit 1 answers here first;")
    assert in_words(replace(SPLIT, trial=True)).endswith("The edge is only tried: the device answers beside it.")


@pytest.mark.parametrize("plan", [ALONE, SPLIT, configured(upload_cut=0), configured(download_cut=10)])
def test_the_parts_take_the_time_of_the_whole(plan):
    document = plan_document(plan)
    assert sum(part["ms"] for part in document["parts"]) == pytest.approx(document["total_ms"], abs=0.05)


def test_the_parts_go_from_the_device_to_the_edge_and_back():
    assert [part["where"] for part in plan_document(SPLIT)["parts"]] == ["device", "up", "edge", "down", "device"]
    assert [part["what"] for part in plan_document(configured(download_cut=10))["parts"]] == [
        "layers 1 to 4",
        "uint8, 20 kB",
        "layers 5 to 10",
        "float32, 400 B",
        "layers 11 to 22",
    ]
    assert [part["where"] for part in plan_document(ALONE)["parts"]] == ["device"]
