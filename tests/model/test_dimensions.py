"""A free dimension has a name or is written as -1; numbers are given by name, and only to what is free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from edgent.engine.loading import load
from edgent.errors import ModelError
from edgent.model import Model
from graphs import Graph, residual, saved
from whole import plain, same, whole

Dim = int | str | None


def sized(*dims: Dim, proto: onnx.ModelProto | None = None) -> onnx.ModelProto:
    """A network whose input has these dimensions; None leaves one open."""
    proto = proto or residual()
    for dim, size in zip(proto.graph.input[0].type.tensor_type.shape.dim, dims, strict=True):
        dim.Clear()
        if isinstance(size, str):
            dim.dim_param = size
        elif size is not None:
            dim.dim_value = size
    return proto


def bound(path: Path, **dims: int) -> tuple[Model, tuple[int, ...] | None]:
    model = load(path, dims=dims)
    return model, model.inputs[0].shape


@pytest.mark.parametrize("leading", [-1, None, "N", -5])
def test_a_leading_free_dimension_is_the_batch_and_one(leading: Dim, model_file: Path) -> None:
    model, shape = bound(saved(sized(leading, 3, 8, 8), model_file))
    assert shape == (1, 3, 8, 8)
    assert model.branches[0].outputs[0].shape == (1, 8, 8, 8)
    x = {"x": np.ones((1, 3, 8, 8), np.float32)}
    assert [a.shape for a in whole(model_file, x)] == [a.shape for a in plain(model_file, x)]


@pytest.mark.parametrize(("leading", "name"), [(-1, "batch"), (None, "batch"), ("N", "N")])
def test_the_batch_may_have_a_number(leading: Dim, name: str, model_file: Path) -> None:
    model, shape = bound(saved(sized(leading, 3, 8, 8), model_file), **{name: 5})
    assert shape == (5, 3, 8, 8)
    assert model.branches[0].outputs[0].shape == (5, 8, 8, 8)
    assert model.dims == {name: 5}


@pytest.mark.parametrize(
    ("dims", "name"),
    [((1, 3, -1, 8), "x:2"), ((1, 3, 8, None), "x:3"), ((-1, 3, -1, 8), "x:2"), ((1, 3, "height", 8), "height")],
)
def test_any_other_needs_a_number_and_the_message_names_it(dims: tuple[Dim, ...], name: str, model_file: Path) -> None:
    path = saved(sized(*dims), model_file)
    with pytest.raises(ModelError, match=f"--dim {name}=128"):
        load(path)
    _, shape = bound(path, **{name: 8})
    assert shape == (1, 3, 8, 8)
    x = {"x": np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    assert same(whole(path, x, **{name: 8}), plain(saved(sized(1, 3, 8, 8), model_file), x))


@pytest.mark.parametrize("written", ["?", "None", "-1"])
def test_what_exporters_write_for_any_unknown_dimension_is_no_name_and_ties_nothing(
    written: str, model_file: Path
) -> None:
    path = saved(sized(written, 3, written, written), model_file)
    model, shape = bound(path, **{"x:2": 8, "x:3": 6})
    assert shape == (1, 3, 8, 6)
    assert model.dims == {"batch": 1, "x:2": 8, "x:3": 6}
    with pytest.raises(ModelError, match="--dim x:3=128"):
        load(path, dims={"x:2": 8})


def test_one_name_is_one_number(model_file: Path) -> None:
    path = saved(sized("n", 3, "n", "side"), model_file)
    assert bound(path, side=8)[1] == (1, 3, 1, 8)
    model, shape = bound(path, n=8, side=4)
    assert shape == (8, 3, 8, 4)
    assert model.dims == {"n": 8, "side": 4}


def test_zero_is_a_size_as_it_is_to_the_engine(model_file: Path) -> None:
    path = saved(sized(0, 3, 8, 8), model_file)
    model, shape = bound(path)
    assert (shape, dict(model.dims)) == ((0, 3, 8, 8), {})
    x = {"x": np.ones((0, 3, 8, 8), np.float32)}
    assert same(whole(path, x), plain(path, x))
    with pytest.raises(ModelError, match="batch"):
        load(path, dims={"batch": 1})


@pytest.mark.parametrize(
    ("dims", "known"),
    [((1, 3, 8, 8), "none"), ((-1, 3, 8, 8), "batch"), (("N", 3, "h", "h"), "N, h"), ((-1, 3, 8, -1), "batch, x:3")],
)
def test_a_number_for_what_is_not_free_is_refused_and_the_free_are_named(
    dims: tuple[Dim, ...], known: str, model_file: Path
) -> None:
    with pytest.raises(ModelError, match=f"'hieght'.*: {known}$"):
        load(saved(sized(*dims), model_file), dims={"hieght": 8})


def test_a_name_that_only_an_output_has_is_not_free(model_file: Path) -> None:
    proto = residual()
    proto.graph.output[0].type.tensor_type.shape.dim.add(dim_param="rows")
    with pytest.raises(ModelError, match="no input has a free dimension 'rows'"):
        load(saved(proto, model_file), dims={"rows": 8})


def test_a_negative_number_is_no_size(model_file: Path) -> None:
    with pytest.raises(ModelError, match="'N' cannot be -1"):
        load(saved(sized("N", 3, 8, 8), model_file), dims={"N": -1})


def test_minus_one_among_outputs_and_between_is_forgotten(model_file: Path) -> None:
    proto = sized(-1, 3, 8, 8)
    minus = [onnx.helper.make_tensor_value_info(node.output[0], 1, [-1] * 4) for node in proto.graph.node]
    proto.graph.value_info.extend(minus[:-1])
    proto.graph.output[0].CopyFrom(minus[-1])
    model = load(saved(proto, model_file))
    assert all(tensor.shape is not None and min(tensor.shape) > 0 for tensor in model.tensors.values())


def test_each_input_has_a_batch_of_its_own_name(model_file: Path) -> None:
    g = Graph(batch="a")
    g.inputs.append(onnx.helper.make_tensor_value_info("y", 1, ["b", 3, 8, 8]))
    path = saved(g.model(g.node("Add", g.node("ReduceMax", "x", axes=[0]), "y")), model_file)
    model = load(path, dims={"a": 4})
    assert [tensor.shape for tensor in model.inputs] == [(4, 3, 8, 8), (1, 3, 8, 8)]
    assert dict(model.dims) == {"a": 4, "b": 1}
