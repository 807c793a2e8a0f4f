"""The exactness benchmark: what it counts, what it plants, and that it can fail."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import EdgentError
from edgent.evaluation.original import AnswerComparison, expected_answers
from edgent.evaluation.verify import OfferedCuts
from edgent.model import Model
from graphs import Graph, attention, residual, saved, several

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True, scope="module")
def _importable():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))
    for name in ("exactness", "models", "model_builders", "planted"):
        sys.modules.pop(name, None)


@pytest.fixture
def exactness(_importable):
    import exactness

    return exactness


@pytest.fixture
def models(_importable):
    import models

    return models


@pytest.fixture
def planted(_importable):
    import planted

    return planted


def inputs_of(model: Model) -> list:
    return [random_feeds(model.inputs, np.random.default_rng(seed)) for seed in (0, 1)]


def bench(planted, path: Path):
    model = load(path)
    comparison = AnswerComparison(expected_answers(model, inputs_of(model)))
    return planted.Bench(name="net", path=path, dims={}, model=model, inputs=inputs_of(model), comparison=comparison)


def row(exactness, **changes):
    good = exactness.Row(
        cuts=5,
        verified=5,
        not_offered=0,
        live=6,
        failed=0,
        max_relative_difference=0.0,
        tolerance=1e-4,
        answers_equal=True,
        seconds=1.0,
    )
    return replace(good, **changes)


def faults(planted, found: int, missed: int) -> list:
    seen = planted.Fault(model="net", kind="weight", where="w", difference=0.1, found=True)
    return [seen] * found + [replace(seen, found=False)] * missed


def test_every_cut_is_run_in_every_way_and_live(exactness, model_file):
    model = load(saved(several(), model_file))
    divided = exactness.Divided(model, inputs_of(model))
    assert divided.run(200) == len(model.branches[0].layers) + 1
    assert divided.live == divided.run(200) + 1, "the whole on the device, and each cut once"
    assert divided.whys == [] and divided.comparison.answers_equal


def test_a_model_that_answers_otherwise_fails_by_pieces_and_live(exactness, model_file, tmp_path):
    saved(residual(), model_file)
    proto = residual()
    weight = np.frombuffer(proto.graph.initializer[0].raw_data, np.float32)
    proto.graph.initializer[0].raw_data = (weight * np.float32(1.01)).tobytes()
    faulty = replace(load(saved(proto, tmp_path / "off.onnx")), path=model_file, members=(model_file,))
    divided = exactness.Divided(faulty, inputs_of(faulty))
    divided.run(2)
    assert any(" live: " in why for why in divided.whys) and any(" pieces: " in why for why in divided.whys)


def test_a_model_that_cannot_be_loaded_is_a_failure_with_its_reason(exactness, models, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    entry = models.Entry(name="broken", source=models.Source(file=tmp_path / "broken.onnx"))
    found = exactness.exactness(entry, tmp_path / "broken.onnx", 10)
    assert found.failed == 1 and not found.answers_equal and "broken.onnx" in found.why


def test_cuts_are_a_seeded_share_of_all_exits(exactness):
    branches = [OfferedCuts(branch) for branch in load("b-alexnet").branches]
    every = exactness.share(branches, 1000, np.random.default_rng(0))
    assert len(every) == sum(len(divisions.cuts) for divisions in branches)
    drawn = [exactness.share(branches, 9, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(map(str, drawn[0]))) == 9


@pytest.mark.parametrize(
    ("changes", "found", "missed", "passes"),
    [
        ({}, 95, 5, True),
        ({}, 100, 0, True),
        ({}, 94, 6, False),
        ({}, 0, 0, True),
        ({"failed": 1}, 100, 0, False),
        ({"answers_equal": False}, 100, 0, False),
    ],
)
def test_it_passes_with_no_failure_and_ninety_five_of_a_hundred_faults(
    exactness, planted, changes, found, missed, passes
):
    document = exactness.document(
        {"net": row(exactness), "other": row(exactness, **changes)}, faults(planted, found, missed), {}
    )
    assert exactness.passes(document) is passes
    assert document["planted"]["faults"] == found + missed and document["planted"]["found"] == found


def test_the_document_has_the_keys_that_are_asked_for(exactness):
    document = exactness.document({"net": row(exactness)}, [], {"gone": "nobody has it"})
    wanted = {"cuts", "verified", "failed", "max_relative_difference", "answers_equal"}
    assert wanted <= set(document["models"]["net"]) and {"faults", "found"} <= set(document["planted"])
    assert document["unavailable"] == {"gone": "nobody has it"}


def test_an_infinite_difference_is_null_in_json(exactness):
    document = exactness.document({"net": row(exactness, max_relative_difference=float("inf"))}, [], {})
    assert json.loads(json.dumps(document, allow_nan=False))["models"]["net"]["max_relative_difference"] is None


@pytest.mark.parametrize(("kind", "graph"), [("weight", attention), ("swapped", attention), ("constants", residual)])
def test_each_kind_of_fault_is_planted_and_found(planted, kind, graph, model_file, tmp_path):
    fault = planted.planted(bench(planted, saved(graph(), model_file)), kind, np.random.default_rng(0), tmp_path)
    assert fault.kind == kind and fault.found and fault.difference > 1e-4


def test_without_a_fault_nothing_is_found(planted, model_file):
    healthy = bench(planted, saved(attention(), model_file))
    fault = planted._judged(healthy, "none", "", healthy.model.branches[0], (2, 4), healthy.model, Engine())
    assert not fault.found


def test_constants_that_lie_in_the_graph_are_not_taken_from_a_folder(planted, model_file, tmp_path):
    small = bench(planted, saved(attention(), model_file))
    assert planted.planted(small, "constants", np.random.default_rng(0), tmp_path) is None


def test_a_chain_has_no_two_tensors_to_swap(planted, model_file, tmp_path):
    g = Graph()
    saved(g.model(g.conv(g.node("Relu", g.conv("x", 3, 4)), 4, 4)), model_file)
    assert planted.planted(bench(planted, model_file), "swapped", np.random.default_rng(0), tmp_path) is None


def test_two_tensors_that_are_only_added_are_not_swapped(planted, model_file):
    branch = load(saved(residual(), model_file)).branches[0]
    add = next(layer for layer in branch.layers if layer.op == "Add")
    assert planted._exchangeable(branch.layers[4:], *add.inputs)
    assert not planted._exchangeable(branch.layers, *add.inputs), "one of them is read by a convolution too"


def test_models_have_names_of_their_own_and_are_found_by_them(models):
    names = [entry.name for entry in (*models.MODELS, *models.OTHERS)]
    assert len(set(names)) == len(names)
    assert [entry.name for entry in models.by_name(["magika", "yolov8"])] == ["magika", "yolov8"]
    with pytest.raises(ValueError, match="no model is called 'nothing'"):
        models.by_name(["nothing"])


def test_what_is_built_has_a_builder_and_an_environment(models):
    import model_builders

    listed = (*models.MODELS, *models.OTHERS)
    built = {entry.name: entry.source.environment for entry in listed if entry.source.environment}
    assert set(built) == set(model_builders.BUILDERS)
    assert set(built.values()) <= {"here", *models.ENVIRONMENTS}


@pytest.mark.parametrize("name", ["lstm-state", "kv-cache-step"])
def test_a_network_made_here_runs_and_is_the_same_each_time(models, name, tmp_path):
    [entry] = models.by_name([name])
    files = [models.prepared(entry, tmp_path / folder) for folder in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    model = load(files[0], dims=entry.dims)
    answers = expected_answers(model, [entry.draw(model.inputs, np.random.default_rng(0))])[0]
    assert all(np.isfinite(one.value).all() and not one.drawn for one in answers.values())


def test_what_cannot_be_had_is_said_in_one_line(models, tmp_path):
    entry = models.Entry(name="gone", source=models.Source(file=tmp_path / "gone.onnx"))
    with pytest.raises(EdgentError, match="is not there"):
        models.prepared(entry, tmp_path)


def test_external_data_lies_beside_its_model_and_is_removed_with_it(models, tmp_path):
    import model_builders

    model_builders.external_2gb(tmp_path / "external-2gb.onnx", gigabyte=2**20)
    proto = onnx.load(tmp_path / "external-2gb.onnx", load_external_data=False)
    entries = [entry for tensor in proto.graph.initializer for entry in tensor.external_data]
    assert {entry.value for entry in entries if entry.key == "location"} == {"external-2gb.onnx.data"}
    [entry] = models.by_name(["external-2gb"])
    models.remove(entry, tmp_path)
    assert list(tmp_path.iterdir()) == []
