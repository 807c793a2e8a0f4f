from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from edgent.wire import messages as m
from edgent.wire.tensors import parse

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"


def module_of(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def load():
    yield module_of("load")
    del sys.modules["load"]


@pytest.fixture(scope="module")
def client():
    yield module_of("load_client")
    del sys.modules["load_client"]


def run(load, at, goodput, model_ms=9.0, refused=None):
    return load.Run(
        model_ms=model_ms, load=at, capacity=100.0, offered=at, goodput=goodput, refused_after_ms=refused, statuses={}
    )


def test_goodput_is_the_median_of_the_rounds_beside_the_peak_of_the_loads_up_to_one(load):
    rounds = [
        run(load, at, share)
        for at in load.BELOW + load.ABOVE
        for share in ((0.1, 0.8, 0.9) if at == 0.85 else (0.3, 0.4, 2.0))
    ]
    found = {row.load: row for row in load.rows(rounds)}
    assert found[0.85].goodput == 0.8
    assert found[0.85].of_peak == 1.0
    assert found[4.0].of_peak == pytest.approx(0.5)
    assert found[4.0].refused_after_ms is None


def test_each_model_has_a_peak_of_its_own(load):
    of = {9.0: 0.9, 2.6: 0.4}
    runs = [run(load, at, share, model_ms=ms) for ms, share in of.items() for at in load.BELOW + load.ABOVE]
    assert {row.of_peak for row in load.rows(runs)} == {1.0}


def test_throughput_is_set_beside_the_bare_loop_of_its_own_round(load):
    found = load.throughput(9.0, "edgent", [(90.0, 100.0), (40.0, 50.0), (10.0, 100.0)])
    assert (found.bare_per_second, found.of_bare) == (100.0, 0.8)


def test_a_request_has_at_most_20_kb_and_the_network_takes_it(load, client):
    message = client.message("load", "image", load.SHAPE)
    assert len(message) <= 20_000
    request = parse(m.ModelInferRequest, message)
    session = onnxruntime.InferenceSession(load.network(2).SerializeToString())
    feeds = {"image": np.frombuffer(request.raw_input_contents[0], np.float32).reshape(load.SHAPE)}
    (scores,) = session.run(None, feeds)
    assert scores.shape == (1, 10)
    assert np.isfinite(scores).all() and scores.any()
