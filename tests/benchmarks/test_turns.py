from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def turns():
    spec = importlib.util.spec_from_file_location("turns", FOLDER / "turns.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["turns"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["turns"]


def test_an_edge_answers_late_if_the_link_stops_before_it_has(turns):
    assert turns.edge_takes(0.3) == turns.EDGE
    assert turns.edge_takes(0.79) == pytest.approx(0.21 + turns.EDGE / 2)
    assert turns.edge_takes(1.9) == pytest.approx(0.1 + turns.EDGE / 2)


def test_turns_lose_fewer_requests_than_each_by_itself_and_more_than_who_knows_the_link(turns):
    met = {way: turns.row(way, 30.0, 0.022, 2000, 0).deadlines_met for way in turns.WAYS}
    assert met["by itself"] < met["turns"] <= met["link known"] <= 1.0


def test_a_device_alone_that_is_asked_rarely_is_always_in_time_and_computes_every_answer(turns):
    row = turns.row("device alone", 1.0, 0.022, 500, 0)
    assert row.deadlines_met == 1.0
    assert row.device_ms == pytest.approx(22.0)
