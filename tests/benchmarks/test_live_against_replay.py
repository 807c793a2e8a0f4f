from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("live_against_replay", FOLDER / "live_against_replay.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["live_against_replay"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["live_against_replay"]


@pytest.fixture(scope="module")
def one(benchmark):
    return benchmark.Compared(
        setting="paper-pi3-resident, float32",
        deadline_ms=100.0,
        race=False,
        period=2.0,
        trace="made",
        requests=100,
        call_ms=2.0,
        live_throughput=20.0,
        replay_throughput=21.0,
        live_miss_rate=0.01,
        replay_miss_rate=0.0,
        live_accuracy=0.87,
        replay_accuracy=0.88,
    )


def test_a_link_begins_where_something_gets_through(benchmark, tmp_path):
    for folder, name in (("oboe", "a.txt"), ("belgium-4g", "b.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("s,Mbit/s\n0,0\n1,0\n2,4\n3,5\n4,6\n")
    oboe, belgium = benchmark.links(tmp_path, 2, 0)
    assert (oboe.at(0.0), oboe.at(1.5), oboe.duration) == (4e6, 5e6, 3.0)
    assert belgium.at(0.0) == pytest.approx(4e5)


def test_without_a_folder_links_are_generated(benchmark):
    first, second = benchmark.links(None, 2, 3)
    assert first.name == "generated-3" and second.name == "generated-4" and first.duration == 180.0


def test_every_request_counts_the_same(benchmark, one):
    more = replace(one, requests=300, live_throughput=40.0, live_miss_rate=0.05)
    both = benchmark.pooled([one, more])
    assert (both.requests, both.live_throughput, both.replay_throughput) == (400, 35.0, 21.0)
    assert both.live_miss_rate == pytest.approx(0.04)


def test_both_agree_within_a_tenth_of_throughput_and_two_points_missed(benchmark, one):
    assert benchmark.agrees(one)
    assert not benchmark.agrees(replace(one, replay_throughput=22.5))
    assert not benchmark.agrees(replace(one, live_miss_rate=0.021))
    assert max(map(len, str(one).splitlines())) <= 100
