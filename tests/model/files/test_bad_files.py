"""Bad model files: one clear line, never a traceback of somebody else's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edgent.engine.loading import load
from edgent.engine.onnxruntime import Engine
from edgent.errors import ModelError
from graphs import Graph, residual, saved


def test_a_file_that_is_no_onnx(model_file: Path) -> None:
    model_file.write_text("not a model")
    with pytest.raises(ModelError, match="no ONNX"):
        load(model_file)


def test_an_empty_file(model_file: Path) -> None:
    model_file.touch()
    with pytest.raises(ModelError, match="no ONNX"):
        load(model_file)


def test_a_file_that_is_not_there(model_file: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load(model_file)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_file(model_file: Path, share: float) -> None:
    data = residual().SerializeToString()
    model_file.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelError):
        load(model_file)


def _external(path: Path) -> onnx.ModelProto:
    onnx.save(residual(), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return onnx.load(path, load_external_data=False)


def test_external_data_that_is_missing(model_file: Path) -> None:
    _external(model_file)
    (model_file.parent / "w.bin").unlink()
    with pytest.raises(ModelError, match="missing"):
        load(model_file)


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "a/../../w.bin"])
def test_external_data_outside_the_folder(model_file: Path, location: str) -> None:
    proto = _external(model_file)
    for tensor in proto.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
    model_file.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError, match="outside"):
        load(model_file)


def test_external_data_through_a_symbolic_link_out_of_the_folder(model_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    path = folder / "model.onnx"
    _external(path)
    (folder / "w.bin").rename(tmp_path / "w.bin")
    (folder / "w.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(ModelError, match="outside"):
        load(path)


def test_external_data_that_is_too_short(model_file: Path) -> None:
    _external(model_file)
    file = model_file.parent / "w.bin"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="ends before"):
        load(model_file)


@pytest.mark.parametrize("opset", [3, 9999])
def test_an_opset_nobody_knows(model_file: Path, opset: int) -> None:
    proto = residual()
    proto.opset_import[0].version = opset
    with pytest.raises(ModelError, match=f"opset {opset}"):
        load(saved(proto, model_file))


def test_an_operator_nobody_knows(model_file: Path) -> None:
    g = Graph()
    with pytest.raises(ModelError, match="Frobnicate"):
        load(saved(g.model(g.node("Frobnicate", "x")), model_file))


def test_an_operator_of_a_foreign_domain_is_refused_by_the_engine(model_file: Path) -> None:
    g = Graph()
    g.nodes.append(helper.make_node("Frobnicate", ["x"], ["y"], domain="com.example"))
    proto = g.model("y")
    proto.opset_import.append(helper.make_opsetid("com.example", 1))
    model = load(saved(proto, model_file))
    with pytest.raises(ModelError, match="ONNX Runtime does not take it"):
        Engine().session(model, ["x"], ["y"])


def test_a_free_dimension_without_a_number(model_file: Path) -> None:
    proto = residual()
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    with pytest.raises(ModelError, match="--dim height="):
        load(saved(proto, model_file))


def test_a_small_file_that_asks_for_gigabytes(model_file: Path) -> None:
    g = Graph()
    big = g.node("ConstantOfShape", g.constant(np.array([2**20, 2**12])))
    proto = g.model(g.node("Add", "x", g.node("ReduceSum", big, keepdims=0)))
    with pytest.raises(ModelError, match="refused"):
        load(saved(proto, model_file))


def test_an_unknown_exit_or_cut(model_file: Path) -> None:
    model = load(saved(residual(), model_file))
    with pytest.raises(ModelError, match="no exit 3"):
        model.branch(3)
    with pytest.raises(ModelError, match="upload <= download"):
        model.branches[0].boundary(4, 2)
    with pytest.raises(ModelError, match="no tensor 'nothing'"):
        model.segment(["x"], ["nothing"])


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"version": 2}', '{"version": 1, "more": 1}', '{"version": 1, "exits": [{}]}']
)
def test_metadata_that_is_not_what_it_should_be(model_file: Path, text: str) -> None:
    proto = residual()
    proto.metadata_props.add(key="edgent", value=text)
    with pytest.raises(ModelError):
        load(saved(proto, model_file))


def test_metadata_that_names_an_output_the_graph_does_not_have(model_file: Path) -> None:
    proto = residual()
    text = '{"version": 1, "exits": [{"name": "a", "outputs": ["nothing"]}]}'
    proto.metadata_props.add(key="edgent", value=text)
    with pytest.raises(ModelError, match="nothing"):
        load(saved(proto, model_file))
