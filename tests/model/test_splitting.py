"""For every cut of every kind of graph, the pieces chained equal the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from edgent.engine.feeds import random_feeds
from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.evaluation.original import difference
from edgent.evaluation.verify import run_pieces, verify
from graphs import GRAPHS, residual, saved, several


@pytest.mark.parametrize("name", GRAPHS)
def test_every_cut_chained_equals_the_whole(name: str, model_file: Path) -> None:
    model = load(saved(GRAPHS[name](), model_file))
    result = verify(model, Engine())
    assert result.verified == result.cuts == len(model.branches[0].layers) + 1
    assert result.failed == () and result.max_relative_difference <= 1e-4


@pytest.mark.parametrize("name", GRAPHS)
def test_the_whole_equals_the_untouched_file_in_onnxruntime(name: str, model_file: Path) -> None:
    model = load(saved(GRAPHS[name](), model_file))
    feeds = random_feeds(model.inputs, np.random.default_rng(1))
    expected = onnxruntime.InferenceSession(str(model_file)).run(None, feeds)
    result = run_pieces(model, model.branches[0], Engine(), feeds, 0, 0)
    for tensor, array in zip(model.branches[0].outputs, expected, strict=True):
        assert difference(result[tensor.name], array).largest <= 1e-5


def test_noise_in_place_of_the_boundary_changes_the_answer(model_file: Path) -> None:
    model = load(saved(residual(), model_file))
    branch, engine, generator = model.branches[0], Engine(), np.random.default_rng(2)
    feeds = random_feeds(model.inputs, generator)
    whole = run_pieces(model, branch, engine, feeds, 0, 0)
    for cut in range(1, len(branch.layers)):
        noise = random_feeds(branch.boundary(cut, len(branch.layers)).up, generator)
        answer = engine.session(model, list(noise), [branch.outputs[0].name]).run(noise)
        assert difference(answer[branch.outputs[0].name], whole[branch.outputs[0].name]).largest > 0.01


@pytest.mark.parametrize("name", GRAPHS)
def test_boundary_bytes_equal_the_sum_over_the_boundary_at_every_pair_of_cuts(name: str, model_file: Path) -> None:
    branch = load(saved(GRAPHS[name](), model_file)).branches[0]
    up, down = branch.boundary_bytes()
    for upload in range(len(branch.layers) + 1):
        for download in range(upload, len(branch.layers) + 1):
            boundary = branch.boundary(upload, download)
            assert up[upload, download] == sum(tensor.nbytes or 0 for tensor in boundary.up)
            assert down[upload, download] == sum(tensor.nbytes or 0 for tensor in boundary.down)


def test_a_skip_from_head_to_suffix_never_travels(model_file: Path) -> None:
    branch = load(saved(residual(), model_file)).branches[0]
    # conv, relu, [conv, relu, conv], add, relu: the skip starts at the first relu and ends at the add
    boundary = branch.boundary(3, 5)
    assert [tensor.name for tensor in boundary.up] == [branch.layers[2].outputs[0]]
    assert [tensor.name for tensor in boundary.down] == [branch.layers[4].outputs[0]]


def test_an_answer_made_in_the_head_stays_on_the_device(model_file: Path) -> None:
    branch = load(saved(several(), model_file)).branches[0]
    n = len(branch.layers)
    assert branch.layers[0].outputs[0] not in [tensor.name for tensor in branch.boundary(1, n).down]


def test_a_symbolic_batch_becomes_one_or_what_is_asked(model_file: Path) -> None:
    saved(residual(batch="batch"), model_file)
    assert load(model_file).inputs[0].shape == (1, 3, 8, 8)
    assert load(model_file, dims={"batch": 5}).branches[0].outputs[0].shape == (5, 8, 8, 8)


def test_shape_computations_are_folded_away(model_file: Path) -> None:
    model = load(saved(GRAPHS["shape_chain"](batch="batch"), model_file))
    assert [layer.op for layer in model.branches[0].layers] == ["Conv", "MatMul"]


def test_initialisers_listed_as_inputs_are_weights(model_file: Path) -> None:
    proto = residual()
    for tensor in proto.graph.initializer:
        proto.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    model = load(saved(proto, model_file))
    assert [tensor.name for tensor in model.inputs] == ["x"]
    assert verify(model, Engine()).failed == ()


def test_external_data_gives_the_same_digest_and_the_same_answers(model_file: Path, tmp_path: Path) -> None:
    inside = load(saved(residual(), model_file))
    (tmp_path / "outside").mkdir()
    path = tmp_path / "outside" / "model.onnx"
    onnx.save(residual(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    outside = load(path)
    assert outside.digest == inside.digest
    feeds = random_feeds(inside.inputs, np.random.default_rng(3))
    answers = [run_pieces(m, m.branches[0], Engine(), feeds, 3, 5) for m in (inside, outside)]
    assert difference(*(next(iter(answer.values())) for answer in answers)).largest == 0


def test_segments_share_one_weights_file(model_file: Path) -> None:
    model = load(saved(GRAPHS["attention"](), model_file))
    folders = {model.segment(["x"], [layer.outputs[-1]]).weights for layer in model.branches[0].layers}
    assert len(folders) == 1


def test_the_engine_keeps_a_bounded_number_of_sessions(model_file: Path) -> None:
    model = load(saved(residual(), model_file))
    engine = Engine(capacity=2)
    names = [layer.outputs[0] for layer in model.branches[0].layers]
    sessions = [engine.session(model, ["x"], [name]) for name in names[:3]]
    assert engine.session(model, ["x"], [names[2]]) is sessions[2]
    assert engine.session(model, ["x"], [names[0]]) is not sessions[0]


def test_the_shipped_network_has_the_papers_branches() -> None:
    model = load("b-alexnet")
    assert [len(branch.layers) for branch in model.branches] == [12, 16, 19, 20, 22]
    assert verify(model, Engine(), most=4).failed == ()
    assert model.path.stat().st_size < 4_000_000
