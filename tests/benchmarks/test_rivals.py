from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from edgent.demo.values import Chosen, Setup
from edgent.planning.plan import Configuration

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
CODED = Configuration(exit=9, upload_cut=0, download_cut=22, codec="webp-90")
INT8 = Configuration(exit=8, upload_cut=13, download_cut=13)
OTHER = Configuration(exit=0, upload_cut=9, download_cut=9)


@pytest.fixture(scope="module")
def rivals():
    spec = importlib.util.spec_from_file_location("rivals", FOLDER / "rivals.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["rivals"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["rivals"]


def cell(rivals, ours, *, edgent, codec=0.0, int8=0.0, cloud=0.0, margin=0.01, borderline=False):
    runs = {"edgent": ours, "codec": CODED, "int8": INT8, "cloud": CODED}
    accuracy = {"edgent": edgent, "codec": codec, "int8": int8, "cloud": cloud}
    return rivals.Cell(
        bandwidth=1e6,
        deadline=0.05,
        chosen={name: Chosen(setup=Setup(configuration=each), accuracy=0.9) for name, each in runs.items()},
        accuracy=accuracy,
        medians=dict.fromkeys(accuracy, 0.02),
        margin=margin,
        borderline=borderline,
    )


def test_what_is_behind_a_standing_rival_by_more_than_the_margin_fails(rivals):
    assert rivals.problems([cell(rivals, CODED, edgent=0.80, codec=0.82)]) == ["1 Mbit/s, 50 ms: behind codec"]
    assert not rivals.problems([cell(rivals, CODED, edgent=0.80, codec=0.805)])


def test_a_method_that_is_no_standing_rival_is_only_shown(rivals):
    assert not rivals.problems([cell(rivals, CODED, edgent=0.80, codec=0.80, cloud=0.9)])


def test_where_a_rival_is_best_the_plan_is_that_rival(rivals):
    within = {"edgent": 0.795, "int8": 0.80}
    assert not rivals.problems([cell(rivals, INT8, **within)])
    assert rivals.problems([cell(rivals, OTHER, **within)]) == [
        "1 Mbit/s, 50 ms: a rival is best, and the plan is another"
    ]
    assert not rivals.problems([cell(rivals, OTHER, edgent=0.85, int8=0.80)])


def test_any_image_codec_to_the_edge_is_the_coded_rival(rivals):
    other = Configuration(exit=8, upload_cut=0, download_cut=13, codec="source")
    assert not rivals.problems([cell(rivals, other, edgent=0.8, codec=0.8)])


def test_borderline_cells_do_not_count_but_are_counted(rivals):
    lost = cell(rivals, CODED, edgent=0.0, codec=0.9, borderline=True)
    fine = cell(rivals, CODED, edgent=0.9, codec=0.9)
    assert not rivals.problems([lost, fine, fine, fine])
    assert rivals.problems([lost, fine, fine]) == ["33% of the cells are borderline: no evidence"]


def test_the_document_of_a_cell_has_just_the_agreed_keys(rivals):
    found = cell(rivals, CODED, edgent=0.9, codec=0.9).document()
    assert list(found) == ["bandwidth_bps", "deadline_ms", "borderline", "margin", "methods"]
    assert set(found["methods"]) >= {"edgent", "codec", "int8"}
